"""Runs an ONNX model with ONNX Runtime: MODEL CASE...

Each case is a directory with `input-0.npy` and so on, in the order of the model's
inputs; the answers go to `output-0.npy` and so on beside them. The last line says
which release has answered, or why none has.
"""

import os
import re
import signal
import sys
from pathlib import Path

import numpy
import onnxruntime


def main(model: str, *cases: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Its optimiser rounds the weights of quantised models anew.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    for case in map(Path, cases):
        given = {
            name: numpy.load(case / f"input-{index}.npy", allow_pickle=False)
            for index, name in enumerate(names)
        }
        for index, answer in enumerate(session.run(None, given)):
            numpy.save(case / f"output-{index}.npy", numpy.asarray(answer), allow_pickle=False)
    print(f"ONNX Runtime {onnxruntime.__version__}")


def reason(error: Exception, model: str) -> str:
    """What the runtime says, on one line, without its own marks and our paths."""
    said = " ".join(str(error).replace(model, Path(model).name).split())
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", said)[:600]


try:
    main(*sys.argv[1:])
except MemoryError:
    # As the system would have ended it.
    os.kill(os.getpid(), signal.SIGKILL)
except Exception as error:
    sys.exit(reason(error, sys.argv[1]))
