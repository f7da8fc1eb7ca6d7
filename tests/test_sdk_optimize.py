"""`ModelBuilder.optimize` of the SageMaker Python SDK: an unchanged program uploads a model, has
it optimized, and makes a SageMaker model of the result."""

import json

import pytest

from harness.jobs import fresh_name
from harness.optimizations import Optimizations, llama, tensors_of
from harness.sdk import Sdk

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(400)]

# The program asks the hub of the models for the configuration of one; what it would answer
# lies beside it.
HUB = """
import io, urllib.request
from pathlib import Path

def hub(request, *_, **__):
    url = getattr(request, "full_url", request)
    assert url.startswith("https://huggingface.co/"), url
    if "/api/models/" in url:
        return io.BytesIO(b'{"pipeline_tag": "text-generation"}')
    return io.BytesIO(Path("model/config.json").read_bytes())

urllib.request.urlopen = hub
"""

BUILDER = (
    HUB
    + """
import json, sys
import sagemaker
from sagemaker.serve import ModelBuilder, ModelServer, SchemaBuilder

name, output, role = sys.argv[1:]
session = sagemaker.Session()
builder = ModelBuilder(
    model="kiln/tiny-llama",
    model_metadata={"CUSTOM_MODEL_PATH": "model"},
    schema_builder=SchemaBuilder(
        {"inputs": "Hello", "parameters": {}}, [{"generated_text": "Hello, you."}]
    ),
    model_server=ModelServer.DJL_SERVING,
    role_arn=role,
    sagemaker_session=session,
)
model = builder.optimize(
    output_path=output,
    instance_type="ml.g5.xlarge",
    job_name=name,
    quantization_config={"OverrideEnvironment": {"OPTION_QUANTIZE": "fp8"}},
    tags=[{"Key": "team", "Value": "language"}],
)
print("image:", model.image_uri)
model.create(instance_type="ml.g5.xlarge")
made = session.sagemaker_client.describe_model(ModelName=model.name)
print("model:", json.dumps(made["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]))
tags = session.sagemaker_client.list_tags(ResourceArn=made["ModelArn"])["Tags"]
print("tags:", json.dumps({tag["Key"]: tag["Value"] for tag in tags}))
session.delete_model(model.name)
"""
)


def printed_values(printed: str) -> dict[str, str]:
    """What a program has printed, by what stands before the colon."""
    lines = (line.split(": ", 1) for line in printed.splitlines() if ": " in line)
    return {words[0]: words[1] for words in lines}


def test_a_model_is_optimized_and_made(server, jobs, tmp_path):
    sdk = Sdk(2, server, tmp_path)
    for name, body in llama().items():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(body)
    name = fresh_name("built")
    output = f"s3://{jobs.bucket}/out/{name}"
    role = "arn:aws:iam::123456789012:role/MyRole"
    found = printed_values(sdk.run(BUILDER, name, output, role))
    assert found["image"].endswith("djl-inference:0.31.0-lmi13.0.0-cu124"), found
    source = json.loads(found["model"])
    assert (source["S3Uri"], source["S3DataType"]) == (output, "S3Prefix")
    assert json.loads(found["tags"])["sagemaker-sdk:optimization-job-name"] == name
    optimizations = Optimizations(jobs)
    files = optimizations.outputs(name)
    tensors = {
        tensor: of
        for path, body in files.items()
        if path.endswith(".safetensors")
        for tensor, of in tensors_of(body).items()
    }
    assert tensors["model.layers.0.mlp.up_proj.weight"]["dtype"] == "F8_E4M3"
    assert optimizations.describe(name)["OptimizationJobStatus"] == "COMPLETED"
