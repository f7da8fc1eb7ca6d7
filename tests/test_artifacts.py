"""What a job leaves in S3: model.tar.gz and output.tar.gz, to the byte."""

import gzip
import hashlib

import pytest

from harness import archives
from harness.jobs import Jobs, completed

SCRIPT = """
cd /opt/ml/model && echo weights > model.bin && mkdir -p code/lib && echo 'x=1' > code/lib/a.py
printf '#!/bin/sh' > run.sh && chmod 755 run.sh
echo result > /opt/ml/output/data/result.txt
"""


@pytest.fixture(scope="module")
def job(jobs: Jobs) -> dict:
    """A job that leaves both archives."""
    return completed(jobs.run(SCRIPT))


@pytest.fixture(scope="module")
def model(jobs, job) -> bytes:
    """The bytes of model.tar.gz."""
    return jobs.object(job["ModelArtifacts"]["S3ModelArtifacts"])


def test_the_model_is_where_the_description_says(jobs, job):
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"s3://{jobs.bucket}/out/{job['TrainingJobName']}/output/model.tar.gz"
    )


def test_the_members_are_relative_and_complete(model):
    assert archives.files(model) == {
        "model.bin": b"weights\n",
        "code/lib/a.py": b"x=1\n",
        "run.sh": b"#!/bin/sh",
    }
    names = set(archives.members(model))
    assert {"code", "code/lib"} <= {name.rstrip("/") for name in names}
    assert not [name for name in names if name.startswith(("./", "/")) or name == "."]


def test_the_archive_is_ustar_and_nameless(model):
    for header in archives.raw_headers(model):
        assert header[257:263] == b"ustar\0", "POSIX ustar magic"
        assert header[265:329].strip(b"\0") == b"", "no owner or group names"
    for member in archives.members(model).values():
        assert (member.uid, member.gid) == (0, 0)
        assert member.mtime > 1_600_000_000, "real modification times"


def test_directories_have_a_slash_and_0755(model):
    for header in archives.raw_headers(model):
        if header[156:157] == b"5":
            assert header[:100].rstrip(b"\0").endswith(b"/")
            assert int(header[100:108].rstrip(b"\0 "), 8) & 0o777 == 0o755


def test_the_gzip_header_is_the_clouds(model):
    assert model[:10].hex() == "1f8b08000000000000ff"
    assert gzip.decompress(model)


def test_output_data_has_its_own_archive(jobs, job):
    uri = f"s3://{jobs.bucket}/out/{job['TrainingJobName']}/output/output.tar.gz"
    assert archives.files(jobs.object(uri)) == {"result.txt": b"result\n"}


def test_a_job_without_a_model_still_has_an_archive(jobs):
    job = completed(jobs.run("true"))
    body = jobs.object(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert archives.members(body) == {}


@pytest.mark.parametrize(
    "path", ["s3://kiln-tests/slashed/", "s3://kiln-tests", "s3://kiln-tests/"]
)
def test_there_is_one_slash_after_the_output_path(jobs, path):
    job = completed(jobs.run("true", OutputDataConfig={"S3OutputPath": path}))
    assert job["OutputDataConfig"]["S3OutputPath"] == path
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"{path.rstrip('/')}/{job['TrainingJobName']}/output/model.tar.gz"
    )
    jobs.object(job["ModelArtifacts"]["S3ModelArtifacts"])


def test_long_and_odd_names_survive_the_archive(jobs):
    deep = "/".join(["directory-with-a-long-name"] * 9)
    job = completed(
        jobs.run(f"cd /opt/ml/model && mkdir -p {deep} && echo a > {deep}/f && echo b > 'größe x'")
    )
    assert jobs.model(job) == {f"{deep}/f": b"a\n", "größe x": b"b\n"}


def test_a_large_model_comes_back_byte_for_byte(jobs):
    job = completed(
        jobs.run(
            "head -c 30000000 /dev/urandom > /opt/ml/model/w && sha256sum < /opt/ml/model/w",
            within=120,
        )
    )
    found = hashlib.sha256(jobs.model(job)["w"]).hexdigest()
    assert jobs.lines(job["TrainingJobName"])[-1].split()[0] == found
