"""The volume: what a job may fill of the disk, and who is harmed when it fills more."""

import re
import time

import pytest

from harness.jobs import LINGER, completed, s3_channel

SMALL = {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1}
# A gigabyte of zeros, as fast as the disk takes it, and another one.
FILL = "dd if=/dev/zero of={0}/one bs=1M count=1000 && dd if=/dev/zero of={0}/two bs=1M count=200"
# Where what was written is not stored in the end.
ELSEWHERE = "/opt/ml/checkpoints"


def failed(job: dict) -> str:
    """The failure reason of the job, which must have failed."""
    assert job["TrainingJobStatus"] == "Failed", job["TrainingJobStatus"]
    return job["FailureReason"]


@pytest.mark.parametrize(
    ("directory", "place"),
    [(ELSEWHERE, "in /opt/ml/checkpoints"), ("/root", "outside of /opt/ml")],
)
def test_a_job_that_fills_its_volume_fails_and_says_what_is_full(jobs, directory, place):
    job = jobs.run(f"{FILL.format(directory)}; {LINGER}", ResourceConfig=SMALL)
    reason = failed(job)
    assert re.fullmatch(
        r"ClientError: The volume of 1 GB \(VolumeSizeInGB\) is full: the job has filled "
        rf"1(\.\d)? GB, of which [\d.]+ [GM]B {place}( and .*)?\. Please use a larger volume",
        reason,
    ), reason


def test_its_neighbours_and_the_server_go_on(jobs):
    filling = jobs.create(f"{FILL.format(ELSEWHERE)}; sleep 60", ResourceConfig=SMALL)
    # Beside the other where the machine has room for two, and behind it where not.
    neighbour = jobs.create("sleep 3; echo done > /opt/ml/model/done")
    failed(jobs.wait(filling))
    assert jobs.model(completed(jobs.wait(neighbour)))["done"] == b"done\n"


def test_a_job_that_ignores_being_asked_to_end_is_ended_soon(jobs):
    stubborn = f"trap '' TERM; {FILL.format(ELSEWHERE)}; while :; do sleep 1; done"
    started = time.monotonic()
    assert "(VolumeSizeInGB) is full" in failed(jobs.run(stubborn, ResourceConfig=SMALL))
    # Work that ignores SIGTERM has two minutes otherwise.
    assert time.monotonic() - started < 110


def test_what_fits_is_no_trouble(jobs):
    script = (
        "for n in 1 2 3; do dd if=/dev/zero of=/opt/ml/checkpoints/c bs=1M count=600; "
        "sleep 1; mv /opt/ml/checkpoints/c /opt/ml/checkpoints/d; rm /opt/ml/checkpoints/d; done"
    )
    completed(jobs.run(script, ResourceConfig=SMALL))


def test_a_sparse_file_takes_no_room(jobs):
    script = "truncate -s 40G /opt/ml/checkpoints/sparse; sleep 3; rm /opt/ml/checkpoints/sparse"
    completed(jobs.run(script, ResourceConfig=SMALL))


def test_inputs_that_are_larger_than_the_volume(jobs):
    uri = jobs.put("volume/large", bytes(210 << 20))
    channels = [s3_channel(f"c{number}", uri) for number in range(6)]
    # The last of it may arrive before anybody looks.
    job = jobs.run("sleep 60", ResourceConfig=SMALL, InputDataConfig=channels)
    reason = failed(job)
    assert "The volume of 1 GB (VolumeSizeInGB) is full" in reason
    assert "in /opt/ml/input" in reason
    assert "Please use a larger volume" in reason
