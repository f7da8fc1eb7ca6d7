"""Records what transformers makes of tokens, for tiny models of every family.

Usage: python make_calibration.py crates/kiln-optimize/src/calibrate/recorded.json
with torch and transformers installed. The models' weights come from a formula that
crates/kiln-optimize/src/calibrate/tests.rs repeats, so only config.json, the names and
shapes of the tensors, the tokens and the answers are recorded.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 64,
    "max_position_embeddings": 64,
}
DECODER = SMALL | {"num_key_value_heads": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": False}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
LINEAR = {"rope_type": "linear", "rope_theta": 5000.0, "factor": 2.0}
SLIDING = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}
CASES = {
    "llama": ("llama", DECODER),
    "llama-bias": ("llama", DECODER | {"attention_bias": True, "mlp_bias": True}),
    "llama-three": ("llama", DECODER | {"rope_parameters": LLAMA3, "num_key_value_heads": 4}),
    "llama-linear": ("llama", DECODER | {"rope_parameters": LINEAR, "head_dim": 16}),
    "mistral": ("mistral", DECODER | {"sliding_window": 5}),
    "qwen2": ("qwen2", DECODER),
    "qwen2-sliding": ("qwen2", DECODER | SLIDING),
    "qwen3": ("qwen3", DECODER | {"head_dim": 16}),
    "bert": ("bert", SMALL | {"hidden_act": "gelu", "type_vocab_size": 2}),
    "bert-tanh": ("bert", SMALL | {"hidden_act": "gelu_new", "type_vocab_size": 2}),
    "roberta": ("roberta", SMALL | {"pad_token_id": 1, "type_vocab_size": 1}),
}
LENGTHS = [11, 1, 7]


def values(number, shape):
    """Numbers that depend only on the tensor's number and their place."""
    count = int(np.prod(shape))
    at = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = at * np.uint64(0x9E3779B97F4A7C15 ^ (number * 77))
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    unit = (mixed >> np.uint64(40)).astype(np.float64) / 2.0**24 - 0.5
    # Weights of norms are near one, matrices keep lengths about as they are.
    scaled = unit + 1.0 if len(shape) == 1 else unit * np.float64(4.0) / np.sqrt(np.float64(shape[1]))
    return torch.from_numpy(scaled.astype(np.float32).reshape(shape))


def record(name):
    kind, fields = CASES[name]
    config = transformers.AutoConfig.for_model(kind, **fields)
    config._attn_implementation = "eager"
    model = transformers.AutoModel.from_config(config, dtype=torch.float32).eval()
    state = {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
    names = sorted(state)
    with torch.no_grad():
        for number, key in enumerate(names):
            state[key].copy_(values(number, list(state[key].shape)))
    samples, answers = [], []
    for length in LENGTHS:
        tokens = [(7 * i * i + 3 * length + i) % 62 + 2 for i in range(length)]
        with torch.no_grad():
            last = model(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        samples.append(tokens)
        # A few columns tell as much as all.
        answers.append([[round(float(x), 5) for x in row[:6]] for row in last])
    return {
        "name": name,
        "config": {"model_type": kind} | fields,
        "tensors": {key: list(state[key].shape) for key in names},
        "tokens": samples,
        "answers": answers,
    }


def main():
    recorded = [record(name) for name in CASES]
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in recorded)
    pathlib.Path(sys.argv[1]).write_text(f"[{text}]\n")


main()
