"""What TensorFlow or Keras saved: a SavedModel, a frozen graph, or a Keras model in HDF5
or in Keras's own form.

Reading such a file may run what is in it: this belongs in a sandbox.
"""

from pathlib import Path

import keras
import tensorflow as tf
from google.protobuf import text_format

from exchange import NotLoaded, Order, Port, Refused, bare, last_words

# What coremltools calls the framework, and the axis of an image's channels.
SOURCE = "tensorflow"
CHANNELS = -1
MISMATCH = ""
SIGNATURE = "serving_default"
# Operations that are in graphs beside what computes.
ASIDE = ("Const", "NoOp", "Assert", "Placeholder", "SaveV2", "RestoreV2")


class Network:
    """A function of tensors, in order, with its inputs and the names of its outputs."""

    def __init__(self, function, inputs: list, outputs: list):
        self.function = function
        self.inputs = inputs
        self.outputs = outputs

    def ports(self, order: Order) -> list:
        """The inputs, with what the request says of them."""
        return order.fit(self.inputs)

    def for_core_ml(self, ports: list):
        """What coremltools converts, its names of the inputs, and the names of the outputs."""
        specs = [tf.TensorSpec(port.open(), port.dtype, name=port.name) for port in ports]
        function = tf.function(lambda *tensors: flat(self.function(*tensors)), specs)
        function = function.get_concrete_function()
        names = [tensor.op.name for tensor in function.inputs[: len(ports)]]
        return [function], names, self.outputs


def saved_model(order: Order) -> Network:
    loaded = tf.saved_model.load(order.model)
    keys = sorted(loaded.signatures)
    key = order.signature or (keys[0] if len(keys) == 1 else SIGNATURE)
    if key not in keys:
        there = ", ".join(f"'{key}'" for key in keys) or "none"
        raise Refused(f"It has no signature '{key}'. Its signatures are {there}.")
    signature = loaded.signatures[key]
    specs = signature.structured_input_signature[1]
    outputs = chosen(list(signature.structured_outputs), order)

    def call(*tensors):
        answers = signature(**dict(zip(specs, tensors)))
        return [answers[name] for name in outputs]

    call.keeps = loaded
    return Network(call, [port(name, spec) for name, spec in specs.items()], outputs)


def chosen(names: list, order: Order) -> list:
    """The outputs that were asked for, or all."""
    unknown = [name for name in order.outputs if bare(name) not in names]
    if unknown:
        there = ", ".join(f"'{name}'" for name in names)
        raise Refused(f"It has no output '{unknown[0]}'. Its outputs are {there}.")
    return [bare(name) for name in order.outputs] or names


def frozen_graph(order: Order) -> Network:
    graph = read_graph(Path(order.model))
    taken = {tensor.lstrip("^").split(":")[0] for node in graph.node for tensor in node.input}
    last = [node.name for node in graph.node if node.name not in taken and node.op not in ASIDE]
    names = order.outputs or last
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(graph, name=""), []
    )
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    try:
        tensors = [wrapped.graph.as_graph_element(tensor(name)) for name in names]
    except KeyError as error:
        raise Refused(f"It has no output of that name: {error}") from error
    given = [wrapped.graph.as_graph_element(tensor(name)) for name in inputs]
    pruned = wrapped.prune(given, tensors)
    ports = [port(name, one) for name, one in zip(inputs, given)]
    return Network(lambda *tensors: pruned(*tensors), ports, [bare(name) for name in names])


def tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def read_graph(path: Path):
    graph = tf.compat.v1.GraphDef()
    content = path.read_bytes()
    if path.suffix == ".pbtxt":
        text_format.Parse(content.decode(), graph)
    else:
        graph.ParseFromString(content)
    if not any(node.op == "Placeholder" for node in graph.node):
        raise ValueError(f"{path.name} is no frozen graph, since it has no placeholder")
    return graph


def keras_model(order: Order) -> Network:
    model = load_keras(order.model)
    if not getattr(model, "inputs", None):
        raise Refused("It does not say what inputs it has.")
    ports = [port(bare(one.name), one) for one in model.inputs]
    outputs = list(getattr(model, "output_names", None) or [])
    if len(outputs) != len(model.outputs):
        outputs = [f"output{place}" for place in range(len(model.outputs))]
    outputs = [
        name if outputs.count(name) == 1 else f"{name}_{place}"
        for place, name in enumerate(outputs)
    ]

    def call(*tensors):
        return model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)

    return Network(call, ports, outputs)


def load_keras(path: str):
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=False)
    except Exception:
        if not path.endswith((".h5", ".hdf5")):
            raise
        # Keras 3 does not understand all that Keras 2 wrote.
        import tf_keras

        return tf_keras.models.load_model(path, compile=False)


def port(name: str, spec) -> Port:
    dtype = tf.as_dtype(spec.dtype)
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool) or dtype == tf.bfloat16:
        raise Refused(f"Its input '{name}' is of type {dtype.name}, which clients do not have.")
    shape = tuple(spec.shape) if spec.shape is not None and known_rank(spec.shape) else None
    if shape is None:
        raise Refused(f"Its input '{name}' does not say how many dimensions it has.")
    return Port(name, list(shape), dtype.name)


def known_rank(shape) -> bool:
    return not isinstance(shape, tf.TensorShape) or shape.rank is not None


READERS = {
    "saved-model": saved_model,
    "frozen-graph": frozen_graph,
    "keras": keras_model,
}


def load(order: Order) -> Network:
    try:
        return READERS[order.format](order)
    except Refused:
        raise
    except Exception as error:
        raise NotLoaded(last_words(error)) from error


def flat(answer) -> list:
    """The tensors of an answer, however they are nested."""
    return [tf.identity(tensor) for tensor in tf.nest.flatten(answer)]
