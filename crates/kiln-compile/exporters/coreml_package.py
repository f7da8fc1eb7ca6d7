"""Converts what PyTorch, TensorFlow or Keras saved to Core ML: a `.mlmodel`, or a
`.mlpackage` where the older form cannot say what the model does.

Reading such a file may run what is in it: this belongs in a sandbox. Only Apple's
systems run what comes out, so there are no answers to compare with.
"""

import importlib
import os
import re
import sys
from pathlib import Path

# A log is no place for bars that grow.
os.environ["TQDM_DISABLE"] = "1"

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder, register_tf_op

sys.path.insert(0, str(Path(__file__).parent))

from exchange import Answer, Order, Port, Refused, last_words, run

FORMS = (("neuralnetwork", "model.mlmodel"), ("mlprogram", "model.mlpackage"))
# What Core ML takes as the type of an input.
DTYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32, "int64": np.int32}
# Core ML wants to know how far an open size may go.
MOST = 4096
# What reads a framework's models, and is of use only where that is installed.
MODELS = {
    "PyTorch": "pytorch_models",
    "TensorFlow": "tensorflow_models",
    "Keras": "tensorflow_models",
}


@register_tf_op
def Erfc(context, node):  # noqa: N802
    """What coremltools does not know, and Keras's `gelu` is made of: 1 - erf(x)."""
    erf = Builder.erf(x=context[node.inputs[0]])
    context.add(node.name, Builder.sub(x=np.float32(1), y=erf, name=node.name))


def export(order: Order) -> None:
    model = models.load(order)
    answer = Answer(f"coremltools {ct.__version__}")
    answer.inputs = model.ports(order)
    source, names, outputs = model.for_core_ml(answer.inputs)
    described = {
        "source": models.SOURCE,
        "inputs": [kind(name, port) for name, port in zip(names, answer.inputs)],
        "classifier_config": class_labels(order),
    }
    failed = None
    for form, name in FORMS:
        try:
            converted = convert(source, described, form)
        except Exception as error:
            print(f"as a {form}: {last_words(error)}")
            failed = error
            continue
        named(converted, outputs).save(name)
        answer.write(name)
        return
    raise Refused(why(failed)) from failed


def convert(source, described: dict, form: str):
    precision = {"compute_precision": ct.precision.FLOAT32} if form == "mlprogram" else {}
    return ct.convert(source, convert_to=form, **described, **precision)


def named(converted, outputs: list):
    """The same model with these names of its outputs; those of a classifier stay."""
    spec = converted.get_spec()
    there = [output.name for output in spec.description.output]
    if spec.description.predictedFeatureName or len(there) != len(outputs):
        return converted
    # By way of names that no other output has.
    between = [f"kiln output {place}" for place in range(len(there))]
    for old, new in (*zip(there, between), *zip(between, outputs)):
        ct.utils.rename_feature(spec, old, new, rename_inputs=False)
    return ct.models.MLModel(spec, weights_dir=converted.weights_dir, skip_model_load=True)


def why(failed: Exception) -> str:
    missing = re.search(r"op '([^']+)' not implemented", str(failed))
    if missing:
        return f"The following operators are not implemented: {{'{missing[1]}'}}"
    return models.MISMATCH + last_words(failed)


def kind(name: str, port: Port):
    """An input as Core ML describes it."""
    shape = flexible(port)
    image = port.image
    if image:
        layouts = {1: ct.colorlayout.GRAYSCALE, 3: ct.colorlayout.RGB}
        channels = port.shape[models.CHANNELS] if len(port.shape) == 4 else None
        if not isinstance(channels, int) or channels not in layouts:
            order = "NCHW" if models.CHANNELS == 1 else "NHWC"
            raise Refused(
                f"Its input '{port.name}' is no image of 1 or 3 channels in {order} format."
            )
        bias = image["bias"] if channels == 3 else image["bias"][0]
        return ct.ImageType(
            name=name,
            shape=shape,
            scale=image["scale"],
            bias=bias,
            color_layout=layouts[channels],
            channel_first=models.CHANNELS == 1,
        )
    if port.dtype not in DTYPES:
        raise Refused(f"Its input '{port.name}' is of type {port.dtype}, which Core ML has not.")
    return ct.TensorType(name=name, shape=shape, dtype=DTYPES[port.dtype])


def flexible(port: Port):
    """All the shapes that the input may have."""
    if port.enumerated:
        return ct.EnumeratedShapes(shapes=port.enumerated, default=port.default_shape)
    if all(isinstance(size, int) for size in port.shape):
        return ct.Shape(port.shape)
    usual = port.default_shape or port.example()
    return ct.Shape([axis(*sizes) for sizes in zip(port.shape, usual)])


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


models = importlib.import_module(MODELS[Order().framework])
run(export)
