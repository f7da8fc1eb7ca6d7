"""Pipe mode: what comes through a channel's pipes, read by real jobs."""

import gzip
import io
import json
import struct

import pytest

from harness import archives
from harness.jobs import completed, fresh_name, s3_channel

# Reads a pipe as soon as it stands, as Pipe-mode containers do.
TAKE = "take() { while [ ! -p $1 ]; do sleep 0.01; done; cat $1 > /opt/ml/output/data/$2; }; "
PIPES = "cd /opt/ml/input/data; " + TAKE


def pipe_channel(uri: str, kind: str = "S3Prefix", **more) -> dict:
    """The channel `c`, in Pipe mode."""
    channel = s3_channel("c", uri, InputMode="Pipe", **more)
    channel["DataSource"]["S3DataSource"]["S3DataType"] = kind
    return channel


def taken(jobs, script: str, *channels: dict, **more) -> dict[str, bytes]:
    """The files that a job leaves in its output data."""
    job = completed(jobs.run(PIPES + script, InputDataConfig=list(channels), **more))
    body = jobs.object(f"s3://{jobs.bucket}/out/{job['TrainingJobName']}/output/output.tar.gz")
    return archives.files(body)


def records(stream: bytes) -> list[bytes]:
    """RecordIO records, read after MXNet's description of the format."""
    found, source = [], io.BytesIO(stream)
    while header := source.read(8):
        magic, length = struct.unpack("<II", header)
        assert (magic, length >> 29) == (0xCED7230A, 0)
        found.append(source.read(length))
        assert source.read(-length % 4) == bytes(-length % 4)
    return found


@pytest.fixture
def prefix(jobs) -> str:
    """A prefix of the test's own with two objects under it."""
    prefix = fresh_name("pipe")
    jobs.put(f"{prefix}/b", b"two\n")
    jobs.put(f"{prefix}/a", b"one\n")
    return prefix


def test_every_epoch_has_a_pipe_of_its_own(jobs, prefix):
    uri = f"s3://{jobs.bucket}/{prefix}/"
    script = "take c_0 0; take c_1 1; take c_2 2; ls > /opt/ml/output/data/left"
    files = taken(jobs, script, pipe_channel(uri))
    assert [files[epoch] for epoch in "012"] == [b"one\ntwo\n"] * 3
    names = files["left"].decode().split()
    assert "c_3" in names and not {"c", "c_0", "c_1", "c_2"} & set(names)


def test_a_pipe_that_is_closed_early_is_followed_by_a_whole_one(jobs, prefix):
    jobs.put(f"{prefix}/c", bytes(4 << 20))
    uri = f"s3://{jobs.bucket}/{prefix}/"
    files = taken(jobs, "head -c 2 c_0 > /opt/ml/output/data/0; take c_1 1", pipe_channel(uri))
    assert files["0"] == b"on"
    assert files["1"] == b"one\ntwo\n" + bytes(4 << 20)


def test_each_object_is_a_record(jobs, prefix):
    uri = f"s3://{jobs.bucket}/{prefix}/"
    files = taken(jobs, "take c_0 0", pipe_channel(uri, RecordWrapperType="RecordIO"))
    assert records(files["0"]) == [b"one\n", b"two\n"]


def test_objects_are_decompressed(jobs):
    prefix = fresh_name("pipe")
    jobs.put(f"{prefix}/a.gz", gzip.compress(b"one\n") + gzip.compress(b"more\n"))
    uri = jobs.put(f"{prefix}/b.gz", gzip.compress(b"two\n")).rsplit("/", 1)[0]
    channel = pipe_channel(uri, CompressionType="Gzip", RecordWrapperType="RecordIO")
    assert records(taken(jobs, "take c_0 0", channel)["0"]) == [b"one\nmore\n", b"two\n"]


def test_an_augmented_manifest_gives_its_attributes_in_the_channels_order(jobs, prefix):
    line = {"label": 1, "text": "é", "image-ref": f"s3://{jobs.bucket}/{prefix}/a"}
    uri = jobs.put(f"{prefix}.manifest", json.dumps(line) + "\n")
    channel = pipe_channel(uri, "AugmentedManifestFile", RecordWrapperType="RecordIO")
    channel["DataSource"]["S3DataSource"]["AttributeNames"] = ["image-ref", "label", "text"]
    files = taken(jobs, "take c_0 0", channel)
    assert records(files["0"]) == [b"one\n", b"1", "é".encode()]


def test_a_shuffle_differs_from_epoch_to_epoch_and_comes_again_with_its_seed(jobs):
    prefix = fresh_name("pipe")
    for number in range(20):
        jobs.put(f"{prefix}/{number:02}", bytes([number]))
    channel = pipe_channel(f"s3://{jobs.bucket}/{prefix}/", ShuffleConfig={"Seed": 5})
    first, again = (taken(jobs, "take c_0 0; take c_1 1", channel) for _ in range(2))
    assert first == again
    assert first["0"] != first["1"]
    assert sorted(first["0"]) == sorted(first["1"]) == list(range(20))


def test_an_object_that_vanishes_fails_the_job_by_name(jobs, prefix):
    manifest = [{"prefix": f"s3://{jobs.bucket}/{prefix}/"}, "a", "gone"]
    uri = jobs.put(f"{prefix}.manifest", json.dumps(manifest))
    job = jobs.run(PIPES + "take c_0 0", InputDataConfig=[pipe_channel(uri, "ManifestFile")])
    assert job["TrainingJobStatus"] == "Failed"
    assert f"s3://{jobs.bucket}/{prefix}/gone" in job["FailureReason"]
