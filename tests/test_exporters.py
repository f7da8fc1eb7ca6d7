"""The exporters give models that answer as their frameworks do, or say why not.

Each test trains nothing: it makes a small model with the framework itself, in an
environment that has it. KILN_EXPORTER_PYTORCH, KILN_EXPORTER_TENSORFLOW and
KILN_EXPORTER_COREML name the Python of such an environment, with the packages of
the lock of that name; what has none is left out.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXPORTERS = ROOT / "crates" / "kiln-compile" / "exporters"
MODULES = (
    "exchange.py",
    "onnx_check.py",
    "pytorch_models.py",
    "pytorch_recorder.py",
    "tensorflow_models.py",
)


def python(framework: str) -> str:
    variable = f"KILN_EXPORTER_{framework.upper()}"
    if variable not in os.environ:
        pytest.skip(f"{variable} names no Python")
    return os.environ[variable]


def make(framework: str, source: str, place: Path) -> None:
    """Runs what makes the models."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "HOME": str(place)}
    # TorchScript reads the source of what it compiles.
    program = place / "make.py"
    program.write_text(source)
    subprocess.run([python(framework), program], cwd=place, check=True, env=quiet)


def given(name, shape, dtype=None, image=None, turns=False, **more) -> dict:
    """An input as a request describes it, with the channels last too where it turns."""
    sizes = dict(shape=shape, enumerated=None, default_shape=None) | more
    described = dict(name=name, dtype=dtype, image=image, turned=None) | sizes
    if turns:
        described["turned"] = {key: channels_last(value) for key, value in sizes.items()}
    return described


def channels_last(sizes):
    """Sizes with the second of them last, or a list of such sizes."""
    if sizes and isinstance(sizes[0], list) and len(sizes[0]) == 4:
        return [channels_last(shape) for shape in sizes]
    return sizes and [sizes[0], *sizes[2:], sizes[1]]


def export(script: str, framework: str, form: str, model: Path, tmp_path, inputs=None, **more):
    """The exporter's `export.json`, or its `failure.json`."""
    folder = tmp_path / "export"
    folder.mkdir()
    for name in (*MODULES, script):
        (folder / name).write_text((EXPORTERS / name).read_text())
    order = dict(format=form, model=str(model), inputs=inputs, dtype=None, signature=None)
    order |= dict(outputs=[], samples=[], labels=None) | more
    (folder / "order.json").write_text(json.dumps(order))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(folder)}
    command = [python(framework), "-I", script]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=quiet)
    failure = folder / "failure.json"
    if failure.exists():
        return json.loads(failure.read_text())
    answer = json.loads((folder / "export.json").read_text())
    assert (folder / answer["model"]).exists()
    for number, _ in enumerate(answer["cases"]):
        assert (folder / f"inputs-{number}.npz").exists()
        assert (folder / f"outputs-{number}.npz").exists()
    return answer


PYTORCH = """
import torch
from torch import nn
class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.classes = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 10)
    def forward(self, x):
        return self.classes(self.convolution(x).relu().mean((2, 3)))
class Two(nn.Module):
    def forward(self, x, y):
        return {"sum": x.sum() + y, "x": x * 2}
class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    def forward(self, words, unused):
        return self.encoder(self.words(words)).mean(1)
class Decides(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0):
            return x
        return torch.special.i0(x)
class Odd(nn.Module):
    def forward(self, x):
        return torch.special.i0(x)
class Turns(nn.Module):
    def forward(self, image):
        turn = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]])
        grid = nn.functional.affine_grid(turn, [1, 3, 16, 16], align_corners=False)
        return nn.functional.grid_sample(image, grid, align_corners=False)
image = torch.ones(2, 3, 16, 16)
torch.jit.trace(Turns(), image[:1]).save("turns.pt")
torch.jit.script(Images().eval()).save("images.pt")
torch.jit.trace(Images().eval(), image).save("traced.pt")
both = (torch.ones(2, 4), torch.ones(3, dtype=torch.long))
torch.jit.trace(Two(), both, strict=False).save("two.pt")
words = (torch.ones(1, 6, dtype=torch.long), torch.ones(3))
torch.jit.trace(Words().eval(), words, check_trace=False).save("words.pt")
torch.jit.script(Decides()).save("decides.pt")
torch.jit.trace(Odd(), torch.ones(4)).save("odd.pt")
some = {"x": {0: torch.export.Dim("batch", min=1, max=16)}}
program = torch.export.export(Images().eval(), (image,), dynamic_shapes=some)
torch.export.save(program, "images.pt2")
"""


