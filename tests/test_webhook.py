"""Every change of a job is told to the webhook: at least once, and in order."""

import datetime
import hashlib
import hmac
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from harness.jobs import LINGER, UNTIL_LET_GO, Jobs, completed
from harness.server import Server, kiln
from harness.webhook import Sent, Webhook

SECRET = "a secret of ours"
LIFE = ["Starting", "Pending", "Downloading", "Training", "Uploading", "Completed"]


@pytest.fixture
def webhook():
    """A webhook that takes everything until it is told otherwise."""
    webhook = Webhook()
    yield webhook
    webhook.stop()


@pytest.fixture
def told_jobs(busybox, webhook):
    """Jobs on a server that tells the webhook."""
    server = Server(images={"busybox": busybox})
    configure(server, f'[webhook]\nurl = "{webhook.url}"\nsecret = "{SECRET}"\n')
    server.start()
    yield Jobs(server)
    server.close()


def configure(server: Server, text: str) -> None:
    """Writes the server's configuration file."""
    (server.data_dir / "kiln.toml").write_text(text)


def statuses(taken: list[Sent]) -> list[str]:
    """The secondary statuses that were told of, changes of message left out."""
    names = [sent.phase[0] for sent in taken]
    return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]


def kept(server: Server) -> int:
    """How many announcements the server keeps."""
    with sqlite3.connect(f"file:{server.data_dir}/jobs.db?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM announcements").fetchone()[0]


def assert_in_order(taken: list[Sent]) -> None:
    """Each event's account of the job continues the one before it."""
    for earlier, later in zip(taken, taken[1:], strict=False):
        before = earlier.event["detail"]["SecondaryStatusTransitions"]
        after = later.event["detail"]["SecondaryStatusTransitions"]
        assert [t["StartTime"] for t in before] == [t["StartTime"] for t in after[: len(before)]]
        assert later.phase != earlier.phase
        assert (
            earlier.event["detail"]["LastModifiedTime"] <= later.event["detail"]["LastModifiedTime"]
        )


def milliseconds(time: datetime.datetime) -> int:
    """A time of the API as events have it."""
    return round(time.timestamp() * 1000)


def test_a_jobs_life_is_told_as_eventbridge_tells_it(told_jobs, webhook):
    tags = [{"Key": "team", "Value": "blue"}]
    job = completed(told_jobs.run("echo 1", Tags=tags, HyperParameters={"EndTime": "7"}))
    taken = webhook.wait_for_end(job["TrainingJobName"])
    told = statuses(taken)
    assert told == [change["Status"] for change in job["SecondaryStatusTransitions"]]
    assert_in_order(taken)
    for sent in taken:
        event = sent.event
        assert event["version"] == "0"
        assert event["detail-type"] == "SageMaker Training Job State Change"
        assert event["source"] == "aws.sagemaker"
        assert (event["account"], event["region"]) == ("123456789012", "us-east-1")
        assert event["resources"] == [job["TrainingJobArn"]]
        datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["x-kiln-event-id"] == event["id"]
    assert len({sent.event["id"] for sent in taken}) == len(taken)

    detail = taken[-1].event["detail"]
    for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
        assert detail[name] == milliseconds(job[name]), name
        assert isinstance(detail[name], int)
    for told, change in zip(
        detail["SecondaryStatusTransitions"], job["SecondaryStatusTransitions"], strict=True
    ):
        assert told["StartTime"] == milliseconds(change["StartTime"])
        assert told["EndTime"] == milliseconds(change["EndTime"])
    assert detail["Tags"] == {"team": "blue"}
    assert detail["HyperParameters"] == {"EndTime": "7"}
    assert detail["ModelArtifacts"] == job["ModelArtifacts"]
    assert_soon(lambda: kept(told_jobs.server) == 0)


