"""`kiln optimize` on tiny models: what it writes is read with numpy by the formats'
definitions, and what it refuses is refused before anything is written.
"""

import hashlib
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest

from harness import language_models
from harness.server import kiln_binary

# What each method may lose on normally distributed weights.
METHODS = {
    "w4a16": ({"QUANTIZE": "w4a16"}, 1.3e-2),
    "w4a16-asymmetric": ({"QUANTIZE": "w4a16", "SYMMETRIC": "false"}, 1.2e-2),
    "w4a16-groups-of-32": ({"QUANTIZE": "w4a16", "GROUP_SIZE": "32"}, 1.0e-2),
    "w4a16-nearest": ({"QUANTIZE": "w4a16", "ROUNDING": "nearest"}, 1.6e-2),
    "w8a16": ({"QUANTIZE": "w8a16"}, 6e-5),
    "w8a16-asymmetric": ({"QUANTIZE": "w8a16", "SYMMETRIC": "false"}, 6e-5),
    "int8": ({"QUANTIZE": "int8"}, 1e-4),
    "fp8": ({"QUANTIZE": "fp8"}, 1e-3),
    "fp8-block": ({"QUANTIZE": "fp8", "FP8_SCHEME": "FP8_BLOCK"}, 1e-3),
    "awq": ({}, 1.2e-2),
    "awq-symmetric": ({"AWQ_ZERO_POINT": "false", "AWQ_BLOCK_SIZE": "64"}, 1.2e-2),
    "gptq": ({"QUANTIZE": "gptq"}, 1.3e-2),
    "gptq-asymmetric": ({"QUANTIZE": "gptq", "SYMMETRIC": "false"}, 1.2e-2),
}


