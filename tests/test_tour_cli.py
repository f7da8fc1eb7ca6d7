"""The whole tour with nothing but the aws command line, as a person would take it."""

import json
import tarfile
import time

import pytest

from harness.jobs import GROUP, INSTANCE, LINGER, ROLE, fresh_name
from harness.server import ENDED

SCRIPT = (
    "cat /opt/ml/input/data/train/data.csv; echo loss=0.25; "
    "wc -l < /opt/ml/input/data/train/data.csv > /opt/ml/model/rows"
)


class Tour:
    """The command line on one server, with JSON answers."""

    def __init__(self, server):
        self.server = server

    def sagemaker(self, *arguments: str) -> dict:
        """One SageMaker command."""
        printed = self.server.aws("sagemaker", *arguments, "--output", "json").stdout
        return json.loads(printed) if printed.strip() else {}

    def create(self, name: str, command: str, *more: str) -> str:
        """create-training-job with a shell entrypoint; returns the ARN."""
        return self.sagemaker(
            "create-training-job",
            "--training-job-name",
            name,
            "--role-arn",
            ROLE,
            "--algorithm-specification",
            json.dumps(
                {
                    "TrainingImage": "busybox",
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["/bin/sh", "-c", command],
                    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
                }
            ),
            "--output-data-config",
            "S3OutputPath=s3://tour-cli/out",
            "--resource-config",
            json.dumps(INSTANCE),
            "--stopping-condition",
            "MaxRuntimeInSeconds=60",
            *more,
        )["TrainingJobArn"]

    def describe(self, name: str) -> dict:
        """describe-training-job."""
        return self.sagemaker("describe-training-job", "--training-job-name", name)

    def wait(self, name: str, *statuses: str) -> dict:
        """Polls describe until the job is in one of the statuses."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            job = self.describe(name)
            if job["TrainingJobStatus"] in statuses or job["SecondaryStatus"] in statuses:
                return job
        raise AssertionError(f"{name} is still {job['TrainingJobStatus']}/{job['SecondaryStatus']}")


@pytest.fixture(scope="module")
def tour(server) -> Tour:
    """The tour, with its bucket."""
    server.aws("s3", "mb", "s3://tour-cli")
    return Tour(server)


def test_a_job_from_data_to_model(tour, server, tmp_path):
    data, name = tmp_path / "data.csv", fresh_name("Tour")
    data.write_text("1,2\n3,4\n5,6\n")
    server.aws("s3", "cp", str(data), "s3://tour-cli/train/data.csv")

    arn = tour.create(
        name,
        SCRIPT,
        "--tags",
        "Key=team,Value=red",
        "--input-data-config",
        json.dumps(
            [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://tour-cli/train/"}
                    },
                }
            ]
        ),
    )
    job = tour.wait(name, *ENDED)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobArn"] == arn
    assert job["FinalMetricDataList"][0]["Value"] == 0.25

    streams = server.aws(
        "logs",
        "describe-log-streams",
        "--log-group-name",
        GROUP,
        "--log-stream-name-prefix",
        f"{name}/",
        "--query",
        "logStreams[].logStreamName",
        "--output",
        "text",
    ).stdout.split()
    events = server.aws(
        "logs",
        "get-log-events",
        "--log-group-name",
        GROUP,
        "--log-stream-name",
        streams[0],
        "--start-from-head",
        "--query",
        "events[].message",
        "--output",
        "json",
    ).stdout
    assert json.loads(events) == ["1,2", "3,4", "5,6", "loss=0.25"]
    filtered = server.aws(
        "logs",
        "filter-log-events",
        "--log-group-name",
        GROUP,
        "--log-stream-name-prefix",
        name,
        "--query",
        "events[].message",
        "--output",
        "json",
    ).stdout
    assert filtered == events

    model = tmp_path / "model.tar.gz"
    server.aws("s3", "cp", job["ModelArtifacts"]["S3ModelArtifacts"], str(model))
    with tarfile.open(model) as archive:
        assert archive.extractfile("rows").read().strip() == b"3"

    server.aws(
        "sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", name
    )


def test_list_and_tags(tour):
    stem = fresh_name("find")
    for number in range(3):
        arn = tour.create(f"{stem}-{number}", "true", "--tags", f"Key={stem},Value=v{number}")
    for number in range(3):
        tour.wait(f"{stem}-{number}", *ENDED)

    listed = tour.sagemaker(
        "list-training-jobs",
        "--name-contains",
        stem,
        "--sort-by",
        "Name",
        "--sort-order",
        "Ascending",
        "--page-size",
        "2",
    )
    names = [summary["TrainingJobName"] for summary in listed["TrainingJobSummaries"]]
    assert names == [f"{stem}-{number}" for number in range(3)]
    assert (
        tour.sagemaker("list-training-jobs", "--name-contains", stem, "--status-equals", "Failed")[
            "TrainingJobSummaries"
        ]
        == []
    )

    tags = ("--resource-arn", arn)
    tour.sagemaker("add-tags", *tags, "--tags", "Key=extra,Value=1")
    tour.sagemaker("delete-tags", *tags, "--tag-keys", stem)
    assert tour.sagemaker("list-tags", *tags)["Tags"] == [{"Key": "extra", "Value": "1"}]


def test_stop_and_delete(tour, server):
    name = fresh_name("stop")
    tour.create(name, LINGER)
    tour.wait(name, "Training")
    tour.sagemaker("stop-training-job", "--training-job-name", name)
    job = tour.wait(name, "Stopped")
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == "Training job stopped"
    tour.sagemaker("delete-training-job", "--training-job-name", name)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        gone = server.aws(
            "sagemaker", "describe-training-job", "--training-job-name", name, check=False
        )
        if gone.returncode != 0:
            break
    assert "Requested resource not found" in gone.stderr


def test_a_mistake_reads_like_awss(server, tour):
    refused = server.aws(
        "sagemaker", "describe-training-job", "--training-job-name", "bad_name", check=False
    )
    assert refused.returncode in (254, 255)
    assert "(ValidationException)" in refused.stderr
    assert "Value 'bad_name' at 'trainingJobName' failed to satisfy constraint" in refused.stderr
