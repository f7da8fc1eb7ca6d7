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

# Loads a model, has it answer, and saves what it holds as its linear layers' weights.
LOADER = """
import sys
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

model, output = sys.argv[1:]
loaded, told = AutoModelForCausalLM.from_pretrained(model, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    assert not told[kind], (kind, told[kind])
tokens = torch.arange(3, 19).reshape(1, 16)
with torch.no_grad():
    found = {"logits": loaded(tokens).logits.float()}
for name, module in loaded.named_modules():
    if hasattr(module, "quantization_scheme"):
        weight = module.weight
        if hasattr(module, "weight_scale") and weight.dtype not in (torch.bfloat16, torch.float32):
            from compressed_tensors.quantization.lifecycle.forward import dequantize
            weight = dequantize(weight, module.weight_scale, getattr(module, "weight_zero_point", None))
        found[name + ".weight"] = weight.detach().float().contiguous()
save_file(found, output, metadata={"format": "pt"})
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
def python() -> str:
    if "KILN_TEST_OPTIMIZERS" not in os.environ:
        pytest.skip("KILN_TEST_OPTIMIZERS names no environment")
    return str(Path(os.environ["KILN_TEST_OPTIMIZERS"]) / "bin" / "python")


def loaded(python: str, model: Path, output: Path) -> dict[str, numpy.ndarray]:
    command = [python, "-c", LOADER, model, output]
    quiet = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "HF_HUB_OFFLINE": "1"}
    subprocess.run(command, check=True, env=quiet, timeout=300)
    return language_models.read_safetensors(output)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", METHODS)
def test_a_quantized_model_is_loaded(python, tmp_path, method):
    optimization = Optimization(tmp_path)
    original = language_models.llama(optimization.model, hidden=256, intermediate=512)
    more = {}
    if method in WITH_TEXTS:
        more["calibration"] = str(language_models.tokens(tmp_path / "data"))
    optimization.works(METHODS[method], **more)
    expected = language_models.dequantized(optimization.output)
    found = loaded(python, optimization.output, tmp_path / "found.safetensors")
    exact = loaded(python, optimization.model, tmp_path / "exact.safetensors")
    weights = {name for name in original if "_proj" in name}
    assert found.keys() == weights | {"logits"}
    for name in weights:
        error = language_models.relative_error(found[name], expected[name])
        # What is loaded is rounded to the model's own type.
        assert error < 1e-5, name
    logits = language_models.relative_error(found["logits"], exact["logits"])
    assert logits < (0.1 if "w4" in method else 0.02)
    config = json.loads((optimization.output / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
