"""Quantized models are loaded by transformers, and hold there the weights that the formats'
definitions say: with compressed-tensors, which also converts AutoAWQ's format into its own,
and with auto-round, which reads GPTQ's.

KILN_TEST_OPTIMIZERS names the directory of a Python environment with all three; without it
these tests are left out.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy
import pytest

from harness import language_models
from test_optimize_command import Optimization

# Loads models, has them answer, and saves what they hold as their linear layers' weights.
LOADER = """
import sys
import torch
from auto_round.inference.backend import BackendInfos
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoRoundConfig

from compressed_tensors.entrypoints.convert import AutoAWQConverter, convert_checkpoint
from compressed_tensors.quantization.lifecycle.forward import dequantize

# It reads zero points, though it is not offered for models that have other ones than 8.
BackendInfos["auto_round:torch_zp"].sym = [True, False]


def load(model):
    method = getattr(AutoConfig.from_pretrained(model), "quantization_config", {})
    method = method.get("quant_method")
    if method == "awq":
        converted = model + ".converted"
        convert_checkpoint(model, converted, AutoAWQConverter.from_pretrained(model), device="cpu")
        model = converted
    how = {"quantization_config": AutoRoundConfig(backend="torch")} if method == "gptq" else {}
    loaded, told = AutoModelForCausalLM.from_pretrained(model, output_loading_info=True, **how)
    # Without act-order, auto-round knows each row's group, and does not read it.
    unread = {name for name in told["unexpected_keys"] if not name.endswith(".g_idx")}
    assert not (told["missing_keys"] or unread or told["mismatched_keys"]), (model, told)
    return loaded


def weight(module, dtype):
    if hasattr(module, "qweight"):
        return module(torch.eye(module.infeatures)).T
    if not hasattr(module, "quantization_scheme"):
        return None
    if module.weight.dtype == dtype:
        return module.weight
    zero = getattr(module, "weight_zero_point", None)
    return dequantize(module.weight, module.weight_scale, zero)


for model in sys.argv[1:]:
    loaded = load(model)
    with torch.no_grad():
        found = {"logits": loaded(torch.arange(3, 19).reshape(1, 16)).logits.float()}
        for name, module in loaded.named_modules():
            held = weight(module, loaded.dtype)
            if held is not None:
                found[name + ".weight"] = held.detach().float().contiguous()
    save_file(found, model + ".loaded", metadata={"format": "pt"})
"""

METHODS = {
    "w4a16": {"QUANTIZE": "w4a16"},
    "w4a16-nearest": {"QUANTIZE": "w4a16", "ROUNDING": "nearest"},
    "w4a16-asymmetric": {"QUANTIZE": "w4a16", "SYMMETRIC": "false"},
    "w4a16-groups-of-32": {"QUANTIZE": "w4a16", "GROUP_SIZE": "32"},
    "w8a16": {"QUANTIZE": "w8a16"},
    "int8": {"QUANTIZE": "int8"},
    "fp8": {"QUANTIZE": "fp8"},
    "fp8-block": {"QUANTIZE": "fp8", "FP8_SCHEME": "FP8_BLOCK"},
    "fp8-static": {"QUANTIZE": "fp8", "FP8_SCHEME": "FP8"},
    "w4a16-gptq": {"QUANTIZE": "w4a16", "CALIBRATION_METHOD": "gptq"},
    "awq": {},
    "awq-symmetric": {"AWQ_ZERO_POINT": "false", "AWQ_BLOCK_SIZE": "64"},
    "awq-calibrated": {},
    "gptq": {"QUANTIZE": "gptq"},
    "gptq-asymmetric": {"QUANTIZE": "gptq", "SYMMETRIC": "false", "GROUP_SIZE": "64"},
    "gptq-calibrated": {"QUANTIZE": "gptq"},
}
WITH_TEXTS = {"fp8-static", "w4a16-gptq", "awq-calibrated", "gptq-calibrated"}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory with a model for each method, all loaded by one process."""
    if "KILN_TEST_OPTIMIZERS" not in os.environ:
        pytest.skip("KILN_TEST_OPTIMIZERS names no environment")
    place = tmp_path_factory.mktemp("formats")
    data = language_models.tokens(place / "data")
    models = [place / "w4a16" / "model"]
    for method, options in METHODS.items():
        (place / method).mkdir()
        optimization = Optimization(place / method)
        language_models.llama(optimization.model, hidden=256, intermediate=512)
        optimization.works(options, calibration=str(data) if method in WITH_TEXTS else None)
        models.append(optimization.output)
    python = Path(os.environ["KILN_TEST_OPTIMIZERS"]) / "bin" / "python"
    quiet = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, "-c", LOADER, *models], check=True, env=quiet, timeout=500)
    return place


def loaded(model: Path) -> dict[str, numpy.ndarray]:
    return language_models.read_safetensors(model.with_name("model.loaded"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", METHODS)
def test_a_quantized_model_is_loaded(place, method):
    optimization = Optimization(place / method)
    expected = language_models.dequantized(optimization.output)
    found = loaded(optimization.output)
    weights = {name for name in expected if "_proj" in name}
    assert found.keys() == weights | {"logits"}
    for name in weights:
        # What is loaded is rounded to the model's own type.
        assert language_models.relative_error(found[name], expected[name]) < 1e-5, name
    exact = loaded(place / "w4a16" / "model")["logits"]
    error = language_models.relative_error(found["logits"], exact)
    assert error < (0.02 if "8" in method else 0.1)
    config = json.loads((optimization.output / "config.json").read_text())
    format = method.split("-")[0] if method[0] in "ag" else "compressed-tensors"
    assert config["quantization_config"]["quant_method"] == format


@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", [name for name in METHODS if name not in WITH_TEXTS])
def test_a_report_tells_the_errors_of_what_is_loaded(place, method):
    optimization = Optimization(place / method)
    original = language_models.read_model(optimization.model)
    found = loaded(optimization.output)
    report = json.loads((optimization.output / "optimization-report.json").read_text())
    told = {tensor["name"]: tensor.get("relative_error") for tensor in report["tensors"]}
    for name in found.keys() - {"logits"}:
        error = language_models.relative_error(found[name], original[name])
        # Each weight is rounded once more, to the model's own type.
        assert error == pytest.approx(told[name], rel=2e-3, abs=1e-5), name
