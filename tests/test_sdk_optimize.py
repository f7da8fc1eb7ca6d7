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
import io, json, sys, urllib.request
from pathlib import Path

def hub(request, *_, **__):
    url = getattr(request, "full_url", request)
    assert url.startswith("https://huggingface.co/"), url
    if "/api/models/" in url:
        return io.BytesIO(b'{"pipeline_tag": "text-generation"}')
    return io.BytesIO(Path("model/code/config.json").read_bytes())

urllib.request.urlopen = hub
"""

# What differs from one generation of the SDK to the next: where its classes are, how a
# model is made of what was optimized, and how it is removed.
SECOND = """
from sagemaker import Session
from sagemaker.serve import ModelBuilder, ModelServer, SchemaBuilder

named = {}

def make(builder, model):
    model.create(instance_type="ml.g5.12xlarge")
    return model.image_uri, model.name, lambda: builder.sagemaker_session.delete_model(model.name)
"""

THIRD = """
from sagemaker.core.helper.session_helper import Session
from sagemaker.serve.builder.schema_builder import SchemaBuilder
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.serve.utils.types import ModelServer

named = {"model_name": sys.argv[1]}

def make(builder, model):
    return builder.image_uri, model.model_name, model.delete
"""

BUILDER = """
name, output, role = sys.argv[1:]
session = Session()
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
    instance_type="ml.g5.12xlarge",
    job_name=name,
    quantization_config={"OverrideEnvironment": {"OPTION_QUANTIZE": "fp8"}},
    tags=[{"Key": "team", "Value": "language"}],
    **named,
)
image, made, delete = make(builder, model)
print("image:", image)
container = session.sagemaker_client.describe_model(ModelName=made)["PrimaryContainer"]
print("model:", json.dumps(container["ModelDataSource"]["S3DataSource"]))
job = session.sagemaker_client.describe_optimization_job(OptimizationJobName=name)
tags = session.sagemaker_client.list_tags(ResourceArn=job["OptimizationJobArn"])["Tags"]
print("tags:", json.dumps({tag["Key"]: tag["Value"] for tag in tags}))
delete()
"""

RESOURCE = """
import sys
from sagemaker.core.resources import OptimizationJob
from sagemaker.core.shapes import (
    ModelQuantizationConfig,
    OptimizationConfig,
    OptimizationJobModelSource,
    OptimizationJobModelSourceS3,
    OptimizationJobOutputConfig,
    StoppingCondition,
)

name, model, output, role = sys.argv[1:]
settings = {"OPTION_QUANTIZE": "w8a16"}
job = OptimizationJob.create(
    optimization_job_name=name,
    role_arn=role,
    model_source=OptimizationJobModelSource(s3=OptimizationJobModelSourceS3(s3_uri=model)),
    deployment_instance_type="ml.g5.12xlarge",
    optimization_configs=[
        OptimizationConfig(
            model_quantization_config=ModelQuantizationConfig(override_environment=settings)
        )
    ],
    output_config=OptimizationJobOutputConfig(s3_output_location=output),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
)
job.wait(poll=1)
job.refresh()
print("status:", job.optimization_job_status)
print("image:", OptimizationJob.get(name).optimization_output.recommended_inference_image)
print("listed:", [one.optimization_job_name for one in OptimizationJob.get_all(name_contains=name)])
job.delete()
print("left:", list(OptimizationJob.get_all(name_contains=name)))
"""

IMAGE = "djl-inference:0.31.0-lmi13.0.0-cu124"
ROLE_OF_SDK = "arn:aws:iam::123456789012:role/MyRole"


# Where the SDK looks whether a model is one of JumpStart's, and what it looks into.
CATALOGUE = "jumpstart-cache-prod-us-east-1"
MANIFESTS = ("models_manifest.json", "proprietary-sdk-manifest.json")
OTHER_MODEL = {"model_id": "other", "version": "1.0.0", "min_version": "2.0.0", "spec_key": "none"}


@pytest.fixture
def catalogue(jobs) -> None:
    """JumpStart's catalogue, with one model that nobody wants."""
    jobs.s3.create_bucket(Bucket=CATALOGUE)
    for name in MANIFESTS:
        jobs.s3.put_object(Bucket=CATALOGUE, Key=name, Body=json.dumps([OTHER_MODEL]))


def printed_values(printed: str) -> dict[str, str]:
    """What a program has printed, by what stands before the colon."""
    lines = (line.split(": ", 1) for line in printed.splitlines() if ": " in line)
    return {words[0]: words[1] for words in lines}


@pytest.mark.parametrize("generation, own", [(2, SECOND), (3, THIRD)])
@pytest.mark.usefixtures("catalogue")
def test_a_model_is_optimized_and_made(server, jobs, tmp_path, generation, own):
    sdk = Sdk(generation, server, tmp_path)
    # What is uploaded of a model's directory lies below `code`.
    place = tmp_path / "model" / "code"
    place.mkdir(parents=True)
    for name, body in llama().items():
        (place / name).write_bytes(body)
    name = fresh_name("built")
    output = f"s3://{jobs.bucket}/out/{name}"
    found = printed_values(sdk.run(HUB + own + BUILDER, name, output, ROLE_OF_SDK))
    assert found["image"].endswith(IMAGE), found
    source = json.loads(found["model"])
    assert (source["S3Uri"], source["S3DataType"]) == (output, "S3Prefix")
    assert json.loads(found["tags"])["team"] == "language"
    optimizations = Optimizations(jobs)
    files = optimizations.outputs(name)
    tensors = {
        tensor: of
        for path, body in files.items()
        if path.endswith(".safetensors")
        for tensor, of in tensors_of(body).items()
    }
    assert tensors["model.layers.0.mlp.up_proj.weight"]["dtype"] == "F8_E4M3"
    assert optimizations.status(name) == "COMPLETED"


def test_the_sdks_resource_class(server, jobs, tmp_path):
    name, model = fresh_name("resource"), Optimizations(jobs).put(llama())
    output = f"s3://{jobs.bucket}/out/{name}"
    printed = Sdk(3, server, tmp_path).run(RESOURCE, name, model, output, ROLE_OF_SDK)
    found = printed_values(printed)
    assert found["status"] == "COMPLETED", printed
    assert found["image"].endswith(IMAGE), printed
    assert (found["listed"], found["left"]) == (f"['{name}']", "[]"), printed
