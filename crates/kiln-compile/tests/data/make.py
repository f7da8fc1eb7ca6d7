"""Makes the models that tests/libraries.rs reads, each with the answers of the
library that trained it.

One environment for each line below; in each, run `python make.py`, and it
writes the folders of the libraries that it finds:

    python 3.7:  xgboost==0.90 numpy==1.19.5 scipy==1.5.4
    python 3.11: xgboost==1.7.6 numpy==1.26.4 scipy==1.13.1
    python 3.11: xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1
    python 3.11: lightgbm==4.6.0 numpy==2.4.6 scipy==1.17.1

NAME.answers.json holds `rows` (null where a value is missing), `predictions`
and `margins`, one list for each row.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FEATURES = 5
TRAINING_ROWS = 400
ASKED_ROWS = 14


def table(seed, missing=0.1, categories=False):
    """Rows with an answer that depends on them; feature 3 may be a category."""
    rng = np.random.RandomState(seed)
    rows = rng.normal(size=(TRAINING_ROWS, FEATURES)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1] * 4) / 4  # values that equal thresholds, and zeros
    if categories:
        rows[:, 3] = rng.randint(0, 40, TRAINING_ROWS)
    signal = rows[:, 0] + 0.5 * rows[:, 1] - 0.3 * rows[:, 2] * rows[:, 4]
    if categories:
        signal = signal + 2.0 * (rows[:, 3] % 3 == 1)
    rows[rng.random_sample(rows.shape) < missing] = np.nan
    return rows, signal.astype(np.float64), rng


def asked(rows, categories=False):
    """The rows to answer: of the training set, and some that it never held."""
    few = rows[:ASKED_ROWS].copy()
    few[0, :] = np.nan
    few[1, :] = 0.0
    few[2, :] = 1e30
    few[3, :] = -1e30
    if categories:
        few[4:8, 3] = [39.0, 40.0, 77.0, -1.0]
        few[2:4, 3] = [63.0, 64.0]
    return few


def write(folder, name, rows, predictions, margins):
    as_lists = lambda table: [
        [None if np.isnan(v) else float(v) for v in np.ravel(row)] for row in table
    ]
    answers = {
        "rows": as_lists(rows),
        "predictions": as_lists(np.asarray(predictions, dtype=np.float64)),
        "margins": as_lists(np.asarray(margins, dtype=np.float64)),
    }
    text = json.dumps(answers, separators=(",", ":"))
    (folder / (name + ".answers.json")).write_text(text + "\n")


def labels(kind, signal, rng):
    if kind == "binary":
        return (signal > 0).astype(int)
    if kind == "classes":
        return np.digitize(signal, [-0.8, 0.8])
    if kind == "grades":
        return np.clip(np.round(signal + 1), 0, 4).astype(int)
    if kind == "positive":
        return np.exp(0.5 * signal) + 0.01
    if kind == "counts":
        return rng.poisson(np.exp(0.5 * signal))
    if kind == "fraction":
        return 1 / (1 + np.exp(-signal))
    return signal


XGBOOST = {
    # name: (kind of label, parameters, oldest version that knows it)
    "squared": ("value", {"objective": "reg:squarederror"}, "0.90"),
    "reg-logistic": ("fraction", {"objective": "reg:logistic"}, "0.90"),
    "logistic": ("binary", {"objective": "binary:logistic", "base_score": 0.3}, "0.90"),
    "logitraw": ("binary", {"objective": "binary:logitraw", "base_score": 0.3}, "0.90"),
    "hinge": ("binary", {"objective": "binary:hinge"}, "0.90"),
    "softmax": ("classes", {"objective": "multi:softmax", "num_class": 3}, "0.90"),
    "softprob": ("classes", {"objective": "multi:softprob", "num_class": 3}, "0.90"),
    "gamma": ("positive", {"objective": "reg:gamma"}, "0.90"),
    "tweedie": ("positive", {"objective": "reg:tweedie"}, "0.90"),
    "poisson": ("counts", {"objective": "count:poisson", "base_score": 2.0}, "0.90"),
    "cox": ("positive", {"objective": "survival:cox"}, "0.90"),
    "pairwise": ("grades", {"objective": "rank:pairwise"}, "0.90"),
    "ndcg": ("grades", {"objective": "rank:ndcg"}, "1.7.6"),
    "squaredlog": ("positive", {"objective": "reg:squaredlogerror"}, "1.7.6"),
    "aft": ("positive", {"objective": "survival:aft"}, "1.7.6"),
    "absolute": ("value", {"objective": "reg:absoluteerror"}, "1.7.6"),
    "pseudohuber": ("value", {"objective": "reg:pseudohubererror"}, "1.7.6"),
    "quantiles": (
        "value",
        {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]},
        "3.2.0",
    ),
    "dart": (
        "binary",
        {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5},
        "0.90",
    ),
    "forest": (
        "value",
        {"objective": "reg:squarederror", "num_parallel_tree": 3, "subsample": 0.5},
        "0.90",
    ),
    "categories": (
        "value",
        {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 4},
        "1.7.6",
    ),
    "one-hot": (
        "value",
        {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 99},
        "1.7.6",
    ),
    "pruned": ("value", {"objective": "reg:squarederror", "gamma": 20.0}, "0.90"),
    "one-leaf": ("value", {"objective": "reg:squarederror", "gamma": 1e9}, "0.90"),
    "deep": (
        "value",
        {"objective": "reg:squarederror", "max_depth": 30, "min_child_weight": 8},
        "0.90",
    ),
    "vector-leaves": (
        "targets",
        {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "multi_strategy": "multi_output_tree",
        },
        "3.2.0",
    ),
    "targets": ("targets", {"objective": "reg:squarederror"}, "1.7.6"),
    "linear": ("value", {"objective": "reg:squarederror", "booster": "gblinear"}, "0.90"),
}


def order(version):
    return [int(part) for part in version.split(".")]


def xgboost_matrix(xgboost, rows, categories):
    if not categories:
        return xgboost.DMatrix(rows)
    types = ["c" if at == 3 else "q" for at in range(FEATURES)]
    return xgboost.DMatrix(rows, feature_types=types, enable_categorical=True)


def xgboost_label(matrix, kind, name, signal, rng):
    if kind == "targets":
        matrix.set_label(np.stack([signal, -2 * signal + 1], axis=1))
    else:
        matrix.set_label(labels(kind, signal, rng))
    if kind == "grades":
        matrix.set_group([20] * (TRAINING_ROWS // 20))
    if name == "aft":
        bound = labels(kind, signal, rng)
        matrix.set_float_info("label_lower_bound", bound)
        matrix.set_float_info("label_upper_bound", bound * 1.5)


def make_xgboost(xgboost):
    version = xgboost.__version__
    folder = HERE / ("xgboost-" + version)
    folder.mkdir(exist_ok=True)
    endings = {"0.90": ["model"], "1.7.6": ["model", "json"], "3.2.0": ["ubj"]}[version]
    for seed, (name, (kind, parameters, since)) in enumerate(sorted(XGBOOST.items())):
        if order(since) > order(version):
            continue
        categories = name in ("categories", "one-hot")
        rows, signal, rng = table(seed, categories=categories)
        matrix = xgboost_matrix(xgboost, rows, categories)
        xgboost_label(matrix, kind, name, signal, rng)
        settings = dict({"max_depth": 3, "eta": 0.5, "nthread": 1, "seed": 7}, **parameters)
        booster = xgboost.train(settings, matrix, 4)
        for ending in endings:
            if categories and ending == "model":
                continue  # the old form has no place for them
            booster.save_model(str(folder / (name + "." + ending)))
        few = asked(rows, categories)
        if version != "1.7.6" and categories:
            few[few[:, 3] < 0, 3] = 0  # refused by later versions
        asked_matrix = xgboost_matrix(xgboost, few, categories)
        # Without a limit, 0.90 drops trees of DART when it predicts, too.
        limit = {"ntree_limit": 4} if version == "0.90" and name == "dart" else {}
        write(
            folder,
            name,
            few,
            booster.predict(asked_matrix, **limit),
            booster.predict(asked_matrix, output_margin=True, **limit),
        )


LIGHTGBM = {
    "regression": ("value", {"objective": "regression"}),
    "sqrt": ("positive", {"objective": "regression", "reg_sqrt": True}),
    "l1": ("value", {"objective": "regression_l1"}),
    "huber": ("value", {"objective": "huber"}),
    "fair": ("value", {"objective": "fair"}),
    "quantile": ("value", {"objective": "quantile", "alpha": 0.7}),
    "mape": ("positive", {"objective": "mape"}),
    "poisson": ("counts", {"objective": "poisson"}),
    "gamma": ("positive", {"objective": "gamma"}),
    "tweedie": ("positive", {"objective": "tweedie"}),
    "binary": ("binary", {"objective": "binary", "sigmoid": 1.7}),
    "multiclass": ("classes", {"objective": "multiclass", "num_class": 3}),
    "multiclassova": (
        "classes",
        {"objective": "multiclassova", "num_class": 3, "sigmoid": 0.8},
    ),
    "cross-entropy": ("fraction", {"objective": "cross_entropy"}),
    "cross-entropy-lambda": ("fraction", {"objective": "cross_entropy_lambda"}),
    "lambdarank": ("grades", {"objective": "lambdarank"}),
    "xendcg": ("grades", {"objective": "rank_xendcg"}),
    "dart": ("binary", {"objective": "binary", "boosting": "dart", "drop_rate": 0.5}),
    "goss": ("binary", {"objective": "binary", "data_sample_strategy": "goss"}),
    "forest": (
        "binary",
        {"objective": "binary", "boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    ),
    "forest-classes": (
        "classes",
        {
            "objective": "multiclass",
            "num_class": 3,
            "boosting": "rf",
            "bagging_fraction": 0.5,
            "bagging_freq": 1,
        },
    ),
    "categories": ("value", {"objective": "regression", "min_data_per_group": 5}),
    "missing-zero": ("value", {"objective": "regression", "zero_as_missing": True}),
    "missing-none": ("value", {"objective": "regression", "use_missing": False}),
    "one-leaf": ("value", {"objective": "regression", "min_gain_to_split": 1e9}),
    "deep": ("value", {"objective": "regression", "num_leaves": 40, "min_data_in_leaf": 5}),
    "linear-leaves": ("value", {"objective": "regression", "linear_tree": True}),
}


def make_lightgbm(lightgbm):
    folder = HERE / ("lightgbm-" + lightgbm.__version__)
    folder.mkdir(exist_ok=True)
    for seed, (name, (kind, parameters)) in enumerate(sorted(LIGHTGBM.items())):
        categories = name == "categories"
        missing = 0.0 if name == "missing-none" else 0.1
        rows, signal, rng = table(seed, missing, categories)
        rows = rows.astype(np.float64)
        data = lightgbm.Dataset(
            rows,
            label=labels(kind, signal, rng),
            categorical_feature=[3] if categories else "auto",
            group=[20] * (TRAINING_ROWS // 20) if kind == "grades" else None,
        )
        settings = {"num_leaves": 7, "learning_rate": 0.5, "verbose": -1, "num_threads": 1}
        booster = lightgbm.train(dict(settings, **parameters), data, 4)
        booster.save_model(str(folder / (name + ".txt")))
        few = asked(rows, categories)
        write(folder, name, few, booster.predict(few), booster.predict(few, raw_score=True))


def main():
    try:
        import xgboost

        make_xgboost(xgboost)
    except ImportError:
        pass
    try:
        import lightgbm

        make_lightgbm(lightgbm)
    except ImportError:
        pass


if __name__ == "__main__":
    main()
