"""The life of compilations and optimizations: whatever cuts one short, at whatever stage,
it has one end and leaves nothing behind.

What stays of instances, processes, mounts and control groups is looked for after each
test, as after every other.
"""

import pytest

from harness.compilations import Compilations
from harness.crashes import SERVER
from harness.held import Held, HeldCompilations, HeldOptimizations
from harness.jobs import Jobs
from harness.optimizations import IMAGE, Optimizations, optimizer_image
from harness.server import Server

# Long enough to come to every stage on a busy machine.
LIMIT = {"StoppingCondition": {"MaxRuntimeInSeconds": 15}}


@pytest.fixture(params=["compilation", "optimization"])
def held(request, tmp_path) -> Held:
    """Jobs of either kind, on a server of the test's own."""
    server = Server(images={IMAGE: optimizer_image(tmp_path)}).start()
    jobs = Jobs(server)
    if request.param == "compilation":
        yield HeldCompilations(Compilations(jobs))
    else:
        yield HeldOptimizations(Optimizations(jobs))
    server.close()


@pytest.mark.parametrize("stage", ["download", "work", "upload"])
def test_a_stop_cuts_every_stage_short(held, stage):
    solo = held.solo
    with getattr(held, stage)() as name:
        solo.stop(name)
        job = solo.wait(name)
        assert job[solo.member("JobStatus")] == "STOPPED", job
        assert solo.left_nothing(name)


@pytest.mark.parametrize("stage", ["work", "upload"])
def test_the_time_limit_cuts_the_work_short(held, stage):
    solo = held.solo
    with getattr(held, stage)(**LIMIT) as name:
        job = solo.wait(name)
        assert job[solo.member("JobStatus")] == "FAILED", job
        assert "TimeOut" in job["FailureReason"]
        assert solo.left_nothing(name)


def test_a_job_outlives_its_server(held):
    solo = held.solo
    with held.upload() as name:
        SERVER.strike(solo.server)
    solo.server.start()
    solo.jobs.reconnect()
    solo.completed(name)
    assert solo.outputs(name)