@dataclass
class Optimization:
    """A model, and where its optimized twin goes."""

    place: Path

    @property
    def model(self) -> Path:
        return self.place / "model"

    @property
    def output(self) -> Path:
        return self.place / "result" / "model"

    def run(self, options=None, technique="Quantization", **more) -> subprocess.CompletedProcess:
        """Runs the command to its end."""
        command = self.command(options, technique, **more)
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def start(self, options, **more) -> subprocess.Popen:
        """Begins, and does not wait."""
        return subprocess.Popen(self.command(options, **more), stdout=subprocess.DEVNULL)

    def command(self, options, technique="Quantization", **more) -> list[str]:
        self.output.parent.mkdir(exist_ok=True)
        (self.place / "scratch").mkdir(exist_ok=True)
        environment = {f"OPTION_{name}": value for name, value in (options or {}).items()}
        order = {
            "technique": technique,
            "environment": environment,
            "deployment": more.pop("deployment", "ml.g6.xlarge"),
        }
        task = {
            "order": order,
            "model": str(self.model),
            "calibration": None,
            "scratch": str(self.place / "scratch"),
            "output": str(self.output),
        }
        file = self.place / "task.json"
        file.write_text(json.dumps(task | more))
        return [kiln_binary(), "optimize", str(file)]

    def works(self, options=None, technique="Quantization", **more) -> dict:
        """The report of a run that must end well."""
        done = self.run(options, technique, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((self.output / "optimization-report.json").read_text())

    def fails(self, options=None, technique="Quantization", **more) -> str:
        """The reason of a run that must fail and leave nothing behind."""
        done = self.run(options, technique, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        assert not self.output.exists()
        reason = (self.output.parent / "failure").read_text()
        assert f"Kiln: {reason}\n" in done.stdout
        return reason


def blake2s_tree(content: bytes) -> str:
    """As `docs/optimization.md` says that anybody can compute it."""
    tree = {"fanout": 0, "depth": 2, "leaf_size": 16384, "inner_size": 32}
    starts = range(0, max(len(content), 1), 16384)
    root = hashlib.blake2s(node_depth=1, last_node=True, **tree)
    for number, start in enumerate(starts):
        node = {"node_offset": number, "last_node": start == starts[-1], **tree}
        root.update(hashlib.blake2s(content[start : start + 16384], **node).digest())
    return root.hexdigest()


def wait_for(condition, within=120) -> None:
    """Waits until something is so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def optimization(tmp_path) -> Optimization:
    return Optimization(tmp_path)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_quantized_model_is_near_the_original(optimization, method, dtype):
    options, bound = METHODS[method]
    original = language_models.llama(optimization.model, dtype=dtype, files=2)
    report = optimization.works(options)
    found = language_models.dequantized(optimization.output)
    assert found.keys() == original.keys()
    told = {tensor["name"]: tensor for tensor in report["tensors"]}
    assert told.keys() == original.keys()
    for name, weight in original.items():
        if "_proj" not in name:
            assert numpy.array_equal(found[name], weight.astype("f4")), name
            assert not told[name]["quantized"]
            continue
        error = language_models.relative_error(found[name], weight)
        assert 0 < error < bound, name
        assert told[name]["quantized"]
        assert told[name]["relative_error"] == pytest.approx(error, rel=2e-3)
    assert report["total"]["bytes_after"] < report["total"]["bytes_before"]
    assert report["total"]["quantized_elements"] == sum(
        weight.size for name, weight in original.items() if "_proj" in name
    )


def test_all_of_a_model_comes_along(optimization):
    language_models.llama(optimization.model, files=3)
    (optimization.model / "serving.properties").write_text(
        "engine=Python\noption.rolling_batch=vllm\noption.model_id=/somewhere\n"
    )
    (optimization.model / "1_Pooling").mkdir()
    (optimization.model / "1_Pooling" / "config.json").write_text("{}")
    (optimization.model / "pytorch_model.bin").write_text("a pickle")
    report = optimization.works({"QUANTIZE": "fp8", "ENFORCE_EAGER": "true"})
    files = {
        str(path.relative_to(optimization.output)): path
        for path in optimization.output.rglob("*")
        if path.is_file()
    }
    assert sorted(files) == [
        "1_Pooling/config.json",
        "config.json",
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
        "model.safetensors.index.json",
        "optimization-report.json",
        "optimization-report.md",
        "serving.properties",
        "tokenizer_config.json",
    ]
    assert files["serving.properties"].read_text() == (
        "engine=Python\noption.enforce_eager=true\n"
        "option.quantize=compressed-tensors\noption.rolling_batch=vllm\n"
    )
    original = json.loads((optimization.model / "config.json").read_text())
    config = json.loads(files["config.json"].read_text())
    described = config.pop("quantization_config")
    assert config == original
    assert described["ignore"] == ["lm_head"]
    for name, digested in report["files"].items():
        content = files.pop(name).read_bytes()
        assert digested["bytes"] == len(content)
        assert digested["blake2s_tree"] == blake2s_tree(content)
    assert sorted(files) == ["optimization-report.json", "optimization-report.md"]
    page = files["optimization-report.md"].read_text()
    assert "| relative weight error |" in page
    assert any("pytorch_model.bin" in remark for remark in report["remarks"])
    assert any("OPTION_ENFORCE_EAGER" in remark for remark in report["remarks"])


def test_layers_are_left_as_they_are(optimization):
    original = language_models.llama(optimization.model)
    optimization.works({"QUANTIZE": "w4a16", "IGNORE": "lm_head,re:.*layers.0,down_proj"})
    tensors = language_models.read_model(optimization.output)
    packed = {name for name in tensors if name.endswith("weight_packed")}
    assert packed == {
        f"model.layers.1.{name}_proj.weight_packed"
        for name in [
            "self_attn.q",
            "self_attn.k",
            "self_attn.v",
            "self_attn.o",
            "mlp.gate",
            "mlp.up",
        ]
    }
    config = json.loads((optimization.output / "config.json").read_text())
    ignored = config["quantization_config"]["ignore"]
    assert "model.layers.0.mlp.up_proj" in ignored and "model.layers.1.mlp.down_proj" in ignored
    assert len(ignored) == len(original) - 6 - 1 - 5  # embeddings, and norms


def test_runs_give_the_same_bytes(optimization):
    language_models.llama(optimization.model)
    optimization.works({"QUANTIZE": "w4a16"})
    first = (optimization.output / "model.safetensors").read_bytes()
    optimization.works({"QUANTIZE": "w4a16"})
    assert (optimization.output / "model.safetensors").read_bytes() == first


@pytest.mark.parametrize("method", ["w4a16", "gptq"])
def test_memory_is_bounded(optimization, method):
    # Two weights of 16 MB, and embeddings of as much.
    more = dict(layers=1, hidden=1024, intermediate=8192, vocabulary=8192)
    language_models.llama(optimization.model, **more)
    report = optimization.works({"QUANTIZE": method, "ROUNDING": "nearest"})
    assert report["total"]["bytes_before"] > 80e6
    assert report["peak_memory_bytes"] < 64 << 20


@pytest.mark.parametrize("method", ["w4a16", "gptq"])
def test_memory_is_bounded_of_many_tensors(optimization, method):
    # As a mixture of experts has them; the headers alone have megabytes.
    language_models.llama(optimization.model, files=8, model_type="mixture")
    weight = numpy.full((32, 32), 0.5, language_models.DTYPES["BF16"])
    names = [f"model.layers.{n // 500}.experts.{n % 500}.up_proj.weight" for n in range(20_000)]
    language_models.write_weights(optimization.model, dict.fromkeys(names, weight), 8)
    options = {"QUANTIZE": method, "ROUNDING": "nearest", "GROUP_SIZE": "32"}
    report = optimization.works(options)
    assert len(report["tensors"]) == len(names)
    assert report["peak_memory_bytes"] < 64 << 20
    listed = json.loads((optimization.output / "model.safetensors.index.json").read_text())
    modules = {name.rpartition(".")[0] for name in listed["weight_map"]}
    assert modules == {name.removesuffix(".weight") for name in names}


CALIBRATED = {
    "awq": ({}, 1.3e-2),
    "gptq": ({"QUANTIZE": "gptq"}, 4e-2),
    "w4a16-importance": ({"QUANTIZE": "w4a16"}, 2e-2),
    "w4a16-gptq": ({"QUANTIZE": "w4a16", "CALIBRATION_METHOD": "gptq"}, 4e-2),
    "w4a16-awq": (
        {"QUANTIZE": "w4a16", "SYMMETRIC": "false", "CALIBRATION_METHOD": "awq"},
        1.3e-2,
    ),
    "int8": ({"QUANTIZE": "int8"}, 1e-3),
    "fp8-static": ({"QUANTIZE": "fp8"}, 1.5e-3),
}


@pytest.mark.parametrize("method", CALIBRATED)
def test_a_calibrated_model_is_near_the_original(optimization, method):
    options, bound = CALIBRATED[method]
    original = language_models.llama(optimization.model)
    data = language_models.tokens(optimization.place / "data")
    report = optimization.works(options, calibration=str(data))
    found = language_models.dequantized(optimization.output)
    assert found.keys() == original.keys()
    changed = {name for name in original if "_proj" in name}
    norms = {name for name in original if "layernorm" in name}
    told = {tensor["name"]: tensor for tensor in report["tensors"]}
    for name in changed:
        assert 0 < told[name]["relative_error"] < 2 * bound, name
        assert 0 < told[name]["output_error"] < bound, name
        assert told[name]["output_error_without_texts"] > 0
        if "awq" not in method:
            # AWQ's weights are those of another model, with the same answers.
            error = language_models.relative_error(found[name], original[name])
            assert error == pytest.approx(told[name]["relative_error"], rel=2e-2), name
    for name in original.keys() - changed - norms:
        assert numpy.array_equal(found[name], original[name].astype("f4")), name
    whole = report["end_to_end"]
    assert whole["samples"] == 8 and whole["tokens"] == 8 * 48
    assert whole["mean_cosine"] > 0.9 and 0 < whole["relative_error"] < 0.3
    if method == "fp8-static":
        tensors = language_models.read_model(optimization.output)
        assert tensors["model.layers.0.mlp.up_proj.input_scale"].shape == (1,)


MEASURED = {
    "fp8": {"QUANTIZE": "fp8", "FP8_SCHEME": "FP8_DYNAMIC"},
    "fp8-block": {"QUANTIZE": "fp8", "FP8_SCHEME": "FP8_BLOCK"},
    "w8a16": {"QUANTIZE": "w8a16", "CALIBRATION_METHOD": "none"},
    "w4a16-nearest": {"QUANTIZE": "w4a16", "ROUNDING": "nearest"},
    "int8": {"QUANTIZE": "int8", "CALIBRATION_METHOD": "none"},
    "awq": {"CALIBRATION_METHOD": "none"},
    "gptq": {"QUANTIZE": "gptq", "CALIBRATION_METHOD": "none"},
}


@pytest.mark.parametrize("method", MEASURED)
def test_texts_that_nothing_needs_tell_what_is_lost(optimization, method):
    options = MEASURED[method]
    language_models.llama(optimization.model)
    optimization.works(options)
    without = (optimization.output / "model.safetensors").read_bytes()
    data = language_models.tokens(optimization.place / "data")
    report = optimization.works(options, calibration=str(data))
    assert (optimization.output / "model.safetensors").read_bytes() == without
    for tensor in report["tensors"]:
        assert (tensor["output_error"] is None) == ("_proj" not in tensor["name"])
        assert tensor["output_error"] is None or 0 < tensor["output_error"] < 0.02
    whole = report["end_to_end"]
    assert whole["samples"] == 8 and whole["tokens"] == 8 * 48
    assert whole["mean_cosine"] > 0.9 and 0 < whole["relative_error"] < 0.3
    assert any("only measure what is lost" in remark for remark in report["remarks"])


def test_a_model_that_cannot_be_run_is_quantized_without_texts(optimization):
    language_models.llama(optimization.model, model_type="gemma", architectures=["Gemma"])
    data = language_models.tokens(optimization.place / "data")
    report = optimization.works({"QUANTIZE": "fp8", "FP8_SCHEME": "FP8_DYNAMIC"}, calibration=str(data))
    assert report["end_to_end"] is None
    reason = "a model of the type 'gemma' cannot be calibrated"
    assert any(reason in remark for remark in report["remarks"])
    assert reason in optimization.fails({"QUANTIZE": "gptq"}, calibration=str(data))


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        ({"SYMMETRIC": "false"}, "vLLM does not read gptq with zero points"),
        ({"IGNORE": "lm_head,v_proj"}, "vLLM does not read this result: it makes one layer of q_proj"),
    ],
)
def test_what_vllm_refuses_is_told_of(optimization, options, remark):
    language_models.llama(optimization.model)
    done = optimization.run({"QUANTIZE": "gptq"} | options)
    assert done.returncode == 0 and f"note: {remark}" in done.stdout, done.stdout
    report = json.loads((optimization.output / "optimization-report.json").read_text())
    assert any(told.startswith(remark) for told in report["remarks"])
    assert remark in (optimization.output / "optimization-report.md").read_text()
    assert "vLLM" not in optimization.run({"QUANTIZE": "gptq"}).stdout


def test_a_calibration_is_cut_short_and_goes_on(optimization):
    language_models.llama(optimization.model, layers=6)
    data = language_models.tokens(optimization.place / "data")
    options = {"QUANTIZE": "gptq"}
    optimization.works(options, calibration=str(data))
    expected = language_models.read_model(optimization.output)
    shutil.rmtree(optimization.place / "scratch")
    process = optimization.start(options, calibration=str(data))
    scratch = optimization.place / "scratch" / "calibration"
    # What flows into another layer than the first is kept by now.
    wait_for(lambda: any(scratch.glob("flow-[1-9]")) or process.poll() is not None)
    process.kill()
    process.wait()
    report = optimization.works(options, calibration=str(data))
    gone_on = [remark for remark in report["remarks"] if "went on at layer" in remark]
    assert len(gone_on) == 1 and 1 <= int(gone_on[0].split()[-1]) <= 6
    found = language_models.read_model(optimization.output)
    assert found.keys() == expected.keys()
    assert all(numpy.array_equal(found[name], tensor) for name, tensor in expected.items())
    assert report["tensors"]


REFUSALS = [
    ({"QUANTIZE": "smoothquant"}, {}, "ClientError: Invalid quantization method: smoothquant."),
    ({"QUANTIZE": "w4a16"}, {"hidden": 96}, "inputs, which groups of 128 do not divide"),
    (
        {"QUANTIZE": "fp8"},
        {"quantization_config": {"quant_method": "awq"}},
        "ClientError: the model is quantized already, by awq",
    ),
    (
        {"QUANTIZE": "fp8"},
        {"num_hidden_layers": 3},
        "ClientError: the model has no weights of layer 2, but config.json says that there are 3",
    ),
    (
        {"QUANTIZE": "fp8", "FP8_IGNORE": "re:.*"},
        {},
        "ClientError: the model has no linear layer to quantize but those that are ignored",
    ),
]


@pytest.mark.parametrize(("options", "model", "reason"), REFUSALS)
def test_what_cannot_be_done_is_refused(optimization, options, model, reason):
    language_models.llama(optimization.model, **model)
    assert reason in optimization.fails(options)


@pytest.mark.parametrize(
    ("technique", "options", "deployment", "reason"),
    [
        ("Quantization", {"QUANTIZE": "fp8"}, "ml.inf2.xlarge", "cannot run fp8"),
        ("Quantization", {"QUANTIZE": "w4a16"}, "ml.g4dn.xlarge", "OPTION_QUANTIZE=awq runs"),
        ("Compilation", {}, "ml.g6.xlarge", "ModelCompilationConfig without an Image"),
        ("SpeculativeDecoding", {}, "ml.g6.xlarge", "trainer image"),
        ("Sharding", {}, "ml.g6.xlarge", "non-zero tensor_parallel_degree"),
        (
            "Sharding",
            {"TENSOR_PARALLEL_DEGREE": "2", "QUANTIZE": "awq"},
            "ml.g6.xlarge",
            "ClientError: Sharding & Quantization are mutually exclusive.",
        ),
    ],
)
def test_what_is_not_offered_is_refused(optimization, technique, options, deployment, reason):
    language_models.llama(optimization.model)
    assert reason in optimization.fails(options, technique, deployment=deployment)


@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"])
@pytest.mark.parametrize("value", [numpy.inf, numpy.nan])
def test_a_weight_that_is_no_number_is_found(optimization, name, value):
    tensors = language_models.llama(optimization.model)
    tensors[name] = tensors[name].copy()
    tensors[name][77, 5] = value
    language_models.write_weights(optimization.model, tensors, 1)
    reason = optimization.fails({"QUANTIZE": "w4a16"})
    assert reason.startswith("ClientError: ") and name in reason
    assert "row 77, column 5" in reason


def test_a_broken_file_is_refused(optimization):
    language_models.llama(optimization.model)
    file = optimization.model / "model.safetensors"
    content = file.read_bytes()
    for broken in [content[:-1], content[:100], b"", content + b"x"]:
        file.write_bytes(broken)
        assert "model.safetensors" in optimization.fails({"QUANTIZE": "fp8"})
    file.unlink()
    (optimization.model / "pytorch_model.bin").write_bytes(b"a pickle")
    assert "pytorch_model.bin" in optimization.fails({"QUANTIZE": "fp8"})
