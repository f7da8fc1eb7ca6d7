"""The life of a compilation: what it stores, what it refuses, and what becomes of it when
it cannot go on.

What stays of instances, processes, mounts and control groups is looked for after each
test, as after every other.
"""

import fcntl
import hashlib
import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import archives, processes
from harness.compilations import Compilations
from harness.crashes import AGENT, BOTH
from harness.fault_proxy import Fault, in_front_of
from harness.held import HeldCompilations
from harness.jobs import PATIENCE, Jobs, poll
from harness.server import Server


@pytest.fixture
def own_compilations(own_jobs) -> Compilations:
    """Compilations on the test's own server."""
    return Compilations(own_jobs)


def test_a_compilation_stores_one_artifact_with_its_digest(own_compilations):
    name = own_compilations.compile(own_compilations.put_trees())
    job = own_compilations.completed(name)
    [(key, artifact)] = own_compilations.outputs(name).items()
    uri = f"s3://{own_compilations.bucket}/out/{name}/{key}"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == uri
    assert job["ModelDigests"]["ArtifactDigest"] == hashlib.blake2b(artifact).hexdigest()
    assert job["CompilationStartTime"] <= job["CompilationEndTime"]
    assert own_compilations.uploads() == []
    lines = own_compilations.lines(name)
    assert any("verify" in line for line in lines), lines


def test_an_archive_that_is_missing_is_named(own_compilations):
    bucket = own_compilations.bucket
    model = own_compilations.put_trees()
    proxy = in_front_of(own_compilations.server)
    # It goes away between the create call and the download.
    proxy.plan(lambda request: request.reads(".tar.gz"), Fault("refuse"), times=2)
    name = own_compilations.compile(model)
    key = model.removeprefix(f"s3://{bucket}/")
    own_compilations.jobs.s3.delete_object(Bucket=bucket, Key=key)
    job = own_compilations.wait(name)
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"] == (
        f"ClientError: InputConfiguration: S3 object does not exist. Bucket: {bucket}, Key: {key}"
    )
    assert own_compilations.left_nothing(name)
    proxy.close()


def test_a_model_that_cannot_be_read_fails_in_the_cloud_s_words(own_compilations):
    model = own_compilations.jobs.put("broken.tar.gz", b"this is no archive")
    job = own_compilations.wait(name := own_compilations.compile(model))
    assert job["CompilationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith(
        "ClientError: InputConfiguration: Unable to untar input model."
    )
    assert own_compilations.left_nothing(name)


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
    model = archives.make({"xgboost-model": pickle.dumps(Hostile(program), protocol=4)})
    name = own_compilations.compile(own_compilations.jobs.put("hostile.tar.gz", model))
    job = own_compilations.wait(name)
    assert job["CompilationJobStatus"] == "FAILED"
    lines = own_compilations.lines(name)
    refused = [line for line in lines if line.startswith("refused: ")]
    assert len(refused) == 10, lines
    assert not [line for line in lines if line.startswith("done: ")]
    assert own_compilations.left_nothing(name)


def test_a_stop_does_not_wait_for_tools(busybox, tmp_path):
    """Somebody else makes the tool that makes environments, and takes for ever."""
    tools = tmp_path / "cache" / "tools"
    tools.mkdir(parents=True)
    server = Server(environment={"KILN_CACHE_DIR": str(tmp_path / "cache")}).start()
    compilations = Compilations(Jobs(server))
    with locked(tools / ".uv-0.13.8.lock"):
        name = compilations.compile(compilations.put_trees())
        compilations.wait_for_line(name, "(once)")
        compilations.stop(name)
        job = compilations.wait(name)
    assert job["CompilationJobStatus"] == "STOPPED"
    assert compilations.left_nothing(name)
    server.close()


# A Python whose pip starts a process of its own, and takes for ever.
INSTALLER = """#!/bin/sh
case "$*" in
    -c*) echo '{{"executable": "{python}", "prefix": "/usr", "minor": 11}}' ;;
    *" install "*) sleep 1000 & echo $$ $! > {started}; wait ;;
esac
"""


@pytest.mark.parametrize("end", ["stop", "loss of the agent"])
def test_what_makes_an_environment_ends_with_its_job(busybox, tmp_path, end):
    python, started = tmp_path / "python3.11", tmp_path / "started"
    python.write_text(INSTALLER.format(python=python, started=started))
    python.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    server = Server(environment={"KILN_CACHE_DIR": str(tmp_path / "cache"), "PATH": path}).start()
    compilations = Compilations(Jobs(server))
    name = compilations.compile(compilations.put_trees())
    started.touch()
    poll(started.read_text, lambda text: text.endswith("\n"), repr, PATIENCE)
    if end == "stop":
        compilations.stop(name)
    else:
        AGENT.strike(server)
    job = compilations.wait(name)
    assert job["CompilationJobStatus"] == ("STOPPED" if end == "stop" else "FAILED")
    installers = [int(pid) for pid in started.read_text().split()]
    poll(lambda: processes.have_ended(installers), bool, lambda _: f"{installers} live", PATIENCE)
    assert compilations.left_nothing(name)
    server.close()


@contextmanager
def locked(path: Path):
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("victim", [AGENT, BOTH], ids=lambda victim: victim.name)
def test_a_compilation_whose_agent_dies_fails(own_compilations, victim):
    with HeldCompilations(own_compilations).work() as name:
        victim.strike(own_compilations.server)
        if victim.server:
            own_compilations.server.start()
            own_compilations.jobs.reconnect()
        job = own_compilations.wait(name)
        assert job["CompilationJobStatus"] == "FAILED", job
        assert own_compilations.left_nothing(name)
