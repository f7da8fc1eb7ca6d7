"""Jobs of more than one attempt: retries, spot capacity, and the limits over all of them."""

import time

import pytest
from harness.crashes import AGENT
from harness.jobs import LINGER, PATIENCE, Jobs, completed
from harness.server import Server, kiln

RESTORED = "cat /opt/ml/checkpoints/step 2>/dev/null"
# Counts on from the checkpoint, one step every tenth of a second.
# Slow at first, so that there is time to interrupt it, and fast when it goes on.
STEPS = (
    f"n=$({RESTORED} || echo 0); echo from $n; [ $n -gt 0 ] || slow=1; "
    "while [ $n -lt 400 ]; do n=$((n+1)); echo $n > /opt/ml/checkpoints/step; echo step $n; "
    "[ -z $slow ] || sleep 0.1; done; echo $n > /opt/ml/model/steps"
)


def statuses(job: dict) -> list[str]:
    """The secondary statuses that a job went through."""
    return [one["Status"] for one in job["SecondaryStatusTransitions"]]


def assert_contiguous(job: dict) -> None:
    """Each transition begins where the one before ended."""
    transitions = job["SecondaryStatusTransitions"]
    for before, after in zip(transitions, transitions[1:], strict=False):
        assert before["EndTime"] == after["StartTime"]


def spot(**more) -> dict:
    """What makes a job one on spot capacity."""
    return {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900},
        **more,
    }


def interrupt(jobs: Jobs, name: str) -> None:
    """Runs `kiln interrupt`."""
    done = kiln("interrupt", name, "--data-dir", str(jobs.server.data_dir))
    assert done.returncode == 0, done.stderr


def checkpoints(jobs: Jobs, name: str) -> dict:
    """Checkpoints in a place of the job's own."""
    return {"S3Uri": f"s3://{jobs.bucket}/checkpoints/{name}"}


# Retries


def test_a_lost_agent_is_replaced_as_often_as_the_job_says(own_jobs):
    name = own_jobs.create(LINGER, RetryStrategy={"MaximumRetryAttempts": 1})
    for attempt in (1, 2):
        own_jobs.wait_until(
            name,
            lambda job: (
                statuses(job).count("Training") == attempt and job["SecondaryStatus"] == "Training"
            ),
        )
        AGENT.strike(own_jobs.server)
    job = own_jobs.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError")
    assert statuses(job) == [
        "Starting", "Pending", "Downloading", "Training",
        "Restarting", "Pending", "Downloading", "Training", "Failed",
    ]  # fmt: skip
    assert_contiguous(job)
    assert job["RetryStrategy"] == {"MaximumRetryAttempts": 1}


