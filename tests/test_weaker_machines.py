"""What a server says and does on a machine that cannot contain jobs wholly.

The machine is made to lack something in a mount table of the server's own.
"""

import subprocess

import pytest

from harness.jobs import LINGER, Jobs, completed
from harness.server import Server, kiln_binary

NO_GROUPS = "/sys/fs/cgroup"
NO_FILTER = "/proc/sys/kernel/seccomp"

each_lack = pytest.mark.parametrize(
    ("lacking", "setting", "words"),
    [
        (NO_GROUPS, "run_unlimited", "nothing can be limited"),
        (NO_FILTER, "run_unfiltered", "cannot filter system calls"),
    ],
)


@pytest.fixture
def weak_server(busybox, tmp_path, monkeypatch):
    """Makes a server that finds an empty directory where something should be."""
    servers = []

    def make(lacking: str, configuration: str) -> Server:
        server = Server(images={"busybox": busybox})
        servers.append(server)
        (server.data_dir / "kiln.toml").write_text(configuration)
        wrapper = tmp_path / "kiln"
        cover = f'mount -t tmpfs tmpfs {lacking} && exec {kiln_binary()} "$@"'
        wrapper.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{cover}' kiln \"$@\"\n")
        wrapper.chmod(0o755)
        monkeypatch.setenv("KILN_BIN", str(wrapper))
        return server

    yield make
    for server in servers:
        server.close()


def sentence(server: Server, words: str) -> str:
    """The line of the server's own output that holds these words."""
    return next(line for line in server.said().splitlines() if words in line)


@each_lack
def test_what_is_lacking_is_said_and_jobs_are_refused(weak_server, lacking, setting, words):
    server = weak_server(lacking, "serve_regardless = true\n").start()
    said = sentence(server, words)
    assert "unsafe" in said and f"{setting} = true" in said
    job = Jobs(server).run("echo ran")
    assert job["TrainingJobStatus"] == "Failed"
    assert f"{setting} = true" in job["FailureReason"]


@each_lack
def test_what_is_lacking_can_be_allowed(weak_server, lacking, setting, words):
    server = weak_server(lacking, f"{setting} = true\n").start()
    assert f"Jobs run, as {setting} says." in sentence(server, words)
    jobs = Jobs(server)
    job = completed(jobs.run("echo ran; echo kept > /opt/ml/model/m"))
    assert jobs.lines(job["TrainingJobName"]) == ["ran"]
    assert jobs.model(job)["m"] == b"kept\n"


def test_an_unlimited_job_is_stopped_with_all_its_processes(weak_server):
    server = weak_server(NO_GROUPS, "run_unlimited = true\n").start()
    jobs = Jobs(server)
    mark = "86399.25"
    name = jobs.create(f"(setsid sleep {mark} &); echo up; {LINGER}")
    jobs.wait_for_line(name, "up")
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert jobs.wait(name)["TrainingJobStatus"] == "Stopped"
    alive = subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, text=True)
    assert alive.stdout == ""


def test_no_setting_replaces_a_capability(busybox, tmp_path, monkeypatch):
    server = Server(images={"busybox": busybox})
    (server.data_dir / "kiln.toml").write_text(
        "run_unlimited = true\nrun_unfiltered = true\nengine_socket = '/nonexistent'\n"
    )
    wrapper = tmp_path / "kiln"
    wrapper.write_text(f'#!/bin/sh\nexec setpriv --bounding-set -sys_admin {kiln_binary()} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("KILN_BIN", str(wrapper))
    with pytest.raises(AssertionError):
        server.start()
    assert "No setting changes that." in sentence(server, "CAP_SYS_ADMIN")
    server.close()