def assert_soon(holds, within: float = 120) -> None:
    """Waits until something holds."""
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_secret_signs_the_body(told_jobs, webhook):
    name = told_jobs.create("true")
    for sent in webhook.wait_for_end(name):
        expected = hmac.new(SECRET.encode(), sent.body, hashlib.sha256).hexdigest()
        assert sent.headers["x-kiln-signature"] == f"sha256={expected}"


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate for this machine that it signed itself, and its key."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    constraints = ["-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *subject, *constraints, *files], check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_spoken_with_whom_the_machine_trusts(busybox, certificate, trusted):
    webhook = Webhook(certificate)
    environment = {"SSL_CERT_FILE": str(certificate)} if trusted else {}
    server = Server(environment, images={"busybox": busybox})
    configure(server, f'[webhook]\nurl = "{webhook.url}"\n')
    try:
        server.start()
        jobs = Jobs(server)
        name = jobs.create("true")
        if trusted:
            taken = webhook.wait_for_end(name)
            assert statuses(taken) == LIFE
            assert "x-kiln-signature" not in taken[0].headers
        else:
            completed(jobs.wait(name))
            assert_soon(lambda: "invalid peer certificate" in server.said())
            assert webhook.sent == []
    finally:
        webhook.stop()
        server.close()


def test_a_failure_and_a_stop_are_told(told_jobs, webhook):
    failing = told_jobs.create("exit 3")
    last = webhook.wait_for_end(failing)[-1].event["detail"]
    assert (last["TrainingJobStatus"], last["SecondaryStatus"]) == ("Failed", "Failed")
    assert last["FailureReason"] == told_jobs.describe(failing)["FailureReason"]
    stopped = told_jobs.create(LINGER)
    told_jobs.wait_for_phase(stopped, "Training")
    told_jobs.sagemaker.stop_training_job(TrainingJobName=stopped)
    taken = webhook.wait_for_end(stopped)
    main = [sent.event["detail"]["TrainingJobStatus"] for sent in taken]
    assert statuses(taken)[-3:] == ["Training", "Stopping", "Stopped"]
    assert main[-2:] == ["Stopping", "Stopped"]


def test_an_interruption_is_told(told_jobs, webhook):
    name = told_jobs.create(
        LINGER,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 120, "MaxWaitTimeInSeconds": 240},
    )
    told_jobs.wait_for_phase(name, "Training")
    done = kiln("interrupt", name, "--data-dir", str(told_jobs.server.data_dir))
    assert done.returncode == 0, done.stderr
    webhook.wait_until(name, lambda taken: statuses(taken).count("Training") == 2)
    told_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    taken = webhook.wait_for_end(name)
    assert_in_order(taken)
    changes = told_jobs.describe(name)["SecondaryStatusTransitions"]
    assert statuses(taken) == [change["Status"] for change in changes]
    assert "Interrupted" in statuses(taken)


def test_what_fails_is_told_again_before_anything_else(told_jobs, webhook):
    moods = iter([500, "drop", 429, 503, 408])
    webhook.mood = lambda event, before: 200 if before else next(moods, 200)
    name = told_jobs.create("true")
    taken = webhook.wait_for_end(name)
    assert statuses(taken) == LIFE
    assert_in_order(taken)
    failed = [sent for sent in webhook.sent if sent.answer != 200]
    assert len(failed) == 5
    order = [sent.event["id"] for sent in webhook.sent]
    for sent in failed:
        first = order.index(sent.event["id"])
        assert order[first + 1] == sent.event["id"], "nothing overtakes what failed"


def test_a_webhook_that_stalls_is_not_waited_for_for_ever(told_jobs, webhook):
    webhook.mood = lambda event, before: 200 if before else "stall"
    name = told_jobs.create("true")
    assert webhook.wait_until(name, bool)[0].phase[0] == "Starting"
    completed(told_jobs.wait(name))
    webhook.mood = lambda event, before: 200
    assert statuses(webhook.wait_for_end(name)) == LIFE


