"""Reads a pickled scikit-learn tree ensemble and writes it as plain numbers.

    python sklearn_trees.py MODEL FOLDER

MODEL was written by pickle or joblib, and loading it runs whatever it says: this
belongs in a sandbox. FOLDER receives

    ensemble.trees   the trees (read by src/trees/sklearn)
    inputs.npz       rows that reach many leaves, as `data`
    outputs.npz      scikit-learn's own answers to them, as `output`

A model that cannot be exported ends it with 1 and a sentence on stderr.

`ensemble.trees` is a line of JSON and then arrays in little endian, one after
another: base f64[groups]; of each tree its nodes u32, its sets u32 and its
group i32 (-1 for all); of each node left i32 (-1 for a leaf), right i32,
feature u32, missing goes left u8, set i32 (-1 for a threshold) and threshold
f64; leaves' values f64, one for each node or, in trees for all groups, as many
as there are groups; and the words u32[8 * sets] of the sets, whose members go
to the left unless the node's `outside` u8 says the others do.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np

ROWS = 64
SET_WORDS = 8
SET_LIMIT = 32 * SET_WORDS


class Refused(Exception):
    """What the model has that cannot be compiled, as a sentence's end."""


class Tree:
    """One tree as arrays over its nodes; `group` -1 adds to all groups."""

    def __init__(self, group, left, right, feature, threshold, missing_left, values):
        count = len(left)
        self.group = group
        self.left = np.asarray(left, dtype="<i4")
        self.right = np.asarray(right, dtype="<i4")
        self.feature = np.where(self.left < 0, 0, feature).astype("<u4")
        self.threshold = np.asarray(threshold, dtype="<f8")
        self.missing_left = np.asarray(missing_left, dtype="u1")
        self.values = np.ascontiguousarray(values, dtype="<f8")
        self.set = np.full(count, -1, dtype="<i4")
        self.outside = np.zeros(count, dtype="u1")
        self.words = []


class Ensemble:
    """Trees, and how their sums become the answers of `answers`."""

    def __init__(self, trees, groups, link, answers, base=None, divisor=1.0, scale=1.0):
        self.trees = trees
        self.link = link
        self.answers = answers
        self.base = np.zeros(groups) if base is None else np.asarray(base, dtype="<f8")
        self.divisor = divisor
        self.scale = scale


def plain_tree(estimator, group, values, features=None):
    """A `sklearn.tree` tree with these values for its nodes."""
    nodes = estimator.tree_.__getstate__()["nodes"]
    feature = np.maximum(nodes["feature"], 0)
    if features is not None:
        feature = np.asarray(features)[feature]
    has_missing = "missing_go_to_left" in nodes.dtype.names
    missing_left = nodes["missing_go_to_left"] if has_missing else np.zeros(len(nodes))
    return Tree(
        group,
        nodes["left_child"],
        nodes["right_child"],
        feature,
        nodes["threshold"],
        missing_left,
        values,
    )


def forest(model, estimators):
    """Trees whose answers are averaged: forests, and single trees."""
    if hasattr(model, "classes_"):
        return forest_of_classes(model, estimators)
    outputs = model.n_outputs_
    group = 0 if outputs == 1 else -1
    trees = [plain_tree(one, group, one.tree_.value[:, :, 0]) for one in estimators]
    return Ensemble(trees, outputs, "identity", model.predict, divisor=float(len(trees)))


def forest_of_classes(model, estimators):
    if model.n_outputs_ != 1:
        raise Refused("a classifier of several outputs")
    classes = len(model.classes_)
    trees = []
    for one in estimators:
        counts = one.tree_.value[:, 0, :]
        total = counts.sum(axis=1, keepdims=True)
        fractions = counts / np.where(total == 0, 1, total)
        if classes == 2:
            trees.append(plain_tree(one, 0, fractions[:, 1]))
        else:
            trees.append(plain_tree(one, 0 if classes == 1 else -1, fractions))
    groups, link = (1, "complement") if classes == 2 else (classes, "identity")
    return Ensemble(trees, groups, link, model.predict_proba, divisor=float(len(trees)))


