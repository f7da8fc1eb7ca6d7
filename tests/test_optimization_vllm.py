"""Optimized models are loaded by vLLM on the processor, and give there the probabilities that
transformers gives with the weights that the formats' definitions say.

KILN_TEST_VLLM names the directory of a Python environment with vLLM for processors; without
it these tests are left out. Where vLLM has another kernel for a GPU, only the names, shapes
and meaning of what is stored are shown here, not the speed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest

from harness import language_models
from test_optimize_command import Optimization

# Loads models with vLLM, and has them say how probable each token is after each of a text's.
# What is not sharded is then told of by transformers, with the weights as plain numbers.
LOADER = """
import gc
import sys
import traceback
from pathlib import Path

import numpy
import torch
from transformers import AutoModelForCausalLM
from vllm import LLM, SamplingParams
from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

TEXT = [3 + 7 * i % 300 for i in range(24)]


def told_by_vllm(model):
    ranks = {shard.name.split("-")[2] for shard in model.glob("model-rank-*")}
    llm = LLM(
        model=str(model),
        load_format="sharded_state" if ranks else "auto",
        tensor_parallel_size=len(ranks) or 1,
        dtype="bfloat16",
        enforce_eager=True,
        enable_prefix_caching=False,
        skip_tokenizer_init=True,
        max_model_len=128,
        max_num_seqs=2,
        max_logprobs=-1,
    )
    asked = SamplingParams(max_tokens=1, prompt_logprobs=-1, detokenize=False)
    answer = llm.generate([{"prompt_token_ids": TEXT}], asked, use_tqdm=False)[0]
    rows = answer.prompt_logprobs[1:]
    return numpy.array([[row[token].logprob for token in range(len(row))] for row in rows])


def told_by_transformers(model):
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with torch.no_grad():
        logits = loaded(torch.tensor([TEXT])).logits[0, :-1]
    return logits.log_softmax(-1).numpy()


for place in map(Path, sys.argv[1:]):
    try:
        numpy.save(place / "vllm.npy", told_by_vllm(place / "result" / "model"))
    except Exception:
        (place / "refusal").write_text(traceback.format_exc())
    for model in ("model", "plain"):
        numpy.save(place / f"{model}.npy", told_by_transformers(place / model))
    cleanup_dist_env_and_memory()
    gc.collect()
"""

QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    # The processes of several ranks; by then there are threads.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

# Layers of which vLLM makes one are left as they are together.
KEPT = ",".join(
    ["lm_head", "model.layers.0.mlp.down_proj"]
    + [f"model.layers.0.self_attn.{part}_proj" for part in "qkv"]
    + [f"model.layers.1.mlp.{part}_proj" for part in ("gate", "up")]
)
HEAD_TOO = "model.layers.0.mlp.down_proj"

# A family of models, and what is done with one.
CASES = {
    "w4a16": ("llama", {"QUANTIZE": "w4a16"}),
    "w4a16-asymmetric": ("qwen2", {"QUANTIZE": "w4a16", "SYMMETRIC": "false"}),
    "w4a16-groups-of-32": ("qwen3", {"QUANTIZE": "w4a16", "GROUP_SIZE": "32"}),
    "w4a16-kept": ("mistral", {"QUANTIZE": "w4a16", "IGNORE": KEPT}),
    "int8": ("qwen2", {"QUANTIZE": "int8"}),
    "fp8": ("qwen3", {"QUANTIZE": "fp8"}),
    "fp8-kept": ("llama", {"QUANTIZE": "fp8", "FP8_IGNORE": KEPT}),
    "awq": ("mistral", {}),
    "awq-kept": ("qwen2", {"AWQ_IGNORE_LAYERS": KEPT, "AWQ_BLOCK_SIZE": "64"}),
    "gptq": ("qwen2", {"QUANTIZE": "gptq"}),
    "w4a16-head": ("llama", {"QUANTIZE": "w4a16", "IGNORE": HEAD_TOO}),
    "awq-head": ("llama", {"AWQ_IGNORE_LAYERS": HEAD_TOO}),
    "shards": ("qwen3", {"TENSOR_PARALLEL_DEGREE": "1"}),
    "shards-for-two": ("qwen2", {"TENSOR_PARALLEL_DEGREE": "2"}),
}

# What is done with a Llama and vLLM does not read, and in what words it says so.
REFUSED = {
    "gptq-asymmetric": (
        {"QUANTIZE": "gptq", "SYMMETRIC": "false"},
        "Unsupported quantization config: bits=4, sym=False",
    ),
    "gptq-torn": ({"QUANTIZE": "gptq", "IGNORE": "lm_head,v_proj"}, "some but not all shards"),
    "awq-torn": ({"AWQ_IGNORE_LAYERS": "lm_head,v_proj"}, "some but not all shards"),
    "w4a16-torn": (
        {"QUANTIZE": "w4a16", "IGNORE": "lm_head,up_proj"},
        "different quantization schemes for the shards",
    ),
}


def write_model(folder: Path, family: str) -> None:
    """A model with heads of 64, as vLLM's attention on processors wants them."""
    architecture = family.capitalize() + "ForCausalLM"
    named = {"model_type": family, "architectures": [architecture], "head_dim": 64}
    tensors = language_models.llama(folder, hidden=256, intermediate=512, **named)
    random = numpy.random.default_rng(7)
    kind = language_models.DTYPES["BF16"]
    weights = [name for name in tensors if name.endswith(("q_proj.weight", "k_proj.weight"))]
    values = [name for name in tensors if name.endswith("v_proj.weight")]
    if family == "qwen2":
        for name in weights + values:
            bias = random.standard_normal(len(tensors[name]), "f4") * 0.3
            tensors[name.replace("weight", "bias")] = bias.astype(kind)
    if family == "qwen3":
        for name in weights:
            norm = 1 + random.standard_normal(64, "f4") * 0.3
            tensors[name.replace("proj", "norm")] = norm.astype(kind)
    language_models.write_weights(folder, tensors, 1)


