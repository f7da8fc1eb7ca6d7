"""What the API says of compilation jobs alone, as far as it needs no compiler."""

import pytest

from harness.compilations import Compilations
from harness.identities import ACCOUNT
from harness.jobs import ROLE, fresh_name
from harness.sdk import Sdk
from harness.wire import changed


@pytest.fixture(scope="session")
def compilations(jobs) -> Compilations:
    """Compilation jobs on the shared server."""
    return Compilations(jobs)


def test_a_missing_archive_fails_the_job_in_awss_words(compilations, jobs):
    job = compilations.run(name=fresh_name("Missing"))
    name = job["CompilationJobName"]
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"] == (
        "ClientError: InputConfiguration: S3 object does not exist. "
        f"Bucket: {jobs.bucket}, Key: no/such/model.tar.gz"
    )
    assert job["CompilationJobArn"] == compilations.arn(name)
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": ""}
    assert "CompilationStartTime" not in job, "the compiler never ran"
    assert job["CreationTime"] <= job["CompilationEndTime"] == job["LastModifiedTime"]
    for member in ("ModelDigests", "DerivedInformation", "InferenceImage"):
        assert member not in job


def test_a_missing_bucket_fails_the_job(compilations):
    config = {"S3Uri": "s3://no-such-bucket/model.tar.gz", "Framework": "XGBOOST"}
    job = compilations.run(InputConfig=config)
    assert job["FailureReason"] == (
        "ClientError: InputConfiguration: S3 object does not exist. "
        "Bucket: no-such-bucket, Key: model.tar.gz"
    )


def test_what_was_asked_for_is_shown(compilations, jobs):
    request = compilations.request(
        OutputConfig={
            "S3OutputLocation": f"s3://{jobs.bucket}/compiled/",
            "TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"},
            "KmsKeyId": "alias/mine",
        },
        StoppingCondition={"MaxPendingTimeInSeconds": 7200},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    )
    created = jobs.sagemaker.create_compilation_job(**request)
    job = compilations.wait(request["CompilationJobName"])
    assert created["CompilationJobArn"] == job["CompilationJobArn"]
    for member in ("InputConfig", "OutputConfig", "RoleArn", "VpcConfig"):
        assert job[member] == request[member]
    assert job["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 900,
        "MaxPendingTimeInSeconds": 7200,
    }


@pytest.mark.parametrize(
    "path, value, message",
    [
        (
            "InputConfig",
            None,
            "You must specify either InputConfig or ModelPackageVersionArn.",
        ),
        (
            "ModelPackageVersionArn",
            f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/m/1",
            "You can specify InputConfig or ModelPackageVersionArn, but not both.",
        ),
        (
            "OutputConfig/TargetDevice",
            None,
            "You must specify either TargetDevice or TargetPlatform in OutputConfig.",
        ),
        (
            "OutputConfig/TargetPlatform",
            {"Os": "LINUX", "Arch": "X86_64"},
            "You can specify TargetDevice or TargetPlatform in OutputConfig, but not both.",
        ),
        (
            "InputConfig/S3Uri",
            "s3://kiln-tests/models/",
            'The S3Uri "s3://kiln-tests/models/" in InputConfig does not name an object. It must '
            "be the S3 URI of one gzip-compressed tar archive (.tar.gz).",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(compilations, path, value, message):
    assert compilations.refusal(changed(compilations.request(), path, value)) == message


def test_a_model_package_is_refused_for_want_of_a_registry(compilations):
    request = changed(compilations.request(), "InputConfig", None)
    request["ModelPackageVersionArn"] = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/m/1"
    assert "has no model registry" in compilations.refusal(request)


def test_what_cannot_be_read_of_the_inputs_is_refused(compilations):
    request = compilations.request()
    request["InputConfig"]["DataInputConfig"] = "{'data': [1, 3"
    message = compilations.refusal(request)
    assert "DataInputConfig" in message and "line 1" in message, message


RESOURCE = """
import sys
from sagemaker.core.resources import CompilationJob
from sagemaker.core.shapes import InputConfig, OutputConfig, StoppingCondition
from sagemaker.core.utils.exceptions import FailedStatusError

name, bucket, role = sys.argv[1:]
job = CompilationJob.create(
    compilation_job_name=name,
    role_arn=role,
    input_config=InputConfig(
        s3_uri=f"s3://{bucket}/no/such/model.tar.gz", framework="XGBOOST", framework_version="1.3.3"
    ),
    output_config=OutputConfig(s3_output_location=f"s3://{bucket}/out", target_device="ml_c5"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
)
try:
    job.wait(poll=1)
except FailedStatusError as error:
    print("failed:", error)
job.refresh()
print("status:", job.compilation_job_status)
print("again:", CompilationJob.get(name).failure_reason)
print("listed:", [one.compilation_job_name for one in CompilationJob.get_all(name_contains=name)])
try:
    job.stop()
except Exception as error:
    print("stop:", error)
job.delete()
print("left:", list(CompilationJob.get_all(name_contains=name)))
"""


@pytest.mark.sdks
@pytest.mark.timeout(400)
def test_the_sdks_resource_class(server, jobs, tmp_path):
    name = fresh_name("resource")
    printed = Sdk(3, server, tmp_path).run(RESOURCE, name, jobs.bucket, ROLE)
    assert "status: FAILED" in printed, printed
    assert "again: ClientError: InputConfiguration: S3 object does not exist." in printed, printed
    assert f"listed: ['{name}']" in printed, printed
    assert "is in status FAILED" in printed, printed
    assert "left: []" in printed, printed
