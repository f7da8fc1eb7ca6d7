"""Has llama.cpp answer from a GGUF file, and compares it with what transformers answers from
the model that the file was made of: the tokens of texts, and the likeliest next tokens.

Usage: python check_llama_cpp.py MODEL FILE.gguf [LARGEST-DIFFERENCE]
with xllamacpp, which is llama.cpp, and torch and transformers. The difference is one of
logarithms of probabilities; an F16 file of a small model keeps it below 0.02.
"""

import json
import sys
import urllib.request
from pathlib import Path

import torch
import xllamacpp
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

TEXTS = (
    "Kiln's jobs run 12345 été 中文 🚀\n  x",
    "  two spaces\tand  CAPS we'll go!!\n\n\nend",
    "hello world",
    "def f(x):\n    return x+1  # naïve",
    "a long text " * 30,
)


class LlamaCpp:
    """A server of llama.cpp's in this process."""

    def __init__(self, file: Path):
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(file)
        parameters.n_ctx = 256
        parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        disabled = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.flash_attn_type = disabled
        self.server = xllamacpp.Server(parameters)

    def ask(self, path: str, **body) -> dict:
        """What it answers to a request."""
        address = self.server.listening_address + path
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def tokens(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        return self.ask("/tokenize", content=text, add_special=True)["tokens"]

    def next(self, tokens: list[int]) -> dict[int, float]:
        """The likeliest next tokens. None if they are no text yet, as a part of a letter."""
        answer = self.ask("/completion", prompt=tokens, n_predict=1, n_probs=10, temperature=0)
        first = answer.get("completion_probabilities", [{"top_logprobs": []}])[0]
        return {token["id"]: token["logprob"] for token in first["top_logprobs"]}


def largest_difference(model: Path, file: Path) -> float:
    """How far the answers are apart. Fails if a text has other tokens."""
    llama_cpp = LlamaCpp(file)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    original = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    # Behind a sliding window the file's context ends.
    longest = min(200, (getattr(original.config, "sliding_window", None) or 256) - 1)
    worst = 0.0
    for text in TEXTS:
        tokens = llama_cpp.tokens(text)
        assert tokens == tokenizer.encode(text).ids, repr(text)
        tokens = tokens[:longest]
        with torch.no_grad():
            logits = original(torch.tensor([tokens])).logits[0, -1]
        expected = torch.log_softmax(logits, -1)
        for token, logarithm in llama_cpp.next(tokens).items():
            worst = max(worst, abs(expected[token].item() - logarithm))
    return worst


if __name__ == "__main__":
    difference = largest_difference(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{difference:.4f}")
    sys.exit(difference > float(sys.argv[3]) if len(sys.argv) > 3 else 0)
