"""`kiln interrupt` and the call behind it: for the owner, and for jobs on spot capacity."""

import re

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.jobs import LINGER, completed, fresh_name
from harness.server import Server, kiln

SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 120, "MaxWaitTimeInSeconds": 240},
}
# Counts its attempts in its checkpoint, and ends of itself in the second one.
ATTEMPTS = (
    "c=/opt/ml/checkpoints/n; n=$(cat $c 2>/dev/null || echo 0); n=$((n+1)); echo $n > $c; "
    "echo attempt $n; trap 'exit 0' TERM; [ $n -gt 1 ] || { sleep 60 & wait; }"
)
OWN_KEYS = "echo keys=$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY,$AWS_SESSION_TOKEN"


def interrupt(server: Server, job: str):
    """Runs `kiln interrupt`."""
    return kiln("interrupt", job, "--data-dir", str(server.data_dir))


def post(server: Server, job: str, credentials: Credentials | None, method: str = "POST"):
    """The call behind the command, signed or not."""
    url = f"{server.endpoint}/_kiln/training-jobs/{job}/interrupt"
    request = AWSRequest(method, url)
    if credentials:
        SigV4Auth(credentials, "sagemaker", "us-east-1").add_auth(request)
    return requests.request(method, url, headers=dict(request.headers.items()), timeout=120)


def refusal(done) -> str:
    """What a command said that failed."""
    assert done.returncode == 1 and done.stdout == ""
    return done.stderr


def test_a_job_on_demand_is_not_interrupted(jobs):
    name = jobs.create(LINGER)
    jobs.wait_for_phase(name, "Training")
    assert "EnableManagedSpotTraining" in refusal(interrupt(jobs.server, name))
    assert jobs.describe(name)["SecondaryStatus"] == "Training"
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


def test_a_spot_job_goes_on_from_its_checkpoint(jobs):
    checkpoints = f"s3://{jobs.bucket}/checkpoints/{fresh_name()}"
    name = jobs.create(ATTEMPTS, CheckpointConfig={"S3Uri": checkpoints}, **SPOT)
    jobs.wait_for_line(name, "attempt 1")
    done = interrupt(jobs.server, name)
    assert done.returncode == 0 and done.stdout == f"{name} is being interrupted\n"
    job = completed(jobs.wait(name))
    phases = [change["Status"] for change in job["SecondaryStatusTransitions"]]
    assert phases.count("Interrupted") == 1 and phases.count("Training") == 2
    assert sorted(jobs.lines(name)) == ["attempt 1", "attempt 2"]


def test_a_job_that_has_ended_is_not_interrupted(jobs):
    job = completed(jobs.run("true", **SPOT))
    said = refusal(interrupt(jobs.server, job["TrainingJobName"]))
    assert "is in status Completed" in said


def test_a_job_that_does_not_exist_is_missed(server):
    assert "Requested resource not found." in refusal(interrupt(server, "nobody-knows-it"))


def test_a_name_that_is_none_is_refused_at_once(server):
    done = interrupt(server, "../../logs")
    assert done.returncode == 2 and "error: invalid value" in done.stderr


def test_a_directory_without_a_server_says_so(tmp_path):
    done = kiln("interrupt", "a-job", "--data-dir", str(tmp_path))
    assert "no server runs on" in refusal(done)


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        (Credentials("AKIAWRONG", "wrong"), "UnrecognizedClientException"),
    ],
)
def test_nobody_else_interrupts(server, credentials, code):
    answer = post(server, "a-job", credentials)
    assert answer.status_code == 400
    assert answer.json()["__type"] == code


def test_a_job_does_not_interrupt_another(jobs):
    name = jobs.create(f"{OWN_KEYS}; {LINGER}")
    jobs.wait_for_line(name, "keys=")
    found = re.search(r"keys=(\S+),(\S+),(\S+)", "\n".join(jobs.lines(name)))
    answer = post(jobs.server, "a-job", Credentials(*found.groups()))
    assert answer.json()["__type"] == "AccessDeniedException"
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


def test_other_calls_there_are_unknown(server):
    root = Credentials(*server.credentials())
    answer = post(server, "a-job", root, method="GET")
    assert (answer.status_code, answer.json()["__type"]) == (400, "UnknownOperationException")
