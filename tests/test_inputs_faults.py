"""Networks and stores that misbehave: a job sees the right bytes, or fails and says of what."""

import hashlib
import random
from operator import methodcaller

import pytest

from harness.channels import IN_DATA, WAIT_FOR_PIPE, channel, kept, manifest, refused
from harness.fault_proxy import Fault, Request, apart
from harness.jobs import Jobs, completed, fresh_name

BODY = random.Random(3).randbytes((3 << 20) + 5)
DIGEST = hashlib.sha256(BODY).hexdigest()
WAIT = WAIT_FOR_PIPE.format("c_0")
DIGEST_OF = {
    "File": "sha256sum < c/blob",
    "Pipe": WAIT + "sha256sum < c_0",
    "FastFile": "sha256sum < c/blob",
}
BREAKS = [Fault("drop", 0), Fault("drop", 1 << 20), Fault("refuse")]


@pytest.fixture(scope="module", autouse=True)
def stalled(busybox):
    """A job that waits for the rest of its channel while the other tests run."""
    with apart({"busybox": busybox}) as (jobs, proxy):
        made = channel("c", jobs.put("blob", BODY))
        proxy.plan(methodcaller("reads", "/blob"), Fault("stall", 1 << 20))
        yield jobs, jobs.create(IN_DATA + DIGEST_OF["File"], InputDataConfig=[made]), proxy


@pytest.fixture(scope="module")
def proxied(busybox):
    """Jobs whose objects lie behind a proxy."""
    with apart({"busybox": busybox}) as pair:
        yield pair


def blob(jobs: Jobs) -> tuple[str, str]:
    """An object of the test's own: the end of its path, and its URI."""
    directory = fresh_name("faults")
    return f"/{directory}/blob", jobs.put(f"{directory}/blob", BODY)


def digest(jobs: Jobs, uri: str, mode: str) -> str:
    """What the job's own program makes of the channel."""
    made = [channel("c", uri, mode)]
    job = completed(jobs.run(IN_DATA + DIGEST_OF[mode], InputDataConfig=made))
    return jobs.lines(job["TrainingJobName"])[-1].split()[0]


@pytest.mark.parametrize("fault", BREAKS, ids=lambda f: f"{f.kind}-{f.after}")
@pytest.mark.parametrize("mode", DIGEST_OF)
def test_what_breaks_off_is_fetched_again(proxied, mode, fault):
    jobs, proxy = proxied
    key, uri = blob(jobs)
    plan = proxy.plan(methodcaller("reads", key), fault, times=2)
    assert digest(jobs, uri, mode) == DIGEST
    assert plan.happened


@pytest.mark.parametrize("mode", DIGEST_OF)
def test_a_body_that_claims_to_be_shorter_is_not_believed(proxied, mode):
    jobs, proxy = proxied
    key, uri = blob(jobs)
    plan = proxy.plan(methodcaller("reads", key), Fault("shorten", 77777), times=1)
    made = [channel("c", uri, mode)]
    job = jobs.run(IN_DATA + DIGEST_OF[mode] + "; sleep 1", InputDataConfig=made)
    assert plan.happened
    if job["TrainingJobStatus"] == "Completed":
        assert jobs.lines(job["TrainingJobName"])[-1].split()[0] == DIGEST
    else:
        assert uri in job["FailureReason"]


@pytest.mark.parametrize("at", [0, 1234567, len(BODY) - 1])
@pytest.mark.parametrize("mode", ["File", "Pipe"])
def test_a_byte_that_changed_on_its_way_is_noticed(proxied, mode, at):
    jobs, proxy = proxied
    key, uri = blob(jobs)
    plan = proxy.plan(methodcaller("reads", key), Fault("flip", at), times=100)
    script = DIGEST_OF[mode] + "; sleep 2"
    job = jobs.run(IN_DATA + script, InputDataConfig=[channel("c", uri, mode)])
    assert plan.happened
    assert job["TrainingJobStatus"] == "Failed", "the job must not have believed it"
    assert uri in job["FailureReason"] and "not what was stored" in job["FailureReason"]


