"""What is known to be wrong with inputs and outputs before a job exists."""

import pytest

from harness.channels import channel
from harness.jobs import ROLE, fresh_name
from harness.wire import call

BUCKET = "s3://kiln-tests"
VPC = {"SecurityGroupIds": ["sg-12345678"], "Subnets": ["subnet-12345678"]}


def directory(path: str = "/data", identity: str = "fs-0123456789abcdef0") -> dict:
    """A channel over a file system."""
    source = {
        "FileSystemId": identity,
        "FileSystemType": "EFS",
        "FileSystemAccessMode": "ro",
        "DirectoryPath": path,
    }
    return {"ChannelName": "c", "DataSource": {"FileSystemDataSource": source}}


@pytest.fixture(scope="module")
def uri(jobs) -> str:
    """An object that is there."""
    return jobs.put("at-create/a", "x")


def refused(server, jobs, **change) -> str:
    """The text with which the request is refused; the job must not exist."""
    request = jobs.request("true", **change)
    answer = call(server, "CreateTrainingJob", request)
    assert (answer.status, answer.document.get("__type")) == (400, "ValidationException"), (
        answer.body
    )
    missing = call(server, "DescribeTrainingJob", {"TrainingJobName": request["TrainingJobName"]})
    assert missing.message == "Requested resource not found."
    return answer.message


@pytest.mark.parametrize(
    "mode, kind",
    [
        ("Pipe", "S3Prefix"),
        ("FastFile", "S3Prefix"),
        ("File", "ManifestFile"),
        ("Pipe", "AugmentedManifestFile"),
    ],
)
@pytest.mark.parametrize("place", ["kiln-tests/nothing/here", "no-such-bucket/x"])
def test_a_source_without_objects(server, jobs, mode, kind, place):
    attributes = ["a"] if kind == "AugmentedManifestFile" else None
    made = channel("c", f"s3://{place}", mode, kind, attributes=attributes)
    assert refused(server, jobs, InputDataConfig=[made]) == (
        f'No S3 objects found under S3 URL "s3://{place}" given in input data source. Please '
        "ensure that the bucket exists in the selected region (us-east-1), that objects exist "
        f'under that S3 prefix, and that the role "{ROLE}" has "s3:ListBucket" permissions on '
        f'bucket "{place.partition("/")[0]}".'
    )


@pytest.mark.parametrize(
    "config, content",
    [
        ("OutputDataConfig", {"S3OutputPath": "s3://no-such-bucket/x"}),
        ("CheckpointConfig", {"S3Uri": "s3://no-such-bucket/x"}),
        ("DebugHookConfig", {"S3OutputPath": "s3://no-such-bucket/x"}),
        ("ProfilerConfig", {"S3OutputPath": "s3://no-such-bucket/x"}),
        ("TensorBoardOutputConfig", {"S3OutputPath": "s3://no-such-bucket/x"}),
    ],
)
def test_an_output_to_a_bucket_that_is_not_there(server, jobs, config, content):
    text = refused(server, jobs, **{config: content})
    assert config in text and '"no-such-bucket" does not exist' in text


@pytest.mark.parametrize(
    "mode, kind, more, says",
    [
        ("File", "S3Prefix", {"CompressionType": "Gzip"}, "Gzip"),
        ("FastFile", "S3Prefix", {"CompressionType": "Gzip"}, "Gzip"),
        ("FastFile", "S3Prefix", {"RecordWrapperType": "RecordIO"}, "RecordIO"),
        ("FastFile", "ManifestFile", {}, "ManifestFile"),
        ("FastFile", "AugmentedManifestFile", {"attributes": ["a"]}, "AugmentedManifestFile"),
        ("File", "AugmentedManifestFile", {"attributes": ["a"]}, "AugmentedManifestFile"),
        ("Pipe", "AugmentedManifestFile", {}, "AttributeNames"),
        ("Pipe", "S3Prefix", {"attributes": ["a"]}, "AttributeNames"),
    ],
)
def test_a_channel_whose_fields_contradict_each_other(server, jobs, uri, mode, kind, more, says):
    text = refused(server, jobs, InputDataConfig=[channel("c", uri, mode, kind, **more)])
    assert says in text and "c" in text


@pytest.mark.parametrize(
    "names, mode",
    [(("c", "c"), "File"), (("c", "c-manifest"), "File"), (("c", "c_0"), "Pipe"), ((".",), "File")],
)
def test_channels_whose_names_clash(server, jobs, uri, names, mode):
    channels = [channel(name, uri, mode) for name in names]
    assert names[-1] in refused(server, jobs, InputDataConfig=channels)


def test_a_channel_in_two_places(server, jobs, uri):
    both = channel("c", uri)
    both["DataSource"].update(directory()["DataSource"])
    text = refused(server, jobs, InputDataConfig=[both], VpcConfig=VPC)
    assert "exactly one of S3DataSource and FileSystemDataSource" in text


@pytest.mark.parametrize(
    "made, more, says",
    [
        (directory(), {}, "VpcConfig is required"),
        (directory("/a/../b"), {"VpcConfig": VPC}, "/a/../b"),
        (directory("data"), {"VpcConfig": VPC}, "absolute"),
        ({**directory(), "InputMode": "Pipe"}, {"VpcConfig": VPC}, "File mode"),
        ({**directory(), "ShuffleConfig": {"Seed": 1}}, {"VpcConfig": VPC}, "ShuffleConfig"),
        (directory(), {"VpcConfig": VPC}, "fs-0123456789abcdef0 does not exist"),
    ],
)
def test_a_file_system_that_cannot_be_a_channel(server, jobs, made, more, says):
    assert says in refused(server, jobs, InputDataConfig=[made], **more)


@pytest.mark.parametrize(
    "path", ["/opt/ml/input/state", "/opt/ml/model", "/opt/ml", "/", "state", "/a/../b"]
)
def test_a_checkpoint_path_that_is_taken_or_no_path(server, jobs, path):
    config = {"S3Uri": f"{BUCKET}/state", "LocalPath": path}
    assert path in refused(server, jobs, CheckpointConfig=config)


def test_two_synchronised_directories_in_one_another(server, jobs):
    text = refused(
        server,
        jobs,
        CheckpointConfig={"S3Uri": f"{BUCKET}/state", "LocalPath": "/state"},
        TensorBoardOutputConfig={"S3OutputPath": f"{BUCKET}/tb", "LocalPath": "/state/tb"},
    )
    assert "/state/tb" in text


def test_what_is_asked_for_comes_back_in_the_description(jobs, uri):
    request = jobs.request(
        "true",
        name=fresh_name("described"),
        InputDataConfig=[
            channel("p", uri, "Pipe", RecordWrapperType="RecordIO", ShuffleConfig={"Seed": 3}),
            channel("f", uri, "FastFile"),
        ],
        OutputDataConfig={
            "S3OutputPath": f"{BUCKET}/o",
            "CompressionType": "NONE",
            "KmsKeyId": "alias/k",
        },
        CheckpointConfig={"S3Uri": f"{BUCKET}/state", "LocalPath": "/state"},
        TensorBoardOutputConfig={"S3OutputPath": f"{BUCKET}/tb"},
    )
    jobs.sagemaker.create_training_job(**request)
    described = jobs.wait(request["TrainingJobName"])
    for name in ("OutputDataConfig", "CheckpointConfig", "TensorBoardOutputConfig"):
        assert described[name] == request[name]
    for asked, found in zip(request["InputDataConfig"], described["InputDataConfig"], strict=True):
        assert asked.items() <= found.items()
