"""Compares a GGUF file with the model that it was made of, tensor by tensor and to the bit.

Usage: python check_gguf.py MODEL FILE.gguf TYPE
with the package gguf, whose reader and whose blocks are independent of Kiln's.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy

sys.path.append(str(Path(__file__).parent.parent))
from harness.language_models import read_model  # noqa: E402

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
NUMBERS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "vocab_size": "vocab_size",
}


def check(model: Path, file: Path, kind: str) -> None:
    """Fails where the file is not what the model and the type call for."""
    config = json.loads((model / "config.json").read_text())
    reader = gguf.GGUFReader(file)
    architecture = ARCHITECTURES[config["model_type"]]
    assert reader.fields["general.architecture"].contents() == architecture
    for key, field in NUMBERS.items():
        assert reader.fields[f"{architecture}.{key}"].contents() == config[field], key

    expected = dict(renamed(read_model(model), config, architecture))
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert found.keys() - {"rope_freqs.weight"} == expected.keys()
    for name, values in expected.items():
        tensor = found[name]
        assert tensor.shape.tolist() == list(reversed(values.shape)), name
        wanted = type_of(name, values, kind, config)
        assert tensor.tensor_type == wanted, f"{name} is {tensor.tensor_type.name}"
        with numpy.errstate(all="ignore"):
            content = gguf.quants.quantize(values, wanted)
        assert tensor.data.tobytes() == content.tobytes(), name


def renamed(tensors, config, architecture):
    """The tensors as GGUF has them, by the names of the package's own map."""
    numbers = {name: number for number, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(numbers[architecture], config["num_hidden_layers"])
    for name, tensor in tensors.items():
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        values = tensor.astype("f4")
        if architecture == "llama" and "q_proj" in name:
            values = permuted(values, config["num_attention_heads"])
        if architecture == "llama" and "k_proj" in name:
            values = permuted(values, config["num_key_value_heads"])
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), values


def permuted(values, heads):
    """Llama's rows as llama.cpp rotates them."""
    halves = values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def type_of(name, values, kind, config):
    """What a tensor is to be stored as."""
    if values.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    if kind == "F16" or values.shape[-1] % 32:
        return gguf.GGMLQuantizationType.F16
    last = "token_embd.weight" if config.get("tie_word_embeddings") else "output.weight"
    return gguf.GGMLQuantizationType["Q8_0" if name == last else kind]


if __name__ == "__main__":
    check(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
