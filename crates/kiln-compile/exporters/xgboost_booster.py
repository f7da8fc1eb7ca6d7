"""Reads a pickled XGBoost booster, as the built-in algorithm or joblib leaves it, and
writes what `save_model` writes.

    python xgboost_booster.py MODEL FOLDER

Loading a pickle runs whatever it says: this belongs in a sandbox. FOLDER
receives

    model.ubj        the booster
    inputs.npz       rows that reach many leaves, as `data`
    outputs.npz      XGBoost's own answers to them, as `output`

A model that is no booster ends it with 1 and a sentence on stderr.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
import xgboost

ROWS = 64


def booster_of(model):
    if isinstance(model, xgboost.Booster):
        return model
    if isinstance(model, xgboost.XGBModel):
        return model.get_booster()
    raise TypeError(f"it is a {type(model).__module__}.{type(model).__name__}, not a booster")


def thresholds(booster):
    """Each feature's thresholds, by its place in a row."""
    names = booster.feature_names or [f"f{at}" for at in range(booster.num_features())]
    places = {name: at for at, name in enumerate(names)}
    found = {}
    for tree in booster.get_dump(dump_format="text"):
        for line in tree.splitlines():
            question = line.partition("[")[2].partition("]")[0]
            name, below, threshold = question.partition("<")
            if below and name in places:
                found.setdefault(places[name], []).append(float(threshold))
    return found


def rows_for(booster):
    """Rows whose values lie about the thresholds that are asked; some are missing."""
    random = np.random.RandomState(0)
    rows = random.normal(size=(ROWS, booster.num_features()))
    for feature, limits in thresholds(booster).items():
        spread = np.std(limits) + 1e-3
        rows[:, feature] = random.choice(limits, ROWS) + 0.1 * spread * random.normal(size=ROWS)
    rows[random.random_sample(rows.shape) < 0.1] = np.nan
    return rows.astype(np.float32)


def predict(booster, rows):
    names = {"feature_names": booster.feature_names, "feature_types": booster.feature_types}
    return booster.predict(xgboost.DMatrix(rows, **names))


def export(path, folder):
    # It reads plain pickles, and what it has compressed itself.
    booster = booster_of(joblib.load(path))
    rows = rows_for(booster)
    booster.save_model(str(folder / "model.ubj"))
    answers = np.asarray(predict(booster, rows), dtype=np.float64)
    np.savez(folder / "inputs.npz", data=rows)
    np.savez(folder / "outputs.npz", output=answers.reshape(len(rows), -1))


if __name__ == "__main__":
    try:
        export(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:
        sys.exit(f"The model could not be read: {type(error).__name__}: {error}")
