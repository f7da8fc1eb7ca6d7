"""Short jobs by the thousand, through a network that drops, delays and refuses.

Everything passes through the proxy: what the clients ask, what the agents report and
are told, and all objects. By default fifty jobs are enough; `--thousand` runs them all.
"""

import hashlib
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config

from harness.crashes import has_one_end
from harness.fault_proxy import Fault, FaultProxy, Request, in_front_of
from harness.jobs import Jobs, completed, fresh_name, s3_channel
from harness.server import Server

FEW, MANY = 50, 1000
BLOB = random.Random(11).randbytes(40_000)
DIGEST = hashlib.sha256(BLOB).hexdigest()
LINES = [f"line {n}" for n in range(20)]
SCRIPT = (
    "n=0; while [ $n -lt 20 ]; do echo line $n; n=$((n+1)); done; "
    "sha256sum < /opt/ml/input/data/c/blob; echo $TRAINING_JOB_NAME > /opt/ml/model/name"
)
PATIENT = Config(retries={"total_max_attempts": 12, "mode": "standard"})
# Of so many requests, one meets the fault.
FAULTS = [
    (25, Fault("lose")),
    (25, Fault("refuse")),
    (40, Fault("cut")),
    (25, Fault("late", 300)),
]
# Longer than an agent waits for the answer to a delivery.
SILENCE = Fault("late", 35_000)


@pytest.fixture
def bad_network(own_server):
    """Jobs whose clients and agents speak through a proxy with faults, and the proxy."""
    proxy = in_front_of(own_server)
    yield through(proxy, own_server), proxy
    proxy.close()


def through(proxy: FaultProxy, server: Server) -> Jobs:
    """Jobs whose clients speak through the proxy and are patient."""
    jobs = Jobs(server)
    there = {"endpoint_url": f"http://{proxy.address}", "config": PATIENT}
    jobs.sagemaker = server.client("sagemaker", **there)
    jobs.s3 = server.client("s3", **there)
    jobs.logs = server.client("logs", **there)
    return jobs


def make_bad(proxy: FaultProxy, silences: int) -> list:
    """From now on, requests meet faults by chance, and so many are not answered."""
    chance = random.Random(5)

    def one_in(many: int):
        return lambda request: chance.randrange(many) == 0

    def is_delivery(request: Request) -> bool:
        return request.path.endswith("/reports") and chance.randrange(20) == 0

    plans = [proxy.plan(one_in(many), fault, times=1_000_000) for many, fault in FAULTS]
    return [proxy.plan(is_delivery, SILENCE, silences), *plans]


def create(jobs: Jobs, uri: str) -> str:
    """Creates a job, once: the answer to the first try may have been lost."""
    name = fresh_name("short")
    request = jobs.request(SCRIPT, name, InputDataConfig=[s3_channel("c", uri)])
    try:
        jobs.sagemaker.create_training_job(**request)
    except jobs.sagemaker.exceptions.ResourceInUse:
        pass
    return name


def wait_for_all(jobs: Jobs, within: float) -> None:
    """Waits until no job is open."""
    until = time.monotonic() + within
    while jobs.sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
        assert time.monotonic() < until, "the jobs do not end"
        time.sleep(0.5)


def is_right(jobs: Jobs, name: str) -> None:
    """Asserts that the job has ended well, with its whole log and its own model."""
    job = completed(jobs.describe(name))
    has_one_end(job)
    lines = jobs.lines(name)
    assert [line.split()[0] for line in lines[20:]] == [DIGEST], name
    assert lines[:20] == LINES, name
    assert jobs.model(job) == {"name": f"{name}\n".encode()}


@pytest.mark.timeout(3600)
def test_all_of_many_short_jobs_end_right(bad_network, request):
    many = MANY if request.config.getoption("--thousand") else FEW
    jobs, proxy = bad_network
    uri = jobs.put("blob", BLOB)
    plans = make_bad(proxy, silences=1 + many // 250)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: create(jobs, uri), range(many)))
    accepted = time.monotonic() - began
    wait_for_all(jobs, within=300 + 2.5 * many)
    ended = time.monotonic() - began
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: is_right(jobs, name), names))
    happened = Counter({plan.fault.kind: 0 for plan in plans})
    for plan in plans:
        happened[plan.fault.kind] += plan.happened
    print(
        f"{many} jobs: accepted in {accepted:.1f} s, ended in {ended:.1f} s; "
        f"{len(proxy.seen)} requests met {dict(happened)}"
    )
    assert all(happened.values())
