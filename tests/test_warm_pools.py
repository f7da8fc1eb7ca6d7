"""Warm pools: what a job leaves for the next one like it, and for how long."""

import time

import pytest
from botocore.exceptions import ClientError

from harness.jobs import LINGER, Jobs, completed
from harness.server import Server

CACHE = "/opt/ml/sagemaker/warmpoolcache"
OTHER_ROLE = "arn:aws:iam::123456789012:role/AnotherRole"


def machines(keep: int = 0, kind: str = "ml.m5.large", count: int = 1) -> dict:
    """A ResourceConfig. The largest types have the whole machine for themselves."""
    config = {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 5}
    return {**config, "KeepAlivePeriodInSeconds": keep} if keep else config


WHOLE = "ml.m5.24xlarge"


def pool(jobs, name: str) -> dict:
    """The job's WarmPoolStatus, of which its list entry must say the same."""
    while True:
        described = jobs.describe(name).get("WarmPoolStatus", {})
        if not described:
            return described
        listed = jobs.sagemaker.list_training_jobs(
            NameContains=name, WarmPoolStatusEquals=described["Status"]
        )
        # It may have changed between the two looks.
        if jobs.describe(name).get("WarmPoolStatus") == described:
            entries = {s["TrainingJobName"]: s for s in listed["TrainingJobSummaries"]}
            assert entries[name]["WarmPoolStatus"] == described
            return described


def wait_for_pool(jobs, name: str, status: str, within: float = 120) -> dict:
    """Polls until the job's pool is in this status."""
    until = time.monotonic() + within
    while pool(jobs, name).get("Status") != status:
        assert time.monotonic() < until, f"{name}: {pool(jobs, name)}, and never {status}"
        time.sleep(0.05)
    return pool(jobs, name)


def keep_for(jobs, name: str, seconds: int) -> None:
    """UpdateTrainingJob."""
    jobs.sagemaker.update_training_job(
        TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": seconds}
    )


def refused(call, *arguments) -> str:
    """What the server says against it."""
    with pytest.raises(ClientError) as error:
        call(*arguments)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return error.value.response["Error"]["Message"]


def directories(jobs) -> list[str]:
    """The directories of pools."""
    parent = jobs.server.data_dir / "warm-pools"
    return [path.name for path in parent.iterdir()] if parent.exists() else []


def wait_for_no_directory(jobs, within: float = 120) -> None:
    """Waits until no pool has a directory."""
    until = time.monotonic() + within
    while directories(jobs):
        assert time.monotonic() < until, directories(jobs)
        time.sleep(0.05)


def test_the_next_job_like_it_finds_what_the_last_one_cached(own_jobs):
    variable = "$SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
    write = f"echo {variable}; mkdir {CACHE}/d; echo first > {variable}/d/f"
    first = own_jobs.run(write, ResourceConfig=machines(keep=120))
    name = completed(first)["TrainingJobName"]
    assert own_jobs.lines(name) == [CACHE]
    assert wait_for_pool(own_jobs, name, "Available") == {"Status": "Available"}

    second = own_jobs.create(f"cat {CACHE}/d/f; {LINGER}", ResourceConfig=machines(keep=120))
    own_jobs.wait_for_line(second, "first")
    assert pool(own_jobs, second) == {"Status": "InUse"}
    reused = pool(own_jobs, name)
    assert reused["Status"] == "Reused" and reused["ReusedByJob"] == second
    assert 0 <= reused["ResourceRetainedBillableTimeInSeconds"] <= 60
    own_jobs.sagemaker.stop_training_job(TrainingJobName=second)
    own_jobs.wait(second)
    assert pool(own_jobs, second)["Status"] == "Available", "a stopped job leaves its pool"

    # Whoever keeps nothing has the pool too, and is its last.
    third = completed(own_jobs.run(f"cat {CACHE}/d/f"))["TrainingJobName"]
    assert own_jobs.lines(third) == ["first"]
    assert pool(own_jobs, second)["ReusedByJob"] == third
    assert pool(own_jobs, third)["Status"] == "Terminated"
    wait_for_no_directory(own_jobs)

    fourth = completed(own_jobs.run(f"ls {CACHE} 2>&1 | wc -l; echo [{variable}]"))
    assert own_jobs.lines(fourth["TrainingJobName"]) == ["1", "[]"]
    assert "WarmPoolStatus" not in fourth


@pytest.fixture
def roomy_jobs(busybox):
    """Jobs on a server that gives out more processors than there may be."""
    server = Server(images={"busybox": busybox})
    (server.data_dir / "kiln.toml").write_text("cpus = 8\nmemory_gib = 32\n")
    yield Jobs(server.start())
    server.close()


