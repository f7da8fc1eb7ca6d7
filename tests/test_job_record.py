"""What DescribeTrainingJob says: the request again, and everything measured."""

import itertools
import math
import time

import pytest

from harness.jobs import GROUP, LINGER, Jobs, completed, fresh_name, s3_channel
from harness.wire import call

NEVER_IN_AN_ORDINARY_JOB = (
    "FailureReason",
    "VpcConfig",
    "CheckpointConfig",
    "ExperimentConfig",
    "TuningJobArn",
    "RetryStrategy",
    "WarmPoolStatus",
    "DebugHookConfig",
    "TensorBoardOutputConfig",
    "RemoteDebugConfig",
    "LabelingJobArn",
    "AutoMLJobArn",
    "SessionChainingConfig",
)


@pytest.fixture(scope="module")
def request_(jobs: Jobs) -> dict:
    """A request with channels, hyperparameters and environment."""
    uri = jobs.put("record/data.csv", "1,2\n")
    return jobs.request(
        "for i in 1 2 3; do echo loss=0.$i; done; sleep 1.1; echo loss=0.0036",
        name=fresh_name("Record"),
        HyperParameters={"b": "2", "a": "1"},
        InputDataConfig=[s3_channel("train", uri)],
        AlgorithmSpecification={
            "MetricDefinitions": [
                {"Name": "train:loss", "Regex": "loss=([0-9.]+)"},
                {"Name": "never", "Regex": "accuracy=([0-9.]+)"},
            ]
        },
        Environment={"A": "b"},
    )


@pytest.fixture(scope="module")
def job(jobs, request_) -> dict:
    """That job, completed."""
    jobs.sagemaker.create_training_job(**request_)
    return completed(jobs.wait(request_["TrainingJobName"]))


def test_the_request_is_echoed(job, request_):
    for member in (
        "TrainingJobName",
        "RoleArn",
        "HyperParameters",
        "ResourceConfig",
        "Environment",
        "StoppingCondition",
    ):
        assert job[member] == request_[member], member
    asked = request_["AlgorithmSpecification"]
    assert asked.items() <= job["AlgorithmSpecification"].items()


def test_the_normalisations_of_the_cloud_are_made(job, request_):
    assert job["OutputDataConfig"]["KmsKeyId"] == ""
    channel = {
        **request_["InputDataConfig"][0],
        "CompressionType": "None",
        "RecordWrapperType": "None",
    }
    assert job["InputDataConfig"] == [channel]
    assert job["EnableNetworkIsolation"] is False
    assert job["EnableInterContainerTrafficEncryption"] is False
    assert job["EnableManagedSpotTraining"] is False
    assert job["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] is True
    assert job["ProfilingStatus"] in ("Enabled", "Disabled")


def test_members_that_were_not_given_are_absent(job):
    assert [member for member in NEVER_IN_AN_ORDINARY_JOB if member in job] == []


def test_the_default_time_limit_is_one_day(jobs):
    request = jobs.request("true")
    del request["StoppingCondition"]
    jobs.sagemaker.create_training_job(**request)
    job = jobs.wait(request["TrainingJobName"])
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def test_the_transitions_are_contiguous(job):
    changes = job["SecondaryStatusTransitions"]
    assert all(one["EndTime"] == next_["StartTime"] for one, next_ in itertools.pairwise(changes))
    assert all(change["StartTime"] <= change["EndTime"] for change in changes)
    assert changes[-1]["StartTime"] == changes[-1]["EndTime"] == job["TrainingEndTime"]


def test_the_phases_and_their_messages(job):
    changes = [(c["Status"], c["StatusMessage"]) for c in job["SecondaryStatusTransitions"]]
    phases = [status for status, _ in changes]
    assert phases[0] == "Starting"
    assert [p for p in phases if p != "Pending"] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert phases in (
        ["Starting", "Downloading", "Training", "Uploading", "Completed"],
        ["Starting", "Pending", "Downloading", "Training", "Uploading", "Completed"],
    )
    messages = dict(changes)
    assert messages["Training"] == "Training image download completed. Training in progress."
    assert messages["Uploading"] == "Uploading generated training model"
    assert messages["Completed"] == "Training job completed"


def test_the_times_are_measured(job):
    downloading = next(c for c in job["SecondaryStatusTransitions"] if c["Status"] == "Downloading")
    assert job["TrainingStartTime"] == downloading["StartTime"]
    assert job["CreationTime"] <= job["TrainingStartTime"] < job["TrainingEndTime"]
    assert job["LastModifiedTime"] >= job["TrainingEndTime"]
    seconds = math.floor(job["TrainingEndTime"].timestamp()) - math.floor(
        job["TrainingStartTime"].timestamp()
    )
    assert seconds >= 1
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] == seconds


def test_the_final_metric_is_the_last_one_matched_as_a_float32(job):
    metrics = job["FinalMetricDataList"]
    assert [metric["MetricName"] for metric in metrics] == ["train:loss"]
    assert metrics[0]["Value"] == 0.003599999938160181
    assert metrics[0]["Timestamp"].microsecond == 0


def test_times_are_numbers_of_seconds_on_the_wire(server, job):
    answer = call(server, "DescribeTrainingJob", {"TrainingJobName": job["TrainingJobName"]})
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-RequestId"]
    for member in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
        value = answer.document[member]
        assert isinstance(value, (int, float)) and abs(value - time.time()) < 600
        assert round(value * 1000) == pytest.approx(value * 1000, abs=1e-3), "milliseconds"


def test_while_it_runs_nothing_is_claimed_that_is_not_known(jobs):
    name = jobs.create(f"echo up; {LINGER}")
    jobs.wait_for_line(name, "up")
    job = jobs.describe(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("InProgress", "Training")
    for member in (
        "TrainingEndTime",
        "TrainingTimeInSeconds",
        "BillableTimeInSeconds",
        "FinalMetricDataList",
        "FailureReason",
    ):
        assert member not in job, member
    assert "EndTime" not in job["SecondaryStatusTransitions"][-1]
    assert all("EndTime" in change for change in job["SecondaryStatusTransitions"][:-1])
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


def test_the_log_is_complete_when_the_end_is_visible(jobs):
    name = jobs.create("for i in $(seq 1 2000); do echo line $i; done")
    jobs.wait(name)
    assert jobs.lines(name) == [f"line {i}" for i in range(1, 2001)]


def test_what_was_asked_of_the_debugger_is_tolerated_and_echoed(jobs):
    job = completed(
        jobs.run(
            "true",
            DebugHookConfig={"S3OutputPath": "s3://kiln-tests/", "CollectionConfigurations": []},
            ProfilerConfig={"S3OutputPath": "s3://kiln-tests/", "DisableProfiler": False},
        )
    )
    assert job["DebugHookConfig"]["S3OutputPath"] == "s3://kiln-tests/"
    assert job["ProfilerConfig"]["S3OutputPath"] == "s3://kiln-tests/"


def test_log_groups_list_the_training_group(jobs, job):
    groups = jobs.logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert GROUP in [group["logGroupName"] for group in groups]
