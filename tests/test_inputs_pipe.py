"""Pipe mode against readers that are careless, slow, or hostile."""

import gzip
import hashlib
import random
import time

import pytest

from harness.channels import IN_DATA, TAKE, WAIT_FOR_PIPE, channel, kept, manifest, refused, seen
from harness.jobs import LINGER, UNTIL_LET_GO, fresh_name

WAIT = WAIT_FOR_PIPE.format("c_0")


@pytest.fixture
def prefix(jobs) -> str:
    """A prefix of the test's own with twenty small objects, one line each."""
    prefix = fresh_name("pipes")
    for number in range(20):
        jobs.put(f"{prefix}/{number:02}", f"{number:02}\n")
    return f"s3://{jobs.bucket}/{prefix}/"


def order(stream: bytes) -> list[int]:
    """The objects in the order in which they came."""
    return [int(line) for line in stream.split()]


def test_a_seed_is_an_order_and_another_seed_another(jobs, prefix):
    script = TAKE + "take c_0 0; take c_1 1; take c_2 2"
    orders = {}
    for seed in (1, 1, 2):
        found = seen(jobs, script, channel("c", prefix, "Pipe", ShuffleConfig={"Seed": seed}))
        epochs = [order(found[epoch]) for epoch in "012"]
        assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) == 3, "every epoch has an order of its own"
        assert orders.setdefault(seed, epochs) == epochs, "a seed is an order"
    assert orders[1] != orders[2]


def test_a_manifest_keeps_its_order_and_is_shuffled_by_a_seed(jobs, prefix):
    names = [f"{number:02}" for number in (3, 1, 19, 4, 0, 7)]
    uri = manifest(jobs, fresh_name("manifest"), prefix, *names)
    plain = channel("c", uri, "Pipe", "ManifestFile")
    mixed = channel("d", uri, "Pipe", "ManifestFile", ShuffleConfig={"Seed": 1})
    found = seen(jobs, TAKE + "take c_0 c; take d_0 d", plain, mixed)
    assert order(found["c"]) == [3, 1, 19, 4, 0, 7]
    assert order(found["d"]) != order(found["c"])
    assert sorted(order(found["d"])) == [0, 1, 3, 4, 7, 19]


def test_many_epochs_and_a_few_that_are_left_early(jobs, prefix):
    script = TAKE + (
        "for n in 0 1 2 3 4 5 6 7 8 9; do if [ $((n % 3)) = 1 ]; then "
        f"{WAIT_FOR_PIPE.format('c_$n')}true < c_$n; else take c_$n $n; fi; done"
    )
    found = seen(jobs, script, channel("c", prefix, "Pipe"))
    assert sorted(found) == list("023568") + ["9"]
    assert {tuple(order(stream)) for stream in found.values()} == {tuple(range(20))}


def test_a_pipe_is_quick_and_whole(jobs):
    body = random.Random(1).randbytes(24 << 20)
    uri = jobs.put(f"{fresh_name('pipes')}/blob", body)
    found = seen(
        jobs, WAIT + "sha256sum < c_0 > /opt/ml/output/data/sum", channel("c", uri, "Pipe")
    )
    assert found["sum"].split()[0].decode() == hashlib.sha256(body).hexdigest()


def test_the_mode_of_a_channel_is_its_own(jobs, prefix):
    piped = channel("c", prefix, "Pipe")
    files = channel("f", prefix)
    del files["InputMode"]
    found = seen(jobs, TAKE + "take c_0 0; cat f/* > /opt/ml/output/data/f", piped, files)
    assert found["0"] == found["f"]
    assert order(found["0"]) == list(range(20))


def test_a_stream_that_is_no_gzip_fails_the_job_by_name(jobs):
    key = f"{fresh_name('pipes')}/a.gz"
    uri = jobs.put(key, gzip.compress(bytes(1 << 20))[:-9] + b"x")
    made = channel("c", uri, "Pipe", CompressionType="Gzip")
    assert uri in refused(jobs, WAIT + "cat c_0 > /dev/null", made)


@pytest.mark.parametrize(
    "replacement",
    [
        pytest.param("echo mine > c_0", id="file"),
        pytest.param("ln -s /opt/ml/output/data/stolen c_0", id="link"),
        pytest.param("ln -s /etc/passwd c_0", id="link to a file of the host"),
        pytest.param("mkfifo c_0; { cat c_0 > /dev/null & }", id="other pipe"),
        pytest.param("mkdir c_0", id="directory"),
        pytest.param(":", id="nothing"),
    ],
)
def test_code_that_puts_something_in_a_pipe_s_place_harms_only_itself(jobs, prefix, replacement):
    script = WAIT + f"rm c_0; {replacement}; sleep 0.5; ls c_0 > /opt/ml/output/data/end; true"
    found = seen(jobs, script, channel("c", prefix, "Pipe"))
    assert "stolen" not in found, "an agent that follows links writes where it is led"


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(":", id="never opened"),
        pytest.param("exec 3< c_0", id="opened and never read"),
        pytest.param("exec 3< c_0; head -c 1 <&3", id="read a little"),
    ],
)
def test_a_stop_does_not_wait_for_a_reader(jobs, reading):
    uri = jobs.put(f"{fresh_name('pipes')}/blob", bytes(8 << 20))
    script = IN_DATA + WAIT + f"{reading}; echo ready; {LINGER}"
    name = jobs.create(script, InputDataConfig=[channel("c", uri, "Pipe")])
    jobs.wait_for_line(name, "ready")
    job = jobs.stop(name)
    assert job["TrainingJobStatus"] == "Stopped"
    # Work that ignores SIGTERM would have two minutes.
    (stopping,) = [one for one in job["SecondaryStatusTransitions"] if one["Status"] == "Stopping"]
    assert (stopping["EndTime"] - stopping["StartTime"]).total_seconds() < 110


def test_pipes_and_file_systems_go_on_when_the_server_comes_back(own_jobs):
    uri = own_jobs.put(f"{fresh_name('pipes')}/a", "a line\n").removesuffix("a")
    script = TAKE + (
        f"take c_0 0; echo ready; {UNTIL_LET_GO}; "
        "take c_1 1; take c_2 2; cp f/a /opt/ml/output/data/f"
    )
    channels = [channel("c", uri, "Pipe"), channel("f", uri, "FastFile")]
    name = own_jobs.create(IN_DATA + script, InputDataConfig=channels)
    own_jobs.wait_for_line(name, "ready")
    own_jobs.server.kill()
    own_jobs.let_go()
    time.sleep(1)
    own_jobs.server.start()
    own_jobs.reconnect()
    found = kept(own_jobs, own_jobs.wait(name))
    assert found == dict.fromkeys(["0", "1", "2", "f"], b"a line\n")
