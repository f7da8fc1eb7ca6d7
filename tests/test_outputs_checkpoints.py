"""Checkpoints: brought back before the work starts, and kept in step with it."""

import contextlib
import json
import time

import pytest

from harness.channels import kept
from harness.jobs import Jobs, completed, fresh_name

STATE = "/opt/ml/checkpoints"


@pytest.fixture
def state(jobs) -> str:
    """The URI of a place for checkpoints, without a slash at its end."""
    return f"s3://{jobs.bucket}/{fresh_name('state')}"


def stored(jobs: Jobs, uri: str) -> dict[str, bytes]:
    """The objects below the place, by their key's rest."""
    prefix = uri.split("/", 3)[3] + "/"
    found = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix).get("Contents", [])
    bodies = {}
    for item in found:
        with contextlib.suppress(jobs.s3.exceptions.NoSuchKey):
            bodies[item["Key"][len(prefix) :]] = jobs.object(f"s3://{jobs.bucket}/{item['Key']}")
    return bodies


def wait_for(jobs: Jobs, uri: str, holds, within: float = 120) -> dict[str, bytes]:
    """What is stored, once it is as it should be."""
    until = time.monotonic() + within
    while not holds(found := stored(jobs, uri)):
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def config(uri: str, **more) -> dict:
    """The part of a request that asks for checkpoints."""
    return {"CheckpointConfig": {"S3Uri": uri, **more}}


def test_what_one_job_leaves_the_next_one_finds(jobs, state):
    script = f"mkdir -p {STATE}/deep; echo 1 >> {STATE}/deep/epochs; cat {STATE}/deep/epochs"
    for epochs in (1, 2, 3):
        job = completed(jobs.run(script, **config(state)))
        assert jobs.lines(job["TrainingJobName"]) == ["1"] * epochs
    assert stored(jobs, state) == {"deep/epochs": b"1\n1\n1\n"}


def test_a_place_of_its_own_in_the_container(jobs, state):
    jobs.put(state.split("/", 3)[3] + "/old", b"old")
    script = "cat /state/old; echo; ls /opt/ml/checkpoints; echo new > /state/new"
    job = completed(jobs.run(script, **config(state, LocalPath="/state")))
    assert jobs.lines(job["TrainingJobName"]) == ["old"]
    assert stored(jobs, state) == {"old": b"old", "new": b"new\n"}


def test_only_what_lies_below_the_place_is_brought(jobs, state):
    jobs.put(state.split("/", 3)[3] + "-other/x", b"not mine")
    job = completed(jobs.run(f"find {STATE} -type f", **config(state)))
    assert jobs.lines(job["TrainingJobName"]) == []


def test_the_place_follows_the_directory_while_the_work_runs(jobs, state):
    script = (
        "until_is() { until test $*; do sleep 0.1; done; }; "
        f"cd {STATE}; echo one > a; echo tmp > b.sagemaker-ignore; echo two > b; "
        "until_is -e a.sagemaker-uploaded; until_is -e b.sagemaker-uploaded; echo marked; "
        "rm a; echo three > c; until_is -e c.sagemaker-uploaded; "
        "until_is ! -e a.sagemaker-uploaded; echo gone; "
        "trap 'echo last > z; exit 0' TERM; sleep 60 & wait"
    )
    name = jobs.create(script, **config(state))
    jobs.wait_for_line(name, "marked")
    jobs.wait_for_line(name, "gone")
    found = wait_for(jobs, state, lambda found: "a" not in found and "c" in found)
    assert found == {"b": b"two\n", "c": b"three\n"}
    assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert jobs.wait(name)["TrainingJobStatus"] == "Stopped"
    assert stored(jobs, state) == {"b": b"two\n", "c": b"three\n", "z": b"last\n"}


def test_the_last_state_is_stored_when_the_work_fails(jobs, state):
    script = f"mkdir {STATE}/d; echo x > {STATE}/d/x; echo y > {STATE}/y; exit 7"
    job = jobs.run(script, **config(state))
    assert job["FailureReason"] == "AlgorithmError: , exit code: 7"
    assert stored(jobs, state) == {"d/x": b"x\n", "y": b"y\n"}


def test_deleted_checkpoints_do_not_come_back(jobs, state):
    for name in ("old", "older"):
        jobs.put(state.split("/", 3)[3] + f"/{name}", name.encode())
    completed(jobs.run(f"rm {STATE}/older; echo x > {STATE}/new", **config(state)))
    assert stored(jobs, state) == {"old": b"old", "new": b"x\n"}


def test_no_link_out_of_the_directory_is_followed(jobs, state):
    script = (
        f"cd {STATE}; ln -s /etc/passwd file; ln -s /etc dir; mkfifo pipe; "
        "ln -s /opt/ml/input/config/hyperparameters.json own; echo x > x"
    )
    completed(jobs.run(script, **config(state)))
    assert stored(jobs, state) == {"x": b"x\n"}


def test_what_the_container_is_told_of_its_checkpoints(jobs, state):
    script = "cp /opt/ml/input/config/*.json /opt/ml/output/data"
    files = kept(jobs, jobs.run(script, **config(state, LocalPath="/state")))
    told = json.loads(files["checkpointconfig.json"])
    assert told["LocalPath"] == "/state" and told.get("S3Uri", state) == state
    channel = json.loads(files["init-config.json"])["checkpointChannel"]
    assert (channel["outputPath"], channel["allowEmpty"]) == ("/state", True)
    assert channel["channel"]["s3DataSource"]["s3Uri"] == state
