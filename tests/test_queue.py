"""More jobs than the machine can run at once: all of them finish, in order."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from harness.jobs import LINGER, Jobs, completed

JOBS = 200


@dataclass(frozen=True)
class Created:
    """A job, and when its create call was sent and answered."""

    name: str
    sent: float
    answered: float


def create(jobs: Jobs, script: str) -> Created:
    """Creates a job."""
    sent = time.monotonic()
    return Created(jobs.create(script), sent, time.monotonic())


def overtaken(first: tuple[Created, dict], second: tuple[Created, dict]) -> bool:
    """Whether the second job began before the first, though it was asked for after the
    first had been accepted.

    Requests that were in flight together are accepted in either order.
    """
    in_order = first[0].answered < second[0].sent
    return in_order and second[1]["TrainingStartTime"] < first[1]["TrainingStartTime"]


@pytest.mark.timeout(1200)
def test_two_hundred_jobs_at_once_all_finish_in_order(own_jobs):
    scripts = [f"echo {number} > /opt/ml/model/n; echo job {number}" for number in range(JOBS)]
    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(partial(create, own_jobs), scripts))
    names = [one.name for one in created]
    jobs = [completed(own_jobs.wait(name)) for name in names]
    for number, job in enumerate(jobs):
        assert own_jobs.lines(job["TrainingJobName"]) == [f"job {number}"]
    assert own_jobs.model(jobs[123]) == {"n": b"123\n"}

    assert [
        pair
        for pair in itertools.permutations(zip(created, jobs, strict=True), 2)
        if overtaken(*pair)
    ] == []

    pages = own_jobs.sagemaker.get_paginator("list_training_jobs").paginate(
        StatusEquals="Completed", PaginationConfig={"PageSize": 17}
    )
    listed = [s["TrainingJobName"] for page in pages for s in page["TrainingJobSummaries"]]
    assert len(listed) == JOBS and set(listed) == set(names)


def test_a_waiting_job_says_so_and_stops_at_once(own_jobs):
    names = [own_jobs.create(LINGER) for _ in range(12)]
    own_jobs.wait_for_phase(names[0], "Training")
    last = own_jobs.wait_for_phase(names[-1], "Pending")
    assert last["TrainingJobStatus"] == "InProgress"
    message = last["SecondaryStatusTransitions"][-1]["StatusMessage"]
    assert message == "Training job waiting for capacity"
    own_jobs.sagemaker.stop_training_job(TrainingJobName=names[-1])
    # Without waiting for those that have the room, which linger.
    job = own_jobs.wait(names[-1])
    assert own_jobs.describe(names[0])["SecondaryStatus"] == "Training"
    assert job["TrainingJobStatus"] == "Stopped"
    assert "TrainingStartTime" not in job
    assert "ModelArtifacts" not in job
    for name in reversed(names[:-1]):
        own_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    for name in names[:-1]:
        assert own_jobs.wait(name)["TrainingJobStatus"] == "Stopped"


def test_a_job_too_big_for_the_machine_is_refused_or_fails_and_blocks_nobody(own_jobs):
    huge = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 64, "VolumeSizeInGB": 5}
    try:
        name = own_jobs.create("true", ResourceConfig=huge)
    except own_jobs.sagemaker.exceptions.ClientError as refused:
        assert refused.response["Error"]["Code"] in ("ValidationException", "ResourceLimitExceeded")
        name = None
    completed(own_jobs.run("true"))
    if name:
        assert own_jobs.wait(name)["TrainingJobStatus"] == "Failed"
