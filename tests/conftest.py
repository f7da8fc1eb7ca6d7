"""Fixtures: one server that most tests share, and fresh ones for those that break it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.identities import Identities
from harness.jobs import Jobs
from harness.native_cli import Both, make_jobs, programs
from harness.rootfs import make_busybox_rootfs
from harness.server import Server

_buckets = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--torch", action="store_true", help="also run what needs PyTorch")
    parser.addoption("--sdks", action="store_true", help="also run the Python SDKs and Airflow")
    parser.addoption("--thousand", action="store_true", help="run all of the thousand short jobs")


def pytest_collection_modifyitems(config, items):
    for mark, what in (("torch", "PyTorch"), ("sdks", "the SageMaker Python SDKs or Airflow")):
        if config.getoption(f"--{mark}"):
            continue
        skip = pytest.mark.skip(reason=f"needs {what}; run with --{mark}")
        for item in items:
            if item.get_closest_marker(mark):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """After each test, nothing is there of jobs that have ended.

    The servers of a single test have looked at themselves when they were closed.
    """
    yield
    for server in filter(Server.answers, Server.all):
        server.check_for_leaks()


@pytest.fixture(scope="session")
def busybox(tmp_path_factory) -> Path:
    """A root file system with a shell and little else."""
    return make_busybox_rootfs(tmp_path_factory.mktemp("rootfs") / "busybox")


@pytest.fixture(scope="session")
def server(busybox):
    """The server that tests share. They use names of their own and leave it running."""
    server = Server(images={"busybox": busybox}).start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def jobs(server) -> Jobs:
    """Jobs on the shared server."""
    return Jobs(server)


@pytest.fixture
def own_server(busybox):
    """A server that belongs to one test, which may kill it."""
    server = Server(images={"busybox": busybox}).start()
    yield server
    server.close()


@pytest.fixture
def own_jobs(own_server) -> Jobs:
    """Jobs on the test's own server."""
    return Jobs(own_server)


@pytest.fixture(scope="session")
def s3(server):
    """An S3 client of the shared server."""
    return server.client("s3")


@pytest.fixture(scope="session")
def sagemaker(server):
    """A SageMaker client of the shared server."""
    return server.client("sagemaker")


@pytest.fixture(scope="session")
def identities(server) -> Identities:
    """Users and roles on the shared server."""
    return Identities(server)


@pytest.fixture(scope="module")
def both(server, jobs, tmp_path_factory) -> Iterator[Both]:
    """`kiln sagemaker` and `aws sagemaker` on the shared server, with jobs to ask about."""
    make_jobs(jobs)
    with programs(server, tmp_path_factory.mktemp("no") / "file") as both:
        yield both


@pytest.fixture
def bucket(s3) -> str:
    """An empty bucket of the test's own."""
    name = f"bucket-{next(_buckets)}"
    s3.create_bucket(Bucket=name)
    return name
