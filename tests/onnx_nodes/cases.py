"""The node tests of the onnx package: a model of an operator each, inputs and answers.

A compiled model has definite sizes, so inputs that are sizes, axes or the like are given to
the compiler as constants, as real models have them: those at the places of `FIXED`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper

ROOT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"

# As the package's own tests compare.
RELATIVE, ABSOLUTE = 1e-3, 1e-7

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

# The places of the inputs that are fixed, by operator.
FIXED = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Clip": (1, 2),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "DFT": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "If": (0,),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "SequenceAt": (1,),
    "SequenceErase": (1,),
    "SequenceInsert": (2,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
} | {f"Reduce{kind}": (1,) for kind in _REDUCTIONS}


def names() -> list[str]:
    """All tests of the package."""
    return sorted(folder.name for folder in ROOT.iterdir())


@dataclass
class Case:
    """A test: its model, the inputs that are given when it runs, and the answers."""

    model: onnx.ModelProto
    inputs: list
    answers: list

    @classmethod
    def load(cls, name: str) -> "Case":
        """The test of this name, its fixed inputs made constants."""
        model = onnx.load(ROOT / name / "model.onnx")
        data = ROOT / name / "test_data_set_0"
        graph = model.graph
        values = [_read(data / f"input_{i}.pb", info) for i, info in enumerate(graph.input)]
        answers = [_read(data / f"output_{i}.pb", info) for i, info in enumerate(graph.output)]
        fixed = {
            node.input[place]
            for node in graph.node
            for place in FIXED.get(node.op_type, ())
            if place < len(node.input)
        }
        open_inputs, inputs = [], []
        for info, value in zip(list(graph.input), values, strict=True):
            if info.name in fixed and isinstance(value, numpy.ndarray):
                graph.initializer.append(numpy_helper.from_array(value, info.name))
            else:
                open_inputs.append(info)
                inputs.append(value)
        del graph.input[:]
        graph.input.extend(open_inputs)
        return cls(model, inputs, answers)


def _read(path: Path, info: onnx.ValueInfoProto):
    """A value of a test, of the type that the model says."""
    kinds = {
        "tensor_type": (onnx.TensorProto, numpy_helper.to_array),
        "sequence_type": (onnx.SequenceProto, numpy_helper.to_list),
        "optional_type": (onnx.OptionalProto, numpy_helper.to_optional),
    }
    message, convert = kinds[info.type.WhichOneof("value")]
    value = message()
    value.ParseFromString(path.read_bytes())
    return convert(value)


def difference(found: list, answers: list) -> str | None:
    """What distinguishes a model's answers from the right ones, if anything does."""
    if len(found) != len(answers):
        return f"{len(found)} outputs, not {len(answers)}"
    pairs = zip(found, answers, strict=True)
    return next((text for one, right in pairs if (text := _unlike(one, right))), None)


def _unlike(found, right) -> str | None:
    if not (isinstance(found, numpy.ndarray) and isinstance(right, numpy.ndarray)):
        return f"{type(found).__name__}, not {type(right).__name__}"
    # The compiled module knows widths only; the signs are the model's to tell.
    if {found.dtype.kind, right.dtype.kind} == {"i", "u"} and found.itemsize == right.itemsize:
        found = found.view(right.dtype)
    if (found.shape, found.dtype) != (right.shape, right.dtype):
        return f"{found.dtype}{found.shape}, not {right.dtype}{right.shape}"
    if right.dtype.kind in "biu":
        alike = numpy.array_equal(found, right)
    else:
        wide = numpy.complex128 if right.dtype.kind == "c" else numpy.float64
        found, right = found.astype(wide), right.astype(wide)
        alike = numpy.allclose(found, right, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    return None if alike else "other numbers"