@pytest.fixture(scope="module")
def pytorch_models(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("pytorch")
    make("pytorch", PYTORCH, place)
    return place


def port(name, shape, dtype="float32") -> dict:
    return dict(name=name, shape=shape, dtype=dtype)


@pytest.mark.parametrize(
    ("form", "name", "inputs", "expected"),
    [
        ("torchscript", "traced.pt", None, [port("x", [2, 3, 16, 16])]),
        ("torchscript", "images.pt", [given("in", [1, 3, 9, 9])], [port("in", [1, 3, 9, 9])]),
        ("torchscript", "images.pt", [given(None, [None, 3, 8, 8])], [port("x", [None, 3, 8, 8])]),
        (
            "torchscript",
            "two.pt",
            [given("b", [3]), given("a", [2, 4])],
            [port("a", [2, 4]), port("b", [3], "int64")],
        ),
        ("torchscript", "words.pt", None, [port("words", [1, 6], "int64"), port("unused", [3])]),
        ("exported-program", "images.pt2", None, [port("x", [[1, 16], 3, 16, 16])]),
        (
            "exported-program",
            "images.pt2",
            [given("image", [4, 3, 16, 16])],
            [port("image", [4, 3, 16, 16])],
        ),
    ],
)
def test_what_pytorch_saved_is_exported(form, name, inputs, expected, pytorch_models, tmp_path):
    model = pytorch_models / name
    answer = export("pytorch_network.py", "pytorch", form, model, tmp_path, inputs)
    assert answer["inputs"] == expected
    assert answer["reference"].startswith("PyTorch 2.")
    assert answer["cases"] == [False] * 3


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        ("images.pt", None, "DataInputConfig is needed, since the model does not say"),
        ("images.pt", [given("x", [1, 16, 16, 3])], "Make sure that inputs are lexically ordered"),
        ("odd.pt", None, "The following operators are not implemented: {'aten::i0'}"),
        ("decides.pt", [given("x", [4])], "The following operators are not implemented: "),
        ("images.pt2", None, "Framework cannot load PyTorch model: "),
    ],
)
def test_what_pytorch_cannot_export_is_told(name, inputs, expected, pytorch_models, tmp_path):
    model = pytorch_models / name
    answer = export("pytorch_network.py", "pytorch", "torchscript", model, tmp_path, inputs)
    assert expected in answer["message"]


TENSORFLOW = """
import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from keras import layers
image = keras.Input((16, 16, 3), name="image")
values = layers.Conv2D(8, 3, padding="same", activation="gelu")(image)
values = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(values))
model = keras.Model(image, layers.Dense(5, activation="softmax", name="classes")(values))
model.save("images.keras")
model.save("images.h5")
model.export("saved", verbose=False)
spec = tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")
function = convert_variables_to_constants_v2(tf.function(model).get_concrete_function(spec))
with open("frozen.pb", "wb") as file:
    file.write(function.graph.as_graph_def().SerializeToString())
odd = tf.Module()
odd.call = tf.function(tf.math.bessel_i0, [tf.TensorSpec([4], tf.float32, name="x")])
tf.saved_model.save(odd, "odd", signatures=odd.call)
"""


@pytest.fixture(scope="module")
def tensorflow_models(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("tensorflow")
    make("tensorflow", TENSORFLOW, place)
    return place


@pytest.mark.parametrize(
    ("form", "name", "inputs", "expected"),
    [
        ("keras", "images.keras", [given("image", [1, 3, 16, 16], turns=True)], 1),
        ("keras", "images.h5", None, None),
        ("saved-model", "saved", [given("image", [2, 16, 16, 3])], 2),
        ("frozen-graph", "frozen.pb", [given("image:0", [2, 16, 16, 3])], 2),
    ],
)
def test_what_tensorflow_and_keras_saved_is_exported(
    form, name, inputs, expected, tensorflow_models, tmp_path
):
    model = tensorflow_models / name
    answer = export("tensorflow_network.py", "tensorflow", form, model, tmp_path, inputs)
    assert answer["inputs"] == [port("image", [expected, 16, 16, 3])]
    assert answer["cases"] == [False] * 3


@pytest.mark.parametrize(
    ("form", "name", "more", "expected"),
    [
        ("saved-model", "saved", {"signature": "none"}, "It has no signature 'none'."),
        ("saved-model", "odd", {}, "The following operators are not implemented: {'BesselI0'}"),
        ("keras", "frozen.pb", {}, "Framework cannot load Keras model: "),
    ],
)
def test_what_tensorflow_cannot_export_is_told(
    form, name, more, expected, tensorflow_models, tmp_path
):
    model = tensorflow_models / name
    answer = export("tensorflow_network.py", "tensorflow", form, model, tmp_path, **more)
    assert expected in answer["message"]


def test_shapes_that_the_model_has_not_come_back_with_its_own(tensorflow_models, tmp_path):
    inputs = [given("image", [1, 3, 16, 17], turns=True)]
    model = tensorflow_models / "images.keras"
    answer = export("tensorflow_network.py", "tensorflow", "keras", model, tmp_path, inputs)
    assert answer == {"inputs": [port("image", [None, 16, 16, 3])]}


PIXELS = {"bias": [-1, -1, -1], "scale": 0.01}


def core_ml(framework: str, form: str, model: Path, tmp_path, inputs=None, **more):
    """The description of the Core ML model that is made, as coremltools reads it back."""
    environment = "coreml" if framework == "pytorch" else framework
    answer = export("coreml_package.py", environment, form, model, tmp_path, inputs, **more)
    assert answer["reference"].startswith("coremltools "), answer
    program = f"""
import json, coremltools
from google.protobuf import json_format
spec = coremltools.utils.load_spec({str(tmp_path / "export" / answer["model"])!r})
print(json.dumps(json_format.MessageToDict(spec.description)))
"""
    command = [python(environment), "-c", program]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said.splitlines()[-1])