@pytest.fixture(scope="module")
def large(proxied) -> tuple[str, str]:
    """An object that is fetched in parts: its URI, and its digest."""
    body = random.Random(4).randbytes(1 << 20) * 160
    return proxied[0].put("faults-large/blob", body), hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    "fault", [Fault("drop", 3 << 20), Fault("refuse"), Fault("flip", 3 << 20)], ids=lambda f: f.kind
)
def test_parts_of_a_large_object_are_fetched_again(proxied, large, fault):
    jobs, proxy = proxied
    uri, whole = large
    plan = proxy.plan(methodcaller("reads", "faults-large/blob"), fault, times=3)
    made = [channel("c", uri)]
    job = completed(jobs.run(IN_DATA + DIGEST_OF["File"], InputDataConfig=made))
    assert jobs.lines(job["TrainingJobName"])[-1].split()[0] == whole
    assert plan.happened == 3


@pytest.mark.parametrize("fault", [Fault("drop", 100), Fault("refuse")], ids=lambda f: f.kind)
def test_a_listing_that_breaks_off_is_asked_for_again(proxied, fault):
    jobs, proxy = proxied
    prefix = fresh_name("faults")
    for number in range(9):
        jobs.put(f"{prefix}/{number}", str(number))

    def lists(request: Request) -> bool:
        return "list-type=2" in request.path and prefix in request.path

    plan = proxy.plan(lists, fault, times=2)
    made = channel("c", f"s3://{jobs.bucket}/{prefix}/")
    job = completed(jobs.run(IN_DATA + "cat c/*; echo", InputDataConfig=[made]))
    assert jobs.lines(job["TrainingJobName"]) == ["012345678"]
    assert plan.happened == 2


def test_a_manifest_that_claims_to_be_shorter_is_not_believed(proxied):
    jobs, proxy = proxied
    key, uri = blob(jobs)
    listed = manifest(jobs, f"{key[1:]}.manifest", uri.removesuffix("blob"), "blob")
    proxy.plan(methodcaller("reads", f"{key}.manifest"), Fault("shorten", 20))
    assert listed in refused(jobs, "true", channel("c", listed, kind="ManifestFile"))


def test_an_object_that_may_not_be_read_is_named(proxied):
    jobs, proxy = proxied
    key, uri = blob(jobs)
    other = uri.removesuffix("blob") + "gone"
    listed = manifest(jobs, f"{key[1:]}.manifest", uri.removesuffix("blob"), "blob", "gone")
    reason = refused(jobs, "true", channel("c", listed, kind="ManifestFile"))
    assert reason.startswith(f"ClientError: Data download failed:Unable to download object {other}")


@pytest.mark.parametrize(
    "matches, fault",
    [
        pytest.param("writes", Fault("cut", 1 << 20), id="a part is cut off"),
        pytest.param("writes", Fault("refuse"), id="a part is refused"),
        pytest.param("writes", Fault("lose"), id="the answer to a part is lost"),
        pytest.param("completes", Fault("refuse"), id="the completion is refused after the fact"),
        pytest.param("completes", Fault("drop", 0), id="the answer to the completion is lost"),
    ],
)
def test_a_model_arrives_whole(proxied, matches, fault):
    jobs, proxy = proxied
    script = "cd /opt/ml/model; head -c 10000000 /dev/urandom > w; sha256sum < w"
    name = fresh_name("faults")
    key = f"/{name}/output/model.tar.gz"
    plan = proxy.plan(methodcaller(matches, key), fault, times=2)
    job = completed(jobs.run(script, name=name))
    assert plan.happened
    found = hashlib.sha256(jobs.model(job)["w"]).hexdigest()
    assert jobs.lines(name)[-1].split()[0] == found


def test_checkpoints_that_are_refused_are_stored_in_the_end(proxied):
    jobs, proxy = proxied
    prefix = fresh_name("faults")
    config = {"S3Uri": f"s3://{jobs.bucket}/{prefix}"}
    plan = proxy.plan(methodcaller("writes", f"/{prefix}/c"), Fault("refuse"), times=2)
    job = jobs.run(
        "echo x > /opt/ml/checkpoints/c; echo y > /opt/ml/output/data/y", CheckpointConfig=config
    )
    assert kept(jobs, job) == {"y": b"y\n"}
    assert jobs.object(f"s3://{jobs.bucket}/{prefix}/c") == b"x\n"
    assert plan.happened == 2


def test_a_store_that_falls_silent_is_asked_again(stalled):
    jobs, name, proxy = stalled
    completed(jobs.wait(name))
    assert jobs.lines(name)[-1].split()[0] == DIGEST
    assert len([one for one in proxy.seen if one.reads("/blob")]) > 1