def test_who_is_not_like_it_gets_a_pool_of_its_own(roomy_jobs):
    own_jobs = roomy_jobs
    one = own_jobs.run(f"echo one > {CACHE}/f", ResourceConfig=machines(keep=60))
    keep_for(own_jobs, one["TrainingJobName"], 10)
    two = own_jobs.run(f"ls {CACHE} | wc -l", ResourceConfig=machines(keep=60), RoleArn=OTHER_ROLE)
    assert own_jobs.lines(completed(two)["TrainingJobName"]) == ["0"]
    ended = wait_for_pool(own_jobs, one["TrainingJobName"], "Terminated")
    assert ended["ResourceRetainedBillableTimeInSeconds"] == 10
    keep_for(own_jobs, two["TrainingJobName"], 0)
    wait_for_no_directory(own_jobs)


def test_who_waits_longest_has_the_room_like_it_or_not(own_jobs):
    whole = machines(keep=600, kind=WHOLE)
    first = own_jobs.create("sleep 1", ResourceConfig=whole)
    alike = own_jobs.create("true", ResourceConfig=whole)
    other = own_jobs.create("true", ResourceConfig=machines(kind=WHOLE), RoleArn=OTHER_ROLE)
    last = own_jobs.create("true", ResourceConfig=whole)
    taken = own_jobs.wait(alike)
    assert pool(own_jobs, first)["ReusedByJob"] == alike
    job = completed(own_jobs.wait(other))
    assert job["TrainingStartTime"] >= taken["TrainingEndTime"]
    assert pool(own_jobs, alike)["Status"] == "Terminated"
    assert own_jobs.wait(last)["TrainingStartTime"] >= job["TrainingEndTime"]
    keep_for(own_jobs, last, 0)
    wait_for_no_directory(own_jobs)


def test_a_failed_job_leaves_its_pool(own_jobs):
    job = own_jobs.run("exit 3", ResourceConfig=machines(keep=60))
    assert job["FailureReason"].startswith("AlgorithmError")
    assert wait_for_pool(own_jobs, job["TrainingJobName"], "Available")


def test_only_an_available_pool_can_be_kept_for_longer(own_jobs):
    plain = own_jobs.run("true")["TrainingJobName"]
    assert "no warm pool" in refused(keep_for, own_jobs, plain, 60)
    name = own_jobs.create(LINGER, ResourceConfig=machines(keep=60))
    own_jobs.wait_for_phase(name, "Training")
    assert "InUse" in refused(keep_for, own_jobs, name, 60)
    own_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    own_jobs.wait(name)
    with pytest.raises(own_jobs.sagemaker.exceptions.ResourceInUse):
        own_jobs.sagemaker.delete_training_job(TrainingJobName=name)
    keep_for(own_jobs, name, 3600)
    assert own_jobs.describe(name)["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 3600
    keep_for(own_jobs, name, 0)
    assert pool(own_jobs, name)["Status"] == "Terminated"
    assert "Terminated" in refused(keep_for, own_jobs, name, 60)
    own_jobs.sagemaker.delete_training_job(TrainingJobName=name)


def test_a_pool_survives_kill_9_and_ends_in_time(own_jobs):
    first = own_jobs.create(
        f"echo kept > {CACHE}/f; {LINGER}", ResourceConfig=machines(keep=600, kind=WHOLE)
    )
    own_jobs.wait_for_phase(first, "Training")
    own_jobs.server.crash_and_restart()
    own_jobs.reconnect()
    own_jobs.sagemaker.stop_training_job(TrainingJobName=first)
    own_jobs.wait(first)
    (own_jobs.server.data_dir / "warm-pools" / "pool-stray" / "algo-1").mkdir(parents=True)
    own_jobs.server.crash_and_restart()
    own_jobs.reconnect()
    assert pool(own_jobs, first)["Status"] == "Available"
    second = own_jobs.run(f"cat {CACHE}/f", ResourceConfig=machines(keep=600, kind=WHOLE))
    assert own_jobs.lines(completed(second)["TrainingJobName"]) == ["kept"]
    assert len(directories(own_jobs)) == 1, "the stray one is swept"

    keep_for(own_jobs, second["TrainingJobName"], 10)
    own_jobs.server.kill()
    time.sleep(10)
    own_jobs.server.start()
    own_jobs.reconnect()
    ended = wait_for_pool(own_jobs, second["TrainingJobName"], "Terminated")
    assert ended["ResourceRetainedBillableTimeInSeconds"] == 10
    wait_for_no_directory(own_jobs)


@pytest.mark.parametrize(
    "more",
    [
        {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        },
        {
            "ResourceConfig": {
                "InstanceGroups": [
                    {
                        "InstanceGroupName": "a",
                        "InstanceType": "ml.m5.large",
                        "InstanceCount": 1,
                    }
                ],
                "VolumeSizeInGB": 5,
                "KeepAlivePeriodInSeconds": 60,
            },
        },
    ],
)
def test_spot_jobs_and_mixed_clusters_keep_nothing(jobs, more):
    request = jobs.request("true", **{"ResourceConfig": machines(keep=60), **more})
    message = refused(lambda: jobs.sagemaker.create_training_job(**request))
    assert "KeepAlivePeriodInSeconds is not supported" in message
