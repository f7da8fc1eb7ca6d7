"""What becomes of a large upload when somebody dies in the midst of it."""

import hashlib
import os
import signal
import time
from operator import methodcaller

import pytest

from harness import processes
from harness.fault_proxy import Fault, in_front_of
from harness.jobs import Jobs, completed

SCRIPT = "cd /opt/ml/model; head -c 20000000 /dev/urandom > w; sha256sum < w"


@pytest.fixture
def uploading(own_jobs):
    """A job whose model is on its way and gets no further until the proxy says so."""
    proxy = in_front_of(own_jobs.server)
    is_part = methodcaller("writes", "/model.tar.gz")
    plan = proxy.plan(is_part, Fault("hold", after=1 << 20), times=1000)
    name = own_jobs.create(SCRIPT)
    own_jobs.wait_for_phase(name, "Uploading")
    until = time.monotonic() + 120
    while not plan.happened:
        assert time.monotonic() < until
        time.sleep(0.02)
    yield own_jobs, name, proxy
    proxy.close()


def objects(jobs: Jobs) -> list[str]:
    """Every object of the bucket."""
    return [item["Key"] for item in jobs.s3.list_objects_v2(Bucket=jobs.bucket).get("Contents", [])]


def test_a_killed_agent_leaves_nothing_and_the_job_has_failed(uploading):
    jobs, name, _ = uploading
    agents = processes.agents_of(str(jobs.server.data_dir))
    assert agents
    for agent in agents:
        os.kill(agent, signal.SIGKILL)
    job = jobs.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError")
    assert not [key for key in objects(jobs) if key.endswith("model.tar.gz")]


def test_a_killed_server_costs_time_only(uploading):
    jobs, name, proxy = uploading
    assert not [key for key in objects(jobs) if key.endswith("model.tar.gz")]
    jobs.server.kill()
    proxy.release()
    time.sleep(0.5)
    jobs.server.start()
    jobs.reconnect()
    job = completed(jobs.wait(name))
    found = hashlib.sha256(jobs.model(job)["w"]).hexdigest()
    assert jobs.lines(name)[0].split()[0] == found