def write_plain(place: Path, optimized: Path) -> None:
    """Writes what an optimized model's weights are as numbers."""
    tensors = language_models.dequantized(optimized)
    held = language_models.read_model(optimized)
    tensors |= {name: held[name] for name in held if name.endswith(".bias")}
    tensors = {name: tensor.astype("f4") for name, tensor in tensors.items()}
    config = json.loads((optimized / "config.json").read_text())
    del config["quantization_config"]
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config))
    language_models.write_weights(place, tensors, 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory with a model for each case, all loaded by one process."""
    if "KILN_TEST_VLLM" not in os.environ:
        pytest.skip("KILN_TEST_VLLM names no environment")
    place = tmp_path_factory.mktemp("vllm")
    refused = {case: ("llama", options) for case, (options, _) in REFUSED.items()}
    cases = refused | CASES
    for case, (family, options) in cases.items():
        (place / case).mkdir()
        optimization = Optimization(place / case)
        write_model(optimization.model, family)
        if case.startswith("shards"):
            optimization.works(options, "Sharding")
            shutil.copytree(optimization.model, place / case / "plain")
        else:
            optimization.works(options)
            write_plain(place / case / "plain", optimization.output)
    python = Path(os.environ["KILN_TEST_VLLM"]) / "bin" / "python"
    command = [python, "-c", LOADER, *(place / case for case in cases)]
    subprocess.run(command, check=True, env=os.environ | QUIET, timeout=1200)
    return place


def distance(place: Path, found: str, expected: str) -> float:
    """How far apart two tellings are, where only differences between tokens count."""
    both = [numpy.load(place / f"{name}.npy") for name in (found, expected)]
    both = [rows - rows.mean(-1, keepdims=True) for rows in both]
    return language_models.relative_error(*both)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("case", CASES)
def test_vllm_holds_the_weights_that_the_format_says(place, case):
    refusal = place / case / "refusal"
    assert not refusal.exists(), refusal.read_text()
    off = distance(place / case, "vllm", "plain")
    # vLLM computes with 16 bits, and with 8 where activations are quantized too.
    bounds = {"int8": 1e-3, "fp8": 1e-2}
    assert off < bounds.get(case.split("-")[0], 5e-4)
    if not case.startswith("shards"):
        nearer = 1 if case.startswith(("int8", "fp8")) else 10
        assert off * nearer < distance(place / case, "vllm", "model")


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("case", REFUSED)
def test_vllm_refuses_what_the_report_says_that_it_does_not_read(place, case):
    report = place / case / "result" / "model" / "optimization-report.json"
    told = json.loads(report.read_text())["remarks"]
    assert any(remark.startswith("vLLM does not read") for remark in told), told
    assert REFUSED[case][1] in (place / case / "refusal").read_text()
