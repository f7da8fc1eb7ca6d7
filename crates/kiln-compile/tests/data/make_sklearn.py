"""Makes the models of scikit-learn that tests/libraries.rs reads, through the
exporter, each with scikit-learn's own answers. Run it in an environment with

    python 3.11: scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"""

import json
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import ensemble, tree

from make import labels, table

HERE = Path(__file__).parent
EXPORTER = HERE.parent.parent / "exporters" / "sklearn_trees.py"

# name: (kind of label, whether values are missing, the model)
MODELS = {
    "tree": ("value", True, tree.DecisionTreeRegressor(max_depth=4)),
    "tree-classes": ("classes", False, tree.DecisionTreeClassifier(max_depth=4)),
    "one-leaf": ("value", False, tree.DecisionTreeRegressor(max_depth=1, min_samples_split=999)),
    "extra-tree": ("binary", False, tree.ExtraTreeClassifier(max_depth=5)),
    "forest": ("value", True, ensemble.RandomForestRegressor(6, max_depth=4)),
    "forest-targets": ("targets", False, ensemble.RandomForestRegressor(4, max_depth=4)),
    "forest-binary": ("binary", True, ensemble.RandomForestClassifier(7)),
    "forest-classes": ("classes", False, ensemble.RandomForestClassifier(5, max_depth=4)),
    "extra-trees": ("classes", False, ensemble.ExtraTreesClassifier(5, max_depth=4)),
    "extra-trees-value": ("value", False, ensemble.ExtraTreesRegressor(5, max_depth=4)),
    "boosting": ("value", False, ensemble.GradientBoostingRegressor(n_estimators=9)),
    "boosting-quantile": (
        "value",
        False,
        ensemble.GradientBoostingRegressor(n_estimators=5, loss="quantile", init="zero"),
    ),
    "boosting-binary": ("binary", False, ensemble.GradientBoostingClassifier(n_estimators=9)),
    "boosting-exponential": (
        "binary",
        False,
        ensemble.GradientBoostingClassifier(n_estimators=9, loss="exponential"),
    ),
    "boosting-classes": ("classes", False, ensemble.GradientBoostingClassifier(n_estimators=4)),
    "histogram": ("value", True, ensemble.HistGradientBoostingRegressor(max_iter=6)),
    "histogram-poisson": (
        "counts",
        True,
        ensemble.HistGradientBoostingRegressor(max_iter=6, loss="poisson"),
    ),
    "histogram-binary": ("binary", True, ensemble.HistGradientBoostingClassifier(max_iter=6)),
    "histogram-classes": (
        "classes",
        True,
        ensemble.HistGradientBoostingClassifier(max_iter=3, max_depth=3),
    ),
    "histogram-categories": (
        "value",
        True,
        ensemble.HistGradientBoostingRegressor(max_iter=6, categorical_features=[3]),
    ),
    "isolation": ("value", False, ensemble.IsolationForest(n_estimators=8, max_samples=64, max_features=3)),
    "isolation-contaminated": (
        "value",
        False,
        ensemble.IsolationForest(n_estimators=8, max_samples=64, contamination=0.1),
    ),
}


def trained(name, kind, missing, model, seed):
    categories = name.endswith("-categories")
    rows, signal, rng = table(seed, missing=0.1 if missing else 0.0, categories=categories)
    label = np.stack([signal, 1 - signal], 1) if kind == "targets" else labels(kind, signal, rng)
    if "random_state" in model.get_params():
        model.set_params(random_state=7)
    return model.fit(rows, label)


def write_answers(exported, path):
    rows = np.load(exported / "inputs.npz")["data"]
    answers = np.load(exported / "outputs.npz")["output"]
    as_lists = lambda table: [
        [None if np.isnan(value) else float(value) for value in row] for row in table
    ]
    document = {
        "rows": as_lists(rows[:20]),
        "predictions": as_lists(answers[:20]),
        "margins": [],
    }
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n")


def main():
    warnings.simplefilter("ignore")
    folder = HERE / ("scikit-learn-" + sklearn.__version__)
    folder.mkdir(exist_ok=True)
    for seed, (name, (kind, missing, model)) in enumerate(sorted(MODELS.items())):
        with tempfile.TemporaryDirectory() as room:
            pickled = Path(room) / "model.pkl"
            pickled.write_bytes(pickle.dumps(trained(name, kind, missing, model, seed)))
            subprocess.run([sys.executable, EXPORTER, pickled, room], check=True)
            exported = (Path(room) / "ensemble.trees").read_bytes()
            (folder / (name + ".trees")).write_bytes(exported)
            write_answers(Path(room), folder / (name + ".answers.json"))


main()
