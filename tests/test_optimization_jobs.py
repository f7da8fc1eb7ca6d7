"""Optimization jobs as the API shows them: everything that needs no model to optimize."""

import pytest
from botocore.exceptions import ClientError

from harness.identities import ACCOUNT, allow, deny, refused
from harness.jobs import LINGER, Jobs, fresh_name
from harness.optimizations import Optimizations, llama, quantization
from harness.place import Place
from harness.weightless import Weightless
from harness.wire import call

ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:optimization-job/"
# More of everything than any machine has: what is left of it is nothing.
HUGE = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}


@pytest.fixture(scope="session")
def optimizations(jobs) -> Weightless:
    """Optimization jobs on the shared server."""
    return Weightless(jobs)


@pytest.fixture
def own_optimizations(own_jobs) -> Weightless:
    """Optimization jobs on the test's own server."""
    return Weightless(own_jobs)


def occupy(jobs: Jobs) -> str:
    """A training job that has all of the machine."""
    name = jobs.create(LINGER, ResourceConfig=HUGE)
    jobs.wait_for_phase(name, "Training")
    return name


def vacate(jobs: Jobs, name: str) -> None:
    """Ends it."""
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


# Creation


def test_a_model_without_weights_fails_the_job(optimizations):
    job = optimizations.fail(fresh_name("Weightless"))
    assert job["OptimizationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("ClientError: "), job
    assert len(job["FailureReason"]) <= 1024
    assert job["OptimizationJobArn"] == ARN + job["OptimizationJobName"]
    assert job["CreationTime"] <= job["OptimizationEndTime"] == job["LastModifiedTime"]
    assert "OptimizationOutput" not in job


def test_what_was_asked_for_is_shown(optimizations, jobs):
    source = {"S3Uri": optimizations.model, "ModelAccessConfig": {"AcceptEula": True}}
    request = optimizations.request(
        ModelSource={"S3": source},
        MaxInstanceCount=2,
        OptimizationEnvironment={"OPTION_X": "1"},
        OptimizationConfigs=[
            quantization(OPTION_QUANTIZE="fp8"),
            {"ModelShardingConfig": {"Image": "no/such/image:1"}},
        ],
        OutputConfig={
            "S3OutputLocation": f"s3://{jobs.bucket}/out/",
            "KmsKeyId": "alias/mine",
        },
        StoppingCondition={"MaxPendingTimeInSeconds": 7200},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    )
    created = jobs.sagemaker.create_optimization_job(**request)
    job = optimizations.wait(request["OptimizationJobName"])
    assert created["OptimizationJobArn"] == job["OptimizationJobArn"]
    # One day is the time of a job that asks for none.
    request["StoppingCondition"]["MaxRuntimeInSeconds"] = 86_400
    for member, value in request.items():
        assert job[member] == value, member


def changed(request: dict, path: str, value) -> dict:
    """The request with one member set, or removed."""
    *way, last = path.split("/")
    place = request
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return request


@pytest.mark.parametrize(
    "path, value, message",
    [
        (
            "ModelSource",
            {},
            "You must specify either S3 or SageMakerModel in ModelSource.",
        ),
        (
            "ModelSource/SageMakerModel",
            {"ModelName": "m"},
            "You can specify S3 or SageMakerModel in ModelSource, but not both.",
        ),
        (
            "ModelSource",
            {"SageMakerModel": {"ModelName": "no-such-Model"}},
            f'Could not find model "arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/no-such-model".',
        ),
        (
            "ModelSource/S3/ModelAccessConfig",
            {"AcceptEula": False},
            "The end-user license agreement (EULA) of the model must be accepted to optimize it: "
            "set AcceptEula to true in ModelAccessConfig once you have read it.",
        ),
        (
            "OptimizationConfigs",
            [],
            "OptimizationConfigs must have at least one configuration.",
        ),
        (
            "OptimizationConfigs",
            [quantization(), quantization()],
            "OptimizationConfigs has more than one ModelQuantizationConfig. Each technique can be "
            "applied once in an optimization job.",
        ),
        (
            "OptimizationEnvironment",
            {"OPTION_CALIBRATION_DATA": "/here"},
            'OPTION_CALIBRATION_DATA is "/here", which is no S3 URI. It must be that of a prefix '
            "of texts or tokens to calibrate with, such as s3://bucket/texts/.",
        ),
        (
            "OutputConfig/S3OutputLocation",
            "s3://no-such-bucket/x",
            'The OutputConfig S3 bucket "no-such-bucket" does not exist. Please create the bucket '
            "before the optimization job.",
        ),
        (
            "StoppingCondition",
            {"MaxWaitTimeInSeconds": 900},
            "MaxWaitTimeInSeconds is for managed spot training and not valid for an optimization "
            "job.",
        ),
        (
            "Tags",
            [{"Key": "aws:x", "Value": "y"}],
            "Tag keys that start with 'aws:' are reserved for AWS use, and cannot be given: "
            "'aws:x'.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(server, optimizations, path, value, message):
    request = changed(optimizations.request(), path, value)
    answer = call(server, "CreateOptimizationJob", request)
    assert (answer.status, answer.code) == (400, "ValidationException"), answer.body
    assert answer.message == message
    name = {"OptimizationJobName": request["OptimizationJobName"]}
    assert call(server, "DescribeOptimizationJob", name).code == "ResourceNotFound"


@pytest.mark.parametrize(
    "path, value",
    [
        ("ModelSource/S3/S3Uri", "s3://kiln-tests/no/such/model"),
        ("ModelSource/S3/S3Uri", "s3://no-such-bucket/model"),
        (
            "OptimizationEnvironment",
            {"OPTION_CALIBRATION_DATA": "s3://kiln-tests/no/texts"},
        ),
    ],
)
def test_what_is_not_there_is_refused(server, optimizations, path, value):
    request = changed(optimizations.request(), path, value)
    answer = call(server, "CreateOptimizationJob", request)
    assert (answer.status, answer.code) == (400, "ValidationException"), answer.body
    assert answer.message.startswith('No S3 objects found under S3 URL "s3://'), answer.message


@pytest.mark.parametrize(
    "path, value",
    [
        ("DeploymentInstanceType", "ml.m5.large"),
        (
            "OptimizationConfigs",
            [{"ModelQuantizationConfig": {}, "ModelShardingConfig": {}}],
        ),
        ("OptimizationConfigs", [{}]),
        ("OptimizationConfigs", [quantization()] * 11),
        ("MaxInstanceCount", 0),
        ("OptimizationJobName", "under_score"),
    ],
)
def test_shapes_are_checked(server, optimizations, path, value):
    request = changed(optimizations.request(), path, value)
    answer = call(server, "CreateOptimizationJob", request)
    assert answer.status == 400
    assert answer.code in ("ValidationException", "SerializationException"), answer.body


def test_a_name_is_taken_once(server, optimizations):
    name = optimizations.ask(fresh_name("Taken"))
    again = call(server, "CreateOptimizationJob", optimizations.request(name))
    assert (again.status, again.code) == (400, "ResourceInUse")
    assert again.message == (
        "Optimization job names must be unique within an AWS account and region, and an "
        f"optimization job with this name already exists ({ARN}{name})"
    )
    optimizations.wait(name)


def test_eagle_fails_without_a_trainer(jobs):
    optimizations = Optimizations(jobs)
    data = optimizations.put({"chats.jsonl": b"{}\n"})
    learned = {"S3Uri": data, "S3DataType": "S3Prefix"}
    eagle = {"Technique": "EAGLE", "TrainingDataSource": learned}
    model = optimizations.put(llama())
    job = optimizations.wait(optimizations.create(model, {"ModelSpeculativeDecodingConfig": eagle}))
    assert job["OptimizationJobStatus"] == "FAILED"
    assert "EAGLE" in job["FailureReason"], job


# Ends


def test_a_job_that_waits_is_stopped_at_once(own_optimizations, own_jobs):
    occupant = occupy(own_jobs)
    name = own_optimizations.ask()
    assert own_optimizations.describe(name)["OptimizationJobStatus"] == "STARTING"
    with refused("ValidationException", "is in status STARTING and cannot be deleted"):
        own_jobs.sagemaker.delete_optimization_job(OptimizationJobName=name)
    own_jobs.sagemaker.stop_optimization_job(OptimizationJobName=name)
    job = own_optimizations.describe(name)
    assert job["OptimizationJobStatus"] == "STOPPED"
    assert "FailureReason" not in job
    assert "OptimizationStartTime" not in job
    with refused("ValidationException", "because the optimization job is in status STOPPED"):
        own_jobs.sagemaker.stop_optimization_job(OptimizationJobName=name)
    vacate(own_jobs, occupant)


def test_the_log_is_printed_and_followed(server, optimizations, tmp_path):
    place = Place(tmp_path, server)
    name = optimizations.fail()["OptimizationJobName"]
    lines = place.kiln("logs", name).stdout.splitlines()
    assert lines == optimizations.lines(name)
    assert any("step 1 of 1: Quantization" in line for line in lines), lines
    followed = place.kiln("logs", "-f", optimizations.ask()).stdout
    assert "step 1 of 1: Quantization" in followed


def test_a_job_that_has_ended_can_be_deleted(optimizations, jobs):
    name = optimizations.fail()["OptimizationJobName"]
    jobs.sagemaker.delete_optimization_job(OptimizationJobName=name)
    for operation in ("describe", "stop", "delete"):
        with refused("ResourceNotFound", "Requested resource not found."):
            getattr(jobs.sagemaker, f"{operation}_optimization_job")(OptimizationJobName=name)
    # The name is free again.
    assert optimizations.fail(name)["OptimizationJobStatus"] == "FAILED"


def test_waiting_jobs_survive_a_crash_of_the_server(own_server, own_optimizations, own_jobs):
    occupant = occupy(own_jobs)
    names = [own_optimizations.ask() for _ in range(3)]
    own_server.crash_and_restart()
    own_jobs.reconnect()
    for name in names:
        assert own_optimizations.describe(name)["OptimizationJobStatus"] == "STARTING"
    vacate(own_jobs, occupant)
    for name in names:
        assert own_optimizations.wait(name)["OptimizationJobStatus"] == "FAILED"


def test_no_job_is_lost_when_the_server_dies_while_they_run(
    own_server, own_optimizations, own_jobs
):
    names = []
    for _ in range(2):
        names += [own_optimizations.ask() for _ in range(3)]
        own_server.crash_and_restart()
        own_jobs.reconnect()
    for name in names:
        job = own_optimizations.wait(name)
        assert job["FailureReason"].startswith("ClientError: "), job


# Tags and policies


def test_tags_come_with_the_job_and_after(sagemaker, optimizations):
    name = optimizations.ask(Tags=[{"Key": "team", "Value": "vision"}])
    arn = ARN + name
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "team": "vision",
        "stage": "test",
    }
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["stage"]
    optimizations.wait(name)


def test_a_user_does_what_policies_allow(server, identities, optimizations):
    role = identities.role(allow("s3:*"))
    short = {"NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": "300"}}
    _, given = identities.user(
        allow("sagemaker:CreateOptimizationJob", ARN + "mine-*", Condition=short),
        allow(["sagemaker:Describe*", "sagemaker:Stop*"], ARN + "mine-*"),
        allow("iam:PassRole", role),
        deny("sagemaker:DeleteOptimizationJob"),
    )
    client = server.client("sagemaker", **given)
    name = fresh_name("mine")
    client.create_optimization_job(**optimizations.request(name, RoleArn=role))
    optimizations.wait(name)
    assert client.describe_optimization_job(OptimizationJobName=name)
    with refused("AccessDeniedException", "sagemaker:DeleteOptimizationJob", ARN + name):
        client.delete_optimization_job(OptimizationJobName=name)
    with refused("AccessDeniedException", "sagemaker:CreateOptimizationJob", ARN + "other"):
        client.create_optimization_job(**optimizations.request("other", RoleArn=role))
    long = optimizations.request(fresh_name("mine"), RoleArn=role)
    long["StoppingCondition"] = {"MaxRuntimeInSeconds": 301}
    with refused("AccessDeniedException", "sagemaker:CreateOptimizationJob"):
        client.create_optimization_job(**long)
    with refused("AccessDeniedException", "sagemaker:ListOptimizationJobs"):
        client.list_optimization_jobs()
    other = f"arn:aws:iam::{ACCOUNT}:role/Another"
    with refused("AccessDeniedException", "iam:PassRole"):
        request = optimizations.request(fresh_name("mine"), RoleArn=other)
        client.create_optimization_job(**request)


def test_a_role_that_may_not_read_the_model_fails_the_job(identities, optimizations):
    role = identities.role(allow("s3:PutObject"))
    job = optimizations.fail(RoleArn=role)
    assert job["OptimizationJobStatus"] == "FAILED"
    assert "denied" in job["FailureReason"].lower(), job


def test_an_unknown_job_is_not_found(sagemaker):
    with pytest.raises(ClientError) as error:
        sagemaker.describe_optimization_job(OptimizationJobName="nobody")
    assert isinstance(error.value, sagemaker.exceptions.ResourceNotFound)
