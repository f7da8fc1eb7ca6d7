"""`kiln optimize` on tiny models: shards and GGUF files hold what the model holds.

The shards are put together again by vLLM's rules, and GGUF files are read and made again
with the package gguf. Neither is code of Kiln's.
"""

import json

import pytest

from harness import language_models
from optimization import check_gguf, check_shards
from test_optimize_command import Optimization


@pytest.fixture
def optimization(tmp_path) -> Optimization:
    return Optimization(tmp_path)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("files", [1, 3])
def test_shards_are_a_model_again(optimization, ranks, files):
    language_models.llama(optimization.model, vocabulary=301, files=files)
    report = optimization.works({"TENSOR_PARALLEL_DEGREE": str(ranks)}, "Sharding")
    check_shards.check(optimization.model, optimization.output, ranks)
    config = json.loads((optimization.output / "config.json").read_text())
    assert config["hidden_size"] == 128
    assert not (optimization.output / "model.safetensors.index.json").exists()
    tensors = {tensor["name"]: tensor for tensor in report["tensors"]}
    assert tensors.keys() == language_models.read_model(optimization.model).keys()
    # Norms are everywhere, and what is cut is so once.
    for name, copies in (("model.norm.weight", ranks), ("lm_head.weight", 1)):
        tensor = tensors[name]
        assert tensor["bytes_after"] == copies * tensor["bytes_before"], name
        assert tensor["bits"] == copies * 16


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_gguf_file_is_the_model_to_the_bit(optimization, kind, dtype):
    language_models.llama(optimization.model, dtype=dtype, files=2)
    report = optimization.works({"GGUF_TYPE": kind}, "Compilation")
    check_gguf.check(optimization.model, optimization.output / "model.gguf", kind)
    assert report["files"]


def test_what_cannot_be_cut_is_refused(optimization):
    language_models.llama(optimization.model)
    reason = optimization.fails({"TENSOR_PARALLEL_DEGREE": "3"}, "Sharding")
    assert "cannot be cut into 3 equal parts, because it has 4 heads" in reason


def test_a_quantized_model_is_neither_cut_nor_converted(optimization):
    quantized = {"quantization_config": {"quant_method": "awq"}}
    language_models.llama(optimization.model, **quantized)
    # As Kiln's own results are.
    (optimization.model / "serving.properties").write_text("option.quantize=awq\n")
    reason = optimization.fails({"TENSOR_PARALLEL_DEGREE": "2"}, "Sharding")
    assert "quantized already, by awq, and a quantized model cannot be sharded" in reason
    reason = optimization.fails({"GGUF_TYPE": "F16"}, "Compilation")
    assert "quantized already, by awq" in reason
