"""Which objects a File-mode channel brings, and where they land."""

import hashlib

import pytest

from harness import archives
from harness.jobs import Jobs, completed, fresh_name, s3_channel

LIST = "cd /opt/ml/input/data/c && find . -type f | cut -c3- | sort > /opt/ml/output/data/files"


@pytest.fixture
def prefix() -> str:
    """A key prefix of the test's own, without a slash at its end."""
    return fresh_name("channels")


def landed(jobs: Jobs, uri: str) -> list[str]:
    """The files that a job sees in a channel over `uri`."""
    job = completed(jobs.run(LIST, InputDataConfig=[s3_channel("c", uri)]))
    body = jobs.object(f"s3://{jobs.bucket}/out/{job['TrainingJobName']}/output/output.tar.gz")
    return archives.files(body)["files"].decode().splitlines()


def fill(jobs: Jobs, prefix: str, *keys: str) -> str:
    """Stores objects under the prefix and returns the prefix's URI."""
    for key in keys:
        jobs.put(prefix + key, key)
    return f"s3://{jobs.bucket}/{prefix}"


def test_a_folder_with_its_slash(jobs, prefix):
    uri = fill(jobs, prefix, "/a.csv", "/deep/er/b.csv")
    assert landed(jobs, uri + "/") == ["a.csv", "deep/er/b.csv"]


def test_a_folder_without_its_slash(jobs, prefix):
    uri = fill(jobs, prefix, "/train.py", "/lib/x.py")
    assert landed(jobs, uri) == ["lib/x.py", "train.py"]


def test_folder_markers_are_skipped(jobs, prefix):
    uri = fill(jobs, prefix, "/", "/sub/", "/sub/a.csv")
    assert landed(jobs, uri + "/") == ["sub/a.csv"]


def test_a_prefix_that_ends_inside_a_segment(jobs, prefix):
    uri = fill(jobs, prefix, "/train-1.csv", "/train-2.csv", "/test.csv")
    assert landed(jobs, uri + "/tr") == ["train-1.csv", "train-2.csv"]


def test_a_prefix_that_is_one_object(jobs, prefix):
    uri = fill(jobs, prefix, "/only.csv")
    assert landed(jobs, uri + "/only.csv") == ["only.csv"]


def test_a_whole_bucket(jobs, s3):
    bucket = fresh_name("whole")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="x/y", Body=b"1")
    assert landed(jobs, f"s3://{bucket}") == ["x/y"]


def test_names_with_spaces_and_letters_of_the_world(jobs, prefix):
    uri = fill(jobs, prefix, "/a b.csv", "/größe.csv", "/100%+&.csv", "/数据.csv")
    assert sorted(landed(jobs, uri + "/")) == sorted(
        ["a b.csv", "größe.csv", "100%+&.csv", "数据.csv"]
    )


def test_more_objects_than_one_listing_holds(jobs, prefix):
    keys = [f"/{number:04}" for number in range(1100)]
    assert landed(jobs, fill(jobs, prefix, *keys) + "/") == [key[1:] for key in keys]


def test_the_bytes_are_the_objects_bytes(jobs, prefix):
    body = bytes(range(256)) * 20000
    uri = jobs.put(f"{prefix}/blob", body)
    jobs.put(f"{prefix}/empty", b"")
    job = jobs.run(
        "cd /opt/ml/input/data/c && sha256sum blob empty > /opt/ml/model/sums",
        InputDataConfig=[s3_channel("c", uri.rsplit("/", 1)[0] + "/")],
    )
    sums = jobs.model(completed(job))["sums"].decode().split()
    assert sums[0::2] == [hashlib.sha256(data).hexdigest() for data in (body, b"")]


def test_an_empty_segment_in_a_key_is_refused_in_awss_words(jobs, prefix):
    uri = fill(jobs, prefix, "/a//b.csv")
    job = jobs.run("true", InputDataConfig=[s3_channel("c", uri + "/")])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == (
        "ClientError: Data download failed:Failed to download data. "
        f"S3 key: {uri}/a//b.csv has an illegal char sub-sequence '//' in it"
    )


@pytest.mark.parametrize("keys", [("/n", "/n/child"), ("/../../../../escaped",)])
def test_what_cannot_be_a_file_tree_fails_the_download(jobs, prefix, keys):
    job = jobs.run("true", InputDataConfig=[s3_channel("c", fill(jobs, prefix, *keys) + "/")])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:")


def test_a_failed_download_never_trains_and_uploads_nothing(jobs, prefix):
    uri = fill(jobs, prefix, "/a//b.csv")
    job = jobs.run("true", InputDataConfig=[s3_channel("c", uri + "/")])
    phases = [change["Status"] for change in job["SecondaryStatusTransitions"]]
    assert "Training" not in phases and "Uploading" not in phases
    assert phases[-1] == "Failed"
    assert "TrainingStartTime" in job, "the job did reach Downloading"


def test_two_channels_may_share_a_prefix_and_one_may_change_its_copy(jobs, prefix):
    uri = fill(jobs, prefix, "/a.csv") + "/"
    job = completed(
        jobs.run(
            "cd /opt/ml/input/data && echo more >> one/a.csv && cp two/a.csv /opt/ml/model/",
            InputDataConfig=[s3_channel("one", uri), s3_channel("two", uri)],
        )
    )
    assert jobs.model(job)["a.csv"] == b"/a.csv"
    assert jobs.object(uri + "a.csv") == b"/a.csv", "a job must not change what it was given"