def gradient_boosting(model):
    stages, groups = model.estimators_.shape
    if model.init is not None and not isinstance(model.init, str):
        raise Refused("an `init` estimator of its own")
    any_row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    base = np.asarray(model._raw_predict_init(any_row), dtype="<f8").reshape(groups)
    trees = []
    for stage in range(stages):
        for group in range(groups):
            one = model.estimators_[stage, group]
            values = model.learning_rate * one.tree_.value[:, 0, 0]
            trees.append(plain_tree(one, group, values))
    if not hasattr(model, "classes_"):
        return Ensemble(trees, groups, "identity", model.predict, base)
    link = "both" if groups == 1 else "softmax"
    scale = 2.0 if model.loss == "exponential" else 1.0
    return Ensemble(trees, groups, link, model.predict_proba, base, scale=scale)


HISTOGRAM_LINKS = {
    "squared_error": "identity",
    "absolute_error": "identity",
    "quantile": "identity",
    "poisson": "exp",
    "gamma": "exp",
}


def histogram_boosting(model):
    features, categories = histogram_features(model)
    base = np.asarray(model._baseline_prediction, dtype="<f8").reshape(-1)
    trees = [
        histogram_tree(predictor, group, features, categories)
        for stage in model._predictors
        for group, predictor in enumerate(stage)
    ]
    if hasattr(model, "classes_"):
        link = "both" if len(base) == 1 else "softmax"
        return Ensemble(trees, len(base), link, model.predict_proba, base)
    link = HISTOGRAM_LINKS.get(model.loss)
    if link is None:
        raise Refused(f"the loss {model.loss!r}")
    return Ensemble(trees, len(base), link, model.predict, base)


def histogram_features(model):
    """The place of each feature of the trees in a row, and of each that is
    encoded the categories that its codes stand for."""
    count = model.n_features_in_
    if getattr(model, "is_categorical_", None) is None:
        return np.arange(count), {}
    encoder = getattr(model, "_preprocessor", None)
    is_categorical = np.asarray(model.is_categorical_, dtype=bool)
    if encoder is None:
        raise Refused("categories of a scikit-learn before 1.4")
    # The encoder puts the categories first.
    positions = np.asarray(encoder.transformers_[0][2])
    if positions.dtype == bool:
        positions = np.flatnonzero(positions)
    if positions.dtype.kind not in "iu":
        raise Refused("categories that are chosen by column names")
    others = np.setdiff1d(np.arange(count), positions)
    categories = {}
    known = encoder.named_transformers_["encoder"].categories_
    for place, values in enumerate(known):
        categories[place] = [whole_category(value) for value in values if value == value]
    if is_categorical.sum() != len(positions):
        raise Refused("categories in an order of their own")
    return np.concatenate([positions, others]).astype(int), categories


def whole_category(value):
    if isinstance(value, str) or value != int(value) or not 0 <= value < SET_LIMIT:
        raise Refused(f"the category {value!r}, which is no whole number below {SET_LIMIT}")
    return int(value)


