"""Makes versions.jsonl.gz: operators in the versions that changed since, with the
answers of ONNX Runtime 1.31. Each line is as make_operators.py writes it; every
input is a constant.

    python make_versions.py versions.jsonl.gz
"""

import gzip
import pathlib
import sys

import numpy
import onnxruntime
from make_operators import line
from onnx import ValueInfoProto, helper, numpy_helper

AXES = {"Squeeze": [0], "Unsqueeze": [0, 2], "ReduceSum": [1]}


def node(operator, inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def floats(*numbers):
    return numpy.array(numbers, "float32")


def before_9():
    upsample = node("Upsample", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])
    yield "upsample", [1, 2, 3, 4], [upsample], {}


def before_10():
    yield "slice", [2, 5, 4], [node("Slice", starts=[1, 0], ends=[-1, 9999], axes=[1, 2])], {}
    yield "slice from the front", [2, 5], [node("Slice", starts=[0, 1], ends=[1, 3])], {}
    yield "top k", [2, 5], [node("TopK", outputs=("y", "i"), axis=1, k=2)], {}


def before_11():
    yield "pad", [2, 3, 4], [node("Pad", pads=[0, 1, 1, 0, 1, 2], value=1.5)], {}
    yield "clip", [2, 3], [node("Clip", min=-0.5, max=0.5)], {}
    yield "clip above", [2, 3], [node("Clip", max=0.5)], {}


def before_13(opset):
    for operator, axes in AXES.items():
        yield operator, [1, 3, 4], [node(operator, axes=axes)], {}
    yield "squeeze all", [1, 3, 1], [node("Squeeze")], {}
    yield "split", [2, 4], [node("Split", outputs=("y", "z"), axis=1, split=[1, 3])], {}
    for axis in [0, 1, 2] + ([-1, -2] if opset >= 11 else []):
        yield f"softmax from axis {axis}", [2, 3, 4], [node("Softmax", axis=axis)], {}
    yield "hardmax", [2, 3, 4], [node("Hardmax")], {}
    dropout = node("Dropout", outputs=("d",))
    yield "dropout", [2, 3], [dropout, node("Relu", ("d",))], {}


def resized():
    for mode in ("nearest", "linear"):
        for scale in (0.6, 1.5, 2.0):
            scales = {"s": floats(1, 1, scale, scale)}
            resize = node("Resize", ("x", "s"), mode=mode)
            yield f"resize {mode} by {scale}", [1, 1, 6, 7], [resize], scales


def cases(opset):
    if opset < 9:
        yield from before_9()
    if opset < 10:
        yield from before_10()
    if opset == 10:
        yield from resized()
    if opset < 11:
        yield from before_11()
    if opset < 13:
        yield from before_13(opset)
    scale = {name: floats(0.5, 1, 2) for name in "sbmv"}
    yield "normalization", [2, 3, 4], [node("BatchNormalization", ("x", *"sbmv"))], scale
    yield "mean", [2, 3, 4], [node("ReduceMean", axes=[0, 2])], {}


def lines():
    numbers = numpy.random.default_rng(7)
    for opset in range(7, 17):
        for name, shape, nodes, constants in cases(opset):
            constants = {"x": numbers.standard_normal(shape).astype("float32"), **constants}
            outputs = [ValueInfoProto(name=name) for name in nodes[-1].output]
            tensors = [numpy_helper.from_array(value, key) for key, value in constants.items()]
            graph = helper.make_graph(nodes, "graph", [], outputs, tensors)
            opsets = [helper.make_opsetid("", opset)]
            model = helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset > 8 else 4)
            session = onnxruntime.InferenceSession(model.SerializeToString())
            answers = [numpy_helper.from_array(answer) for answer in session.run(None, {})]
            yield line(f"{name} of opset {opset}", model, answers)


if __name__ == "__main__":
    text = "\n".join(lines()) + "\n"
    pathlib.Path(sys.argv[1]).write_bytes(gzip.compress(text.encode(), mtime=0))
