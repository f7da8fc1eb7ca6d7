"""Code that puts links in the place of what its agent reads and writes on the host."""

import pytest

from harness.channels import WAIT_FOR_PIPE, channel
from harness.jobs import Jobs, fresh_name

SECRET = "what lies outside of a job"


@pytest.fixture
def outside(tmp_path):
    """A directory of the host that no job may see or fill."""
    directory = tmp_path / "b"
    directory.mkdir()
    (directory / "secret").write_text(SECRET)
    return directory


def bodies(jobs: Jobs, prefix: str) -> list[bytes]:
    """Every object below a prefix."""
    found = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix).get("Contents", [])
    return [jobs.object(f"s3://{jobs.bucket}/{item['Key']}") for item in found]


@pytest.mark.parametrize(
    "place, replace",
    [
        ("/opt/ml/output/tensors", "rm -rf tensors; ln -s {} tensors"),
        ("/opt/ml/output/a/b", "rm -rf a; mkdir a; ln -s {} a/b"),
        ("/opt/ml/output/a/b", "rm -rf a; ln -s {}/.. a"),
        ("/state", "rm -rf /state; ln -s {} /state"),
    ],
)
def test_a_synchronised_directory_that_becomes_a_link(jobs, outside, place, replace):
    prefix = fresh_name("hostile")
    script = f"cd /opt/ml/output; {replace.format(outside)}; sleep 1; true"
    places = {
        "DebugHookConfig": {"S3OutputPath": f"s3://{jobs.bucket}/{prefix}", "LocalPath": place}
    }
    jobs.run(script, **places)
    assert not [body for body in bodies(jobs, prefix) if SECRET.encode() in body]


def test_checkpoints_that_become_a_link_are_not_followed_to_delete(jobs, outside):
    prefix = fresh_name("hostile")
    jobs.put(f"{prefix}/old", "old")
    script = f"cd /opt/ml/output; rm -rf c; ln -s {outside} c; sleep 1; true"
    config = {"S3Uri": f"s3://{jobs.bucket}/{prefix}", "LocalPath": "/opt/ml/output/c"}
    jobs.run(script, CheckpointConfig=config)
    assert not [body for body in bodies(jobs, prefix) if SECRET.encode() in body]
    assert [path.name for path in outside.iterdir()] == ["secret"], "no markers, no files"


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_output_data_that_becomes_a_link(jobs, outside, compression):
    prefix = fresh_name("hostile")
    output = {"S3OutputPath": f"s3://{jobs.bucket}/{prefix}", "CompressionType": compression}
    script = f"cd /opt/ml/output; rm -rf data; ln -s {outside} data"
    jobs.run(script, OutputDataConfig=output)
    assert len(bodies(jobs, prefix)) == (2 if compression == "GZIP" else 0)
    for body in bodies(jobs, prefix):
        assert len(body) < 200, "an archive of nothing"


def test_pipes_are_not_made_where_a_link_leads(jobs, outside):
    uri = jobs.put(f"{fresh_name('hostile')}/a", "x")
    script = (
        f"cd /opt/ml/input; {WAIT_FOR_PIPE.format('data/c_0')}"
        f"mv data old; ln -s {outside} data; cat old/c_0; sleep 1; true"
    )
    jobs.run(script, InputDataConfig=[channel("c", uri, "Pipe")])
    assert [path.name for path in outside.iterdir()] == ["secret"]
