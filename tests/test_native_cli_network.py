"""`kiln sagemaker` on networks that are slow, broken or encrypted."""

import json

import pytest

from harness.native_cli import ARN, DESCRIBE, GENERAL, LIST, SERVICE, make_jobs, programs
from harness.stub import Answer, Certificates, Stub
from harness.terminal import Terminal

JOB = json.dumps({"TrainingJobName": "a", "TrainingJobStatus": "Completed"})
GOOD = Answer(200, JOB)
BUSY = Answer(503, json.dumps({"message": "busy"}))
THROTTLED = Answer(400, json.dumps({"__type": "ThrottlingException", "message": "slower"}))
INVALID = Answer(400, json.dumps({"__type": "ValidationException", "message": "no"}))


@pytest.fixture(scope="module")
def both(server, jobs, tmp_path_factory):
    """Both programs on the shared server, with jobs to ask about."""
    make_jobs(jobs)
    with programs(server, tmp_path_factory.mktemp("no") / "file") as both:
        yield both


@pytest.fixture
def stub():
    """A server that answers as it is told."""
    with Stub() as stub:
        yield stub


SCRIPTS = {
    "busy once": ([BUSY, GOOD], "3", 0),
    "throttled once": ([THROTTLED, GOOD], "3", 0),
    "lost once": ([Answer.NONE, GOOD], "3", 0),
    "busy always": ([BUSY, BUSY], "2", SERVICE),
    "throttled always": ([THROTTLED, THROTTLED], "2", SERVICE),
    "busy and never again": ([BUSY], "1", SERVICE),
    "invalid": ([INVALID], "3", SERVICE),
    "lost": ([Answer.NONE], "1", GENERAL),
    "invalid in the end": ([BUSY, INVALID], "2", SERVICE),
    "refused without json": ([Answer(404, "<html>")], "1", SERVICE),
    "nothing": ([Answer(200, "")], "1", 0),
}


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("case", SCRIPTS)
def test_what_may_pass_is_tried_again(both, stub, case, mode):
    script, attempts, status = SCRIPTS[case]
    stub.script = script * 2
    both.agree(
        *DESCRIBE,
        status=status,
        AWS_ENDPOINT_URL=stub.url,
        AWS_MAX_ATTEMPTS=attempts,
        AWS_RETRY_MODE=mode,
    )
    assert not stub.script, "they have tried less often"
    assert len(stub.requests) == 2 * len(script)


def test_an_answer_that_is_not_json_is_no_success(both, stub):
    """The AWS CLI takes it for an empty one."""
    stub.script = [Answer(200, "<html>")]
    printed = both.native(*DESCRIBE, AWS_ENDPOINT_URL=stub.url)
    assert printed.status == GENERAL
    assert b"invalid JSON received from service" in printed.stderr


def test_an_answer_is_waited_for_no_longer_than_is_said(both, stub):
    stub.script = [Answer.NEVER] * 2
    both.agree(
        *(*DESCRIBE, "--cli-read-timeout", "1"),
        status=GENERAL,
        AWS_ENDPOINT_URL=stub.url,
        AWS_MAX_ATTEMPTS="1",
    )


@pytest.mark.parametrize("option", ["--cli-read-timeout", "--cli-connect-timeout"])
@pytest.mark.parametrize(("seconds", "status"), [("0", 0), ("60", 0), ("-5", GENERAL)])
def test_limits_are_in_seconds(both, option, seconds, status):
    if status == 0:
        both.agree(*LIST, option, seconds)
    else:
        assert both.native(*LIST, option, seconds).status == status


# Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and certificates for this host and for another."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_a_certificate_is_checked_against_the_bundle(both, certificates):
    with Stub(certificates.for_this_host) as stub:
        there = {"AWS_ENDPOINT_URL": stub.url, "AWS_MAX_ATTEMPTS": "1"}
        bundle = str(certificates.authority)
        stub.script = [GOOD] * 6
        both.agree(*DESCRIBE, "--ca-bundle", bundle, **there)
        both.agree(*DESCRIBE, **there, AWS_CA_BUNDLE=bundle)
        both.agree(*DESCRIBE, **there, REQUESTS_CA_BUNDLE=bundle)
        for arguments in (
            DESCRIBE,
            (*DESCRIBE, "--ca-bundle", str(certificates.stranger)),
        ):
            refused = both.native(*arguments, **there)
            assert refused.status == GENERAL
            expected = f"\nSSL validation failed for {stub.url}/ "
            assert refused.stderr.decode().startswith(expected)
        assert both.native(*DESCRIBE, "--ca-bundle", "/no/such", **there).status == GENERAL


def test_a_certificate_for_another_host_is_refused(both, certificates):
    with Stub(certificates.for_another_host) as stub:
        there = {"AWS_ENDPOINT_URL": stub.url, "AWS_MAX_ATTEMPTS": "1"}
        bundle = ("--ca-bundle", str(certificates.authority))
        assert both.native(*DESCRIBE, *bundle, **there).status == GENERAL
        stub.script = [GOOD]
        assert both.native(*DESCRIBE, "--no-verify-ssl", **there).status == 0


# Somebody at a terminal


def test_what_is_missing_is_asked_for(both):
    arguments = (
        "sagemaker",
        "describe-training-job",
        "--cli-auto-prompt",
        "--output",
        "text",
    )
    asked = Terminal(*arguments, environment=both.environment)
    asked.expect("--training-job-name: ")
    asked.type(f"{DESCRIBE[2]}\n")
    asked.expect(f"training-job/{DESCRIBE[2]}")
    assert asked.end() == 0


def test_several_words_are_asked_for_and_the_operation_too(both, jobs):
    # Nobody else's tags change.
    name = jobs.run("true")["TrainingJobName"]
    asked = Terminal("sagemaker", "--cli-auto-prompt", environment=both.environment)
    asked.expect("operation: ")
    asked.type("add-tags\n")
    asked.expect("--resource-arn: ")
    asked.type(f"{ARN}/{name}\n")
    asked.expect("--tags: ")
    asked.type("Key=a,Value=b Key=c,Value='d e'\n")
    assert asked.end() == 0
    told = jobs.sagemaker.list_tags(ResourceArn=f"{ARN}/{name}")["Tags"]
    assert told == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d e"}]


def test_nobody_is_asked_where_nobody_sits(both):
    arguments = ("describe-training-job", "--cli-auto-prompt")
    plain = both.native("describe-training-job")
    assert both.native(*arguments) == plain
    assert both.native("describe-training-job", AWS_CLI_AUTO_PROMPT="on") == plain
    assert both.native("--cli-auto-prompt") == both.native()
