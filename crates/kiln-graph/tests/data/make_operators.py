"""Makes operators.jsonl.gz of the node tests in the wheel onnx==1.19.1.

Each line is a model, and of each of its outputs the type, the sizes and, where the
model has no inputs left, the elements. A model comes with its whole-number inputs
as constants, since these are axes and sizes, and, if it is small, once more with
all inputs as constants. No operator has more than a few models.

    python make_operators.py operators.jsonl.gz
"""

import base64
import collections
import gzip
import json
import pathlib
import sys

import numpy
import onnx
import onnx.backend.test
from onnx import numpy_helper

TESTS = pathlib.Path(onnx.backend.test.__file__).parent / "data" / "node"
PER_OPERATOR = 4
LARGEST = 100
NUMBERS = {"float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32",
           "uint32", "int64", "uint64", "bool"}


def tensor(path):
    message = onnx.TensorProto()
    message.ParseFromString(path.read_bytes())
    return message


def values(folder, kind, infos):
    found = []
    for number, info in enumerate(infos):
        if info.type.WhichOneof("value") != "tensor_type":
            raise ValueError("no tensor")
        message = tensor(folder / f"{kind}_{number}.pb")
        message.name = info.name
        found.append(message)
    return found


def is_structure(number, message, inputs):
    whole = message.data_type in (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
    return whole and (number > 0 or inputs == 1) and numpy.prod(message.dims) <= 64


def with_constants(model, constants):
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    names = {message.name for message in constants}
    kept = [info for info in changed.graph.input if info.name not in names]
    del changed.graph.input[:]
    changed.graph.input.extend(kept)
    changed.graph.initializer.extend(constants)
    for output in changed.graph.output:
        output.type.tensor_type.ClearField("shape")
    return changed


def line(name, model, outputs):
    arrays = [numpy_helper.to_array(message) for message in outputs]
    described = []
    for array in arrays:
        if array.dtype.name not in NUMBERS:
            raise ValueError("no numbers")
        one = {"type": array.dtype.name, "dims": list(array.shape)}
        if not model.graph.input:
            flat = array.astype(float).ravel()
            if not numpy.isfinite(flat).all():
                raise ValueError("not finite")
            one["values"] = [float(f"{value:.7g}") for value in flat]
        described.append(one)
    encoded = base64.b64encode(model.SerializeToString()).decode()
    return json.dumps({"name": name, "model": encoded, "outputs": described})


def cases():
    seen = collections.Counter()
    for folder in sorted(TESTS.iterdir()):
        model = onnx.load(folder / "model.onnx")
        if any(node.domain for node in model.graph.node):
            continue
        operator = model.graph.node[-1].op_type if len(model.graph.node) == 1 else "expanded"
        if seen[operator] >= PER_OPERATOR * (10 if operator == "expanded" else 1):
            continue
        try:
            data = folder / "test_data_set_0"
            inputs = values(data, "input", model.graph.input)
            outputs = values(data, "output", model.graph.output)
            structure = [message for number, message in enumerate(inputs)
                         if is_structure(number, message, len(inputs))]
            name = folder.name.removeprefix("test_")
            yield line(name, with_constants(model, structure), outputs)
            sizes = [numpy.prod(message.dims) for message in [*inputs, *outputs]]
            if len(structure) < len(inputs) and max(sizes) <= LARGEST:
                yield line(f"{name} of constants", with_constants(model, inputs), outputs)
        except (ValueError, FileNotFoundError, TypeError):
            continue
        seen[operator] += 1


if __name__ == "__main__":
    text = "\n".join(cases()) + "\n"
    pathlib.Path(sys.argv[1]).write_bytes(gzip.compress(text.encode(), mtime=0))
