"""Optimization jobs to give to a server, and models and images for them."""

import json
import random
from functools import cached_property
from pathlib import Path

from harness.images import docker_archive
from harness.jobs import ROLE, fresh_name
from harness.rootfs import make_busybox_rootfs
from harness.solo import SoloJobs

# The name under which the image of `optimizer_image` is registered.
IMAGE = "optimizer:1"

ENTRY_POINT = ["/bin/sh", "-c"]

# Where a step finds its model, where it leaves what it makes of it, and a step that changes
# nothing.
INPUT, COMPILED = "$SM_NEO_INPUT_MODEL_DIR", "$SM_NEO_COMPILED_MODEL_DIR"
COPY = f"cp -r {INPUT}/. {COMPILED}"

HIDDEN, INNER, HEADS, VOCABULARY = 128, 256, 2, 256


def optimizer_image(directory: Path) -> Path:
    """An image whose entry point and command together run the script in `OPTION_SCRIPT`."""
    rootfs = make_busybox_rootfs(directory / "rootfs")
    start = {"Entrypoint": ENTRY_POINT, "Cmd": ['eval "$OPTION_SCRIPT"']}
    return docker_archive(directory / "optimizer.tar", rootfs, start)


def safetensors(shapes: dict[str, list[int]], seed: int = 1) -> bytes:
    """A file of BF16 tensors with small numbers of both signs."""
    numbers, header, body = random.Random(seed), {"__metadata__": {"format": "pt"}}, b""
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        raw = bytearray(numbers.randbytes(2 * count))
        raw[1::2] = bytes(0x3C | byte & 0x80 for byte in raw[1::2])
        header[name] = {
            "dtype": "BF16",
            "shape": shape,
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def tensors_of(file: bytes) -> dict[str, dict]:
    """What the header of a safetensors file says of its tensors."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header.pop("__metadata__", None)
    return header


def llama(layers: int = 2) -> dict[str, bytes]:
    """The files of a tiny model of the Llama family."""
    shapes = {"model.embed_tokens.weight": [VOCABULARY, HIDDEN]}
    for layer in range(layers):
        stem = f"model.layers.{layer}"
        for name in "qkvo":
            shapes[f"{stem}.self_attn.{name}_proj.weight"] = [HIDDEN, HIDDEN]
        for name in ("gate", "up"):
            shapes[f"{stem}.mlp.{name}_proj.weight"] = [INNER, HIDDEN]
        shapes[f"{stem}.mlp.down_proj.weight"] = [HIDDEN, INNER]
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{stem}.{name}.weight"] = [HIDDEN]
    shapes |= {"model.norm.weight": [HIDDEN], "lm_head.weight": [VOCABULARY, HIDDEN]}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "num_hidden_layers": layers,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    return {
        "config.json": json.dumps(config).encode(),
        "generation_config.json": b'{"eos_token_id": 2}',
        "tokenizer_config.json": b'{"model_max_length": 512}',
        "model.safetensors": safetensors(shapes),
    }


class Optimizations(SoloJobs):
    """Makes optimization jobs. Those of models that are there store below a prefix of their
    own."""

    kind = "Optimization"

    @cached_property
    def weightless(self) -> str:
        """A model that has no weights, by its prefix."""
        return self.put({"config.json": b"{}"})

    def request(self, name: str | None = None, **more) -> dict:
        """A request to quantize a model without weights."""
        return {
            "OptimizationJobName": name or self.fresh_name(),
            "RoleArn": ROLE,
            "ModelSource": {"S3": {"S3Uri": self.weightless}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationConfigs": [quantization(OPTION_QUANTIZE="w4a16")],
            "OutputConfig": {"S3OutputLocation": f"s3://{self.bucket}/optimized"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            **more,
        }

    def put(self, files: dict[str, bytes]) -> str:
        """Stores a model's files and returns their prefix."""
        prefix = f"models/{fresh_name()}"
        for name, body in files.items():
            self.jobs.put(f"{prefix}/{name}", body)
        return f"s3://{self.bucket}/{prefix}"

    def optimize(self, model: str, *configs: dict, name: str | None = None, **more) -> str:
        """Creates a job for the model at a prefix and returns its name at once."""
        name = name or self.fresh_name()
        asked = {
            "ModelSource": {"S3": {"S3Uri": model}},
            "OptimizationConfigs": list(configs),
            "OutputConfig": {"S3OutputLocation": f"s3://{self.bucket}/out/{name}"},
            **more,
        }
        return self.create(name, **asked)


def quantization(**environment: str) -> dict:
    """A step that Kiln does itself."""
    return {"ModelQuantizationConfig": {"OverrideEnvironment": environment}}


def by_image(script: str, kind: str = "ModelQuantizationConfig", **environment: str) -> dict:
    """A step that the image of `optimizer_image` does, by a shell script."""
    environment["OPTION_SCRIPT"] = script
    return {kind: {"Image": IMAGE, "OverrideEnvironment": environment}}
