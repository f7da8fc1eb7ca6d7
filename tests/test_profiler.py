"""The profiler: what a container uses, measured and stored while it runs."""

import json
import time

import pytest
from harness.jobs import LINGER, completed

BUSY = "end=$(($(date +%s)+4)); while [ $(date +%s) -lt $end ]; do :; done"


def profiler(jobs, name: str, **more) -> dict:
    """A ProfilerConfig whose records lie in a place of their own."""
    return {"S3OutputPath": f"s3://{jobs.bucket}/profiles-{name}", **more}


def records(jobs, name: str, job: str) -> list[dict]:
    """The system metrics that are in S3, in the order of their files."""
    prefix = f"profiles-{name}/{job}/profiler-output/system/incremental/"
    listed = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix)
    lines = []
    for entry in listed.get("Contents", []):
        assert entry["Key"].endswith(".algo-1.json")
        body = jobs.object(f"s3://{jobs.bucket}/{entry['Key']}").decode()
        lines += [json.loads(line) for line in body.splitlines()]
    return lines


def test_what_a_container_uses_is_measured(jobs):
    config = profiler(jobs, "busy", ProfilingIntervalInMilliseconds=200)
    job = completed(jobs.run(BUSY, ProfilerConfig=config))
    assert job["ProfilingStatus"] == "Enabled"
    assert job["ProfilerConfig"] == config
    found = records(jobs, "busy", job["TrainingJobName"])
    for record in found:
        assert record["NodeId"] == "algo-1"
        assert job["TrainingStartTime"].timestamp() <= record["Timestamp"] <= time.time()
    cpu = [one["Value"] for one in found if one["Type"] == "cpu"]
    assert len(cpu) >= 5 and max(cpu) > 20
    assert all(0 < one["Value"] <= 100 for one in found if one["Type"] == "memory")
    assert {"cpu", "memory"} <= {one["Type"] for one in found}
    end = f"profiles-busy/{job['TrainingJobName']}/profiler-output/training_job_end.ts"
    jobs.s3.head_object(Bucket=jobs.bucket, Key=end)


def test_it_is_turned_off_and_on_while_the_job_runs(jobs):
    config = profiler(jobs, "turned", ProfilingIntervalInMilliseconds=200)
    name = jobs.create(LINGER, ProfilerConfig=config)
    jobs.wait_for_phase(name, "Training")

    def update(**more) -> None:
        jobs.sagemaker.update_training_job(TrainingJobName=name, ProfilerConfig=more)

    def wait_for_more() -> None:
        before, until = len(records(jobs, "turned", name)), time.monotonic() + 120
        while len(records(jobs, "turned", name)) <= before:
            assert time.monotonic() < until
            time.sleep(0.2)

    wait_for_more()
    update(DisableProfiler=True)
    job = jobs.describe(name)
    assert job["ProfilingStatus"] == "Disabled"
    # What was measured before may still be on its way.
    until = time.monotonic() + 120
    while True:
        before = len(records(jobs, "turned", name))
        time.sleep(3)
        if len(records(jobs, "turned", name)) == before:
            break
        assert time.monotonic() < until, "it goes on measuring"
    update(DisableProfiler=False)
    assert jobs.describe(name)["ProfilingStatus"] == "Enabled"
    wait_for_more()
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


@pytest.mark.parametrize("config", [None, {"DisableProfiler": True}])
def test_nothing_is_measured_that_nobody_asks_for(jobs, config):
    more = {"ProfilerConfig": config} if config else {}
    job = completed(jobs.run("ls /opt/ml/output/profiler/system 2>/dev/null; true", **more))
    assert job["ProfilingStatus"] == "Disabled"
    assert jobs.lines(job["TrainingJobName"]) == []
