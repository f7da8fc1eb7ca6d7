"""SageMaker models: they are kept, shown, listed and deleted, and can be optimized."""

import pytest

from harness import archives
from harness.identities import ACCOUNT, allow, refused
from harness.jobs import ROLE, fresh_name
from harness.optimizations import Optimizations, llama, quantization
from harness.wire import call

ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/"
LMI = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.33.0-lmi15.0.0-cu128"


@pytest.fixture(scope="session")
def optimizations(jobs) -> Optimizations:
    """Optimization jobs on the shared server."""
    return Optimizations(jobs)


def files(uri: str) -> dict:
    """A container whose model is the files below a prefix."""
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"Image": LMI, "ModelDataSource": {"S3DataSource": source}}


def create(sagemaker, container: dict, name: str | None = None, **more) -> str:
    """Creates a model of one container and returns its name."""
    name = name or fresh_name("Model")
    sagemaker.create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, **more
    )
    return name


def test_a_model_is_what_was_said_until_it_is_deleted(sagemaker, optimizations):
    container = {**files(optimizations.put(llama())), "Environment": {"A": "B"}}
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    tags = [{"Key": "team", "Value": "vision"}]
    name = create(sagemaker, container, VpcConfig=vpc, Tags=tags)
    model = sagemaker.describe_model(ModelName=name)
    assert model["ModelArn"] == ARN + name.lower()
    assert model["ModelName"] == name
    assert model["PrimaryContainer"] == container
    assert (model["ExecutionRoleArn"], model["VpcConfig"]) == (ROLE, vpc)
    assert model["EnableNetworkIsolation"] is False
    assert "Tags" not in model
    assert sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"] == tags
    with refused("ValidationException", f'Cannot create already existing model "{ARN}'):
        create(sagemaker, container, name.upper())
    sagemaker.delete_model(ModelName=name)
    missing = f'Could not find model "{ARN}{name.lower()}".'
    for operation in (sagemaker.describe_model, sagemaker.delete_model):
        with refused("ValidationException", missing):
            operation(ModelName=name)
    create(sagemaker, container, name)


def test_models_survive_a_crash_of_the_server(own_server, own_jobs):
    name = create(own_jobs.sagemaker, {"Image": "image"})
    own_server.crash_and_restart()
    own_jobs.reconnect()
    assert own_jobs.sagemaker.describe_model(ModelName=name)["ModelName"] == name


@pytest.mark.parametrize(
    "containers, message",
    [
        ({}, "You must specify either PrimaryContainer or Containers."),
        (
            {
                "PrimaryContainer": {
                    "Image": "i",
                    "ModelDataUrl": "s3://kiln-tests/no.tar.gz",
                },
                "ExecutionRoleArn": ROLE,
            },
            "Could not find model data at s3://kiln-tests/no.tar.gz.",
        ),
        (
            {"PrimaryContainer": {"ModelDataUrl": "s3://kiln-tests/no.tar.gz"}},
            "Image is required in a container without a ModelPackageName.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(server, jobs, containers, message):
    assert jobs.bucket == "kiln-tests"
    answer = call(server, "CreateModel", {"ModelName": fresh_name("model"), **containers})
    assert (answer.status, answer.code) == (400, "ValidationException"), answer.body
    assert answer.message == message


def test_lists(sagemaker):
    stem = fresh_name("Listed")
    names = [create(sagemaker, {"Image": "i"}, f"{stem}-{n}") for n in (2, 0, 1)]

    def listed(size: int = 100, **asked) -> list[str]:
        pages = sagemaker.get_paginator("list_models").paginate(
            NameContains=stem.lower(), **asked, PaginationConfig={"PageSize": size}
        )
        return [model["ModelName"] for page in pages for model in page["Models"]]

    # The newest come first unless it is said otherwise.
    assert listed() == names[::-1]
    for size in (1, 2, 3):
        assert listed(size, SortBy="Name", SortOrder="Ascending") == sorted(names)
        assert listed(size, SortBy="CreationTime", SortOrder="Ascending") == names
    created = sagemaker.describe_model(ModelName=names[0])["CreationTime"]
    assert listed(CreationTimeBefore=created.replace(year=2020)) == []
    assert listed(CreationTimeAfter=created.replace(year=2020)) == names[::-1]
    token = sagemaker.list_models(NameContains=stem, MaxResults=2)["NextToken"]
    with refused("ValidationException", "The given NextToken is not valid."):
        sagemaker.list_models(NameContains="other", NextToken=token)


def test_a_user_does_what_policies_allow(server, identities):
    role = identities.role(allow("s3:*"))
    _, given = identities.user(
        allow("sagemaker:*Model", ARN + "mine-*"), allow("iam:PassRole", role)
    )
    client, name = server.client("sagemaker", **given), fresh_name("Mine")
    container = {"Image": "i"}
    client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    assert client.describe_model(ModelName=name)["ExecutionRoleArn"] == role
    other = f"arn:aws:iam::{ACCOUNT}:role/Another"
    with refused("AccessDeniedException", "iam:PassRole", other):
        client.create_model(
            ModelName=f"{name}-2", PrimaryContainer=container, ExecutionRoleArn=other
        )
    with refused("AccessDeniedException", "sagemaker:CreateModel"):
        client.create_model(ModelName="other", PrimaryContainer=container, ExecutionRoleArn=role)
    with refused("AccessDeniedException", "sagemaker:ListModels"):
        client.list_models()


# Models that are optimized


def asked(optimizations: Optimizations, model: str) -> dict:
    """A request to optimize a model that has a name."""
    return optimizations.request(
        ModelSource={"SageMakerModel": {"ModelName": model}},
        OptimizationConfigs=[quantization(OPTION_QUANTIZE="w8a16")],
    )


def optimize(optimizations: Optimizations, model: str) -> dict:
    """The description of a job that has optimized a model that has a name."""
    request = asked(optimizations, model)
    name = request["OptimizationJobName"]
    place = f"s3://{optimizations.bucket}/out/{name}"
    optimizations.submit({**request, "OutputConfig": {"S3OutputLocation": place}})
    # What the model was when the job was created is what counts.
    optimizations.sagemaker.delete_model(ModelName=model)
    return optimizations.completed(name)


def test_a_model_of_files_is_optimized(sagemaker, optimizations):
    job = optimize(optimizations, create(sagemaker, files(optimizations.put(llama()))))
    assert job["OptimizationOutput"]["RecommendedInferenceImage"] == LMI
    assert "config.json" in optimizations.outputs(job["OptimizationJobName"])


def test_a_model_of_one_archive_is_optimized(sagemaker, optimizations, jobs):
    url = jobs.put("archived/model.tar.gz", archives.make(llama()))
    job = optimize(optimizations, create(sagemaker, {"Image": "sklearn:1", "ModelDataUrl": url}))
    image = job["OptimizationOutput"]["RecommendedInferenceImage"]
    assert image.endswith("djl-inference:0.31.0-lmi13.0.0-cu124"), image
    assert "config.json" in optimizations.outputs(job["OptimizationJobName"])


def test_a_model_is_not_replaced_by_what_is_made_of_it(sagemaker, optimizations):
    place = optimizations.put(llama())
    name = create(sagemaker, files(place))
    request = asked(optimizations, name)
    request["OutputConfig"] = {"S3OutputLocation": place.rstrip("/")}
    assert "is where the model comes from" in optimizations.refusal(request)


def test_a_model_without_data_cannot_be_optimized(sagemaker, optimizations):
    name = create(sagemaker, {"Image": "i"})
    message = optimizations.refusal(asked(optimizations, name))
    assert message == f"The model {name} has no model data to optimize."
