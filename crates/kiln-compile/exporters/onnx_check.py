"""Whether an exported ONNX model is one, and answers as its framework does.

A converter may end well and leave a model with operators that do not exist.
"""

import numpy as np
import onnx
import onnx.compose
import onnx.inliner
import onnxruntime

from exchange import Refused

# The operators' sets that networks may use.
DOMAINS = ("", "ai.onnx")
# How far apart two engines may be, also as a part of the largest number.
ABSOLUTE = 1e-4
OF_LARGEST = 1e-3


def finish(path: str, ports: list, outputs: list) -> None:
    """Checks the operators, gives inputs and outputs these names, and writes it back."""
    model = onnx.inliner.inline_local_functions(onnx.load(path))
    unknown = sorted({name for name in operators(model.graph, versions(model)) if name})
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        raise Refused(f"The following operators are not implemented: {{{names}}}")
    add_unused(model.graph, ports)
    rename(model.graph, [port.name for port in ports], outputs)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise Refused(f"What it became is no valid ONNX model: {error}") from error
    onnx.save(model, path)


def versions(model) -> dict:
    return {of.domain: of.version for of in model.opset_import}


def operators(graph, versions: dict):
    """For each node the operator, if there is none of that name."""
    for node in graph.node:
        known = node.domain in DOMAINS and onnx.defs.has(node.op_type, versions.get("", 1), "")
        yield None if known else node.op_type
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from operators(inner, versions)


def add_unused(graph, ports: list) -> None:
    """Adds the inputs that were left out, since nothing in the graph needs them."""
    there = {value.name: value for value in graph.input}
    if len(there) >= len(ports) or not set(there) <= {port.name for port in ports}:
        return
    values = [there.get(port.name) or value_of(port) for port in ports]
    del graph.input[:]
    graph.input.extend(values)


def value_of(port):
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype))
    return onnx.helper.make_tensor_value_info(port.name, kind, port.open())


def rename(graph, inputs: list, outputs: list) -> None:
    """Gives the graph's inputs and outputs names, without disturbing other names."""
    weights = {weight.name for weight in graph.initializer}
    values = [value for value in graph.input if value.name not in weights]
    if len(values) != len(inputs) or len(graph.output) != len(outputs):
        raise Refused(
            f"It has {len(inputs)} inputs and {len(outputs)} outputs, but became a model with "
            f"{len(values)} and {len(graph.output)}"
        )
    if [value.name for value in [*values, *graph.output]] == [*inputs, *outputs]:
        return
    # No name inside can then be one that is given.
    onnx.compose.add_prefix_graph(graph, "kiln/", inplace=True)
    given = [copy(name, value.name) for value, name in zip(values, inputs)]
    taken = [copy(value.name, name) for value, name in zip(graph.output, outputs)]
    nodes = [*given, *graph.node, *taken]
    del graph.node[:]
    graph.node.extend(nodes)
    for value, name in zip([*values, *graph.output], [*inputs, *outputs]):
        value.name = name


def copy(name: str, to: str):
    return onnx.helper.make_node("Identity", [name], [to])


def prove(path: str, inputs: list, outputs: list) -> None:
    """Refuses a model that does not give these outputs for these inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    answers = session.run(None, dict(zip(names, inputs)))
    for value, answer, expected in zip(session.get_outputs(), answers, outputs):
        if answer.shape != expected.shape or not is_close(answer, expected):
            raise Refused(f"What it became answers differently at the output '{value.name}'")


def is_close(answer, expected) -> bool:
    if expected.dtype.kind != "f":
        return bool(np.mean(answer != expected) <= 0.01) if expected.size else True
    finite = np.abs(expected[np.isfinite(expected)])
    allowed = max(ABSOLUTE, OF_LARGEST * float(finite.max(initial=0)))
    return np.allclose(answer, expected, rtol=0, atol=allowed, equal_nan=True)
