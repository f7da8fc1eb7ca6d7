"""What an agent that is lost leaves to the one that goes on: its time, and its uploads."""

import time

import pytest

from harness.crashes import AGENT
from harness.fault_proxy import Fault, in_front_of
from harness.jobs import POLL, Jobs
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


def test_an_agent_that_dies_while_it_stores_leaves_no_upload(own):
    proxy = in_front_of(own.server)
    proxy.plan(lambda request: request.writes("/config.json"), Fault("hold", after=1))
    model = {"a.txt": b"a", "config.json": b"{}"}
    name = own.optimize(own.put(model), by_image(COPY))
    until = time.monotonic() + 120
    while not any(one.writes("/config.json") for one in list(proxy.seen)):
        assert time.monotonic() < until
        time.sleep(POLL)
    AGENT.strike(own.server)
    own.completed(name)
    assert own.outputs(name) == model
    assert own.uploads() == []
    # Neither is what was stored before stored once more.
    stored = [one for one in proxy.seen if one.writes(f"/{name}/a.txt")]
    assert len(stored) == 1, stored
    proxy.release()
    proxy.close()
