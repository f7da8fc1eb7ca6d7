"""What an exporter is told, and what it answers with: files in one folder.

`order.json` says which model is meant and what was said of its inputs. The answer
is either a model in another form, with `export.json` and, for each set of inputs,
`inputs-N.npz` with the framework's own answers in `outputs-N.npz`, their arrays
numbered from 0; or `failure.json`, which says why there is none.

A size is an integer, null where it is open, or [least, most] with null for no most.
"""

import json
import math
import os
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

FOLDER = Path.cwd()
# Whose models have which form.
FRAMEWORKS = {
    "torchscript": "PyTorch",
    "exported-program": "PyTorch",
    "saved-model": "TensorFlow",
    "frozen-graph": "TensorFlow",
    "keras": "Keras",
}
# How many sets of inputs are made up.
GENERATED = 3
# The bytes of the largest input that a model is tried with.
LARGEST = 1 << 30


class Refused(Exception):
    """Why the model cannot be exported, in a sentence for its owner."""


class NotLoaded(Refused):
    """The framework itself cannot read the model."""


class Misfit(Exception):
    """What was said of the inputs contradicts the model, which has these."""

    def __init__(self, ports):
        super().__init__("the inputs contradict the model")
        self.ports = ports


@dataclass
class Port:
    """An input of the model."""

    name: str
    shape: list
    dtype: str
    # What a request may say beside, for Core ML: all shapes, where they are counted, the
    # one to use where a caller gives none, and how pixels become the model's numbers.
    enumerated: list = None
    default_shape: list = None
    image: dict = None

    def told(self) -> dict:
        """As answers have it."""
        return {"name": self.name, "shape": self.shape, "dtype": self.dtype}

    def as_given(self, shape: list, given: dict, sizes: dict = None):
        """This input in that shape, with what else a request says of it."""
        sizes = sizes or given
        return replace(
            self,
            shape=shape,
            enumerated=sizes["enumerated"],
            default_shape=sizes["default_shape"],
            image=given["image"],
        )

    def example(self, beyond: int = 0) -> list:
        """Sizes that it may have, those that are open by so much more than the least."""
        return [example(size, beyond) for size in self.shape]

    def open(self) -> list:
        """Its shape, with None for each size that is not fixed."""
        return [size if isinstance(size, int) else None for size in self.shape]


class Order:
    """What is to be exported."""

    def __init__(self, folder: Path = FOLDER):
        told = json.loads((folder / "order.json").read_text())
        self.format = told["format"]
        self.framework = FRAMEWORKS[self.format]
        self.model = told["model"]
        self.inputs = told["inputs"] or []
        self.dtype = told["dtype"]
        self.signature = told["signature"]
        self.outputs = told["outputs"]
        self.samples = told["samples"]
        self.labels = told["labels"]

    def fit(self, ports: list) -> list:
        """The model's inputs with what was said of them, by name or by order."""
        if not self.inputs:
            return ports
        if any(given["name"] is None for given in self.inputs):
            if len(self.inputs) != len(ports):
                raise Misfit(ports)
            pairs = list(zip(self.inputs, ports))
        else:
            given = {bare(given["name"]): given for given in self.inputs}
            if set(given) != {bare(port.name) for port in ports}:
                raise Misfit(ports)
            pairs = [(given[bare(port.name)], port) for port in ports]
        return [together(given, port, ports) for given, port in pairs]


def bare(name: str) -> str:
    """An operation's name, of which `:0` is the first output."""
    return name.removesuffix(":0")


def together(given: dict, port: Port, ports: list) -> Port:
    if given["dtype"] not in (None, port.dtype):
        raise Misfit(ports)
    # Which order of the axes is tried first is the framework's custom.
    for sizes in filter(None, (given["turned"], given)):
        shapes = [sizes["shape"], *(sizes["enumerated"] or [])]
        met = [meet(shape, port.shape) for shape in shapes]
        if None not in met:
            return port.as_given(met[0], given, sizes)
    raise Misfit(ports)


def meet(given: list, model: list):
    """The shape that is both, or None."""
    if len(given) != len(model):
        return None
    met = [meet_size(*sizes) for sizes in zip(given, model)]
    return None if "never" in met else met


def meet_size(given, model):
    if given is None or model is None:
        return model if given is None else given
    for size, other in ((given, model), (model, given)):
        if isinstance(size, int):
            return size if admits(other, size) else "never"
    return given


