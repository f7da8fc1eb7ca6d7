"""CompressionType NONE: the model and the output data, file by file."""

import hashlib
import random

import pytest

from harness.channels import channel
from harness.jobs import Jobs, completed

SCRIPT = """
cd /opt/ml/model && mkdir -p code/lib empty && echo weights > model.bin && echo x > code/lib/a.py
echo b > 'größe x' && : > nothing && ln -s /etc/passwd link && ln -s model.bin inside
echo result > /opt/ml/output/data/result.txt
"""


def plain(jobs: Jobs, path: str = "plain") -> dict:
    """An output that is not compressed."""
    return {"S3OutputPath": f"s3://{jobs.bucket}/{path}", "CompressionType": "NONE"}


def stored(jobs: Jobs, job: dict) -> dict[str, bytes]:
    """Every object below the job's output, by its key's rest."""
    prefix = f"plain/{job['TrainingJobName']}/output/"
    pages = jobs.s3.get_paginator("list_objects_v2").paginate(Bucket=jobs.bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key[len(prefix) :]: jobs.object(f"s3://{jobs.bucket}/{key}") for key in keys}


@pytest.fixture(scope="module")
def job(jobs) -> dict:
    """A job whose outputs are plain objects."""
    return completed(jobs.run(SCRIPT, OutputDataConfig=plain(jobs)))


def test_the_description_names_the_models_prefix(jobs, job):
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"s3://{jobs.bucket}/plain/{job['TrainingJobName']}/output/model/"
    )
    assert job["OutputDataConfig"]["CompressionType"] == "NONE"


def test_every_file_is_an_object(jobs, job):
    found = stored(jobs, job)
    assert "model/link" not in found, "a link to a file of somebody else is not followed"
    found.pop("model/inside", None)
    assert found == {
        "model/model.bin": b"weights\n",
        "model/code/lib/a.py": b"x\n",
        "model/größe x": b"b\n",
        "model/nothing": b"",
        "data/result.txt": b"result\n",
    }


def test_nothing_is_an_archive(jobs, job):
    assert not [key for key in stored(jobs, job) if key.endswith(".tar.gz")]


def test_a_job_can_go_on_from_such_a_model(jobs, job):
    made = channel("model", job["ModelArtifacts"]["S3ModelArtifacts"])
    script = "cd /opt/ml/input/data/model && cp model.bin code/lib/a.py /opt/ml/model/"
    again = completed(jobs.run(script, InputDataConfig=[made]))
    assert jobs.model(again) == {"model.bin": b"weights\n", "a.py": b"x\n"}


def test_a_job_without_a_model_stores_nothing(jobs):
    job = completed(jobs.run("true", OutputDataConfig=plain(jobs)))
    assert stored(jobs, job) == {}
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model/")


def test_what_a_failed_job_left_is_stored(jobs):
    script = "echo partial > /opt/ml/model/w; exit 3"
    job = jobs.run(script, OutputDataConfig=plain(jobs))
    assert job["FailureReason"] == "AlgorithmError: , exit code: 3"
    assert stored(jobs, job) == {"model/w": b"partial\n"}


def test_a_file_of_several_parts_and_many_small_ones(jobs):
    body = random.Random(4).randbytes(20 << 20)
    made = channel("blob", jobs.put("plain-blob", body))
    script = (
        "cd /opt/ml/model; cp /opt/ml/input/data/blob/plain-blob big; "
        "for n in $(seq 300); do echo $n > f$n; done"
    )
    job = completed(jobs.run(script, InputDataConfig=[made], OutputDataConfig=plain(jobs)))
    found = stored(jobs, job)
    assert hashlib.sha256(found.pop("model/big")).digest() == hashlib.sha256(body).digest()
    assert found == {f"model/f{n}": b"%d\n" % n for n in range(1, 301)}
