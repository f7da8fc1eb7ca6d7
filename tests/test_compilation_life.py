"""The life of a compilation: whatever cuts it short, at whatever stage, it has one end
and leaves nothing behind.

What stays of instances, processes, mounts and control groups is looked for after each
test, as after every other.
"""

import fcntl
import hashlib
import os
import pickle
import signal
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from harness import leaks, processes
from harness.crashes import AGENT, BOTH, SERVER
from harness.fault_proxy import Fault, FaultProxy, in_front_of
from harness.jobs import Jobs
from harness.models import PATIENCE, ModelCompilations, archive, xgboost_model
from harness.server import Server

# Enough for the compiler to be seen at work.
MANY_TREES = 20_000
# A stop ends everything within seconds; what an agent does for it takes no longer.
STOPPED_WITHIN = 120


@pytest.fixture
def own_compilations(own_jobs) -> ModelCompilations:
    """Compilations on the test's own server."""
    return ModelCompilations(own_jobs)


def small(compilations: ModelCompilations) -> str:
    """A model that is compiled at once."""
    return compilations.put(xgboost_model())


def large(compilations: ModelCompilations) -> str:
    """A model that takes its time."""
    return compilations.put(xgboost_model(MANY_TREES))


def left_nothing(compilations: ModelCompilations, name: str) -> None:
    """Asserts that a job has stored nothing and left no upload."""
    assert compilations.outputs(name) == {}
    assert compilations.uploads() == []


def workers(server: Server) -> list[int]:
    """The processes that do the jobs' work, without the agents."""
    agents = processes.agents_of(str(server.data_dir))
    return [pid for pid in leaks.processes_of(server.data_dir) if pid not in agents]


def suspend(server: Server, within: float = 30) -> None:
    """Halts the compiler in its container, so that it works on and on."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        lines = processes.command_lines()
        for pid in workers(server):
            if " compile /opt/ml/input/task.json" in lines.get(pid, ""):
                os.kill(pid, signal.SIGSTOP)
                return
        time.sleep(0.01)
    raise AssertionError("no compiler was seen")


def test_a_compilation_stores_one_artifact_with_its_digest(own_compilations):
    name = own_compilations.compile(small(own_compilations))
    job = own_compilations.wait(name, within=PATIENCE)
    assert job["CompilationJobStatus"] == "COMPLETED", (
        job.get("FailureReason"),
        own_compilations.lines(name),
    )
    [(uri, artifact)] = own_compilations.outputs(name).items()
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == uri
    assert job["ModelDigests"]["ArtifactDigest"] == hashlib.blake2b(artifact).hexdigest()
    assert job["CompilationStartTime"] <= job["CompilationEndTime"]
    assert own_compilations.uploads() == []
    lines = own_compilations.lines(name)
    assert any("verify" in line for line in lines), lines


def test_an_archive_that_is_missing_is_named(own_compilations):
    bucket = own_compilations.bucket
    model = small(own_compilations)
    proxy = in_front_of(own_compilations.server)
    # It goes away between the create call and the download.
    proxy.plan(lambda request: request.reads(".tar.gz"), Fault("refuse"), times=2)
    name = own_compilations.compile(model)
    key = model.removeprefix(f"s3://{bucket}/")
    own_compilations.jobs.s3.delete_object(Bucket=bucket, Key=key)
    job = own_compilations.wait(name, within=PATIENCE)
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"] == (
        f"ClientError: InputConfiguration: S3 object does not exist. Bucket: {bucket}, Key: {key}"
    )
    left_nothing(own_compilations, name)
    proxy.close()


def test_a_model_that_cannot_be_read_fails_in_the_cloud_s_words(own_compilations):
    model = own_compilations.jobs.put("broken.tar.gz", b"this is no archive")
    job = own_compilations.wait(name := own_compilations.compile(model), within=PATIENCE)
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith(
        "ClientError: InputConfiguration: Unable to untar input model."
    )
    left_nothing(own_compilations, name)


# What a pickle tries when it is read. Each line says how it went.
HOSTILE = """
import json, os, socket, sys
task = json.load(open("/opt/ml/input/task.json"))

def attempt(name, what):
    try:
        what()
        print("done:", name)
    except Exception as error:
        print("refused:", name, type(error).__name__)

def reach(address):
    socket.create_connection(address, timeout=3)

for place in (*task["environments"].values(), task["parts"], "/opt/ml/input", "/usr"):
    attempt(f"writing to {place}", lambda: open(f"{place}/mine", "w"))
