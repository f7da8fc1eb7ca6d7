"""kill -9 at every point of a job's life loses nothing."""

import hashlib
import itertools
import os
import signal
import threading
import time

import pytest

from harness import processes
from harness.jobs import LINGER, UNTIL_LET_GO, completed, fresh_name, s3_channel

COUNT = "i=0; while [ $i -lt 150 ]; do echo line $i; i=$((i+1)); usleep 20000; done"
COUNTED = [f"line {i}" for i in range(150)]


def come_back(jobs) -> None:
    """kill -9 and restart the server, and connect to where it answers now."""
    jobs.server.crash_and_restart()
    jobs.reconnect()


def contiguous(job: dict) -> bool:
    """Whether each transition begins when the one before it ends."""
    changes = job["SecondaryStatusTransitions"]
    return all(one["EndTime"] == two["StartTime"] for one, two in itertools.pairwise(changes))


def test_killed_the_moment_create_returned(own_jobs):
    for _ in range(3):
        name = own_jobs.create("echo ran > /opt/ml/model/ran; echo once")
        come_back(own_jobs)
        job = completed(own_jobs.wait(name))
        assert own_jobs.model(job) == {"ran": b"ran\n"}
        assert own_jobs.lines(name) == ["once"], "the job must run exactly once"
        assert contiguous(job)


def test_killed_while_jobs_wait_in_the_queue(own_jobs):
    names = [own_jobs.create("sleep 0.7; echo done") for _ in range(12)]
    own_jobs.wait_for_phase(names[0], "Training", "Completed")
    waiting = [
        n for n in names if own_jobs.describe(n)["SecondaryStatus"] in ("Starting", "Pending")
    ]
    assert waiting, "twelve jobs cannot all run at once on this machine"
    come_back(own_jobs)
    for name in names:
        completed(own_jobs.wait(name))
        assert own_jobs.lines(name) == ["done"]


def test_killed_while_downloading(own_jobs):
    first = own_jobs.put("input/00", os.urandom(32_000_000))
    for number in range(1, 16):
        own_jobs.s3.copy_object(
            Bucket=own_jobs.bucket,
            Key=f"input/{number:02}",
            CopySource={"Bucket": own_jobs.bucket, "Key": "input/00"},
        )
    name = own_jobs.create(
        "cd /opt/ml/input/data/d && ls | wc -l && cat * | wc -c",
        InputDataConfig=[s3_channel("d", first.rsplit("/", 1)[0] + "/")],
    )
    own_jobs.wait_for_phase(name, "Downloading")
    come_back(own_jobs)
    completed(own_jobs.wait(name))
    assert own_jobs.lines(name) == ["16", str(16 * 32_000_000)]


@pytest.mark.parametrize("away", [0.0, 1.5])
def test_killed_while_training_keeps_every_line_once_and_in_order(own_jobs, away):
    name = own_jobs.create(COUNT)
    own_jobs.wait_for_line(name, "line 20")
    own_jobs.server.kill()
    time.sleep(away)
    own_jobs.server.start()
    own_jobs.reconnect()
    job = completed(own_jobs.wait(name))
    assert own_jobs.lines(name) == COUNTED
    phases = [change["Status"] for change in job["SecondaryStatusTransitions"]]
    assert phases.count("Training") == 1, "the agent was found again, not replaced"
    assert contiguous(job)


def test_killed_again_and_again_while_training(own_jobs):
    name = own_jobs.create(COUNT)
    own_jobs.wait_for_line(name, "line 5")
    for _ in range(4):
        come_back(own_jobs)
        time.sleep(0.3)
    completed(own_jobs.wait(name))
    assert own_jobs.lines(name) == COUNTED


def test_killed_while_uploading(own_jobs):
    name = own_jobs.create(
        "head -c 60000000 /dev/urandom > /opt/ml/model/w; sha256sum < /opt/ml/model/w"
    )
    own_jobs.wait_for_phase(name, "Uploading")
    come_back(own_jobs)
    job = completed(own_jobs.wait(name))
    assert (
        own_jobs.lines(name)[-1].split()[0] == hashlib.sha256(own_jobs.model(job)["w"]).hexdigest()
    )


def test_the_job_ends_while_the_server_is_away(own_jobs):
    name = own_jobs.create(f"echo a; {UNTIL_LET_GO}; echo b; echo m > /opt/ml/model/m")
    own_jobs.wait_for_line(name, "a")
    own_jobs.server.kill()
    own_jobs.let_go()
    time.sleep(2.5)
    own_jobs.server.start()
    own_jobs.reconnect()
    job = completed(own_jobs.wait(name))
    assert own_jobs.lines(name) == ["a", "b"]
    assert own_jobs.model(job) == {"m": b"m\n", "go": b""}


def test_a_stop_asked_for_just_before_the_kill_is_carried_out(own_jobs):
    name = own_jobs.create(f"echo up; {LINGER}")
    own_jobs.wait_for_line(name, "up")
    own_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    come_back(own_jobs)
    assert own_jobs.wait(name)["TrainingJobStatus"] == "Stopped"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_leaves_running_jobs_running(own_jobs, signum):
    # A server with agents to answer takes seconds to stop.
    name = own_jobs.create(COUNT.replace("-lt 150", "-lt 500"))
    own_jobs.wait_for_line(name, "line 5")
    assert own_jobs.server.terminate(signum, within=60) == 0
    away = time.time() * 1000
    time.sleep(1.0)
    back = time.time() * 1000
    own_jobs.server.start()
    own_jobs.reconnect()
    completed(own_jobs.wait(name))
    events = own_jobs.events(name)
    assert [event["message"] for event in events] == [f"line {i}" for i in range(500)]
    assert any(away < event["timestamp"] < back for event in events), "the job went on"


def test_a_killed_agent_ends_its_job_one_way_or_the_other(own_jobs):
    name = own_jobs.create("echo up; sleep 61.83")
    own_jobs.wait_for_line(name, "up")
    agents = processes.agents_of(str(own_jobs.server.data_dir))
    assert agents, "the agent is a process of its own"
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
    job = own_jobs.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError")
    # It is cleared away after the job is seen to have failed.
    until = time.monotonic() + 120
    while processes.that_mention("sleep 61.83"):
        assert time.monotonic() < until, "its container must not live on"
        time.sleep(0.1)


def test_every_create_that_was_answered_is_remembered(own_jobs):
    answered, stop = [], threading.Event()

    def create(number: int) -> None:
        sagemaker = own_jobs.server.client("sagemaker")
        while not stop.is_set():
            name = fresh_name(f"k{number}")
            try:
                sagemaker.create_training_job(**own_jobs.request("true", name=name))
            except Exception:
                return
            answered.append(name)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 120
    while len(answered) < 10 and time.monotonic() < until:
        time.sleep(0.01)
    own_jobs.server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    own_jobs.server.start()
    own_jobs.reconnect()
    assert answered
    for name in answered:
        completed(own_jobs.wait(name))


def test_objects_tags_and_logs_outlive_a_kill(own_jobs):
    job = completed(own_jobs.run("echo kept", Tags=[{"Key": "a", "Value": "b"}]))
    uri = own_jobs.put("kept", b"bytes")
    before = own_jobs.describe(job["TrainingJobName"])
    come_back(own_jobs)
    after = own_jobs.describe(job["TrainingJobName"])
    for answer in (before, after):
        answer.pop("ResponseMetadata")
    assert after == before
    assert own_jobs.object(uri) == b"bytes"
    assert own_jobs.lines(job["TrainingJobName"]) == ["kept"]
    assert own_jobs.sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [
        {"Key": "a", "Value": "b"}
    ]
