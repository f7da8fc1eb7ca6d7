"""Models of many frameworks, compiled through the API, and what comes out at work: the
artifact answers as the framework has answered.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import numpy
import pytest

from harness import archives
from harness.compilations import THIS_MACHINE, Compilations
from harness.frameworks import CREATION, PYTORCH, XGBOOST, framework, script_mode
from harness.jobs import completed, fresh_name, s3_channel
from harness.sdk import Sdk
from harness.server import kiln_binary

CRATES = Path(__file__).parent.parent / "crates"
GRAPHS = CRATES / "kiln-graph/tests/data"
TREES = CRATES / "kiln-compile/tests/data"
# The first network that a machine compiles makes environments and a loader.
PATIENCE = 380
# What makes an environment with PyTorch beside may take longer.
TORCH_PATIENCE = int(os.environ.get("KILN_TORCH_SECONDS", "170"))


@pytest.fixture(scope="module")
def compilations(jobs) -> Compilations:
    """Compilations on the shared server."""
    return Compilations(jobs)


def recorded(folder: Path) -> tuple[dict, dict]:
    """The inputs and answers that a framework has given, by their names."""
    head, _, elements = (folder / "answers.bin").read_bytes().partition(b"\n")
    found = {"inputs": {}, "outputs": {}}
    listed = json.loads(head)
    for kind, arrays in found.items():
        for name, dtype, shape in listed[kind]:
            size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
            arrays[name] = numpy.frombuffer(elements[:size], dtype).reshape(shape)
            elements = elements[size:]
    return found["inputs"], found["outputs"]


def compiled(compilations, framework: str, files: dict[str, bytes], **inputs) -> dict:
    """Compiles a model for this machine; the job that has ended well."""
    return compile_uri(compilations, framework, compilations.put(files), **inputs)


def compile_uri(compilations, framework: str, uri: str, **inputs) -> dict:
    """The same, of an archive that is there."""
    name = compilations.compile(uri, framework, THIS_MACHINE, inputs)
    return compilations.completed(name, within=PATIENCE)


def artifact(compilations, job: dict, place: Path) -> tuple[Path, dict]:
    """The artifact as a file, and its report."""
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri.endswith("/model-LINUX_X86_64.tar.gz")
    data = compilations.jobs.object(uri)
    assert job["ModelDigests"]["ArtifactDigest"] == hashlib.blake2b(data).hexdigest()
    path = place / "model.tar.gz"
    path.write_bytes(data)
    report = compilations.report(job)
    assert report["verification"]["verdict"] == "verified"
    return path, report


def predict(path: Path, inputs: dict, place: Path) -> dict:
    """What `kiln predict` answers, by the outputs' names."""
    given = []
    for number, (name, value) in enumerate(inputs.items()):
        numpy.save(place / f"{number}.npy", value)
        given += ["--input", f"{name}={place / f'{number}.npy'}"]
    command = [kiln_binary(), "predict", path, *given, "--json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {
        name: numpy.array(answer["values"], dtype=float).reshape(answer["shape"])
        for name, answer in json.loads(said).items()
    }


def test_trees_answer_as_xgboost_does(compilations, tmp_path):
    model = (TREES / "xgboost-3.2.0/logistic.ubj").read_bytes()
    answers = json.loads((TREES / "xgboost-3.2.0/logistic.answers.json").read_text())
    rows = numpy.array(answers["rows"], dtype=numpy.float32)
    sample = io.BytesIO()
    numpy.savez(sample, rows=rows)
    files = {"model.ubj": model, "samples/rows.npz": sample.getvalue()}
    job = compiled(compilations, "XGBOOST", files)
    assert job["CompilationStartTime"] <= job["CompilationEndTime"]
    assert "data" in job["DerivedInformation"]["DerivedDataInputConfig"]
    path, report = artifact(compilations, job, tmp_path)
    assert report["verification"]["samples"] == 1
    found = predict(path, {"data": rows}, tmp_path)["output"]
    expected = numpy.array(answers["predictions"], dtype=float).reshape(found.shape)
    numpy.testing.assert_allclose(found, expected, atol=1e-6)
    assert [stage["stage"] for stage in report["stages"]] == ["open", "read", "build", "verify"]


