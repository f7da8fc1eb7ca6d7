"""Compilation jobs as the API shows them: everything that needs no compiler."""

import itertools

import pytest
from botocore.exceptions import ClientError

from harness.compilations import Compilations
from harness.identities import ACCOUNT, allow, deny, refused
from harness.jobs import LINGER, ROLE, Jobs, fresh_name
from harness.sdk import Sdk
from harness.wire import call

ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:compilation-job/"
# More of everything than any machine has: what is left of it is nothing.
HUGE = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}


@pytest.fixture(scope="session")
def compilations(jobs) -> Compilations:
    """Compilation jobs on the shared server."""
    return Compilations(jobs)


@pytest.fixture
def own_compilations(own_jobs) -> Compilations:
    """Compilation jobs on the test's own server."""
    return Compilations(own_jobs)


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


def test_a_missing_archive_fails_the_job_in_awss_words(compilations, jobs):
    job = compilations.run(name=fresh_name("Missing"))
    name = job["CompilationJobName"]
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"] == (
        "ClientError: InputConfiguration: S3 object does not exist. "
        f"Bucket: {jobs.bucket}, Key: no/such/model.tar.gz"
    )
    assert job["CompilationJobArn"] == ARN + name
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
        (
            "OutputConfig/S3OutputLocation",
            "s3://no-such-bucket/x",
            'The OutputConfig S3 bucket "no-such-bucket" does not exist. Please create the bucket '
            "before the compilation job.",
        ),
        (
            "StoppingCondition",
            {"MaxWaitTimeInSeconds": 900},
            "MaxWaitTimeInSeconds is for managed spot training and not valid for a compilation "
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
def test_what_makes_no_sense_is_refused(server, compilations, path, value, message):
    request = changed(compilations.request(), path, value)
    answer = call(server, "CreateCompilationJob", request)
    assert (answer.status, answer.code) == (400, "ValidationException"), answer.body
    assert answer.message == message
    name = {"CompilationJobName": request["CompilationJobName"]}
    assert call(server, "DescribeCompilationJob", name).code == "ResourceNotFound"


def test_a_model_package_is_refused_for_want_of_a_registry(server, compilations):
    request = changed(compilations.request(), "InputConfig", None)
    request["ModelPackageVersionArn"] = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/m/1"
    answer = call(server, "CreateCompilationJob", request)
    assert answer.code == "ValidationException"
    assert "has no model registry" in answer.message


def test_what_cannot_be_read_of_the_inputs_is_refused(server, compilations):
    request = compilations.request()
    request["InputConfig"]["DataInputConfig"] = "{'data': [1, 3"
    answer = call(server, "CreateCompilationJob", request)
    assert answer.code == "ValidationException"
    assert "DataInputConfig" in answer.message and "line 1" in answer.message, answer.message


def test_a_name_is_taken_once(server, compilations):
    name = compilations.create(fresh_name("Taken"))
    again = call(server, "CreateCompilationJob", compilations.request(name))
    assert (again.status, again.code) == (400, "ResourceInUse")
    assert again.message == (
        "Compilation job names must be unique within an AWS account and region, and a "
        f"compilation job with this name already exists ({ARN}{name})"
    )
    compilations.wait(name)


def test_kinds_of_jobs_have_names_of_their_own(compilations, jobs):
    name = jobs.create("true", name=fresh_name("both"))
    compilations.create(name)
    assert compilations.wait(name)["CompilationJobName"] == name
    assert jobs.wait(name)["TrainingJobName"] == name


# Ends


def test_a_job_that_waits_is_stopped_at_once(own_compilations, own_jobs):
    occupant = occupy(own_jobs)
    name = own_compilations.create()
    assert own_compilations.describe(name)["CompilationJobStatus"] == "STARTING"
    with refused("ValidationException", "is in status STARTING and cannot be deleted"):
        own_jobs.sagemaker.delete_compilation_job(CompilationJobName=name)
    own_jobs.sagemaker.stop_compilation_job(CompilationJobName=name)
    job = own_compilations.describe(name)
    assert job["CompilationJobStatus"] == "STOPPED"
    assert job["FailureReason"] == ""
    assert "CompilationStartTime" not in job
    with refused("ValidationException", "because the compilation job is in status STOPPED"):
        own_jobs.sagemaker.stop_compilation_job(CompilationJobName=name)
    vacate(own_jobs, occupant)


def test_who_came_first_gets_room_first_whatever_its_kind(own_compilations, own_jobs):
    occupant = occupy(own_jobs)
    second = own_jobs.create(LINGER, ResourceConfig=HUGE)
    compilation = own_compilations.create()
    vacate(own_jobs, occupant)
    own_jobs.wait_for_phase(second, "Training")
    assert own_compilations.describe(compilation)["CompilationJobStatus"] == "STARTING"
    vacate(own_jobs, second)
    own_compilations.wait(compilation)


def test_a_job_that_has_ended_can_be_deleted(compilations, jobs):
    name = compilations.run()["CompilationJobName"]
    jobs.sagemaker.delete_compilation_job(CompilationJobName=name)
    for operation in ("describe", "stop", "delete"):
        with refused("ResourceNotFound", "Requested resource not found."):
            getattr(jobs.sagemaker, f"{operation}_compilation_job")(CompilationJobName=name)
    # The name is free again.
    assert compilations.run(name)["CompilationJobStatus"] == "FAILED"


def test_waiting_jobs_survive_a_crash_of_the_server(own_server, own_compilations, own_jobs):
    occupant = occupy(own_jobs)
    names = [own_compilations.create() for _ in range(3)]
    own_server.crash_and_restart()
    own_jobs.reconnect()
    for name in names:
        assert own_compilations.describe(name)["CompilationJobStatus"] == "STARTING"
    vacate(own_jobs, occupant)
    ends = [own_compilations.wait(name)["CompilationEndTime"] for name in names]
    assert len(ends) == 3


def test_no_job_is_lost_when_the_server_dies_while_they_run(own_server, own_compilations, own_jobs):
    names = []
    for _ in range(3):
        names += [own_compilations.create() for _ in range(4)]
        own_server.crash_and_restart()
        own_jobs.reconnect()
    for name in names:
        job = own_compilations.wait(name)
        assert "S3 object does not exist" in job["FailureReason"]


# Lists


@pytest.fixture(scope="module")
def stem(compilations) -> str:
    """Five jobs with one stem in their names, created in no order of the names."""
    stem = fresh_name("Listed")
    devices = itertools.cycle(["ml_c5", "rasp3b"])
    for number, device in zip((3, 0, 4, 1, 2), devices, strict=False):
        request = compilations.request(f"{stem}-{number}")
        request["OutputConfig"]["TargetDevice"] = device
        compilations.sagemaker.create_compilation_job(**request)
        compilations.wait(f"{stem}-{number}")
    return stem


def listed(sagemaker, size: int = 100, **asked) -> list[dict]:
    """All summaries, from page to page."""
    pages = sagemaker.get_paginator("list_compilation_jobs").paginate(
        **asked, PaginationConfig={"PageSize": size}
    )
    return [job for page in pages for job in page["CompilationJobSummaries"]]


SORTS = {
    "Name": "CompilationJobName",
    "CreationTime": "CreationTime",
    "Status": "CompilationJobStatus",
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_orders_at_every_page_size(sagemaker, stem, sort, order):
    whole = listed(sagemaker, NameContains=stem, SortBy=sort, SortOrder=order)
    keys = [job[SORTS[sort]] for job in whole]
    assert len(keys) == 5
    assert keys == sorted(keys, reverse=order == "Descending")
    for size in (1, 2, 5):
        assert listed(sagemaker, size, NameContains=stem, SortBy=sort, SortOrder=order) == whole


def test_filters_and_what_a_summary_says(sagemaker, compilations, stem):
    def names(**asked) -> set[str]:
        found = listed(sagemaker, NameContains=stem.upper(), **asked)
        return {job["CompilationJobName"].rsplit("-", 1)[1] for job in found}

    job = compilations.describe(f"{stem}-3")
    everyone = {"0", "1", "2", "3", "4"}
    assert names() == everyone
    assert names(StatusEquals="FAILED") == everyone
    assert names(StatusEquals="INPROGRESS") == set()
    assert names(CreationTimeBefore=job["CreationTime"].replace(year=2020)) == set()
    assert names(CreationTimeAfter=job["CreationTime"].replace(year=2020)) == everyone
    assert names(LastModifiedTimeBefore=job["CreationTime"].replace(year=2020)) == set()
    assert names(LastModifiedTimeAfter=job["CreationTime"].replace(year=2020)) == everyone
    (one,) = listed(sagemaker, NameContains=f"{stem}-0")
    described = compilations.describe(f"{stem}-0")
    assert one == {
        "CompilationJobName": f"{stem}-0",
        "CompilationJobArn": described["CompilationJobArn"],
        "CreationTime": described["CreationTime"],
        "CompilationEndTime": described["CompilationEndTime"],
        "CompilationTargetDevice": "rasp3b",
        "LastModifiedTime": described["LastModifiedTime"],
        "CompilationJobStatus": "FAILED",
    }


def test_a_token_is_good_for_its_own_list(sagemaker, jobs, stem):
    page = sagemaker.list_compilation_jobs(NameContains=stem, MaxResults=2)
    token = page["NextToken"]
    with refused("ValidationException", "The given NextToken is not valid."):
        sagemaker.list_compilation_jobs(NameContains="other", NextToken=token)
    with refused("ValidationException", "The given NextToken is not valid."):
        sagemaker.list_training_jobs(NameContains=stem, NextToken=token)


# Tags and policies


def test_tags_come_with_the_job_and_after(sagemaker, compilations):
    name = compilations.create(Tags=[{"Key": "team", "Value": "vision"}])
    arn = ARN + name
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "vision", "stage": "test"}
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["stage"]
    compilations.wait(name)


def test_a_user_does_what_policies_allow(server, identities, compilations):
    role = identities.role(allow("s3:*"))
    _, given = identities.user(
        allow("sagemaker:*CompilationJob*", ARN + "mine-*"),
        allow("iam:PassRole", role),
        deny("sagemaker:DeleteCompilationJob"),
    )
    client = server.client("sagemaker", **given)
    name = fresh_name("mine")
    client.create_compilation_job(**compilations.request(name, RoleArn=role))
    compilations.wait(name)
    assert client.describe_compilation_job(CompilationJobName=name)
    with refused("AccessDeniedException", "sagemaker:DeleteCompilationJob", ARN + name):
        client.delete_compilation_job(CompilationJobName=name)
    with refused("AccessDeniedException", "sagemaker:CreateCompilationJob", ARN + "other"):
        client.create_compilation_job(**compilations.request("other", RoleArn=role))
    with refused("AccessDeniedException", "sagemaker:ListCompilationJobs"):
        client.list_compilation_jobs()
    other = f"arn:aws:iam::{ACCOUNT}:role/Another"
    with refused("AccessDeniedException", "iam:PassRole"):
        client.create_compilation_job(**compilations.request(fresh_name("mine"), RoleArn=other))


def test_a_role_that_may_not_read_the_archive_fails_the_job(identities, compilations, jobs):
    role = identities.role(allow("s3:PutObject"))
    job = compilations.run(RoleArn=role)
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("ClientError: InputConfiguration: "), job
    assert "AccessDenied" in job["FailureReason"] or "denied" in job["FailureReason"].lower()


# The SDK

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


def test_an_unknown_job_is_not_found(sagemaker):
    with pytest.raises(ClientError) as error:
        sagemaker.describe_compilation_job(CompilationJobName="nobody")
    assert isinstance(error.value, sagemaker.exceptions.ResourceNotFound)
