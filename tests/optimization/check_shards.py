"""Puts a model together again from the files of vLLM's `sharded_state`, by the rules with
which vLLM's layers cut what they load, and compares it with the model.

Usage: python check_shards.py MODEL SHARDS RANKS
"""

import json
import sys
from pathlib import Path

import numpy

sys.path.append(str(Path(__file__).parent.parent))
from harness.language_models import read_model, read_safetensors  # noqa: E402

SCALES = ("_k_scale", "_v_scale", "_q_scale", "_prob_scale")


class Geometry:
    """The measures of a model and of its parts."""

    def __init__(self, config: dict, ranks: int):
        self.ranks = ranks
        heads = config["num_attention_heads"]
        keys = config["num_key_value_heads"]
        width = config.get("head_dim") or config["hidden_size"] // heads
        self.layers = config["num_hidden_layers"]
        self.queries = heads // ranks * width
        self.keys = max(1, keys // ranks) * width
        # So many ranks have the same heads of keys.
        self.alike = max(1, ranks // keys)
        self.vocabulary = config["vocab_size"]
        self.tied = bool(config.get("tie_word_embeddings"))


def check(model: Path, folder: Path, ranks: int) -> None:
    """Fails where the shards are not what vLLM would have in memory."""
    config = json.loads((model / "config.json").read_text())
    geometry = Geometry(config, ranks)
    original = read_model(model)
    parts = [read_safetensors(folder / f"model-rank-{r}-part-0.safetensors") for r in range(ranks)]
    assert len(list(folder.glob("model-rank-*.safetensors"))) == 2 * ranks
    for rank in range(ranks):
        scales = read_safetensors(folder / f"model-rank-{rank}-part-1.safetensors")
        layers = range(geometry.layers)
        names = [f"model.layers.{n}.self_attn.attn.{scale}" for n in layers for scale in SCALES]
        assert sorted(scales) == sorted(names)
        assert all(scale.shape == () and scale == 1 for scale in scales.values())

    found = {}
    for name in parts[0]:
        found |= whole(name, [part[name] for part in parts], geometry)
    assert all(part.keys() == parts[0].keys() for part in parts)
    if geometry.tied:
        assert "model.embed_tokens.weight" not in found
        found["model.embed_tokens.weight"] = found.pop("lm_head.weight")
        original.pop("lm_head.weight", None)
    assert found.keys() == original.keys()
    for name, tensor in original.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].tobytes() == tensor.tobytes(), name


def whole(name: str, parts: list, geometry: Geometry) -> dict:
    """The model's tensors that a parameter was made of."""
    if ".qkv_proj." in name:
        ends = [geometry.queries, geometry.queries + geometry.keys]
        queries, keys, values = zip(*(numpy.split(part, ends) for part in parts), strict=True)
        for same in (keys, values):
            for rank, part in enumerate(same):
                first = same[rank - rank % geometry.alike]
                assert part.tobytes() == first.tobytes(), f"{name} of rank {rank}"
        return {
            name.replace("qkv_proj", "q_proj"): numpy.concatenate(queries),
            name.replace("qkv_proj", "k_proj"): numpy.concatenate(keys[:: geometry.alike]),
            name.replace("qkv_proj", "v_proj"): numpy.concatenate(values[:: geometry.alike]),
        }
    if ".gate_up_proj." in name:
        gates, ups = zip(*(numpy.split(part, 2) for part in parts), strict=True)
        return {
            name.replace("gate_up_proj", "gate_proj"): numpy.concatenate(gates),
            name.replace("gate_up_proj", "up_proj"): numpy.concatenate(ups),
        }
    if name in ("lm_head.weight", "model.embed_tokens.weight"):
        padded = numpy.concatenate(parts)
        assert len(padded) == -(-geometry.vocabulary // 64) * 64
        assert not padded[geometry.vocabulary :].astype("f4").any(), f"{name} is not padded"
        return {name: padded[: geometry.vocabulary]}
    if name.endswith(("o_proj.weight", "down_proj.weight")):
        return {name: numpy.concatenate(parts, axis=1)}
    assert all(part.tobytes() == parts[0].tobytes() for part in parts), name
    return {name: parts[0]}


if __name__ == "__main__":
    check(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