def network(kind: str, folder: Path, inputs: dict) -> tuple[str, dict[str, bytes], dict]:
    """The framework of a recorded model, its files, and what the request says of it."""
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.stem != "answers"}
    shapes = {name: list(value.shape) for name, value in inputs.items()}
    config = {"DataInputConfig": json.dumps(shapes)} if kind == "mxnet" else {}
    return kind.upper(), files, config


NETWORKS = ["tflite/dense", "tflite/quantised_int8", "darknet/classifier", "mxnet/network"]


@pytest.mark.parametrize("which", NETWORKS)
def test_networks_answer_as_their_frameworks_do(compilations, tmp_path, which):
    folder = GRAPHS / which
    inputs, expected = recorded(folder)
    framework, files, config = network(folder.parent.name, folder, inputs)
    job = compiled(compilations, framework, files, **config)
    path, report = artifact(compilations, job, tmp_path)
    assert report["verification"]["reference"].startswith("ONNX Runtime")
    found = predict(path, inputs, tmp_path)
    close = 2 if "quantised" in which else 1e-4
    assert set(found) == set(expected)
    for name, wanted in expected.items():
        numpy.testing.assert_allclose(found[name], wanted.astype(float), atol=close, err_msg=name)


def test_samples_of_the_archive_are_tried_too(compilations, tmp_path):
    sample = io.BytesIO()
    numpy.savez(sample, image=numpy.linspace(-1, 1, 768, dtype="f4").reshape(1, 3, 16, 16))
    files = {
        "net.onnx": (TREES / "onnx/convolutions.onnx").read_bytes(),
        "samples/one.npz": sample.getvalue(),
    }
    config = "{'image': [1, 3, 16, 16]}"
    job = compiled(compilations, "ONNX", files, DataInputConfig=config)
    assert json.loads(job["DerivedInformation"]["DerivedDataInputConfig"]) == {
        "image": [1, 3, 16, 16]
    }
    path, report = artifact(compilations, job, tmp_path)
    assert (report["verification"]["samples"], report["verification"]["generated"]) == (1, 3)
    bench = [kiln_binary(), "bench", path, "--seconds", "0.2", "--json"]
    said = json.loads(subprocess.run(bench, check=True, capture_output=True).stdout)
    assert said["now"]["least"] <= said["now"]["median"] <= said["now"]["p90"]


CLIENT = """
import sys
from dlr.counter.phone_home import PhoneHome
PhoneHome.disable_feature()
import dlr, numpy
folder, given, answer = sys.argv[1:]
model = dlr.DLRModel(folder, "cpu")
assert model.get_input_names() == ["image"], model.get_input_names()
numpy.save(answer, model.run({"image": numpy.load(given)})[0])
"""


@pytest.mark.skipif("KILN_TEST_TOOLS" not in os.environ, reason="needs KILN_TEST_TOOLS")
def test_awss_own_client_opens_a_network(compilations, tmp_path):
    files = {"net.onnx": (TREES / "onnx/convolutions.onnx").read_bytes()}
    config = '{"image": [2, 3, 16, 16]}'
    job = compiled(compilations, "ONNX", files, DataInputConfig=config)
    path, _ = artifact(compilations, job, tmp_path)
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "model", filter="data")
    images = numpy.random.default_rng(3).normal(size=(2, 3, 16, 16)).astype("f4")
    given, answer = tmp_path / "image.npy", tmp_path / "answer.npy"
    numpy.save(given, images)
    python = Path(os.environ["KILN_TEST_TOOLS"]) / "bin/python"
    command = [python, "-c", CLIENT, tmp_path / "model", given, answer]
    subprocess.run(command, check=True, cwd=tmp_path)
    found = predict(path, {"image": images}, tmp_path)["classes"]
    numpy.testing.assert_allclose(numpy.load(answer), found, atol=1e-6)
    assert found.shape == (2, 5)


COMPILE = """
import sys
from sagemaker.model import Model

model_data, output, name = sys.argv[1:]
model = Model(image_uri="unused", model_data=model_data, role="MyRole")
model.compile(
    target_instance_family="rasp4b",
    input_shape={"data": [1, 5]},
    output_path=output,
    role="MyRole",
    job_name=name,
    framework="xgboost",
    framework_version="1.3.3",
)
print("compiled:", model.model_data)
"""


