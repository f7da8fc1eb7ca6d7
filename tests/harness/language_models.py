"""Small language models as Hugging Face lays them out, and what reads quantized ones.

Everything is numpy and the formats' own definitions, so that what Kiln has written is
read by other code than wrote it.
"""

import json
from pathlib import Path

import ml_dtypes
import numpy

DTYPES = {
    "F32": numpy.dtype("<f4"),
    "F16": numpy.dtype("<f2"),
    "BF16": numpy.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": numpy.dtype(ml_dtypes.float8_e4m3fn),
    "I64": numpy.dtype("<i8"),
    "I32": numpy.dtype("<i4"),
    "I8": numpy.dtype("i1"),
    "U8": numpy.dtype("u1"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_safetensors(path: Path, tensors: dict[str, numpy.ndarray]) -> None:
    """Writes tensors in the order in which they are given."""
    header, data = {"__metadata__": {"format": "pt"}}, bytearray()
    for name, tensor in tensors.items():
        content = numpy.ascontiguousarray(tensor).tobytes()
        offsets = [len(data), len(data) + len(content)]
        dtype = NAMES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_safetensors(path: Path) -> dict[str, numpy.ndarray]:
    """All tensors of a file, whose header must be as loaders want it."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    assert length % 8 == 0 and header.pop("__metadata__")["format"] == "pt"
    tensors, ends = {}, [0]
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        assert begin == ends[-1], f"a gap before {name}"
        ends.append(end)
        flat = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    assert ends[-1] == len(data)
    return tensors


def read_model(folder: Path) -> dict[str, numpy.ndarray]:
    """All tensors of a model, through its index where it has one."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return read_safetensors(folder / "model.safetensors")
    listed = json.loads(index.read_text())
    files = {name: read_safetensors(folder / name) for name in set(listed["weight_map"].values())}
    tensors = {name: files[file][name] for name, file in listed["weight_map"].items()}
    assert sum(len(file) for file in files.values()) == len(tensors)
    assert listed["metadata"]["total_size"] == sum(t.nbytes for t in tensors.values())
    return tensors


def llama(
    folder: Path,
    layers=2,
    hidden=128,
    intermediate=256,
    vocabulary=320,
    heads=4,
    dtype="BF16",
    files=1,
    seed=0,
    **more,
) -> dict[str, numpy.ndarray]:
    """Writes a Llama of random weights; its tensors."""
    random = numpy.random.default_rng(seed)
    kind = DTYPES[dtype]
    narrow = hidden // 2

    def weight(*shape):
        return (random.standard_normal(shape, "f4") * 0.02).astype(kind)

    tensors = {"model.embed_tokens.weight": weight(vocabulary, hidden)}
    for layer in range(layers):
        place = f"model.layers.{layer}"
        tensors |= {
            f"{place}.input_layernorm.weight": numpy.ones(hidden, "f4").astype(kind),
            f"{place}.self_attn.q_proj.weight": weight(hidden, hidden),
            f"{place}.self_attn.k_proj.weight": weight(narrow, hidden),
            f"{place}.self_attn.v_proj.weight": weight(narrow, hidden),
            f"{place}.self_attn.o_proj.weight": weight(hidden, hidden),
            f"{place}.post_attention_layernorm.weight": numpy.ones(hidden, "f4").astype(kind),
            f"{place}.mlp.gate_proj.weight": weight(intermediate, hidden),
            f"{place}.mlp.up_proj.weight": weight(intermediate, hidden),
            f"{place}.mlp.down_proj.weight": weight(hidden, intermediate),
        }
    tensors["model.norm.weight"] = numpy.ones(hidden, "f4").astype(kind)
    tensors["lm_head.weight"] = weight(vocabulary, hidden)
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder, tensors, files)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "dtype": {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[dtype],
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config | more))
    (folder / "tokenizer_config.json").write_text("{}")
    return tensors


