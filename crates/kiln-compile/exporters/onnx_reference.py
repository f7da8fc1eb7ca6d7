"""Runs an ONNX model with ONNX Runtime: MODEL INPUTS.npz... each to OUTPUTS beside it.

For `x/inputs-3.npz` the answers go to `x/outputs-3.npz`, an array for each output.
"""

import sys

import numpy
import onnxruntime


def main(model: str, *inputs: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    wanted = {value.name for value in session.get_inputs()}
    for path in inputs:
        with numpy.load(path, allow_pickle=False) as arrays:
            given = {name: arrays[name] for name in arrays.files if name in wanted}
        answers = dict(zip(names, session.run(names, given)))
        # The names may be ones that a zip archive or numpy's keywords would not take.
        numbered = {str(index): answers[name] for index, name in enumerate(names)}
        numpy.savez(path.replace("inputs-", "outputs-"), **numbered)
    print(f"ONNX Runtime {onnxruntime.__version__}: {len(inputs)} answers")


main(*sys.argv[1:])