@pytest.mark.sdks
@pytest.mark.timeout(400)
def test_the_sdk_compiles_for_another_machine(server, compilations, tmp_path):
    """32-bit ARM, which runs under an emulator where there is one."""
    files = {"xgboost.model": (TREES / "xgboost-1.7.6/logistic.model").read_bytes()}
    uri = compilations.put(files)
    name, place = fresh_name("sdk"), f"s3://{compilations.bucket}/out/sdk"
    printed = Sdk(2, server, tmp_path).run(COMPILE, uri, place, name)
    assert f"compiled: {place}/model-rasp4b.tar.gz" in printed, printed
    job = compilations.describe(name)
    report = compilations.report(job)
    assert report["platform"].startswith("armv7a-unknown-linux-gnueabihf")
    assert report["verification"]["verdict"] in ("verified", "built_not_run")
    assert job["OutputConfig"]["TargetDevice"] == "rasp4b"


def test_what_a_training_job_stores_can_be_compiled(jobs, compilations, tmp_path):
    rows = numpy.random.default_rng(7).normal(size=(200, 3))
    lines = [f"{int(a + b > c)},{a},{b},{c}\n" for a, b, c in rows]
    uri = jobs.put(f"compiled/{fresh_name('data')}/part", "".join(lines))
    channel = s3_channel("train", uri.rsplit("/", 1)[0] + "/", ContentType="text/csv")
    hyperparameters = {"objective": "binary:logistic", "num_round": "8", "max_depth": "3"}
    trained = framework(jobs, XGBOOST, hyperparameters, InputDataConfig=[channel])
    model = completed(jobs.wait(trained, CREATION))["ModelArtifacts"]["S3ModelArtifacts"]
    job = compile_uri(compilations, "XGBOOST", model, FrameworkVersion="1.3.3")
    _, report = artifact(compilations, job, tmp_path)
    assert report["verification"]["largest_error"] <= 1e-6


TRACE = """
import os, torch
torch.manual_seed(1)
layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)]
model = torch.nn.Sequential(*layers).eval()
traced = torch.jit.trace(model, torch.zeros(1, 3, 8, 8))
torch.jit.save(traced, os.path.join(os.environ["SM_MODEL_DIR"], "model.pt"))
"""


@pytest.fixture(scope="module")
def traced(jobs) -> str:
    """The archive of a module that a training job has traced."""
    trained = framework(jobs, PYTORCH, script_mode(jobs, {"trace.py": TRACE}, "trace.py"))
    return completed(jobs.wait(trained, within=TORCH_PATIENCE))["ModelArtifacts"]["S3ModelArtifacts"]


@pytest.mark.torch
@pytest.mark.timeout(3600)
def test_a_trained_module_of_pytorch_is_compiled(compilations, traced, tmp_path):
    inputs = {"FrameworkVersion": "2.0"}
    name = compilations.compile(traced, "PYTORCH", THIS_MACHINE, inputs)
    job = compilations.completed(name, within=TORCH_PATIENCE)
    _, report = artifact(compilations, job, tmp_path)
    assert report["verification"]["reference"].startswith("PyTorch 2")
    derived = json.loads(job["DerivedInformation"]["DerivedDataInputConfig"])
    assert list(derived.values()) == [[1, 3, 8, 8]]


@pytest.mark.torch
@pytest.mark.timeout(3600)
def test_a_trained_module_of_pytorch_becomes_a_core_ml_model(compilations, traced):
    inputs = {"FrameworkVersion": "2.0", "DataInputConfig": "{'image': [1, 3, 8, 8]}"}
    name = compilations.compile(traced, "PYTORCH", {"TargetDevice": "coreml"}, inputs)
    job = compilations.completed(name, within=TORCH_PATIENCE)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri.endswith("/model-coreml.tar.gz")
    derived = json.loads(job["DerivedInformation"]["DerivedDataInputConfig"])
    assert derived == {"image": [1, 3, 8, 8]}
    files = archives.files(compilations.jobs.object(uri))
    assert files["model.mlmodel"]
    report = json.loads(files["kiln-report.json"])
    assert report["inputs"] == [{"name": "image", "type": "float32", "shape": [1, 3, 8, 8]}]
    assert "outputs" not in report
    assert report["verification"]["verdict"] == "built_not_run"
    assert not [line for line in compilations.lines(name) if "%|" in line], "bars in the log"
