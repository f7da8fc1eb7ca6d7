"""The look for leaks, which is made after every test, sees what it looks for."""

import subprocess
from contextlib import ExitStack

import pytest

from harness import leaks, processes
from harness.jobs import LINGER, completed

GROUP = leaks.CGROUPS / "pids" / "kiln-planted"


@pytest.fixture
def hasty(monkeypatch):
    """Nothing is waited for."""
    monkeypatch.setattr(leaks, "PATIENCE", 0.5)


def test_what_a_job_leaves_behind_is_named_once(own_jobs, hasty):
    # What is there when the server starts is removed by it, so it gets something to do.
    server = own_jobs.server
    completed(own_jobs.run("true"))
    place = server.data_dir / "instances" / "planted"
    with ExitStack() as planted:
        place.mkdir()
        planted.callback(place.rmdir)
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
        planted.callback(subprocess.run, ["umount", "--lazy", place], check=True)
        sleeper = planted.enter_context(subprocess.Popen(["sleep", "60"], cwd=place))
        planted.callback(sleeper.kill)
        if GROUP.parent.exists():
            GROUP.mkdir()
            planted.callback(GROUP.rmdir)
        with pytest.raises(AssertionError) as told:
            server.check_for_leaks()
        server.check_for_leaks()
    expected = [
        "the directory of the instance planted",
        f"the process {sleeper.pid} of the instance planted ('sleep 60')",
        f"the mount {place}",
        *(["the empty control group kiln-planted"] if GROUP.parent.exists() else []),
    ]
    for sentence in expected:
        assert sentence in str(told.value)


def test_a_job_that_runs_is_seen_whole_and_is_no_leak(own_jobs, hasty):
    name = own_jobs.create(f"echo up; {LINGER}")
    own_jobs.wait_for_line(name, "up")
    own_jobs.server.check_for_leaks()
    seen = leaks.processes_of(own_jobs.server.data_dir)
    (agent,) = processes.agents_of(str(own_jobs.server.data_dir))
    assert agent in seen and len(seen) >= 3, "the agent, the shim and the container's own"
    assert set(seen.values()) == {seen[agent]}
