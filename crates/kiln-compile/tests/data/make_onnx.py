"""Makes the ONNX models of the tests: python make_onnx.py FOLDER (onnx 1.19.1)."""

import sys
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(7)


def weights(name, *shape):
    values = random.normal(0, 0.3, shape).astype(numpy.float32)
    return numpy_helper.from_array(values, name)


def convolutions():
    """Two convolutions, a normalisation, a pool and classes; the batch is open."""
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "scale", "shift", "mean", "var"], ["n1"]),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["classes"], axis=1),
    ]
    positive = numpy.abs(random.normal(1, 0.2, 8)).astype(numpy.float32)
    constants = [
        weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("scale", 8), weights("shift", 8),
        weights("mean", 8), numpy_helper.from_array(positive, "var"), weights("w2", 16, 8, 3, 3),
        weights("w3", 5, 16), weights("b3", 5),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 5])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def main(folder):
    model = convolutions()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / "convolutions.onnx")


main(Path(sys.argv[1]))
