"""Quantized models are loaded by transformers with compressed-tensors, and hold there the
weights that the formats' definitions say.

KILN_TEST_OPTIMIZERS names the directory of a Python environment with both; without it
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
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from compressed_tensors.quantization.lifecycle.forward import dequantize

for model in sys.argv[1:]:
    loaded, told = AutoModelForCausalLM.from_pretrained(model, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not told[kind], (model, kind, told[kind])
    with torch.no_grad():
        found = {"logits": loaded(torch.arange(3, 19).reshape(1, 16)).logits.float()}
    for name, module in loaded.named_modules():
        if not hasattr(module, "quantization_scheme"):
            continue
        weight = module.weight
        if weight.dtype != loaded.dtype:
            zero = getattr(module, "weight_zero_point", None)
            weight = dequantize(weight, module.weight_scale, zero)
        found[name + ".weight"] = weight.detach().float().contiguous()
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
}
WITH_TEXTS = {"fp8-static", "w4a16-gptq"}


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
    assert error < (0.1 if "w4" in method else 0.02)
    config = json.loads((optimization.output / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
