"""The quickstart's model from the same rows in every mode: the metrics must be the same."""

from pathlib import Path

import pytest

from harness import archives
from harness.channels import augmented, channel, manifest
from harness.jobs import Jobs, completed, fresh_name
from harness.server import Server

QUICKSTART = Path(__file__).parents[1] / "crates" / "kiln" / "quickstart"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
METRICS = ("train:mlogloss", "validation:mlogloss", "train:accuracy", "test:accuracy")
PARTS = 5

# Gathers the rows of its channel, however it is given, and trains with the
# quickstart's own program. RecordIO is read by the reader of AWS's toolkit.
BY_MODE = """
import io, json, os, sys, time
from sagemaker_training.recordio import _read_recordio
import train

DATA = "/opt/ml/input/data/train"
config = json.load(open("/opt/ml/input/config/inputdataconfig.json"))["train"]

def rows():
    if config["TrainingInputMode"] == "File":
        paths = sorted(os.path.join(at, name) for at, _, names in os.walk(DATA) for name in names)
        return b"".join(open(path, "rb").read() for path in paths)
    while not os.path.exists(DATA + "_0"):
        time.sleep(0.01)
    stream = open(DATA + "_0", "rb").read()
    if config["RecordWrapperType"] == "RecordIO":
        return b"".join(_read_recordio(io.BytesIO(stream)))
    return stream

os.makedirs("/tmp/rows")
open("/tmp/rows/train.csv", "wb").write(rows())
sys.argv += ["--train", "/tmp/rows"]
train.main()
"""


def store(jobs: Jobs) -> str:
    """The data set, the training rows in some parts, and the programs; answers the prefix."""
    prefix = fresh_name("alike")
    lines = (QUICKSTART / "train.csv").read_text().splitlines(keepends=True)
    size = -(-len(lines) // PARTS)
    for number in range(PARTS):
        part = "".join(lines[number * size : (number + 1) * size])
        jobs.put(f"{prefix}/train/part-{number}.csv", part)
    jobs.put(f"{prefix}/test/test.csv", (QUICKSTART / "test.csv").read_text())
    program = (QUICKSTART / "train.py").read_text()
    jobs.put(f"{prefix}/source.tar.gz", archives.make({"train.py": program, "by_mode.py": BY_MODE}))
    return f"s3://{jobs.bucket}/{prefix}"


def metrics(jobs: Jobs, prefix: str, train: dict) -> dict[str, float]:
    """The final metrics of a job with this training channel."""
    request = jobs.request(
        "",
        InputDataConfig=[train, channel("test", f"{prefix}/test/")],
        HyperParameters={
            "sagemaker_program": '"by_mode.py"',
            "sagemaker_submit_directory": f'"{prefix}/source.tar.gz"',
            "sagemaker_container_log_level": "30",
            "rounds": "5",
        },
    )
    request["AlgorithmSpecification"] = {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": name, "Regex": f"{name}=([0-9.]+)"} for name in METRICS],
    }
    jobs.sagemaker.create_training_job(**request)
    job = completed(jobs.wait(request["TrainingJobName"], within=170))
    return {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}


@pytest.fixture(scope="module")
def prefix(jobs) -> str:
    """Where everything lies on the shared server."""
    return store(jobs)


@pytest.fixture(scope="module")
def expected(jobs, prefix) -> dict[str, float]:
    """What File mode gives."""
    found = metrics(jobs, prefix, channel("train", f"{prefix}/train/"))
    assert set(found) == set(METRICS) and found["test:accuracy"] > 0.8
    return found


def sharded(made: dict) -> dict:
    """The same channel, divided among the hosts of the job: there is one."""
    made["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    return made


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda uri: channel("train", uri, "Pipe"), id="Pipe"),
        pytest.param(
            lambda uri: channel("train", uri, "Pipe", RecordWrapperType="RecordIO"),
            id="Pipe with RecordIO",
        ),
        pytest.param(lambda uri: channel("train", uri, "FastFile"), id="FastFile"),
        pytest.param(lambda uri: sharded(channel("train", uri)), id="sharded"),
        pytest.param(lambda uri: sharded(channel("train", uri, "Pipe")), id="sharded Pipe"),
    ],
)
def test_a_prefix(jobs, prefix, expected, make):
    assert metrics(jobs, prefix, make(f"{prefix}/train/")) == expected


def test_a_manifest(jobs, prefix, expected):
    names = [f"part-{number}.csv" for number in range(PARTS)]
    uri = manifest(jobs, fresh_name("alike"), f"{prefix}/train/", *names)
    assert metrics(jobs, prefix, channel("train", uri, kind="ManifestFile")) == expected


def test_an_augmented_manifest(jobs, prefix, expected):
    lines = [{"rows-ref": f"{prefix}/train/part-{number}.csv"} for number in range(PARTS)]
    made = channel(
        "train",
        augmented(jobs, fresh_name("alike"), *lines),
        "Pipe",
        "AugmentedManifestFile",
        attributes=["rows-ref"],
        RecordWrapperType="RecordIO",
    )
    assert metrics(jobs, prefix, made) == expected


def test_fast_file_without_fuse(busybox, expected):
    server = Server(images={"busybox": busybox})
    (server.data_dir / "kiln.toml").write_text('fast_file = "download"\n')
    try:
        jobs = Jobs(server.start())
        prefix = store(jobs)
        made = channel("train", f"{prefix}/train/", "FastFile")
        assert metrics(jobs, prefix, made) == expected
    finally:
        server.close()
