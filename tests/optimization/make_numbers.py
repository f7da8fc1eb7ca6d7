"""Records what llm-compressor and compressed-tensors make of weights, as digests.

Usage: python make_numbers.py crates/kiln-optimize/tests/data/numbers.json
with torch, llmcompressor and compressed-tensors installed. The weights come from a seed by
a formula that crates/kiln-optimize/tests/recorded/mod.rs repeats.
"""

import hashlib
import json
import pathlib
import sys

import compressed_tensors
import llmcompressor
import numpy as np
import torch
from compressed_tensors.compressors import compress_module
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationScheme,
    preset_name_to_scheme,
)
from compressed_tensors.quantization.lifecycle.forward import quantize
from llmcompressor.entrypoints.model_free.lifecycle import (
    calibrate_weight,
    initialize_quantized_linear,
)

DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
# What the bits of a number of each type are: as integers, the mantissa's, the exponent's.
BITS = {"BF16": (np.uint16, 7, 8), "F16": (np.uint16, 10, 5), "F32": (np.uint32, 23, 8)}


def integers(bits, group, symmetric=True):
    """A scheme of integers in groups, with nothing done to activations."""
    weights = QuantizationArgs(
        num_bits=bits, type="int", strategy="group", group_size=group, symmetric=symmetric
    )
    return QuantizationScheme(targets=["Linear"], weights=weights)


def schemes():
    """Every scheme by its name, with the shape that it is tried on."""
    for group in (128, 64, 32):
        yield f"int4-group{group}", integers(4, group), (24, 384)
        yield f"int4-group{group}-asymmetric", integers(4, group, False), (24, 384)
    yield "int8-group128", integers(8, 128), (24, 384)
    yield "int8-group32-asymmetric", integers(8, 32, False), (24, 384)
    for name, preset in (
        ("int8-channel", "W8A8"),
        ("fp8-channel", "FP8_DYNAMIC"),
        ("fp8-tensor", "FP8"),
        ("fp8-block128", "FP8_BLOCK"),
    ):
        yield name, preset_name_to_scheme(preset, ["Linear"]), (150, 200)


def numbers(seed, count):
    """SplitMix64."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def bell(raw):
    """Four uniform numbers of 16 bits, added: exact in 32 bits."""
    parts = sum((raw >> np.uint64(16 * part)) & np.uint64(0xFFFF) for part in range(4))
    return (parts.astype(np.int64) - 131070).astype(np.float32) * np.float32(2.0**-20)


def weights(kind, dtype, seed, shape):
    """The weights of one kind, as torch holds them."""
    count = shape[0] * shape[1]
    raw = numbers(seed, count)
    if kind in ("tiny", "any"):
        return from_bits(kind, dtype, raw).reshape(shape)
    values = bell(raw)
    if kind == "outlier":
        values[count // 3] *= np.float32(64.0)
    elif kind == "mostly-zero":
        values[raw % np.uint64(97) != 0] = 0.0
    elif kind == "zero":
        values[:] = 0.0
    elif kind == "positive":
        values = np.abs(values)
    elif kind == "negative":
        values = -np.abs(values) - np.float32(0.125)
    elif kind == "ties":
        values = (raw % np.uint64(31)).astype(np.float32) * np.float32(0.5) - np.float32(7.5)
    return torch.from_numpy(values.reshape(shape)).to(DTYPES[dtype])


def from_bits(kind, dtype, raw):
    """Numbers of any size that bits can say, the largest two quarters of exponents left
    out, or only those that are near the smallest."""
    integer, mantissa, exponent = BITS[dtype]
    sign = (raw >> np.uint64(63)) << np.uint64(mantissa + exponent)
    low = raw & np.uint64((1 << mantissa) - 1)
    size = (raw >> np.uint64(32)) % np.uint64(2 if kind == "tiny" else 3 << (exponent - 2))
    bits = (sign | (size << np.uint64(mantissa)) | low).astype(integer)
    signed = torch.from_numpy(bits.view(np.int16 if integer is np.uint16 else np.int32))
    return signed.view(DTYPES[dtype])


KINDS = ("bell", "outlier", "mostly-zero", "zero", "positive", "negative", "ties", "tiny", "any")


def digest(tensor):
    """A digest of a tensor's bytes."""
    if tensor.dtype in (torch.bfloat16, torch.float8_e4m3fn):
        tensor = tensor.view(torch.int16 if tensor.dtype == torch.bfloat16 else torch.int8)
    data = tensor.contiguous().numpy().tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def record(name, scheme, shape, kind, dtype, seed):
    """What becomes of one weight."""
    weight = weights(kind, dtype, seed, shape)
    module = initialize_quantized_linear(weight, scheme, "cpu")
    calibrate_weight(module)
    zero_point = getattr(module, "weight_zero_point", None)
    codes = quantize(
        module.weight,
        module.weight_scale,
        zero_point,
        scheme.weights,
        dtype=scheme.weights.pytorch_dtype(),
    )
    case = {
        "scheme": name,
        "kind": kind,
        "dtype": dtype,
        "seed": seed,
        "shape": shape,
        "weights": digest(weight),
        "codes": digest(codes),
        "scales": digest(module.weight_scale.data.float()),
        "zeros": None if zero_point is None else digest(zero_point.data),
    }
    module.quantization_scheme = scheme.model_copy(deep=True)
    compress_module(module)
    case["format"] = module.quantization_scheme.format
    case["tensors"] = {
        key: {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "digest": digest(value),
        }
        for key, value in sorted(module.state_dict().items())
        if key.startswith("weight")
    }
    return case


