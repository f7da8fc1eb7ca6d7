"""TensorBoard, Debugger and profiler: directories that reach their prefixes."""

import json
import time

import pytest

from harness.channels import kept
from harness.jobs import completed, fresh_name

WRITE = (
    "cd /opt/ml/output; mkdir -p tensors/events profiler/framework tensorboard/run; "
    "echo t > tensors/events/t; echo p > profiler/framework/p; echo b > tensorboard/run/b; "
)


@pytest.fixture
def places(jobs) -> dict:
    """The parts of a request that ask for all three."""
    root = f"s3://{jobs.bucket}/{fresh_name('records')}"
    return {
        "DebugHookConfig": {"S3OutputPath": f"{root}/debug/"},
        "ProfilerConfig": {"S3OutputPath": f"{root}/profile"},
        "TensorBoardOutputConfig": {"S3OutputPath": f"{root}/boards"},
    }


def stored(jobs, uri: str) -> dict[str, bytes]:
    """The objects below a URI, by the rest of theirs."""
    prefix = uri.split("/", 3)[3]
    found = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix).get("Contents", [])
    return {
        item["Key"][len(prefix) :]: jobs.object(f"s3://{jobs.bucket}/{item['Key']}")
        for item in found
    }


def root(places: dict) -> str:
    """What all three places have in common."""
    return places["DebugHookConfig"]["S3OutputPath"].removesuffix("debug/")


def test_every_directory_reaches_its_place(jobs, places):
    job = completed(jobs.run(WRITE, **places))
    name = job["TrainingJobName"]
    assert stored(jobs, root(places)) == {
        f"debug/{name}/debug-output/events/t": b"t\n",
        f"debug/{name}/debug-output/training_job_end.ts": b"",
        f"profile/{name}/profiler-output/framework/p": b"p\n",
        f"profile/{name}/profiler-output/training_job_end.ts": b"",
        f"boards/{name}/tensorboard-output/run/b": b"b\n",
    }


def test_they_arrive_while_the_work_runs_and_nothing_is_taken_back(jobs, places):
    script = WRITE + "echo ready; sleep 3; rm tensors/events/t; echo removed; sleep 2"
    name = jobs.create(script, **places)
    jobs.wait_for_line(name, "ready")
    expected = {
        f"debug/{name}/debug-output/events/t",
        f"profile/{name}/profiler-output/framework/p",
        f"boards/{name}/tensorboard-output/run/b",
    }
    until = time.monotonic() + 120
    while set(stored(jobs, root(places))) != expected:
        assert time.monotonic() < until, stored(jobs, root(places))
        time.sleep(0.1)
    assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    completed(jobs.wait(name))
    assert expected < set(stored(jobs, root(places)))


def test_directories_of_the_requests_choice(jobs, places):
    places["TensorBoardOutputConfig"]["LocalPath"] = "/boards"
    places["DebugHookConfig"]["LocalPath"] = "/opt/ml/output/mine"
    script = "echo b > /boards/b; echo m > /opt/ml/output/mine/m"
    name = completed(jobs.run(script, **places))["TrainingJobName"]
    found = stored(jobs, root(places))
    assert found[f"boards/{name}/tensorboard-output/b"] == b"b\n"
    assert found[f"debug/{name}/debug-output/m"] == b"m\n"


def test_a_profiler_that_is_off_writes_nothing(jobs, places):
    places["ProfilerConfig"]["DisableProfiler"] = True
    completed(jobs.run(WRITE, **places))
    assert not [key for key in stored(jobs, root(places)) if key.startswith("profile/")]


def test_what_the_container_is_told_of_them(jobs, places):
    job = jobs.run("cp /opt/ml/input/config/*.json /opt/ml/output/data", **places)
    files = {name: json.loads(body) for name, body in kept(jobs, job).items()}
    below = f"{root(places)}{{}}/{job['TrainingJobName']}/{{}}"
    board = files["tensorboardoutputconfig.json"]
    assert board["LocalPath"].rstrip("/") == "/opt/ml/output/tensorboard"
    assert board["S3OutputPath"] == below.format("boards", "tensorboard-output")
    hook = files["debughookconfig.json"]
    assert hook["LocalPath"] == "/opt/ml/output/tensors"
    assert hook["S3OutputPath"] == below.format("debug", "debug-output")
    assert files["profilerconfig.json"]["LocalPath"].rstrip("/") == "/opt/ml/output/profiler"
