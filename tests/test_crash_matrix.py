"""The crash matrix: whoever dies, at whatever stage of a job, it has one end, the right one.

A cell kills its victims with kill -9, starts the server again where it was killed,
and looks from outside. What may not be left behind is looked for after each cell,
as after every test.
"""

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import methodcaller

import pytest

from harness import archives, processes
from harness.crashes import AGENT, BOTH, MACHINE, SERVER, WORK, Victim, has_one_end
from harness.fault_proxy import Fault, FaultProxy, in_front_of
from harness.jobs import LINGER, WHOLE_MACHINE, Jobs, completed, fresh_name, s3_channel
from harness.server import Server
from harness.slow_engine import SlowEngine

LINES = [f"line {n}" for n in range(40)]
COUNT = "n=0; while [ $n -lt 40 ]; do echo line $n; n=$((n+1)); usleep 25000; done; "
MODEL = "cd /opt/ml/model; head -c 3000000 /dev/urandom > w; sha256sum < w"
TWO_HOSTS = {"ResourceConfig": WHOLE_MACHINE | {"InstanceType": "ml.t3.medium", "InstanceCount": 2}}
RETRIES = {"RetryStrategy": {"MaximumRetryAttempts": 2}}
# Far more than the seconds that it takes to see that an agent is gone.
NOTICED_WITHIN = 120

VICTIMS = [SERVER, AGENT, BOTH, WORK, MACHINE]


@dataclass
class Scene:
    """Where a cell plays: jobs whose agents speak through a proxy, and an engine."""

    jobs: Jobs
    proxy: FaultProxy
    engine: SlowEngine

    def release(self) -> None:
        """Lets everything go on that was held up."""
        self.proxy.release()
        self.engine.release()
        for agent in processes.agents_of(str(self.jobs.server.data_dir)):
            os.kill(agent, signal.SIGCONT)


@dataclass(frozen=True)
class End:
    """How a job ends, and how its reason begins if it has one."""

    status: str
    reason: str = ""


COMPLETED, STOPPED = End("Completed"), End("Stopped")
LOST = End("Failed", "InternalServerError: ")
NO_IMAGE = End("Failed", "ClientError: Cannot pull algorithm container.")


def waiting(scene: Scene, **more) -> str:
    """A job that waits in the queue until the others are stopped."""
    jobs = scene.jobs
    while True:
        other = jobs.create(LINGER, ResourceConfig=WHOLE_MACHINE)
        if jobs.wait_for_phase(other, "Pending", "Training")["SecondaryStatus"] == "Pending":
            message = jobs.describe(other)["SecondaryStatusTransitions"][-1]["StatusMessage"]
            if message == "Training job waiting for capacity":
                return jobs.create(COUNT + MODEL, **more)


def placed(scene: Scene, **more) -> str:
    """A job whose agent is there and has not begun: it is suspended."""
    jobs, data_dir = scene.jobs, str(scene.jobs.server.data_dir)
    while True:
        _until(lambda: not processes.agents_of(data_dir))
        name = jobs.create(COUNT + MODEL, **more)
        while not (agents := processes.agents_of(data_dir)):
            pass
        for agent in agents:
            os.kill(agent, signal.SIGSTOP)
        if not list(jobs.server.data_dir.glob("instances/*/reports.spool")):
            return name
        scene.release()
        jobs.wait(name)


def downloading(scene: Scene, **more) -> str:
    """A job whose channel does not come."""
    name = fresh_name("downloading")
    uri = scene.jobs.put(f"{name}/blob", bytes(100_000))
    plan = scene.proxy.plan(methodcaller("reads", f"/{name}/blob"), Fault("stall"), times=1000)
    scene.jobs.create(COUNT + MODEL, name, InputDataConfig=[s3_channel("c", uri)], **more)
    _until(lambda: plan.happened)
    return name


