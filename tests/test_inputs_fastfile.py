"""FastFile mode: objects as read-only files that are fetched when they are read."""

import hashlib
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import processes
from harness.channels import IN_DATA, channel, kept, refused, seen
from harness.fault_proxy import apart
from harness.jobs import LINGER, Jobs, completed, fresh_name
from harness.server import Server

PARTIAL = (
    "ClientError: Data download failed:Failed to download data. For FastFile mode, partial S3 "
    "prefix is not supported. S3 prefix has to end with a full file or folder. Add a trailing '/' "
    "to the S3 prefix if it ends with a folder name that is also a prefix for other folders."
)


@pytest.fixture(scope="module")
def proxied(busybox):
    """Jobs whose objects lie behind a proxy that counts."""
    with apart({"busybox": busybox}) as pair:
        yield pair


@pytest.fixture(scope="module")
def downloading(busybox):
    """A server that is configured to do without FUSE."""
    server = Server(images={"busybox": busybox})
    (server.data_dir / "kiln.toml").write_text('fast_file = "download"\n')
    yield Jobs(server.start())
    server.close()


def fill(jobs: Jobs, *names: str) -> str:
    """Objects whose content is their name; the URI ends with a slash."""
    prefix = fresh_name("fastfile")
    for name in names:
        jobs.put(f"{prefix}/{name}", name)
    return f"s3://{jobs.bucket}/{prefix}/"


