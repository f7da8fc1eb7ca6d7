"""How a job ends: exit codes, failure texts, stopping, and running out of time."""

import time

import pytest
from botocore.exceptions import ClientError

from harness.jobs import LINGER, completed, fresh_name

WAIT_FOR_TERM = (
    "trap 'echo got TERM; echo late > /opt/ml/model/late; exit 7' TERM; echo up; "
    "while :; do sleep 0.05; done"
)


def failed(job: dict) -> str:
    """The failure reason of the job, which must have failed."""
    assert job["TrainingJobStatus"] == "Failed"
    assert job["SecondaryStatus"] == "Failed"
    return job["FailureReason"]


def phases(job: dict) -> list[str]:
    """The secondary statuses that the job went through."""
    return [change["Status"] for change in job["SecondaryStatusTransitions"]]


def test_a_job_that_exits_with_zero_completes(jobs):
    job = completed(jobs.run("true"))
    assert job["SecondaryStatus"] == "Completed"
    assert "FailureReason" not in job


@pytest.mark.parametrize("code", [1, 3, 255])
def test_any_other_exit_code_is_an_algorithm_error(jobs, code):
    assert failed(jobs.run(f"exit {code}")) == f"AlgorithmError: , exit code: {code}"


def test_the_failure_file_is_the_reason(jobs):
    job = jobs.run("printf 'no such column: y' > /opt/ml/output/failure; exit 1")
    assert failed(job) == "AlgorithmError: no such column: y, exit code: 1"


def test_a_long_failure_file_is_cut_to_what_the_api_can_say(jobs):
    job = jobs.run("yes x | tr -d '\\n' | head -c 5000 > /opt/ml/output/failure; exit 2")
    reason = failed(job)
    assert reason.startswith("AlgorithmError: " + "x" * 900)
    assert len(reason) <= 1024, "the model allows FailureReason 1024 characters"


def test_a_failure_file_that_is_not_utf8_does_not_break_the_answer(jobs):
    job = jobs.run("printf 'bad \\377 byte' > /opt/ml/output/failure; exit 1")
    assert failed(job).startswith("AlgorithmError: bad ")


def test_a_failure_file_of_a_job_that_succeeds_is_ignored(jobs):
    job = completed(jobs.run("echo nonsense > /opt/ml/output/failure"))
    assert "FailureReason" not in job


def test_a_missing_train_program_is_reported_as_docker_does(jobs):
    request = jobs.request("true")
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    jobs.sagemaker.create_training_job(**request)
    job = jobs.wait(request["TrainingJobName"])
    reason = failed(job)
    assert reason.startswith("AlgorithmError: ") and reason.endswith(", exit code: 127")
    assert any(
        'exec: "train": executable file not found in $PATH' in line
        for line in jobs.lines(request["TrainingJobName"])
    )


def test_arguments_follow_the_entrypoint(jobs):
    job = completed(
        jobs.run(
            "",
            AlgorithmSpecification={
                "ContainerEntrypoint": ["/bin/sh", "-c", 'echo "$0 $1" > /opt/ml/model/a'],
                "ContainerArguments": ["first", "second one"],
            },
        )
    )
    assert jobs.model(job)["a"] == b"first second one\n"


def test_an_unknown_image_fails_in_awss_words(jobs):
    job = jobs.run("true", AlgorithmSpecification={"TrainingImage": "no-such-image:1"})
    assert failed(job).startswith(
        "ClientError: Cannot pull algorithm container. "
        "Either the image does not exist or its permissions are incorrect."
    )
    assert "Training" not in phases(job)


def test_a_process_killed_by_a_signal_counts_as_128_plus_it(jobs):
    job = jobs.run("sh -c 'kill -9 $$'")
    assert failed(job) == "AlgorithmError: , exit code: 137"


def test_a_failing_job_still_uploads_its_model(jobs):
    job = jobs.run("echo half > /opt/ml/model/half; exit 1")
    assert "Uploading" in phases(job)
    assert jobs.model(job)["half"] == b"half\n"


def test_stop_reaches_the_process_at_once_and_keeps_the_artifacts(jobs):
    name = jobs.create(WAIT_FOR_TERM)
    jobs.wait_for_line(name, "up")
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    now = jobs.describe(name)
    assert (now["TrainingJobStatus"], now["SecondaryStatus"]) in (
        ("Stopping", "Stopping"),
        ("Stopped", "Stopped"),
    )
    job = jobs.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in job, "an exit code after SIGTERM does not matter"
    assert phases(job)[-2:] == ["Stopping", "Stopped"]
    assert "got TERM" in jobs.lines(name)
    assert jobs.model(job)["late"] == b"late\n"


def test_stopping_twice_is_no_error(jobs):
    name = jobs.create("trap '' TERM; echo up; sleep 15")
    jobs.wait_for_line(name, "up")
    for _ in range(2):
        jobs.sagemaker.stop_training_job(TrainingJobName=name)
        assert jobs.describe(name)["TrainingJobStatus"] == "Stopping"
    assert jobs.wait(name)["TrainingJobStatus"] == "Stopped"


@pytest.mark.parametrize("script, status", [("true", "Completed"), ("exit 1", "Failed")])
def test_a_job_that_ended_cannot_be_stopped(jobs, script, status):
    name = jobs.run(script)["TrainingJobName"]
    with pytest.raises(ClientError) as refused:
        jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["Error"]["Message"] == (
        f"The request was rejected because the training job is in status {status}."
    )


def test_running_out_of_time_stops_the_job_and_keeps_its_model(jobs):
    job = jobs.run(
        f"echo some > /opt/ml/model/some; {LINGER}", StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert "FailureReason" not in job
    assert jobs.model(job)["some"] == b"some\n"


def test_an_ended_job_can_be_deleted_and_its_name_used_again(jobs):
    name = fresh_name("again")
    completed(jobs.run("echo 1 > /opt/ml/model/one", name=name))
    jobs.sagemaker.delete_training_job(TrainingJobName=name)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            jobs.describe(name)
        except ClientError as gone:
            assert "Requested resource not found" in gone.response["Error"]["Message"]
            break
        time.sleep(0.05)
    else:
        pytest.fail("the job is still described a minute after it was deleted")
    job = completed(jobs.run("echo 2 > /opt/ml/model/two", name=name))
    assert jobs.model(job) == {"two": b"2\n"}


def test_a_running_job_cannot_be_deleted(jobs):
    name = jobs.create(LINGER)
    with pytest.raises(jobs.sagemaker.exceptions.ResourceInUse):
        jobs.sagemaker.delete_training_job(TrainingJobName=name)
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)