def getting_its_image(scene: Scene, **more) -> str:
    """A job whose image is being asked for."""
    scene.engine.hold()
    name = scene.jobs.create("true", AlgorithmSpecification={"TrainingImage": "slow"}, **more)
    _until(scene.engine.asked.is_set)
    return name


def training(scene: Scene, **more) -> str:
    """A job that writes line after line."""
    name = scene.jobs.create(COUNT + MODEL, **more)
    scene.jobs.wait_for_line(name, "line 9")
    return name


def stopping(scene: Scene, **more) -> str:
    """A job that was told to stop and goes on."""
    name = scene.jobs.create("trap '' TERM; " + COUNT + MODEL, **more)
    scene.jobs.wait_for_line(name, "line 3")
    scene.jobs.sagemaker.stop_training_job(TrainingJobName=name)
    scene.jobs.wait_for_line(name, "line 12")
    return name


def uploading(scene: Scene, **more) -> str:
    """A job whose model is on its way and gets no further."""
    name = fresh_name("uploading")
    is_part = methodcaller("writes", f"/{name}/output/model.tar.gz")
    plan = scene.proxy.plan(is_part, Fault("hold", after=1 << 20), times=1000)
    scene.jobs.create(COUNT + MODEL, name, **more)
    _until(lambda: plan.happened)
    return name


@dataclass(frozen=True)
class Stage:
    """A way to bring a job somewhere, and how the job ends if what works for it lives
    on, or not."""

    reach: Callable[[Scene], str]
    kept: End
    lost: End
    in_container: bool = False

    def end(self, victim: Victim) -> End:
        """How the job ends when these have died."""
        is_lost = victim.agents or (victim.work and self.in_container)
        return self.lost if is_lost else self.kept


STAGES = {
    "waiting": Stage(waiting, COMPLETED, COMPLETED),
    "placed": Stage(placed, COMPLETED, COMPLETED),
    "downloading": Stage(downloading, COMPLETED, LOST),
    "getting its image": Stage(getting_its_image, NO_IMAGE, LOST),
    "training": Stage(training, COMPLETED, LOST, in_container=True),
    "stopping": Stage(stopping, STOPPED, STOPPED, in_container=True),
    "uploading": Stage(uploading, COMPLETED, LOST),
    "training on two hosts": Stage(partial(training, **TWO_HOSTS), COMPLETED, LOST, True),
    "training with retries": Stage(partial(training, **RETRIES), COMPLETED, COMPLETED, True),
    "uploading with retries": Stage(partial(uploading, **RETRIES), COMPLETED, COMPLETED),
}


@pytest.fixture(scope="module")
def ground(busybox, tmp_path_factory):
    """The server of all cells, and the engine that its agents ask for images."""
    engine = SlowEngine(tmp_path_factory.mktemp("engine"))
    environment = {"DOCKER_HOST": f"unix://{engine.socket}"}
    server = Server(environment, images={"busybox": busybox}).start()
    yield Jobs(server), engine
    server.close()
    engine.close()