def mounts_below(data_dir: Path) -> list[str]:
    """The file systems that this machine has mounted below the data directory."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if str(data_dir) in line]


@pytest.mark.parametrize("server", ["proxied", "downloading"])
def test_files_can_be_read_and_not_changed(request, server):
    jobs = request.getfixturevalue(server)
    jobs = jobs[0] if isinstance(jobs, tuple) else jobs
    uri = fill(jobs, "a", "deep/er/b")
    script = (
        "(cd c && find . | sort && cat a deep/er/b && stat -c %s a) > /opt/ml/output/data/0; "
        "for change in 'echo x > c/a' 'echo x > c/new' 'rm c/a' 'mkdir c/d' 'mv c/a c/z' "
        "'chmod 777 c/a'; do if eval \"$change\"; then echo $change; exit 1; fi; done"
    )
    found = seen(jobs, script, channel("c", uri, "FastFile"))
    assert found["0"].decode() == ".\n./a\n./deep\n./deep/er\n./deep/er/b\nadeep/er/b1\n"
    assert jobs.object(uri + "a") == b"a"


def test_nothing_is_fetched_before_it_is_read_and_no_more_than_near_it(proxied):
    jobs, proxy = proxied
    uri = fill(jobs, *(f"part-{number}" for number in range(9)))
    big = jobs.put(uri.split("/", 3)[3] + "big", bytes(64 << 20))
    name = jobs.create(
        IN_DATA + "ls -lR c; stat c/big; echo listed; read_now() { test -e /opt/ml/model/go; }; "
        "until read_now; do sleep 0.05; done; cat c/part-3; dd if=c/big bs=1 skip=9000000 count=1; "
        "touch /opt/ml/model/went",
        InputDataConfig=[channel("c", uri, "FastFile")],
    )
    jobs.wait_for_line(name, "listed")
    keys = [f"part-{number}" for number in range(9)] + ["big"]
    assert not [one for one in proxy.seen if any(one.reads(f"/{key}") for key in keys)]
    model = next((jobs.server.data_dir / "instances").glob("*/ml/model"))
    (model / "go").touch()
    completed(jobs.wait(name))
    read = {key for key in keys if any(one.reads(f"/{key}") for one in proxy.seen)}
    assert read == {"part-3", "big"}
    assert jobs.object(big) == bytes(64 << 20)


def test_every_byte_is_right_wherever_it_is_read(proxied):
    jobs, _ = proxied
    body = random.Random(2).randbytes((20 << 20) + 17)
    uri = jobs.put(f"{fresh_name('fastfile')}/blob", body)
    script = (
        "sha256sum < c/blob; tail -c 100 c/blob | sha256sum; "
        "dd if=c/blob bs=4096 skip=3000 count=3 2>/dev/null | sha256sum; "
        "dd if=c/blob bs=4096 skip=100 count=3 2>/dev/null | sha256sum"
    )
    job = completed(jobs.run(IN_DATA + script, InputDataConfig=[channel("c", uri, "FastFile")]))
    parts = [body, body[-100:], body[3000 * 4096 :][: 3 * 4096], body[100 * 4096 :][: 3 * 4096]]
    found = [line.split()[0] for line in jobs.lines(job["TrainingJobName"])]
    assert found == [hashlib.sha256(part).hexdigest() for part in parts]


@pytest.mark.parametrize("server", ["proxied", "downloading"])
@pytest.mark.parametrize("end, whole", [("tr", False), ("train", False), ("train/", True)])
def test_a_prefix_must_end_with_a_whole_name(request, server, end, whole):
    jobs = request.getfixturevalue(server)
    jobs = jobs[0] if isinstance(jobs, tuple) else jobs
    made = channel("c", fill(jobs, "train/a", "train2/a") + end, "FastFile")
    if whole:
        assert seen(jobs, "cp c/a /opt/ml/output/data", made) == {"a": b"train/a"}
    else:
        assert refused(jobs, "true", made) == PARTIAL


def test_one_object_is_a_file_in_the_channel(proxied):
    jobs, _ = proxied
    uri = fill(jobs, "only.csv") + "only.csv"
    script = "cp c/only.csv /opt/ml/output/data"
    assert seen(jobs, script, channel("c", uri, "FastFile")) == {"only.csv": b"only.csv"}


def test_the_tree_is_the_one_of_file_mode(jobs):
    names = ["a b", "größe", "100%+&", "x/y/z", "x/y2", "x.d/e"]
    uri = fill(jobs, *names)
    script = "for n in f c; do (cd $n; find . | sort) > /opt/ml/output/data/$n; done"
    found = seen(jobs, script, channel("f", uri), channel("c", uri, "FastFile"))
    assert found["f"] == found["c"] and "größe" in found["c"].decode()


def test_a_large_listing_is_there_at_once(jobs):
    prefix = fresh_name("fastfile")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: jobs.put(f"{prefix}/{n % 40}/{n}", b""), range(1100)))
    uri = f"s3://{jobs.bucket}/{prefix}/"
    script = "find c -type f | wc -l; ls c | wc -l; ls c/7 | wc -l"
    job = completed(jobs.run(IN_DATA + script, InputDataConfig=[channel("c", uri, "FastFile")]))
    assert jobs.lines(job["TrainingJobName"]) == ["1100", "40", "28"]


def test_an_object_that_changes_under_its_reader_fails_the_read(proxied):
    jobs, _ = proxied
    key = f"{fresh_name('fastfile')}/blob"
    uri = jobs.put(key, bytes(9 << 20))
    name = jobs.create(
        IN_DATA + "echo ready; until test -e /opt/ml/model/go; do sleep 0.05; done; cat c/blob",
        InputDataConfig=[channel("c", uri, "FastFile")],
    )
    jobs.wait_for_line(name, "ready")
    jobs.put(key, b"other")
    (next((jobs.server.data_dir / "instances").glob("*/ml/model")) / "go").touch()
    job = jobs.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:")
    assert uri in job["FailureReason"]


def test_nothing_stays_mounted_after_the_job(proxied):
    jobs, _ = proxied
    made = channel("c", fill(jobs, "a"), "FastFile")
    assert kept(
        jobs, jobs.run("cp /opt/ml/input/data/c/a /opt/ml/output/data", InputDataConfig=[made])
    )
    assert mounts_below(jobs.server.data_dir) == []


def test_nothing_stays_mounted_after_a_stop_in_the_midst_of_a_read(proxied):
    jobs, proxy = proxied
    uri = jobs.put(f"{fresh_name('fastfile')}/stopped", bytes(32 << 20))
    script = IN_DATA + "echo ready; while true; do cat c/stopped > /dev/null; done"
    name = jobs.create(script, InputDataConfig=[channel("c", uri, "FastFile")])
    jobs.wait_for_line(name, "ready")
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert jobs.wait(name, within=150)["TrainingJobStatus"] == "Stopped"
    assert mounts_below(jobs.server.data_dir) == []


def test_a_killed_agent_leaves_no_mount_behind(own_jobs):
    made = channel("c", fill(own_jobs, "a"), "FastFile")
    name = own_jobs.create(f"echo ready; {LINGER}", InputDataConfig=[made])
    own_jobs.wait_for_line(name, "ready")
    assert mounts_below(own_jobs.server.data_dir)
    for agent in processes.agents_of(str(own_jobs.server.data_dir)):
        os.kill(agent, signal.SIGKILL)
    assert own_jobs.wait(name)["TrainingJobStatus"] == "Failed"
    completed(own_jobs.run("cp /opt/ml/input/data/c/a /opt/ml/model", InputDataConfig=[made]))
    assert mounts_below(own_jobs.server.data_dir) == []
    until = time.monotonic() + 120
    while list((own_jobs.server.data_dir / "instances").iterdir()):
        assert time.monotonic() < until, "the directory of a job that has ended must go"
        time.sleep(0.05)