def of_type(described: dict, kind: str) -> dict:
    """What is said of the only input, which is of this type."""
    [image] = described["input"]
    assert image["name"] == "image"
    return image["type"][kind]


MODELS = [("pytorch", "torchscript", "images.pt"), ("tensorflow", "keras", "images.keras")]


@pytest.mark.parametrize(("framework", "form", "name"), MODELS)
def test_core_ml_takes_images_and_labels(framework, form, name, request, tmp_path):
    models = request.getfixturevalue(f"{framework}_models")
    labels = tmp_path / "labels.txt"
    classes = 10 if framework == "pytorch" else 5
    labels.write_text("".join(f"class {number}\n" for number in range(classes)))
    inputs = [given("image", [1, 3, 16, 16], image=PIXELS, turns=form == "keras")]
    more = {"labels": str(labels), "inputs": inputs}
    described = core_ml(framework, form, models / name, tmp_path, **more)
    image = of_type(described, "imageType")
    assert (image["width"], image["height"], image["colorSpace"]) == ("16", "16", "RGB")
    assert described["predictedFeatureName"] == "classLabel"


@pytest.mark.parametrize(("framework", "form", "name"), MODELS)
def test_core_ml_takes_sizes_within_bounds(framework, form, name, request, tmp_path):
    models = request.getfixturevalue(f"{framework}_models")
    inputs = [given("image", [[1, 8], 3, 16, 16], turns=form == "keras")]
    described = core_ml(framework, form, models / name, tmp_path, inputs)
    array = of_type(described, "multiArrayType")
    sizes = [16, 16, 3] if form == "keras" else [3, 16, 16]
    ranges = array["shapeRange"]["sizeRanges"]
    bounds = [(int(size["lowerBound"]), int(size["upperBound"])) for size in ranges]
    assert bounds == [(1, 8), *((size, size) for size in sizes)]


@pytest.mark.parametrize(("framework", "form", "name"), MODELS)
def test_core_ml_takes_several_shapes(framework, form, name, request, tmp_path):
    models = request.getfixturevalue(f"{framework}_models")
    shapes = {"enumerated": [[1, 3, 16, 16], [2, 3, 16, 16]], "default_shape": [2, 3, 16, 16]}
    inputs = [given("image", [None, 3, 16, 16], turns=form == "keras", **shapes)]
    described = core_ml(framework, form, models / name, tmp_path, inputs)
    array = of_type(described, "multiArrayType")
    sizes = ["16", "16", "3"] if form == "keras" else ["3", "16", "16"]
    there = sorted(shape["shape"] for shape in array["enumeratedShapes"]["shapes"])
    assert (array["shape"], there) == (["2", *sizes], [["1", *sizes], ["2", *sizes]])


@pytest.mark.parametrize(
    ("form", "name"), [("saved-model", "saved"), ("frozen-graph", "frozen.pb")]
)
def test_core_ml_is_made_of_what_tensorflow_saved(form, name, tensorflow_models, tmp_path):
    described = core_ml("tensorflow", form, tensorflow_models / name, tmp_path)
    assert of_type(described, "multiArrayType")["shape"] == ["1", "16", "16", "3"]
    assert len(described["output"]) == 1


def test_what_the_older_core_ml_cannot_say_becomes_a_package(pytorch_models, tmp_path):
    inputs = [given("image", [1, 3, 16, 16])]
    described = core_ml("pytorch", "torchscript", pytorch_models / "turns.pt", tmp_path, inputs)
    assert (tmp_path / "export" / "model.mlpackage" / "Manifest.json").exists()
    assert of_type(described, "multiArrayType")["shape"] == ["1", "3", "16", "16"]


def test_what_core_ml_has_not_is_named(tensorflow_models, tmp_path):
    model = tensorflow_models / "odd"
    answer = export("coreml_package.py", "tensorflow", "saved-model", model, tmp_path)
    assert "operators are not implemented: {'BesselI0'}" in answer["message"]