@pytest.fixture
def scene(ground):
    """The ground with a proxy of the cell's own, and a server that runs in the end."""
    jobs, engine = ground
    proxy = in_front_of(jobs.server)
    yield Scene(jobs, proxy, engine)
    proxy.close()
    engine.release()
    if not jobs.server.is_running():
        come_back(jobs)
    address = jobs.server.endpoint.removeprefix("http://")
    (jobs.server.data_dir / "address").write_text(address)


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: victim.name)
@pytest.mark.parametrize("stage", STAGES)
def test_a_job_has_one_end_and_the_right_one(scene, stage, victim):
    jobs, stage = scene.jobs, STAGES[stage]
    name = stage.reach(scene)
    before = told(jobs, name)
    victim.strike(jobs.server)
    scene.release()
    come_back(jobs)
    stop_the_others(jobs, name)
    job = jobs.wait(name, within=NOTICED_WITHIN)
    expected = stage.end(victim)
    reason = job.get("FailureReason", "")
    end = End(job["TrainingJobStatus"], reason[: len(expected.reason)])
    assert end == expected, f"{reason!r} in {job['SecondaryStatusTransitions']}"
    has_one_end(job)
    is_told_without_gaps(jobs, job, before)
    has_a_whole_model_or_none(jobs, job)
    nothing_holds_up_the_next(jobs)
    assert unchanged(jobs.describe(name)) == unchanged(job)


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: victim.name)
def test_at_any_instant(scene, victim):
    jobs, instants = scene.jobs, random.Random(victim.name)
    for _ in range(5):
        name = jobs.create("echo line 0; echo line 1; usleep 200000; echo line 2; " + MODEL)
        time.sleep(instants.uniform(0, 0.8))
        victim.strike(jobs.server)
        come_back(jobs)
        job = jobs.wait(name, within=NOTICED_WITHIN)
        ends = [COMPLETED.status] if victim == SERVER else [COMPLETED.status, LOST.status]
        assert job["TrainingJobStatus"] in ends
        assert job.get("FailureReason", LOST.reason).startswith(LOST.reason)
        has_one_end(job)
        lines = jobs.lines(name)
        assert lines[:3] == LINES[: min(3, len(lines))]
        has_a_whole_model_or_none(jobs, job)
    nothing_holds_up_the_next(jobs)


def come_back(jobs: Jobs) -> None:
    """Starts the server if it was killed, and connects to where it answers now."""
    if not jobs.server.is_running():
        jobs.server.start()
        jobs.reconnect()


def stop_the_others(jobs: Jobs, name: str) -> None:
    """Stops all jobs that have not ended, but for this one."""
    listed = jobs.sagemaker.list_training_jobs(StatusEquals="InProgress", MaxResults=100)
    for other in listed["TrainingJobSummaries"]:
        if other["TrainingJobName"] != name:
            try:
                jobs.sagemaker.stop_training_job(TrainingJobName=other["TrainingJobName"])
            except jobs.sagemaker.exceptions.ClientError:
                pass  # It has ended by now.


def told(jobs: Jobs, name: str) -> dict[str, list[str]]:
    """The lines of each of the job's log streams: one for each host and attempt."""
    streams = jobs.streams(name).items()
    return {stream: [event["message"] for event in events] for stream, events in streams}


def is_told_without_gaps(jobs: Jobs, job: dict, before: dict[str, list[str]]) -> None:
    """Asserts that no line of the log is missing but the last ones of a lost agent, that
    none is there twice, and that none is gone that was there before the crash."""
    after = told(jobs, job["TrainingJobName"])
    for stream, lines in after.items():
        counted = lines[: len(LINES)]
        assert counted == LINES[: len(counted)], stream
    for stream, lines in before.items():
        assert after[stream][: len(lines)] == lines, stream
    if job["TrainingJobStatus"] == "Completed":
        whole = [stream for stream, lines in after.items() if len(lines) == len(LINES) + 1]
        assert len(whole) >= job["ResourceConfig"]["InstanceCount"], after


def has_a_whole_model_or_none(jobs: Jobs, job: dict) -> None:
    """Asserts that a job which completed has stored the model that its log speaks of, and
    that any other has stored the same or nothing."""
    name = job["TrainingJobName"]
    key = f"out/{name}/output/model.tar.gz"
    found = jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=key).get("Contents", [])
    assert found or job["TrainingJobStatus"] != "Completed"
    if found:
        weights = archives.files(jobs.object(f"s3://{jobs.bucket}/{key}"))["w"]
        digests = [line.split()[0] for line in jobs.lines(name)]
        assert hashlib.sha256(weights).hexdigest() in digests


def nothing_holds_up_the_next(jobs: Jobs) -> None:
    """Asserts that another job finds room and runs."""
    job = completed(jobs.run("echo next"))
    assert jobs.lines(job["TrainingJobName"]) == ["next"]


def unchanged(job: dict) -> dict:
    """What a later look must find the same."""
    return {key: value for key, value in job.items() if key != "ResponseMetadata"}


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
