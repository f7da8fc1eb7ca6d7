"""What holds for compilation and optimization jobs alike, and needs no model: the rules of
creating, stopping, deleting and finding again, tags and policies."""

import pytest
from botocore.exceptions import ClientError

from harness.compilations import Compilations
from harness.identities import ACCOUNT, allow, deny, refused
from harness.jobs import LINGER, WHOLE_MACHINE, fresh_name
from harness.optimizations import Optimizations
from harness.solo import SoloJobs
from harness.wire import call, changed

# What is said of a job that ended without a reason: only one kind must say something.
NO_REASON = {"Compilation": "", "Optimization": None}


@pytest.fixture(scope="module", params=[Compilations, Optimizations], ids=lambda kind: kind.kind)
def solo(request, jobs) -> SoloJobs:
    """Jobs of either kind on the shared server."""
    return request.param(jobs)


@pytest.fixture(params=[Compilations, Optimizations], ids=lambda kind: kind.kind)
def own_solo(request, own_jobs) -> SoloJobs:
    """Jobs of either kind on the test's own server."""
    return request.param(own_jobs)


def a_job(solo: SoloJobs) -> str:
    """The kind, as sentences have it."""
    return {"Compilation": "a compilation job", "Optimization": "an optimization job"}[solo.kind]


# Creation


@pytest.mark.parametrize(
    "path, value, message",
    [
        (
            "OutputConfig/S3OutputLocation",
            "s3://no-such-bucket/x",
            'The OutputConfig S3 bucket "no-such-bucket" does not exist. Please create the bucket '
            "before the {kind} job.",
        ),
        (
            "StoppingCondition",
            {"MaxWaitTimeInSeconds": 900},
            "MaxWaitTimeInSeconds is for managed spot training and not valid for {a_job}.",
        ),
        (
            "Tags",
            [{"Key": "aws:x", "Value": "y"}],
            "Tag keys that start with 'aws:' are reserved for AWS use, and cannot be given: "
            "'aws:x'.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(solo, path, value, message):
    request = changed(solo.request(), path, value)
    said = message.format(kind=solo.kind.lower(), a_job=a_job(solo))
    assert solo.refusal(request) == said


def test_a_name_is_taken_once(server, solo):
    name = solo.create(fresh_name("Taken"))
    again = call(server, f"Create{solo.kind}Job", solo.request(name))
    assert (again.status, again.code) == (400, "ResourceInUse")
    assert again.message == (
        f"{solo.kind} job names must be unique within an AWS account and region, and "
        f"{a_job(solo)} with this name already exists ({solo.arn(name)})"
    )
    solo.wait(name)


def test_kinds_of_jobs_have_names_of_their_own(solo, jobs):
    name = jobs.create("true", name=fresh_name("both"))
    job = solo.run(name)
    assert job[solo.member("JobName")] == name
    assert jobs.wait(name)["TrainingJobName"] == name


def test_an_unknown_job_is_not_found(solo):
    with pytest.raises(ClientError) as error:
        solo.describe("nobody")
    assert isinstance(error.value, solo.sagemaker.exceptions.ResourceNotFound)


# Ends


def test_a_job_that_waits_is_stopped_at_once(own_solo, own_jobs):
    occupant = own_jobs.occupy()
    name = own_solo.create()
    assert own_solo.status(name) == "STARTING"
    with refused("ValidationException", "is in status STARTING and cannot be deleted"):
        own_solo.call("delete", name)
    own_solo.stop(name)
    job = own_solo.describe(name)
    assert job[own_solo.member("JobStatus")] == "STOPPED"
    assert job.get("FailureReason") == NO_REASON[own_solo.kind]
    assert own_solo.member("StartTime") not in job
    with refused("ValidationException", f"because the {own_solo.kind.lower()} job is in status"):
        own_solo.stop(name)
    own_jobs.stop(occupant)


def test_who_came_first_gets_room_first_whatever_its_kind(own_solo, own_jobs):
    occupant = own_jobs.occupy()
    second = own_jobs.create(LINGER, ResourceConfig=WHOLE_MACHINE)
    name = own_solo.create()
    own_jobs.stop(occupant)
    own_jobs.wait_for_phase(second, "Training")
    assert own_solo.status(name) == "STARTING"
    own_jobs.stop(second)
    own_solo.wait(name)


def test_a_job_that_has_ended_can_be_deleted(solo):
    name = solo.run()[solo.member("JobName")]
    solo.call("delete", name)
    for operation in ("describe", "stop", "delete"):
        with refused("ResourceNotFound", "Requested resource not found."):
            solo.call(operation, name)
    # The name is free again.
    assert solo.run(name)[solo.member("JobStatus")] == "FAILED"


def test_waiting_jobs_survive_a_crash_of_the_server(own_server, own_solo, own_jobs):
    occupant = own_jobs.occupy()
    names = [own_solo.create() for _ in range(3)]
    own_server.crash_and_restart()
    own_jobs.reconnect()
    assert [own_solo.status(name) for name in names] == ["STARTING"] * 3
    own_jobs.stop(occupant)
    for name in names:
        assert own_solo.wait(name)[own_solo.member("JobStatus")] == "FAILED"


def test_no_job_is_lost_when_the_server_dies_while_they_run(own_server, own_solo, own_jobs):
    names = []
    for _ in range(3):
        names += [own_solo.create() for _ in range(4)]
        own_server.crash_and_restart()
        own_jobs.reconnect()
    for name in names:
        job = own_solo.wait(name)
        assert job["FailureReason"].startswith("ClientError: "), job


# Tags and policies


def test_tags_come_with_the_job_and_after(sagemaker, solo):
    name = solo.create(Tags=[{"Key": "team", "Value": "vision"}])
    arn = solo.arn(name)
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "vision", "stage": "test"}
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["stage"]
    solo.wait(name)


def test_a_user_does_what_policies_allow(server, identities, solo):
    role, kind = identities.role(allow("s3:*")), solo.kind
    short = {"NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": "900"}}
    _, given = identities.user(
        allow(f"sagemaker:Create{kind}Job", solo.arn("mine-*"), Condition=short),
        allow(["sagemaker:Describe*", "sagemaker:Stop*"], solo.arn("mine-*")),
        allow("iam:PassRole", role),
        deny(f"sagemaker:Delete{kind}Job"),
    )
    client = server.client("sagemaker", **given)

    def create(name: str, **more) -> str:
        return solo.submit(solo.request(name, **{"RoleArn": role, **more}), client)

    name = create(fresh_name("mine"))
    solo.wait(name)
    assert solo.call("describe", name, client)
    with refused("AccessDeniedException", f"sagemaker:Delete{kind}Job", solo.arn(name)):
        solo.call("delete", name, client)
    with refused("AccessDeniedException", f"sagemaker:Create{kind}Job", solo.arn("other")):
        create("other")
    with refused("AccessDeniedException", f"sagemaker:Create{kind}Job"):
        create(fresh_name("mine"), StoppingCondition={"MaxRuntimeInSeconds": 901})
    with refused("AccessDeniedException", f"sagemaker:List{kind}Jobs"):
        getattr(client, f"list_{kind.lower()}_jobs")()
    with refused("AccessDeniedException", "iam:PassRole"):
        create(fresh_name("mine"), RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Another")


def test_a_role_that_may_not_read_the_model_fails_the_job(identities, solo):
    job = solo.run(RoleArn=identities.role(allow("s3:PutObject")))
    assert job[solo.member("JobStatus")] == "FAILED"
    assert "denied" in job["FailureReason"].lower(), job
