"""What is read from other frameworks' models computes what those frameworks compute.

ONNX Runtime runs what was read, on the inputs that the framework's own answers
were recorded for. `crates/kiln-graph/tests/data` has both, and how they were made.
"""

import subprocess
import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parent.parent
DATA = ROOT / "crates" / "kiln-graph" / "tests" / "data"
sys.path.append(str(DATA))
import answers as recorded  # noqa: E402

MODELS = sorted(answers.parent for answers in DATA.glob("*/*/answers.bin"))


@pytest.fixture(scope="module")
def as_onnx() -> Path:
    """The program that writes what was read as an ONNX file."""
    build = ["cargo", "build", "--quiet", "--package", "kiln-graph", "--example", "as_onnx"]
    subprocess.run(build, cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    found = subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True)
    target = found.stdout.split(b'"target_directory":"')[1].split(b'"')[0].decode()
    return Path(target) / "debug" / "examples" / "as_onnx"


def arguments(folder: Path, inputs: dict) -> list:
    match folder.parent.name:
        case "darknet":
            return ["darknet", folder / "model.cfg", folder / "model.weights"]
        case "tflite":
            return ["tflite", folder / "model.tflite"]
        case "mxnet":
            sizes = [f"{k}={','.join(map(str, v.shape))}" for k, v in inputs.items()]
            return ["mxnet", folder / "model-symbol.json", folder / "model-0000.params", *sizes]


def tolerance(folder: Path, answer) -> dict:
    """Rounding of quantised numbers may go either way; all else is close."""
    if "quantised" in folder.name:
        return {"atol": 2 if answer.dtype.kind in "iu" else 0.101, "rtol": 0}
    return {"atol": 2e-5, "rtol": 2e-5}


@pytest.mark.parametrize("plain", [False, True], ids=["read", "plain"])
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_model_answers_as_its_framework_does(folder, plain, as_onnx, tmp_path):
    inputs, answers = recorded.read(folder)
    written = tmp_path / "model.onnx"
    subprocess.run([as_onnx, *["--plain"] * plain, written, *arguments(folder, inputs)], check=True)

    onnx.checker.check_model(str(written), full_check=True)
    options = runtime.SessionOptions()
    # Its optimiser quantises plain weights anew, which costs some exactness.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(written), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == list(answers)
    wrong = []
    for name, found in zip(names, session.run(names, inputs)):
        answer = answers[name]
        if (found.shape, found.dtype) != (answer.shape, answer.dtype):
            wrong.append(f"{name}: {found.dtype}{found.shape}, not {answer.dtype}{answer.shape}")
        elif not np.allclose(found, answer, **tolerance(folder, answer), equal_nan=True):
            off = np.abs(found.astype(np.float64) - answer).max()
            wrong.append(f"{name}: off by {off}")
    assert not wrong, "\n".join(wrong)
