"""What an agent that is lost leaves to the one that goes on: its time, and its uploads."""

import time

import pytest

from harness.crashes import AGENT
from harness.fault_proxy import Fault, apart, in_front_of
from harness.jobs import PATIENCE, Jobs, poll
from harness.optimizations import COPY, IMAGE, Optimizations, by_image, optimizer_image
from harness.server import Server

LIMIT = 30


@pytest.fixture
def own(tmp_path):
    """Optimizations on the test's own server."""
    server = Server(images={IMAGE: optimizer_image(tmp_path)}).start()
    yield Optimizations(Jobs(server))
    server.close()


def test_the_time_limit_is_neither_charged_twice_nor_forgotten(own):
    step = by_image(f"{COPY}; echo working; sleep 600")
    condition = {"MaxRuntimeInSeconds": LIMIT}
    name = own.optimize(own.put({"config.json": b"{}"}), step, StoppingCondition=condition)
    own.wait_for_line(name, "working")
    began = own.describe(name)["OptimizationStartTime"].timestamp()
    time.sleep(max(0, began + 0.6 * LIMIT - time.time()))
    AGENT.strike(own.server)
    job = own.wait(name)
    assert job["OptimizationJobStatus"] == "FAILED", job
    assert "TimeOut" in job["FailureReason"]
    assert own.lines(name).count("working") == 2
    ran = (job["OptimizationEndTime"] - job["OptimizationStartTime"]).total_seconds()
    assert LIMIT - 1 <= ran < 1.6 * LIMIT, ran


@pytest.fixture(params=["embedded", "external"])
def stored(request, tmp_path):
    """Optimizations that store in a server's own S3 or in another one, and a proxy before it."""
    images = {IMAGE: optimizer_image(tmp_path)}
    if request.param == "external":
        with apart(images) as (jobs, proxy):
            yield Optimizations(jobs), proxy
        return
    server = Server(images=images).start()
    proxy = in_front_of(server)
    yield Optimizations(Jobs(server)), proxy
    server.close()
    proxy.close()


def begun_by_key(key: str):
    """Whether there is an upload whose key ends so."""
    return lambda uploads: any(one["Key"].endswith(key) for one in uploads)


MODEL = {"a.txt": b"a", "config.json": b"{}"}


def test_an_agent_that_dies_while_it_stores_leaves_no_upload(stored):
    own, proxy = stored
    proxy.plan(lambda request: request.writes("/config.json"), Fault("hold", after=1))
    name = own.optimize(own.put(MODEL), by_image(COPY))
    proxy.wait_for(lambda request: request.writes("/config.json"))
    AGENT.strike(own.server)
    own.completed(name)
    assert own.outputs(name) == MODEL
    assert own.uploads() == []
    # Neither is what was stored before stored once more.
    sent = [one for one in proxy.seen if one.writes(f"/{name}/a.txt")]
    assert len(sent) == 1, sent
    proxy.release()


def test_an_agent_that_dies_before_it_knows_its_upload_leaves_none(stored):
    own, proxy = stored
    proxy.plan(lambda request: request.begins("/config.json"), Fault("late", after=600_000))
    name = own.optimize(own.put(MODEL), by_image(COPY))
    poll(own.uploads, begun_by_key("/config.json"), str, PATIENCE)
    AGENT.strike(own.server)
    own.completed(name)
    assert own.outputs(name) == MODEL
    assert own.uploads() == []


def test_agents_that_die_again_and_again_leave_neither_objects_nor_uploads(stored):
    own, proxy = stored
    proxy.plan(lambda request: request.writes("/config.json"), Fault("hold", after=1), times=9)
    name = own.optimize(own.put(MODEL), by_image(COPY))

    def held():
        return [one for one in list(proxy.seen) if one.writes("/config.json")]

    for lost in range(4):
        poll(held, lambda found, lost=lost: len(found) > lost, str, PATIENCE)
        assert own.status(name) == "INPROGRESS"
        AGENT.strike(own.server)
    job = own.wait(name)
    assert job["OptimizationJobStatus"] == "FAILED"
    assert "the agent of the instance is gone" in job["FailureReason"]
    assert own.left_nothing(name)
