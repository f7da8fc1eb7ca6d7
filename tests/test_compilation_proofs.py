"""What a compilation proves of its artifact, and what it says where nothing can be proved:
open sizes, answers without numbers, and models that their runtime does not run.
"""

import io
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper

from harness.compilations import THIS_MACHINE, Compilations, xgboost_model

GRAPHS = Path(__file__).parent.parent / "crates/kiln-graph/tests/data"
# The first network that a machine compiles makes environments and a loader.
PATIENCE = 380


@pytest.fixture(scope="module")
def compilations(jobs) -> Compilations:
    """Compilations on the shared server."""
    return Compilations(jobs)


def network(nodes: list, constants: dict | None = None, dims: tuple = (2, 3)) -> bytes:
    """A network from `x` to `y`."""
    constants = {name: numpy.asarray(value) for name, value in (constants or {}).items()}
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def ended(compilations, framework: str, files: dict[str, bytes], **inputs) -> dict:
    """The job that compiled a model for this machine, however it has ended."""
    name = compilations.compile(compilations.put(files), framework, THIS_MACHINE, inputs)
    return compilations.wait(name, within=PATIENCE)


def test_open_sizes_are_tried_with_several(compilations):
    doubled = network([("Add", ["x", "x"], ["y"])], dims=("N", 3))
    job = ended(compilations, "ONNX", {"net.onnx": doubled}, DataInputConfig="{'x': [-1, 3]}")
    said = compilations.report(job)
    assert said["verification"]["verdict"] == "verified"
    assert said["inputs"] == [{"name": "x", "type": "float32", "shape": [-1, 3]}]
    fixed = network(
        [("Reshape", ["x", "sizes"], ["r"]), ("Relu", ["r"], ["y"])],
        {"sizes": [1, 3]},
        ("N", 3),
    )
    job = ended(compilations, "ONNX", {"net.onnx": fixed}, DataInputConfig="{'x': [-1, 3]}")
    assert job["CompilationJobStatus"] == "FAILED"


def test_answers_without_a_number_prove_nothing(compilations):
    nodes = [
        ("Abs", ["x"], ["a"]),
        ("Sub", ["a", "two"], ["b"]),
        ("Sqrt", ["b"], ["y"]),
    ]
    files = {"net.onnx": network(nodes, {"two": numpy.float32(2)})}
    verification = compilations.report(ended(compilations, "ONNX", files))["verification"]
    assert verification["verdict"] == "built_not_run"
    assert "answers with no number" in verification["reason"]
    sample = io.BytesIO()
    numpy.savez(sample, x=numpy.full((2, 3), 6, "f4"))
    files["samples/one.npz"] = sample.getvalue()
    verification = compilations.report(ended(compilations, "ONNX", files))["verification"]
    assert verification["verdict"] == "verified"


def test_a_model_that_its_runtime_does_not_run_is_refused_in_a_sentence(compilations):
    # There are three columns, and the generated numbers ask for one beyond.
    nodes = [
        ("Ceil", ["x"], ["c"]),
        ("Add", ["c", "far"], ["f"]),
        ("Cast", ["f"], ["i"], {"to": TensorProto.INT64}),
        ("GatherElements", ["x", "i"], ["y"], {"axis": 1}),
    ]
    files = {"net.onnx": network(nodes, {"far": numpy.float32(90)})}
    job = ended(compilations, "ONNX", files)
    reason = job["FailureReason"]
    assert reason.startswith(
        "ClientError: InputConfiguration: ONNX Runtime cannot run the model: "
    ), reason
    assert "Traceback" not in reason and "\n" not in reason


def test_what_a_request_says_of_inputs_must_be_true(compilations):
    files = {"net.onnx": network([("Relu", ["x"], ["y"])])}
    config = "{'x': {'shape': [2, 3], 'dtype': 'int64'}}"
    job = ended(compilations, "ONNX", files, DataInputConfig=config)
    assert job["FailureReason"] == (
        "ClientError: InputConfiguration: Input x has wrong dtype in DataInputConfig. It is int64, "
        "but the model's is float32."
    )
    files = {"model.json": xgboost_model()}
    job = ended(compilations, "XGBOOST", files, DataInputConfig="{'rows': [1, 77]}")
    assert "wrong shape in Input Shape dictionary. It is [1, 77]" in job["FailureReason"]


def test_translations_are_called_so(compilations):
    folder = GRAPHS / "tflite/dense"
    files = {file.name: file.read_bytes() for file in folder.glob("*.tflite")}
    verification = compilations.report(ended(compilations, "TFLITE", files))["verification"]
    assert verification["reference"].endswith(" on Kiln's translation to ONNX")


def test_inputs_beyond_memory_are_refused_by_name(compilations):
    files = {"net.onnx": network([("Relu", ["x"], ["y"])], dims=("N", 1 << 20))}
    config = f"{{'x': [{1 << 18}, {1 << 20}]}}"
    job = ended(compilations, "ONNX", files, DataInputConfig=config)
    reason = job["FailureReason"]
    assert reason.startswith("ClientError: InputConfiguration: Input x is too large: "), reason