def test_one_jobs_trouble_holds_up_no_other(told_jobs, webhook):
    poisoned = told_jobs.request("true", name="poisoned")
    webhook.mood = lambda event, before: (
        500 if event["detail"]["TrainingJobName"] == "poisoned" else 200
    )
    told_jobs.sagemaker.create_training_job(**poisoned)
    others = [told_jobs.create("true") for _ in range(3)]
    for name in others:
        assert statuses(webhook.wait_for_end(name)) == LIFE
    assert webhook.taken("poisoned") == []
    first = {sent.event["id"] for sent in webhook.sent if sent.job == "poisoned"}
    assert len(first) == 1, "the next event waits for the one before it"
    webhook.mood = lambda event, before: 200
    assert statuses(webhook.wait_for_end("poisoned")) == LIFE


def test_what_is_refused_as_such_is_dropped_after_some_tries(told_jobs, webhook):
    webhook.mood = lambda event, before: (
        400 if event["detail"]["SecondaryStatus"] == "Starting" else 200
    )
    name = told_jobs.create("true")
    taken = webhook.wait_for_end(name)
    assert statuses(taken) == LIFE[1:]
    refused = [sent for sent in webhook.sent if sent.answer == 400]
    assert len(refused) == 5 and len({sent.event["id"] for sent in refused}) == 1
    assert "it is dropped" in told_jobs.server.said()


def test_a_redirection_is_not_followed(told_jobs, webhook):
    webhook.mood = lambda event, before: 200 if before else 302
    name = told_jobs.create("true")
    assert statuses(webhook.wait_for_end(name)) == LIFE


def test_a_webhook_that_was_away_hears_everything_when_it_is_back(told_jobs, webhook):
    webhook.stop()
    names = [told_jobs.create("true") for _ in range(5)]
    for name in names:
        completed(told_jobs.wait(name))
    webhook.start()
    for name in names:
        taken = webhook.wait_for_end(name)
        assert statuses(taken) == LIFE
        assert_in_order(taken)
    assert_soon(lambda: kept(told_jobs.server) == 0)


def test_a_killed_server_goes_on_where_it_stopped(told_jobs, webhook):
    webhook.mood = lambda event, before: 200 if before % 2 else 500
    names = [told_jobs.create("echo 1; sleep 1; echo 2") for _ in range(3)]
    for _ in range(4):
        time.sleep(0.7)
        told_jobs.server.crash_and_restart()
    told_jobs.reconnect()
    for name in names:
        completed(told_jobs.wait(name))
        taken = webhook.wait_for_end(name)
        assert statuses(taken) == LIFE
        assert_in_order(taken)
    assert_soon(lambda: kept(told_jobs.server) == 0)


def test_what_happened_while_the_server_was_away_is_told_step_by_step(told_jobs, webhook):
    name = told_jobs.create(f"echo up; {UNTIL_LET_GO}")
    told_jobs.wait_for_line(name, "up")
    told_jobs.server.kill()
    told_jobs.let_go()
    time.sleep(2.5)
    told_jobs.server.start()
    told_jobs.reconnect()
    completed(told_jobs.wait(name))
    taken = webhook.wait_for_end(name)
    assert statuses(taken) == LIFE
    assert_in_order(taken)


def test_a_job_that_was_deleted_is_told_to_its_end(told_jobs, webhook):
    webhook.stop()
    name = told_jobs.create("true")
    completed(told_jobs.wait(name))
    told_jobs.sagemaker.delete_training_job(TrainingJobName=name)
    webhook.start()
    assert statuses(webhook.wait_for_end(name)) == LIFE


def test_without_a_webhook_nothing_is_kept(own_jobs):
    completed(own_jobs.run("true"))
    assert kept(own_jobs.server) == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('url = "not one"', "is not a URL"),
        ('url = "ftp://127.0.0.1/"', "must begin with http:// or https://"),
        ('url = "http://127.0.0.1/"\nsecret = ""', "secret is empty"),
        ('url = "http://127.0.0.1/"\nsecert = "x"', "secert"),
    ],
)
def test_a_webhook_that_cannot_be_one_is_refused_at_start(table, said):
    server = Server()
    configure(server, f"[webhook]\n{table}\n")
    with pytest.raises(AssertionError):
        server.start()
    assert said in server.said()
    server.close()
