"""Channels in every mode, and what a job saw of them."""

import json

from harness import archives
from harness.jobs import Jobs, completed, s3_channel

# Waits until a pipe stands, as Pipe-mode containers do.
WAIT_FOR_PIPE = "while [ ! -p {} ]; do sleep 0.01; done; "
# The same, and copies it.
TAKE = f"take() {{ {WAIT_FOR_PIPE.format('$1')}cat $1 > /opt/ml/output/data/$2; }}; "
IN_DATA = "cd /opt/ml/input/data; "


def channel(name: str, uri: str, mode: str = "File", kind: str = "S3Prefix", **more) -> dict:
    """A channel with an input mode of its own. `attributes` are of an augmented manifest."""
    attributes = more.pop("attributes", None)
    made = s3_channel(name, uri, InputMode=mode, **more)
    source = made["DataSource"]["S3DataSource"]
    source["S3DataType"] = kind
    if attributes:
        source["AttributeNames"] = attributes
    return made


def manifest(jobs: Jobs, key: str, prefix: str, *names: str) -> str:
    """Stores a manifest of these names below the prefix and returns its URI."""
    return jobs.put(key, json.dumps([{"prefix": prefix}, *names]))


def augmented(jobs: Jobs, key: str, *lines: dict) -> str:
    """Stores an augmented manifest and returns its URI."""
    return jobs.put(key, "".join(json.dumps(line) + "\n" for line in lines))


def kept(jobs: Jobs, job: dict) -> dict[str, bytes]:
    """The files that a completed job left in its output data."""
    place = completed(job)["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return archives.files(jobs.object(f"{place}/{job['TrainingJobName']}/output/output.tar.gz"))


def seen(jobs: Jobs, script: str, *channels: dict, **more) -> dict[str, bytes]:
    """What a job that runs the script beside its channels leaves in its output data."""
    return kept(jobs, jobs.run(IN_DATA + script, InputDataConfig=list(channels), **more))


def refused(jobs: Jobs, script: str, *channels: dict, **more) -> str:
    """The reason why a job with these channels fails."""
    job = jobs.run(IN_DATA + script, InputDataConfig=list(channels), **more)
    assert job["TrainingJobStatus"] == "Failed", job["SecondaryStatus"]
    return job["FailureReason"]
