"""What the API says of optimization jobs alone, as far as it needs no whole model."""

import pytest

from harness.identities import ACCOUNT
from harness.jobs import fresh_name
from harness.optimizations import Optimizations, llama, quantization
from harness.place import Place
from harness.wire import call, changed


@pytest.fixture(scope="session")
def optimizations(jobs) -> Optimizations:
    """Optimization jobs on the shared server."""
    return Optimizations(jobs)


def test_a_model_without_weights_fails_the_job(optimizations):
    job = optimizations.run(fresh_name("Weightless"))
    assert job["OptimizationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("ClientError: "), job
    assert len(job["FailureReason"]) <= 1024
    assert job["OptimizationJobArn"] == optimizations.arn(job["OptimizationJobName"])
    assert job["CreationTime"] <= job["OptimizationEndTime"] == job["LastModifiedTime"]
    assert "OptimizationOutput" not in job


def test_what_was_asked_for_is_shown(optimizations, jobs):
    source = {"S3Uri": optimizations.weightless, "ModelAccessConfig": {"AcceptEula": True}}
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
            "OptimizationConfigs",
            [quantization(), {"ModelShardingConfig": {}}],
            "ModelShardingConfig cannot follow ModelQuantizationConfig where neither has an Image: "
            "what Kiln makes of a model is ready to be served. Give one of them an Image, or make "
            "a job of each.",
        ),
        (
            "OptimizationEnvironment",
            {"OPTION_CALIBRATION_DATA": "/here"},
            'OPTION_CALIBRATION_DATA is "/here", which is no S3 URI. It must be that of a prefix '
            "of texts or tokens to calibrate with, such as s3://bucket/texts/.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(optimizations, path, value, message):
    assert optimizations.refusal(changed(optimizations.request(), path, value)) == message


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
def test_what_is_not_there_is_refused(optimizations, path, value):
    message = optimizations.refusal(changed(optimizations.request(), path, value))
    assert message.startswith('No S3 objects found under S3 URL "s3://'), message


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


def test_eagle_fails_without_a_trainer(optimizations):
    data = optimizations.put({"chats.jsonl": b"{}\n"})
    learned = {"S3Uri": data, "S3DataType": "S3Prefix"}
    eagle = {"Technique": "EAGLE", "TrainingDataSource": learned}
    model = optimizations.put(llama())
    job = optimizations.wait(
        optimizations.optimize(model, {"ModelSpeculativeDecodingConfig": eagle})
    )
    assert job["OptimizationJobStatus"] == "FAILED"
    assert "EAGLE" in job["FailureReason"], job


def test_the_log_is_printed_and_followed(server, optimizations, tmp_path):
    place = Place(tmp_path, server)
    name = optimizations.run()["OptimizationJobName"]
    lines = place.kiln("logs", name).stdout.splitlines()
    assert lines == optimizations.lines(name)
    assert any("step 1 of 1: Quantization" in line for line in lines), lines
    followed = place.kiln("logs", "-f", optimizations.create()).stdout
    assert "step 1 of 1: Quantization" in followed
