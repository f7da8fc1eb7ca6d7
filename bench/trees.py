"""Trains a tree ensemble and measures what others make of it.

    python trees.py FOLDER [tiny]

FOLDER receives `model.ubj`, `rows.f32` and `answers.f32`, row after row in little
endian. What was measured is printed as one line of JSON: CPU time in
microseconds of one row alone and of each row among all of them, on one thread,
the least of several rounds, and the seconds that builds take.
"""

import ctypes
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import tl2cgen
import treelite
import xgboost
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

FEATURES = 50
STRIDE = 7919  # rows are asked in an order that no cache knows
ROUNDS = 7


def train(rows, trees, depth):
    random = np.random.RandomState(1)
    signal = rows[:, 0] + rows[:, 1] * rows[:, 2] + 0.5 * np.sin(3 * rows[:, 3])
    label = signal + 4 * random.normal(size=len(rows)) > 0
    parameters = {
        "objective": "binary:logistic",
        "max_depth": depth,
        "eta": 0.02,
        "max_bin": 64,
        "min_child_weight": 0.1,
        "seed": 1,
    }
    return xgboost.train(parameters, xgboost.DMatrix(rows, label), trees)


def least(rounds, action, count):
    """Microseconds of CPU for each of `count` things that `action` does."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        action()
        best = min(best, time.process_time() - begun)
    return best / count * 1e6


def measured(rows, calls, predict):
    picked = [rows[at * STRIDE % len(rows)][None, :].copy() for at in range(calls)]

    def one_by_one():
        for row in picked:
            predict(row)

    predict(rows)
    return {
        "single": least(ROUNDS, one_by_one, calls),
        "batch": least(ROUNDS, lambda: predict(rows), len(rows)),
    }


def measure_xgboost(folder, rows, calls):
    booster = xgboost.Booster({"nthread": 1}, model_file=str(folder / "model.ubj"))
    booster.inplace_predict(rows).astype("<f4").tofile(folder / "answers.f32")
    return measured(rows, calls, booster.inplace_predict)


def measure_onnxruntime(booster, rows, calls):
    kind = [("input", FloatTensorType([None, FEATURES]))]
    model = convert_xgboost(booster, initial_types=kind)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return measured(rows, calls, lambda rows: session.run(None, {"input": rows}))


def measure_tl2cgen(folder, rows, calls):
    library = folder / "tl2cgen.so"
    begun = time.perf_counter()
    tl2cgen.export_lib(
        treelite.frontend.load_xgboost_model(str(folder / "model.ubj")),
        toolchain="gcc",
        libpath=str(library),
        params={"parallel_comp": 32},
    )
    build = time.perf_counter() - begun
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    matrix = tl2cgen.DMatrix(rows)
    predictor.predict(matrix)
    batch = least(3, lambda: predictor.predict(matrix), len(rows))
    return {"single": single_tl2cgen(library, rows, calls), "batch": batch, "build": build}


def single_tl2cgen(library, rows, calls):
    """Its C function without its Python: a row's values, none of them missing."""
    predict = ctypes.CDLL(str(library)).predict
    answer = ctypes.c_float()
    to = ctypes.byref(answer)
    at = [rows.ctypes.data + at * STRIDE % len(rows) * FEATURES * 4 for at in range(calls)]
    pointers = [ctypes.c_void_p(address) for address in at]

    def one_by_one():
        for pointer in pointers:
            predict(pointer, 0, to)

    return least(ROUNDS, one_by_one, calls)


def main(folder, tiny):
    count, trees, depth, calls = (500, 20, 3, 20) if tiny else (10_000, 500, 8, 500)
    rows = np.random.RandomState(0).normal(size=(count, FEATURES)).astype("<f4")
    booster = train(rows, trees, depth)
    booster.save_model(str(folder / "model.ubj"))
    rows.tofile(folder / "rows.f32")
    leaves = sum(tree.count("leaf=") for tree in booster.get_dump())
    figures = {
        "rows": count,
        "features": FEATURES,
        "trees": trees,
        "depth": depth,
        "leaves": leaves,
        "calls": calls,
        "xgboost": measure_xgboost(folder, rows, calls),
        "onnxruntime": measure_onnxruntime(booster, rows, calls),
        "tl2cgen": measure_tl2cgen(folder, rows, calls),
    }
    print(json.dumps(figures))


main(Path(sys.argv[1]), len(sys.argv) > 2)
