"""Jobs of several instances: who is where, what they share, and how they end together."""

import json

import pytest
from harness.jobs import Jobs, completed, s3_channel

TWO = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
GROUPS = {
    "VolumeSizeInGB": 1,
    "InstanceGroups": [
        {"InstanceGroupName": "loaders", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "trainers", "InstanceType": "ml.m5.large", "InstanceCount": 2},
    ],
}
# Each host leaves what it was told in the one archive of the job's model.
TELL = "cp /opt/ml/input/config/resourceconfig.json /opt/ml/model/$HOSTNAME.json"


def hosts(count: int, **more) -> dict:
    """Resources of so many equal instances."""
    return {**TWO, "InstanceCount": count, **more}


def told(jobs: Jobs, job: dict) -> dict[str, dict]:
    """What each host was told, by its name."""
    files = jobs.model(job)
    return {name.removesuffix(".json"): json.loads(text) for name, text in files.items()}


def hosts_of_streams(jobs: Jobs, name: str) -> list[str]:
    """The hosts that have written a log."""
    streams = jobs.streams(name)
    return sorted(stream.split("/")[1].rsplit("-", 1)[0] for stream in streams)


def test_equal_hosts_are_told_of_each_other(jobs):
    job = completed(jobs.run(f"{TELL}; echo $HOSTNAME", ResourceConfig=hosts(3)))
    names = ["algo-1", "algo-2", "algo-3"]
    found = told(jobs, job)
    assert sorted(found) == names
    for name, resources in found.items():
        assert resources["current_host"] == name
        assert resources["hosts"] == names
        assert resources["current_group_name"] == "homogeneousCluster"
        assert resources["instance_groups"][0]["hosts"] == names
        assert resources["network_interface_name"] == "eth0"
    assert hosts_of_streams(jobs, job["TrainingJobName"]) == names
    assert sorted(jobs.lines(job["TrainingJobName"])) == names


def test_groups_have_their_own_types_and_channels(jobs):
    for number in range(4):
        jobs.put(f"grouped/{number}", str(number))
    everyone = s3_channel("everyone", f"s3://{jobs.bucket}/grouped/")
    shards = s3_channel("shards", f"s3://{jobs.bucket}/grouped/")
    source = shards["DataSource"]["S3DataSource"]
    source["S3DataDistributionType"] = "ShardedByS3Key"
    source["InstanceGroupNames"] = ["trainers"]
    script = f"{TELL}; cd /opt/ml/input/data; echo $HOSTNAME $(ls everyone) : $(ls shards)"
    job = completed(jobs.run(script, ResourceConfig=GROUPS, InputDataConfig=[everyone, shards]))
    found = told(jobs, job)
    groups = {name: told["current_group_name"] for name, told in found.items()}
    assert groups == {"algo-1": "loaders", "algo-2": "trainers", "algo-3": "trainers"}
    assert found["algo-1"]["current_instance_type"] == "ml.c5.xlarge"
    assert [group["hosts"] for group in found["algo-3"]["instance_groups"]] == [
        ["algo-1"],
        ["algo-2", "algo-3"],
    ]
    lines = dict(line.split(" ", 1) for line in jobs.lines(job["TrainingJobName"]))
    everything = "0 1 2 3"
    assert lines["algo-1"] == f"{everything} :"
    seen = [lines[host].removeprefix(f"{everything} : ").split() for host in ("algo-2", "algo-3")]
    assert sorted(seen[0] + seen[1]) == ["0", "1", "2", "3"]
    assert all(seen)


def test_shards_of_every_count_cover_every_object_once(jobs):
    keys = [f"{number:02}" for number in range(11)]
    for key in keys:
        jobs.put(f"covered/{key}", key)
    channel = s3_channel("train", f"s3://{jobs.bucket}/covered/")
    channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    for count in (2, 4):
        job = completed(
            jobs.run(
                "ls /opt/ml/input/data/train",
                ResourceConfig=hosts(count),
                InputDataConfig=[channel],
            )
        )
        assert sorted(jobs.lines(job["TrainingJobName"])) == keys


