"""Converts what PyTorch saved to Core ML: a `.mlmodel`, or a `.mlpackage` where the
older form cannot say what the model does.

Reading such a file may run what is in it: this belongs in a sandbox. Only Apple's
systems run what comes out, so there are no answers to compare with.
"""

import sys
from pathlib import Path

import coremltools as ct
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from exchange import Answer, Order, Port, Refused, last_words, run
from pytorch_models import MISMATCH, Script, in_order, load

FORMS = (("neuralnetwork", "model.mlmodel"), ("mlprogram", "model.mlpackage"))
# What Core ML takes as the type of an input.
DTYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32, "int64": np.int32}
# Core ML wants to know how far an open size may go.
MOST = 4096


def export(order: Order) -> None:
    model = load(order)
    answer = Answer(f"coremltools {ct.__version__}")
    answer.inputs = model.ports(order)
    described = [{}] * len(answer.inputs)
    if order.inputs:
        described = in_order(order, [port.name for port in answer.inputs])
    inputs = [kind(port, one) for port, one in zip(answer.inputs, described)]
    source = model.module if isinstance(model, Script) else model.program.run_decompositions({})
    labels = class_labels(order)
    failed = None
    for form, name in FORMS:
        try:
            converted = convert(source, inputs, labels, form)
        except Exception as error:
            print(f"as a {form}: {last_words(error)}")
            failed = error
            continue
        converted.save(name)
        answer.write(name)
        return
    raise Refused(MISMATCH + last_words(failed)) from failed


def convert(source, inputs: list, labels, form: str):
    precision = {"compute_precision": ct.precision.FLOAT32} if form == "mlprogram" else {}
    return ct.convert(
        source,
        inputs=inputs,
        classifier_config=labels,
        convert_to=form,
        **precision,
    )


def kind(port: Port, given: dict):
    """An input as Core ML describes it."""
    shape = flexible(port, given)
    image = given.get("image")
    if image:
        channels = port.example()[1] if len(port.shape) == 4 else 0
        layouts = {1: ct.colorlayout.GRAYSCALE, 3: ct.colorlayout.RGB}
        if channels not in layouts:
            raise Refused(f"Its input '{port.name}' is no image of 1 or 3 channels in NCHW format.")
        bias = image["bias"] if channels == 3 else image["bias"][0]
        return ct.ImageType(
            name=port.name,
            shape=shape,
            scale=image["scale"],
            bias=bias,
            color_layout=layouts[channels],
        )
    if port.dtype not in DTYPES:
        raise Refused(f"Its input '{port.name}' is of type {port.dtype}, which Core ML has not.")
    return ct.TensorType(name=port.name, shape=shape, dtype=DTYPES[port.dtype])


def flexible(port: Port, given: dict):
    """All the shapes that the input may have."""
    default = given.get("default_shape")
    if given.get("enumerated"):
        return ct.EnumeratedShapes(shapes=given["enumerated"], default=default)
    if all(isinstance(size, int) for size in port.shape):
        return ct.Shape(port.shape)
    defaults = default or port.example()
    return ct.Shape([axis(size, usual) for size, usual in zip(port.shape, defaults)])


def axis(size, usual: int):
    if isinstance(size, int):
        return size
    least, most = size or (1, None)
    return ct.RangeDim(lower_bound=least, upper_bound=most or max(MOST, least), default=usual)


def class_labels(order: Order):
    if not order.labels:
        return None
    lines = Path(order.labels).read_text().splitlines()
    return ct.ClassifierConfig([line.strip() for line in lines if line.strip()])


run(export, "PyTorch")
