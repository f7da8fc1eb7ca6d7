"""KmsKeyId: what S3 says of a job's outputs, and what lies on the disk."""

import hashlib
import os

import pytest

from harness.jobs import Jobs, completed
from harness.server import Server

KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
WORDS = b"nobody shall read this in the data directory "
SCRIPT = (
    f"cd /opt/ml; yes '{WORDS.decode()}' | head -n 2000 > model/words; cp model/words output/data"
)


@pytest.fixture(scope="module")
def jobs(busybox):
    """Jobs on a server whose disk holds nothing else."""
    server = Server(images={"busybox": busybox}).start()
    yield Jobs(server)
    server.close()


def run(jobs: Jobs, compression: str, **more) -> dict:
    """A job whose outputs are words."""
    output = {
        "S3OutputPath": f"s3://{jobs.bucket}/{'kms' if more else 'open'}",
        "CompressionType": compression,
        **more,
    }
    return completed(jobs.run(SCRIPT, OutputDataConfig=output))


def keys(jobs: Jobs, job: dict) -> list[str]:
    """The keys of the job's outputs."""
    path = job["OutputDataConfig"]["S3OutputPath"].split("/", 3)[3]
    prefix = f"{path}/{job['TrainingJobName']}/"
    found = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix)["Contents"]
    return [item["Key"] for item in found]


def is_on_disk(jobs: Jobs, piece: bytes) -> bool:
    """Whether a body that the server keeps has these bytes in it."""
    bodies = (jobs.server.data_dir / "objects").rglob("*")
    return any(piece in body.read_bytes() for body in bodies if body.is_file())


@pytest.mark.parametrize("compression, count", [("GZIP", 2), ("NONE", 2)])
def test_s3_names_the_key_of_every_output(jobs, compression, count):
    job = run(jobs, compression, KmsKeyId=KEY)
    assert job["OutputDataConfig"]["KmsKeyId"] == KEY
    found = [jobs.s3.head_object(Bucket=jobs.bucket, Key=key) for key in keys(jobs, job)]
    assert [(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in found] == [
        ("aws:kms", KEY)
    ] * count


def test_the_disk_holds_no_plaintext(jobs):
    job = run(jobs, "NONE", KmsKeyId=KEY)
    for key in keys(jobs, job):
        assert jobs.object(f"s3://{jobs.bucket}/{key}").startswith(WORDS)
    assert not is_on_disk(jobs, WORDS)
    archive = jobs.object(run(jobs, "GZIP", KmsKeyId=KEY)["ModelArtifacts"]["S3ModelArtifacts"])
    assert not is_on_disk(jobs, archive[100:164])


def test_without_a_key_nothing_is_said_and_the_disk_holds_it_as_it_is(jobs):
    marker = os.urandom(16).hex()
    jobs.put("marker", marker)
    assert is_on_disk(jobs, marker.encode()), "else the search proves nothing"
    job = run(jobs, "GZIP")
    head = jobs.s3.head_object(Bucket=jobs.bucket, Key=keys(jobs, job)[0])
    assert head.get("ServerSideEncryption") != "aws:kms" and "SSEKMSKeyId" not in head


def test_what_is_encrypted_outlives_the_server(jobs):
    job = run(jobs, "GZIP", KmsKeyId=KEY)
    before = jobs.model(job)
    jobs.server.crash_and_restart()
    jobs.reconnect()
    assert jobs.model(job) == before


def test_an_encrypted_model_of_several_parts_comes_back(jobs):
    output = {"S3OutputPath": f"s3://{jobs.bucket}/kms", "KmsKeyId": KEY}
    script = "cd /opt/ml/model; head -c 18000000 /dev/urandom > w; sha256sum < w"
    job = completed(jobs.run(script, OutputDataConfig=output))
    found = hashlib.sha256(jobs.model(job)["w"]).hexdigest()
    assert jobs.lines(job["TrainingJobName"])[0].split()[0] == found