# To each its own port: a listener that closes resets whoever else has called it. Its input
# stays open: a caller that finds no more to hear may hang up before it has spoken.
TALK = """
case $HOSTNAME in
algo-1) mkfifo /tmp/open; for n in 2 3; do nc -l -p 500$n <> /tmp/open >> /tmp/heard; done
  sort /tmp/heard ;;
*) while ! echo I am $HOSTNAME | nc -w 5 algo-1 500${HOSTNAME#algo-}; do sleep 0.1; done ;;
esac
"""


@pytest.mark.parametrize("isolated", [False, True])
def test_hosts_reach_each_other_by_name(jobs, isolated):
    job = completed(jobs.run(TALK, ResourceConfig=hosts(3), EnableNetworkIsolation=isolated))
    lines = [line for line in jobs.lines(job["TrainingJobName"]) if "I am" in line]
    assert lines == ["I am algo-2", "I am algo-3"]


def test_isolated_hosts_reach_nobody_else(jobs):
    script = (
        "env | grep -c -E 'AWS_ACCESS|ENDPOINT_URL'; "
        "nc -w 2 169.254.170.2 80 < /dev/null; echo platform $?; "
        "nc -w 2 1.1.1.1 53 < /dev/null; echo world $?"
    )
    job = completed(jobs.run(script, ResourceConfig=hosts(2), EnableNetworkIsolation=True))
    lines = jobs.lines(job["TrainingJobName"])
    assert lines.count("0") == 2
    assert lines.count("platform 1") == 2
    assert lines.count("world 1") == 2


def test_outputs_of_all_hosts_are_one_archive(jobs):
    script = (
        "mkdir -p /opt/ml/model/$HOSTNAME; echo $HOSTNAME > /opt/ml/model/$HOSTNAME/me; "
        "echo $HOSTNAME > /opt/ml/model/shared; echo x > /opt/ml/output/data/$HOSTNAME"
    )
    job = completed(jobs.run(script, ResourceConfig=hosts(3)))
    assert jobs.model(job) == {
        "algo-1/me": b"algo-1\n",
        "algo-2/me": b"algo-2\n",
        "algo-3/me": b"algo-3\n",
        "shared": b"algo-1\n",
    }


@pytest.mark.parametrize("failing", ["algo-1", "algo-2"])
def test_one_failing_host_fails_the_job_and_stops_the_others(jobs, failing):
    script = (
        f"[ $HOSTNAME = {failing} ] && "
        "{ sleep 0.5; printf broken > /opt/ml/output/failure; exit 3; }; "
        "trap 'echo told; echo saved > /opt/ml/model/m; exit 0' TERM; sleep 60 & wait"
    )
    job = jobs.run(script, ResourceConfig=hosts(3))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: broken, exit code: 3"
    assert jobs.lines(job["TrainingJobName"]) == ["told", "told"]
    assert jobs.model(job) == {"m": b"saved\n"}
    statuses = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert "Stopping" not in statuses and statuses[-1] == "Failed"


def test_a_stop_reaches_every_host(jobs):
    script = "trap 'echo bye $HOSTNAME; exit 0' TERM; echo up; sleep 60 & wait"
    name = jobs.create(script, ResourceConfig=hosts(2))
    jobs.wait_until(name, lambda _: jobs.lines(name).count("up") == 2)
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    job = jobs.wait(name)
    assert job["TrainingJobStatus"] == "Stopped" and "FailureReason" not in job
    assert sorted(line for line in jobs.lines(name) if "bye" in line) == [
        "bye algo-1",
        "bye algo-2",
    ]


def test_more_hosts_than_any_job_may_have_are_refused(jobs):
    with pytest.raises(jobs.sagemaker.exceptions.ClientError) as refused:
        jobs.create("true", ResourceConfig=hosts(33))
    assert "at most 32 instances" in str(refused.value)
