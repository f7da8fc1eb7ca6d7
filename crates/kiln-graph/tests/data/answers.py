"""The inputs and answers that are recorded beside a model, in one small file: a
line of JSON with each one's name, type and sizes, and then their elements."""

import json
from pathlib import Path

import numpy as np

NAME = "answers.bin"


def write(folder: Path, inputs: dict, outputs: dict) -> None:
    """Records inputs and outputs by their names."""
    listed = lambda named: [[k, v.dtype.str, list(v.shape)] for k, v in named.items()]
    head = json.dumps({"inputs": listed(inputs), "outputs": listed(outputs)}, separators=(",", ":"))
    elements = [np.ascontiguousarray(v).tobytes() for v in [*inputs.values(), *outputs.values()]]
    (folder / NAME).write_bytes(head.encode() + b"\n" + b"".join(elements))


def read(folder: Path) -> tuple[dict, dict]:
    """The recorded inputs and outputs by their names."""
    head, _, elements = (folder / NAME).read_bytes().partition(b"\n")
    head = json.loads(head)
    found = {"inputs": {}, "outputs": {}}
    for kind in found:
        for name, dtype, shape in head[kind]:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            found[kind][name] = np.frombuffer(elements[:size], dtype).reshape(shape)
            elements = elements[size:]
    return found["inputs"], found["outputs"]