attempt("reading keys", lambda: open(DATA + "/root-key.json"))
attempt("reading the plan", lambda: os.listdir(DATA + "/instances"))
attempt("reaching the server", lambda: reach(SERVER))
attempt("reaching the outside", lambda: reach(("192.0.2.1", 80)))
attempt("having keys", lambda: os.environ["AWS_SECRET_ACCESS_KEY"])
"""


class Hostile:
    """What runs a program when it is unpickled."""

    def __init__(self, program: str):
        self.program = program

    def __reduce__(self):
        return exec, (self.program,)


def test_a_hostile_pickle_reaches_nothing(own_compilations):
    server = own_compilations.server
    host, port = server.endpoint.removeprefix("http://").split(":")
    program = f"DATA = {str(server.data_dir)!r}; SERVER = ({host!r}, {port})\n{HOSTILE}"
    model = archive({"xgboost-model": pickle.dumps(Hostile(program), protocol=4)})
    name = own_compilations.compile(own_compilations.jobs.put("hostile.tar.gz", model))
    job = own_compilations.wait(name, within=PATIENCE)
    assert job["CompilationJobStatus"] == "FAILED"
    lines = own_compilations.lines(name)
    refused = [line for line in lines if line.startswith("refused: ")]
    assert len(refused) == 10, lines
    assert not [line for line in lines if line.startswith("done: ")]
    left_nothing(own_compilations, name)


@contextmanager
def held_download(compilations: ModelCompilations):
    proxy = in_front_of(compilations.server)
    proxy.plan(lambda request: request.reads(".tar.gz"), Fault("stall", after=10))
    name = compilations.compile(small(compilations))
    wait_for_request(proxy, lambda request: request.reads(".tar.gz"))
    yield name
    proxy.release()
    proxy.close()


@contextmanager
def held_upload(compilations: ModelCompilations):
    proxy = in_front_of(compilations.server)
    proxy.plan(lambda request: request.writes("model-ml_c5.tar.gz"), Fault("hold", after=10))
    name = compilations.compile(small(compilations))
    wait_for_request(proxy, lambda request: request.writes("model-ml_c5.tar.gz"))
    yield name
    proxy.release()
    proxy.close()


@contextmanager
def held_work(compilations: ModelCompilations):
    name = compilations.compile(large(compilations))
    compilations.wait(name, "INPROGRESS", within=PATIENCE)
    suspend(compilations.server)
    yield name


def wait_for_request(proxy: FaultProxy, holds) -> None:
    wait_until(lambda: any(holds(request) for request in list(proxy.seen)))


def wait_until(holds, within: float = PATIENCE) -> None:
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("held", [held_download, held_work, held_upload])
def test_a_stop_cuts_every_stage_short(own_compilations, held):
    with held(own_compilations) as name:
        own_compilations.stop(name)
        job = own_compilations.wait(name, within=STOPPED_WITHIN)
        assert job["CompilationJobStatus"] == "STOPPED", job
        left_nothing(own_compilations, name)


def test_a_stop_does_not_wait_for_tools(busybox, tmp_path):
    """Somebody else makes the tool that makes environments, and takes for ever."""
    tools = tmp_path / "cache" / "tools"
    tools.mkdir(parents=True)
    server = Server(environment={"KILN_CACHE_DIR": str(tmp_path / "cache")}).start()
    compilations = ModelCompilations(Jobs(server))
    with locked(tools / ".uv-0.13.8.lock"):
        name = compilations.compile(small(compilations))
        wait_until(lambda: any("(once)" in line for line in compilations.lines(name)))
        compilations.stop(name)
        job = compilations.wait(name, within=STOPPED_WITHIN)
    assert job["CompilationJobStatus"] == "STOPPED"
    left_nothing(compilations, name)
    server.close()


@contextmanager
def locked(path: Path):
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("held", [held_work, held_upload])
def test_the_time_limit_cuts_the_work_short(own_compilations, held, monkeypatch):
    compile_model = own_compilations.compile
    limit = {"MaxRuntimeInSeconds": 5}
    limited = partial(compile_model, StoppingCondition=limit)
    monkeypatch.setattr(own_compilations, "compile", limited)
    with held(own_compilations) as name:
        job = own_compilations.wait(name, within=120)
        assert job["CompilationJobStatus"] == "FAILED"
        assert "TimeOut" in job["FailureReason"]
        left_nothing(own_compilations, name)


def test_a_compilation_outlives_its_server(own_compilations):
    name = own_compilations.compile(large(own_compilations))
    own_compilations.wait(name, "INPROGRESS", within=PATIENCE)
    SERVER.strike(own_compilations.server)
    own_compilations.server.start()
    own_compilations.jobs.reconnect()
    job = own_compilations.wait(name, within=PATIENCE)
    assert job["CompilationJobStatus"] == "COMPLETED", job.get("FailureReason")
    [artifact] = own_compilations.outputs(name).values()
    assert job["ModelDigests"]["ArtifactDigest"] == hashlib.blake2b(artifact).hexdigest()


@pytest.mark.parametrize("victim", [AGENT, BOTH], ids=lambda victim: victim.name)
def test_a_compilation_whose_agent_dies_fails(own_compilations, victim):
    with held_work(own_compilations) as name:
        victim.strike(own_compilations.server)
        if victim.server:
            own_compilations.server.start()
            own_compilations.jobs.reconnect()
        job = own_compilations.wait(name, within=120)
        assert job["CompilationJobStatus"] == "FAILED", job
        left_nothing(own_compilations, name)