def admits(size, wanted: int) -> bool:
    if size is None or isinstance(size, int):
        return size in (None, wanted)
    least, most = size
    return least <= wanted and (most is None or wanted <= most)


def example(size, beyond: int = 0) -> int:
    if isinstance(size, int):
        return size
    least, most = size or (1, None)
    return least + beyond if most is None else min(least + beyond, most)


def sets(order: Order, ports: list) -> list:
    """Inputs to try the model with, each with whether they came with it."""
    made = [(generated(ports, seed), False) for seed in range(GENERATED)]
    return made + [(sample(Path(path), ports), True) for path in order.samples]


def generated(ports: list, seed: int) -> list:
    random = np.random.default_rng(seed)
    # The first set has the least sizes, and each further one larger ones.
    shapes = [port.example(seed) for port in ports]
    for port, shape in zip(ports, shapes):
        if math.prod(shape) * np.dtype(port.dtype).itemsize > LARGEST:
            raise Refused(
                f"Its input '{port.name}' is too large: an array of {port.dtype} with the sizes "
                f"{shape} takes more than the {LARGEST >> 30} GiB that an input may have."
            )
    return [numbers(random, port.dtype, shape) for port, shape in zip(ports, shapes)]


def numbers(random, dtype: str, shape: list):
    """Floats as normalised data has them, bytes as an image has them, and integers
    that are the number of a word or class which surely exists."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return random.uniform(-1, 1, shape).astype(kind)
    if kind.itemsize == 1 and kind.kind in "iu":
        limits = np.iinfo(kind)
        return random.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
    return random.integers(0, 1, shape, endpoint=True).astype(kind)


def sample(path: Path, ports: list) -> list:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            given = {name: arrays[name] for name in arrays.files}
    except ValueError as error:
        raise Refused(f"The sample {path.name} cannot be read: {error}") from error
    if len(ports) == len(given) == 1:
        given = {ports[0].name: next(iter(given.values()))}
    for port in ports:
        if port.name not in given:
            raise Refused(f"The sample {path.name} has no array for the input '{port.name}'.")
        expect_sizes(path, port, given[port.name].shape)
    return [given[port.name].astype(port.dtype) for port in ports]


def expect_sizes(path: Path, port: Port, shape: tuple) -> None:
    sizes = zip(port.shape, shape)
    if len(shape) != len(port.shape) or not all(admits(*size) for size in sizes):
        shown = [size if isinstance(size, int) else -1 for size in port.shape]
        raise Refused(
            f"The sample {path.name} has the sizes {list(shape)} for the input '{port.name}', "
            f"where the model has {shown}."
        )


class Answer:
    """What the exporter has to show."""

    def __init__(self, reference: str):
        self.reference = reference
        self.inputs = []
        self.cases = []
        self.remarks = []

    def add(self, inputs: list, outputs: list, is_sample: bool) -> None:
        """Adds what the framework answers to these inputs."""
        number = len(self.cases)
        for name, arrays in (("inputs", inputs), ("outputs", outputs)):
            arrays = {str(place): array for place, array in enumerate(arrays)}
            np.savez(FOLDER / f"{name}-{number}.npz", **arrays)
        self.cases.append(is_sample)

    def write(self, model: str) -> None:
        told = {
            "model": model,
            "reference": self.reference,
            "inputs": [port.told() for port in self.inputs],
            "cases": self.cases,
            "remarks": self.remarks,
        }
        (FOLDER / "export.json").write_text(json.dumps(told))


def run(export) -> None:
    """Runs the exporter, and writes down why it did not answer."""
    order = Order()
    framework = order.framework
    try:
        export(order)
        failure = None
    except Misfit as misfit:
        failure = {"inputs": [port.told() for port in misfit.ports]}
    except NotLoaded as refused:
        failure = {"message": f"Framework cannot load {framework} model: {refused}"}
    except Refused as refused:
        failure = {"message": f"Kiln cannot convert the {framework} model. {refused}"}
    except Exception as error:
        traceback.print_exc()
        failure = {"message": f"Kiln cannot convert the {framework} model. {last_words(error)}"}
    if failure:
        (FOLDER / "failure.json").write_text(json.dumps(failure))
    # Frameworks leave threads behind that may crash on the way out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def last_words(error: BaseException) -> str:
    """The first line that says something of what went wrong, and what kind it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = lines[0] if lines else ""
    # TorchScript tells of the stack first.
    said = [line for line in lines if line.startswith(("RuntimeError: ", "builtins."))]
    return (said[-1] if said else f"{type(error).__name__}: {told}")[:600]
