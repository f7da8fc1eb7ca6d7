"""Optimization jobs to give to a server, models for them, and ways to follow them to
their end."""

import json
import random
import time
from pathlib import Path

from harness.images import docker_archive
from harness.jobs import POLL, ROLE, Jobs, fresh_name
from harness.rootfs import make_busybox_rootfs

LOG_GROUP = "/aws/sagemaker/OptimizationJobs"
ENDED = ("COMPLETED", "FAILED", "STOPPED")
PATIENCE = 120

# The name under which the image of `optimizer_image` is registered.
IMAGE = "optimizer:1"

ENTRY_POINT = ["/bin/sh", "-c"]

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


class Optimizations:
    """Makes optimization jobs beside the training jobs of one server. Each stores below a
    prefix of its own."""

    def __init__(self, jobs: Jobs):
        self.jobs, self.server, self.bucket = jobs, jobs.server, jobs.bucket

    @property
    def sagemaker(self):
        """The client, which is another one after a restart."""
        return self.jobs.sagemaker

    def put(self, files: dict[str, bytes]) -> str:
        """Stores a model's files and returns their prefix."""
        prefix = f"models/{fresh_name()}"
        for name, body in files.items():
            self.jobs.put(f"{prefix}/{name}", body)
        return f"s3://{self.bucket}/{prefix}"

    def create(self, model: str, *configs: dict, name: str | None = None, **more) -> str:
        """Creates a job for the model at a prefix and returns its name at once."""
        name = name or fresh_name("optimization")
        request = {
            "OptimizationJobName": name,
            "RoleArn": ROLE,
            "ModelSource": {"S3": {"S3Uri": model}},
            "DeploymentInstanceType": "ml.g6.xlarge",
            "OptimizationConfigs": list(configs),
            "OutputConfig": {"S3OutputLocation": f"s3://{self.bucket}/out/{name}"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            **more,
        }
        self.sagemaker.create_optimization_job(**request)
        return name

    def stop(self, name: str) -> None:
        """StopOptimizationJob."""
        self.sagemaker.stop_optimization_job(OptimizationJobName=name)

    def describe(self, name: str) -> dict:
        """DescribeOptimizationJob."""
        return self.sagemaker.describe_optimization_job(OptimizationJobName=name)

    def wait(self, name: str, *statuses: str, within: float = PATIENCE) -> dict:
        """Waits for one of these statuses, or for any that ends the job."""
        until = time.monotonic() + within
        while True:
            job = self.describe(name)
            if job["OptimizationJobStatus"] in (statuses or ENDED):
                return job
            assert time.monotonic() < until and job["OptimizationJobStatus"] not in ENDED, (
                f"{name}: {job}; log {self.lines(name)[-20:]}; "
                f"the server said:\n{self.server.said()}"
            )
            time.sleep(POLL)

    def completed(self, name: str, within: float = PATIENCE) -> dict:
        """Waits for the end of a job, which must be a good one."""
        job = self.wait(name, within=within)
        assert job["OptimizationJobStatus"] == "COMPLETED", (
            job.get("FailureReason"),
            self.lines(name),
        )
        return job

    def lines(self, name: str) -> list[str]:
        """The messages of the job's log, as far as one page has them."""
        logs, where = self.jobs.logs, {"logGroupName": LOG_GROUP}
        try:
            streams = logs.describe_log_streams(logStreamNamePrefix=name, **where)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        pages = [
            logs.get_log_events(logStreamName=one["logStreamName"], startFromHead=True, **where)
            for one in streams
        ]
        return [event["message"] for page in pages for event in page["events"]]

    def wait_for_line(self, name: str, text: str, within: float = PATIENCE) -> None:
        """Waits until the job's log holds a line with the text."""
        until = time.monotonic() + within
        while not any(text in line for line in self.lines(name)):
            job = self.describe(name)
            assert time.monotonic() < until and job["OptimizationJobStatus"] not in ENDED, (
                f"{name}: {job}; log {self.lines(name)[-20:]}"
            )
            time.sleep(POLL)

    def outputs(self, name: str) -> dict[str, bytes]:
        """All objects that the job has stored, by their names below its prefix."""
        prefix = f"out/{name}/"
        listed = self.jobs.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        keys = [one["Key"] for one in listed.get("Contents", [])]
        return {
            key.removeprefix(prefix): self.jobs.object(f"s3://{self.bucket}/{key}") for key in keys
        }

    def left_nothing(self, name: str) -> bool:
        """Whether a job has stored nothing and left no upload."""
        uploads = self.jobs.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return self.outputs(name) == {} and uploads == []


def quantization(**environment: str) -> dict:
    """A step that Kiln does itself."""
    return {"ModelQuantizationConfig": {"OverrideEnvironment": environment}}


def by_image(script: str, kind: str = "ModelQuantizationConfig", **environment: str) -> dict:
    """A step that the image of `optimizer_image` does, by a shell script."""
    environment["OPTION_SCRIPT"] = script
    return {kind: {"Image": IMAGE, "OverrideEnvironment": environment}}