def codes_and_scales(seed, rows, columns, group, bits, symmetric):
    """Codes from zero on, [in, out] as both formats have them, their scales and zeros."""
    raw = numbers(seed, rows * columns).reshape(rows, columns)
    codes = (raw % np.uint64(1 << bits)).astype(np.int64)
    raw = numbers(seed + 1, rows * (columns // group)).reshape(rows, -1)
    scales = bell(raw).astype(np.float16)
    zeros = (raw >> np.uint64(7)) % np.uint64((1 << bits) - 1) + np.uint64(1)
    if symmetric:
        zeros[:] = 1 << (bits - 1)
    return codes.T, scales.T, zeros.T.astype(np.int64)


def awq(codes, zeros):
    """AutoAWQ's packing: WQLinear_GEMM.from_linear."""
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def pack(values):
        packed = np.zeros((values.shape[0], values.shape[1] // 8), np.int64)
        for column in range(packed.shape[1]):
            for place in range(8):
                packed[:, column] |= values[:, column * 8 + order[place]] << (place * 4)
        return packed.astype(np.uint32)

    return pack(codes), pack(zeros)


def gptq(codes, zeros, bits):
    """AutoGPTQ's packing: QuantLinear.pack."""
    in_word = 32 // bits
    packed = np.zeros((codes.shape[0] // in_word, codes.shape[1]), np.int64)
    for row in range(codes.shape[0]):
        packed[row // in_word] |= codes[row] << (row % in_word * bits)
    packed_zeros = np.zeros((zeros.shape[0], zeros.shape[1] // in_word), np.int64)
    for column in range(zeros.shape[1]):
        packed_zeros[:, column // in_word] |= (zeros[:, column] - 1) << (column % in_word * bits)
    return packed.astype(np.uint32), packed_zeros.astype(np.uint32)


def transposed_cases():
    """Codes that are made up, in the formats of AutoAWQ and GPTQ."""
    seed = 1000
    for layout, bits in (("awq", 4), ("gptq", 4), ("gptq", 8)):
        for symmetric in (True, False):
            for rows, columns, group in ((64, 256, 128), (40, 192, 32), (1032, 64, 64)):
                seed += 2
                codes, scales, zeros = codes_and_scales(
                    seed, rows, columns, group, bits, symmetric
                )
                packed = awq(codes, zeros) if layout == "awq" else gptq(codes, zeros, bits)
                tensors = dict(zip(("qweight", "qzeros"), packed, strict=True))
                tensors["scales"] = scales
                if layout == "gptq":
                    tensors["g_idx"] = (np.arange(columns) // group).astype(np.int32)
                yield {
                    "layout": layout,
                    "bits": bits,
                    "symmetric": symmetric,
                    "group": group,
                    "seed": seed,
                    "shape": [rows, columns],
                    "tensors": {
                        name: {
                            "shape": list(tensor.shape),
                            "digest": digest(torch.from_numpy(np.ascontiguousarray(tensor))),
                        }
                        for name, tensor in tensors.items()
                    },
                }


def main():
    """Records all cases."""
    torch.set_num_threads(1)
    cases = []
    for name, scheme, shape in schemes():
        for kind in KINDS:
            for dtype in DTYPES:
                cases.append(record(name, scheme, shape, kind, dtype, len(cases) + 1))
    versions = {
        module.__name__: module.__version__
        for module in (torch, llmcompressor, compressed_tensors)
    }
    text = f'{{"made with":{json.dumps(versions)},\n"cases":[\n{lines(cases)}\n],\n'
    text += f'"transposed":[\n{lines(transposed_cases())}\n]}}\n'
    pathlib.Path(sys.argv[1]).write_text(text, encoding="utf-8")


def lines(cases):
    """One line for each case."""
    return ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)


if __name__ == "__main__":
    main()