def histogram_tree(predictor, group, features, categories):
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    children = lambda name: np.where(is_leaf, -1, nodes[name].astype("<i8"))
    tree = Tree(
        group,
        children("left"),
        children("right"),
        features[np.where(is_leaf, 0, nodes["feature_idx"])],
        nodes["num_threshold"],
        nodes["missing_go_to_left"],
        nodes["value"],
    )
    for at in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf):
        known = categories[int(nodes["feature_idx"][at])]
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][at]]
        is_left = lambda code: bits[code // 32] >> (code % 32) & 1
        # Whatever is unknown goes the way of the missing.
        outside = bool(nodes["missing_go_to_left"][at])
        members = [value for code, value in enumerate(known) if is_left(code) != outside]
        words = np.zeros(SET_WORDS, dtype="<u4")
        for value in members:
            words[value // 32] |= np.uint32(1 << (value % 32))
        tree.set[at] = len(tree.words)
        tree.outside[at] = outside
        tree.words.append(words)
    return tree


def average_path(samples):
    """The mean depth of an unsuccessful search among so many samples."""
    samples = np.asarray(samples, dtype=np.float64)
    many = np.maximum(samples, 3)
    mean = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(samples <= 1, 0.0, np.where(samples <= 2, 1.0, mean))


def isolation_forest(model):
    trees = []
    for one, features in zip(model.estimators_, model.estimators_features_):
        tree = one.tree_
        depth = np.zeros(tree.node_count)
        for at in range(tree.node_count):  # children come after their parents
            if tree.children_left[at] >= 0:
                depth[[tree.children_left[at], tree.children_right[at]]] = depth[at] + 1
        values = depth + average_path(tree.n_node_samples)
        trees.append(plain_tree(one, 0, values, features))
    divisor = len(trees) * float(average_path([model.max_samples_])[0])
    return Ensemble(
        trees,
        1,
        "isolation",
        model.decision_function,
        divisor=divisor,
        scale=float(model.offset_),
    )


def ensemble_of(model):
    """The ensemble of a model, by the name of its class or of one above it."""
    kinds = {
        "BaseHistGradientBoosting": histogram_boosting,
        "BaseGradientBoosting": gradient_boosting,
        "IsolationForest": isolation_forest,
        "BaseForest": lambda model: forest(model, model.estimators_),
        "BaseDecisionTree": lambda model: forest(model, [model]),
    }
    for kind in type(model).__mro__:
        if kind.__name__ in kinds and kind.__module__.startswith("sklearn."):
            return kinds[kind.__name__](model)
    raise Refused(f"the class {type(model).__module__}.{type(model).__name__}")


def write(ensemble, model, path):
    names = [str(name) for name in getattr(model, "feature_names_in_", [])]
    head = {
        "format": "kiln-trees 1",
        "features": int(model.n_features_in_),
        "feature_names": names,
        "groups": len(ensemble.base),
        "trees": len(ensemble.trees),
        "divisor_bits": np.float64(ensemble.divisor).view("u8").item(),
        "scale_bits": np.float64(ensemble.scale).view("u8").item(),
        "link": ensemble.link,
    }
    trees = ensemble.trees
    arrays = [ensemble.base.astype("<f8")]
    arrays.append(np.array([len(tree.left) for tree in trees], dtype="<u4"))
    arrays.append(np.array([len(tree.words) for tree in trees], dtype="<u4"))
    arrays.append(np.array([tree.group for tree in trees], dtype="<i4"))
    for name in ["left", "right", "feature", "missing_left", "set", "outside", "threshold"]:
        arrays += [getattr(tree, name) for tree in trees]
    arrays += [tree.values for tree in trees]
    arrays += [words for tree in trees for words in tree.words]
    with open(path, "wb") as file:
        file.write(json.dumps(head).encode() + b"\n")
        for array in arrays:
            file.write(array.tobytes())


def rows_for(ensemble, features):
    """Rows whose values lie about the thresholds that are asked."""
    random = np.random.RandomState(0)
    rows = random.normal(size=(ROWS, features))
    asked = np.concatenate([tree.feature[tree.left >= 0] for tree in ensemble.trees])
    limits = np.concatenate([tree.threshold[tree.left >= 0] for tree in ensemble.trees])
    finite = np.isfinite(limits)
    asked, limits = asked[finite], limits[finite]
    for feature in np.unique(asked):
        of_feature = limits[asked == feature]
        spread = of_feature.std() + 1e-3
        rows[:, feature] = random.choice(of_feature, ROWS) + 0.1 * spread * random.normal(size=ROWS)
    encoded = [tree.feature[tree.set >= 0] for tree in ensemble.trees]
    for feature in np.unique(np.concatenate(encoded)):
        rows[:, feature] = random.randint(0, SET_LIMIT, ROWS)
    return rows.astype(np.float32)


def answered(ensemble, rows):
    """The rows and their answers; some values are missing if the model allows it."""
    missing = rows.copy()
    missing[np.random.RandomState(1).random_sample(rows.shape) < 0.1] = np.nan
    try:
        return missing, ensemble.answers(missing)
    except ValueError:
        return rows, ensemble.answers(rows)


def load(path):
    try:
        import joblib

        return joblib.load(path)
    except ImportError:
        with open(path, "rb") as file:
            return pickle.load(file)


def export(path, folder):
    model = load(path)
    ensemble = ensemble_of(model)
    write(ensemble, model, folder / "ensemble.trees")
    rows, answers = answered(ensemble, rows_for(ensemble, int(model.n_features_in_)))
    answers = np.asarray(answers, dtype=np.float64)
    np.savez(folder / "inputs.npz", data=rows)
    np.savez(folder / "outputs.npz", output=answers.reshape(len(rows), -1))


if __name__ == "__main__":
    try:
        export(sys.argv[1], Path(sys.argv[2]))
    except Refused as refused:
        sys.exit(f"The model uses {refused}, which cannot be compiled.")
    except Exception as error:
        sys.exit(f"The model could not be read: {type(error).__name__}: {error}")
