"""Exports what TensorFlow or Keras saved to ONNX.

Reading such a file may run what is in it: this belongs in a sandbox.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf2onnx.convert
import tf2onnx.handler
import tf2onnx.utils

sys.path.insert(0, str(Path(__file__).parent))

from exchange import Answer, Order, Refused, last_words, run, sets
from onnx_check import finish, prove
from tensorflow_models import flat, load

OPSET = 17
MODEL = "model.onnx"


@tf2onnx.handler.tf_op("Erfc")
class Erfc:
    """What tf2onnx does not know, and Keras's `gelu` is made of: 1 - erf(x)."""

    @classmethod
    def version_9(cls, graph, node, **_):
        told = {"shapes": node.output_shapes, "dtypes": node.output_dtypes}
        kind = tf2onnx.utils.map_onnx_to_numpy_type(node.output_dtypes[0])
        graph.remove_node(node.name)
        one = graph.make_const(tf2onnx.utils.make_name("one"), np.array(1, kind))
        erf = graph.make_node("Erf", node.input, **told)
        terms = [one.output[0], erf.output[0]]
        graph.make_node("Sub", terms, name=node.name, outputs=node.output, **told)


def export(order: Order) -> None:
    network = load(order)
    answer = Answer(reference(order))
    answer.inputs = network.ports(order)
    specs = [
        tf.TensorSpec(port.open(), port.dtype, name=f"input{place}")
        for place, port in enumerate(answer.inputs)
    ]
    function = tf.function(lambda *tensors: flat(network.function(*tensors)), specs)
    outputs = []
    for inputs, is_sample in sets(order, answer.inputs):
        outputs = answered(function, inputs)
        answer.add(inputs, outputs, is_sample)
    tf2onnx.convert.from_function(function, specs, opset=OPSET, output_path=MODEL)
    finish(MODEL, answer.inputs, network.outputs)
    prove(MODEL, inputs, outputs)
    answer.write(MODEL)


def reference(order: Order) -> str:
    if order.format == "keras":
        return f"Keras {keras.__version__}"
    return f"TensorFlow {tf.__version__}"


def answered(function, inputs: list) -> list:
    """The framework's own answers."""
    try:
        answers = function(*[tf.constant(array) for array in inputs])
    except Exception as error:
        raise Refused(
            f"Invalid model or input-shape mismatch. {last_words(error)}"
        ) from error
    return [np.asarray(tensor) for tensor in answers]


run(export)