def test_a_retried_job_completes_with_a_log_for_each_attempt(own_jobs):
    script = f"if {RESTORED}; then echo again; else echo 1 > /opt/ml/checkpoints/step; {LINGER}; fi"
    config = checkpoints(own_jobs, "retried")
    name = own_jobs.create(
        script, CheckpointConfig=config, RetryStrategy={"MaximumRetryAttempts": 3}
    )
    own_jobs.wait_for_phase(name, "Training")
    until = time.monotonic() + PATIENCE
    while not own_jobs.s3.list_objects_v2(
        Bucket=own_jobs.bucket, Prefix="checkpoints/retried/step"
    )["KeyCount"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    # Streams are named by the second.
    time.sleep(1)
    AGENT.strike(own_jobs.server)
    job = completed(own_jobs.wait(name))
    assert statuses(job).count("Restarting") == 1
    streams = own_jobs.streams(name)
    assert [[event["message"] for event in events] for events in streams.values()][-1] == [
        "1",
        "again",
    ]


def test_the_work_s_own_failure_is_not_retried(jobs):
    job = jobs.run("exit 1", RetryStrategy={"MaximumRetryAttempts": 5})
    assert job["FailureReason"] == "AlgorithmError: , exit code: 1"
    assert "Restarting" not in statuses(job)


# Spot


def test_an_interrupted_job_goes_on_from_its_checkpoint(jobs):
    config = checkpoints(jobs, "interrupted")
    name = jobs.create(STEPS, CheckpointConfig=config, **spot())
    jobs.wait_for_line(name, "step 5")
    interrupt(jobs, name)
    jobs.wait_until(name, lambda job: "Interrupted" in statuses(job))
    job = completed(jobs.wait(name))
    assert statuses(job) == [
        "Starting", "Pending", "Downloading", "Training", "Interrupted",
        "Starting", "Pending", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    assert_contiguous(job)
    began = [line for line in jobs.lines(name) if line.startswith("from")]
    assert began[0] == "from 0" and 5 <= int(began[1].split()[1]) < 400
    assert jobs.model(job) == {"steps": b"400\n"}
    assert 1 <= job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_a_spot_job_that_nobody_interrupts_is_a_job_like_any_other(jobs):
    job = completed(jobs.run("echo done", **spot()))
    assert statuses(job)[-3:] == ["Training", "Uploading", "Completed"]
    assert job["EnableManagedSpotTraining"] is True
    assert job["BillableTimeInSeconds"] >= 1


def test_a_stop_ends_an_interruption(own_jobs):
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.2; done"
    name = own_jobs.create(stubborn, **spot())
    own_jobs.wait_for_line(name, "up")
    interrupt(own_jobs, name)
    own_jobs.wait_for_phase(name, "Interrupted")
    own_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert own_jobs.describe(name)["TrainingJobStatus"] == "Stopping"
    AGENT.strike(own_jobs.server)
    job = own_jobs.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_others_take_the_room_of_spot_jobs_where_that_is_wanted(busybox):
    server = Server(images={"busybox": busybox})
    (server.data_dir / "kiln.toml").write_text("preempt_spot = true\n")
    server.start()
    try:
        jobs = Jobs(server)
        waiting = jobs.create(f"echo up; {LINGER}", **spot())
        jobs.wait_for_line(waiting, "up")
        job = completed(jobs.run("sleep 1"))
        spotted = jobs.wait_until(waiting, lambda job: statuses(job).count("Training") == 2)
        assert "Interrupted" in statuses(spotted)
        ended = spotted["SecondaryStatusTransitions"][-1]["StartTime"]
        assert ended >= job["TrainingStartTime"]
        jobs.sagemaker.stop_training_job(TrainingJobName=waiting)
        jobs.wait(waiting)
    finally:
        server.close()


# Limits


def test_a_spot_job_that_takes_too_long_is_stopped(jobs):
    limit = {"MaxRuntimeInSeconds": 3, "MaxWaitTimeInSeconds": 3}
    more = {**spot(), "StoppingCondition": limit}
    # Longer than it may wait, and twice as long as it may run, but for the interruption.
    job = jobs.run(LINGER, **more)
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] in ("MaxWaitTimeExceeded", "MaxRuntimeExceeded")
    assert "FailureReason" not in job


def test_a_spot_job_that_never_runs_is_stopped_in_time_even_after_a_crash(own_jobs):
    holders = [own_jobs.create(LINGER) for _ in range(2)]
    own_jobs.wait_for_phase(holders[0], "Training")
    limit = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 3}
    name = own_jobs.create("true", **{**spot(), "StoppingCondition": limit})
    own_jobs.server.crash_and_restart()
    own_jobs.reconnect()
    job = own_jobs.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert statuses(job)[-2:] == ["Stopping", "MaxWaitTimeExceeded"]
    assert "TrainingStartTime" not in job
    for holder in holders:
        own_jobs.sagemaker.stop_training_job(TrainingJobName=holder)
        own_jobs.wait(holder)


def test_the_time_limit_holds_over_a_crash_of_the_server(own_jobs):
    limit = {"MaxRuntimeInSeconds": 4}
    name = own_jobs.create(f"echo up; {LINGER}", StoppingCondition=limit)
    own_jobs.wait_for_line(name, "up")
    own_jobs.server.kill()
    time.sleep(5)
    own_jobs.server.start()
    own_jobs.reconnect()
    job = own_jobs.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] >= 4


@pytest.mark.parametrize("wait", [None, 1])
def test_a_spot_job_must_say_how_long_it_may_take(jobs, wait):
    limit = {"MaxRuntimeInSeconds": 60}
    if wait:
        limit["MaxWaitTimeInSeconds"] = wait
    with pytest.raises(jobs.sagemaker.exceptions.ClientError) as refused:
        jobs.create("true", **{**spot(), "StoppingCondition": limit})
    assert "Invalid MaxWaitTimeInSeconds" in str(refused.value)