def write_weights(folder: Path, tensors: dict[str, numpy.ndarray], files: int) -> None:
    """In one file, or in several with an index."""
    if files == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return
    names, places = list(tensors), {}
    for number in range(files):
        part = {name: tensors[name] for name in names[number::files]}
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        write_safetensors(folder / file, part)
        places |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def tokens(folder: Path, samples=8, length=48, vocabulary=320) -> Path:
    """Writes a directory of random tokens to calibrate with."""
    folder.mkdir()
    random = numpy.random.default_rng(1)
    rows = random.integers(3, vocabulary, (samples, length)).tolist()
    lines = (json.dumps({"input_ids": row}) for row in rows)
    (folder / "tokens.jsonl").write_text("\n".join(lines))
    return folder


def dequantized(folder: Path) -> dict[str, numpy.ndarray]:
    """A quantized model's weights as numbers, by the names of the original."""
    tensors = read_model(folder)
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    method = config["quant_method"]
    read = {"awq": _awq, "gptq": _gptq, "compressed-tensors": _compressed_tensors}[method]
    weights = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        part = {
            other.rpartition(".")[2]: value
            for other, value in tensors.items()
            if other.rpartition(".")[0] == module
        }
        if kind in ("qweight", "weight_packed") or (kind == "weight" and "weight_scale" in part):
            weights[f"{module}.weight"] = read(part, config)
        elif kind == "weight":
            weights[name] = tensor.astype("f4")
    return weights


def _compressed_tensors(part, config):
    arguments = config["config_groups"]["group_0"]["weights"]
    scale = part["weight_scale"].astype("f4")
    if config["format"] != "pack-quantized":
        codes = part["weight"].astype("f4")
        return codes * _spread(scale, codes.shape, arguments.get("block_structure"))
    bits = arguments["num_bits"]
    rows, columns = part["weight_shape"]
    codes = _unpack(part["weight_packed"], bits)[:, :columns].astype("i4") - (1 << bits - 1)
    if "weight_zero_point" in part:
        zero = _unpack(part["weight_zero_point"].T, bits).T[:rows].astype("i4") - (1 << bits - 1)
        codes = codes - _spread(zero, codes.shape)
    return codes * _spread(scale, codes.shape)


def _awq(part, config):
    order = numpy.argsort([0, 2, 4, 6, 1, 3, 5, 7])

    def unpack(words):
        nibbles = _unpack(words, 4)
        return nibbles.reshape(len(words), -1, 8)[:, :, order].reshape(len(words), -1)

    codes, zeros = unpack(part["qweight"]).astype("i4"), unpack(part["qzeros"]).astype("i4")
    group = config["group_size"]
    scales = part["scales"].astype("f4").repeat(group, axis=0)
    return ((codes - zeros.repeat(group, axis=0)) * scales).T


def _gptq(part, config):
    assert not config["desc_act"] and config["checkpoint_format"] == "gptq"
    codes = _unpack(part["qweight"].T, 4).astype("i4")
    zeros = _unpack(part["qzeros"], 4).astype("i4") + 1
    groups = part["g_idx"]
    return (codes - zeros[groups].T) * part["scales"].astype("f4")[groups].T


def _unpack(words, bits):
    """The numbers of rows of words, the lowest bits first."""
    shifts = numpy.arange(0, 32, bits, dtype="u4")
    numbers = words.astype("u4")[:, :, None] >> shifts & numpy.uint32((1 << bits) - 1)
    return numbers.reshape(len(words), -1)


def _spread(scales, shape, block=None):
    """A scale for every weight."""
    if scales.size == 1:
        return scales.reshape(1, 1)
    if block:
        rows = scales.repeat(block[0], axis=0)[: shape[0]]
        return rows.repeat(block[1], axis=1)[:, : shape[1]]
    return scales.repeat(-(-shape[1] // scales.shape[1]), axis=1)[:, : shape[1]]


def relative_error(found: numpy.ndarray, original: numpy.ndarray) -> float:
    """The squared differences, as a part of the squares."""
    original = original.astype("f8")
    return float(((found - original) ** 2).sum() / (original**2).sum())
