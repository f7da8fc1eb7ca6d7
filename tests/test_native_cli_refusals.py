"""What `kiln sagemaker` refuses, it refuses in the words of `aws sagemaker`."""

import json
import subprocess

import pytest

from harness.jobs import ROLE
from harness.native_cli import (
    ARN,
    DESCRIBE,
    FAILED,
    GENERAL,
    LIST,
    NAME,
    SERVICE,
    STEM,
    USAGE,
)
from harness.server import kiln_binary


TAGGED = ("add-tags", "--resource-arn", f"{ARN}/{STEM}-0", "--tags")
CREATE = ("create-training-job", *NAME, "--role-arn", ROLE)
REFUSED = {
    "no operation": ((), USAGE),
    "unknown operation": (("frob",), USAGE),
    "misspelt operation": (("describe-training-jo",), USAGE),
    "missing option": (("describe-training-job",), USAGE),
    "missing options": (("create-training-job",), USAGE),
    "missing value": (("describe-training-job", "--training-job-name"), USAGE),
    "unknown option": (("describe-training-job", *NAME, "--frob", "x"), USAGE),
    "stray words": (("describe-training-job", *NAME, "stray", "more"), USAGE),
    "empty name": (("describe-training-job", "--training-job-name", ""), USAGE),
    "colour": ((*LIST, "--color", "x"), USAGE),
    "incomplete query": ((*LIST, "--query", "a["), USAGE),
    "query token": ((*LIST, "--query", "a=b"), USAGE),
    "query quote": ((*LIST, "--query", "'a"), USAGE),
    "query syntax": ((*LIST, "--query", "a b"), USAGE),
    "query star": ((*LIST, "--query", "a.[*"), USAGE),
    "empty query": ((*LIST, "--query", ""), USAGE),
    "function": ((*LIST, "--query", "foo(@)"), GENERAL),
    "function type": ((*LIST, "--query", "length(Nope)"), GENERAL),
    "function items": ((*LIST, "--query", "join('', [`1`])"), GENERAL),
    "function count": ((*LIST, "--query", "length(@, @)"), GENERAL),
    "whole number": ((*LIST, "--max-results", "abc"), GENERAL),
    "items": ((*LIST, "--max-items", "abc"), USAGE),
    "items of one page": ((*LIST, "--no-paginate", "--max-items", "3"), USAGE),
    "time": ((*LIST, "--creation-time-after", "yesterdayish"), USAGE),
    "least": ((*LIST, "--max-results", "0"), USAGE),
    "most": ((*LIST, "--max-results", "500"), SERVICE),
    "value": ((*LIST, "--status-equals", "Nope"), SERVICE),
    "token": ((*LIST, "--starting-token", "zz!"), SERVICE),
    "timeout": ((*LIST, "--cli-read-timeout", "x"), GENERAL),
    "endpoint": ((*LIST, "--endpoint-url", "foo"), USAGE),
    "region": ((*LIST, "--region", "eu-west-1"), SERVICE),
    "region form": ((*LIST, "--region", "bad region"), GENERAL),
    "profile": ((*LIST, "--profile", "none"), GENERAL),
    "unsigned": ((*LIST, "--no-sign-request"), SERVICE),
    "absent job": (("stop-training-job", *NAME), SERVICE),
    "absent job deleted": (("delete-training-job", *NAME), SERVICE),
    "bad arn": (("list-tags", "--resource-arn", "x"), SERVICE),
    "number in shorthand": (
        (*CREATE, "--stopping-condition", "MaxRuntimeInSeconds=a"),
        USAGE,
    ),
    "json": ((*CREATE, "--output-data-config", '{"a":'), USAGE),
    "json list": ((*CREATE, "--resource-config", "[1]"), USAGE),
    "second item": ((*TAGGED, '{"Key": "a", "Value": "b"}', "Key=a"), USAGE),
    "missing member": ((*TAGGED, "Key=a,Value=b", "Key=c"), USAGE),
    "key twice": ((*TAGGED, "Key=a,Key=b"), USAGE),
    "no file": ((*TAGGED, "file:///no/such/file"), USAGE),
    "input file": (("create-training-job", "--cli-input-json", "file:///nope"), USAGE),
    "input json": (("create-training-job", "--cli-input-json", '{"A": 5'), USAGE),
    "input word": (("create-training-job", "--cli-input-json", "{'A': 5}"), USAGE),
    "waiter": (("wait",), USAGE),
    "unknown waiter": (("wait", "frob"), USAGE),
    "waiter option": (("wait", "training-job-completed-or-stopped"), USAGE),
    "wait for nothing": (("wait", "training-job-completed-or-stopped", *NAME), GENERAL),
    "wait for a failure": (
        ("wait", "training-job-completed-or-stopped", *FAILED[1:]),
        GENERAL,
    ),
}
# A request of which the types, the members and the lengths are wrong.
MALFORMED = {
    "TrainingJobName": 5,
    "Foo": 1,
    "ResourceConfig": [],
    "HyperParameters": {"a": 1, "b": None},
    "Tags": [{"Key": ""}, "x"],
    "EnableNetworkIsolation": "x",
    "InputDataConfig": [],
    "StoppingCondition": {"MaxRuntimeInSeconds": 0, "MaxWaitTimeInSeconds": 1.5},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_in_the_same_words(both, case):
    arguments, status = REFUSED[case]
    printed = both.agree(*arguments, status=status)
    assert printed.stderr


def test_all_that_is_wrong_with_a_request_is_said(both):
    printed = both.agree(
        "create-training-job", "--cli-input-json", json.dumps(MALFORMED), status=USAGE
    )
    assert printed.stderr.count(b"\n") > 10


def test_who_is_to_be_asked_and_not_asked_is_told(both):
    """Version 1 knows neither option."""
    refused = both.native(*DESCRIBE, "--cli-auto-prompt", "--no-cli-auto-prompt")
    assert (refused.status, refused.stdout) == (USAGE, b"")
    assert refused.stderr.decode() == (
        "\nBoth --cli-auto-prompt and --no-cli-auto-prompt cannot be specified at the same time.\n"
    )


# What is nested too deep, whoever reads it.
DEEP = 40_000
HOSTILE = {
    "query": ((*DESCRIBE, "--query", "(" * DEEP + "a" + ")" * DEEP), USAGE),
    "long query": ((*DESCRIBE, "--query", "a" + ".a" * DEEP), USAGE),
    "json": (("create-training-job", "--cli-input-json", "[" * DEEP), USAGE),
    "yaml": (("create-training-job", "--cli-input-yaml", "[" * DEEP), USAGE),
    "shorthand": ((*TAGGED, "Key=" + "[" * DEEP), USAGE),
    "number": ((*LIST, "--max-results", "9" * 1000), GENERAL),
    "not a text": ((*LIST, b"--name-contains", b"\xff"), USAGE),
    "control characters": ((*DESCRIBE[:2], "\x01\x1b[31m"), SERVICE),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_arguments_are_refused(both, case):
    arguments, status = HOSTILE[case]
    printed = both.native(*arguments)
    assert (printed.status, printed.stdout) == (status, b"")
    assert printed.stderr and b"panicked" not in printed.stderr


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
@pytest.mark.parametrize("arguments", [DESCRIBE, ("frob",), (*DESCRIBE, "--debug")])
def test_nobody_needs_to_read_what_is_printed(both, arguments, closed):
    """The exit status is what it is when somebody reads."""
    expected = both.native(*arguments).status
    other = "stderr" if closed == "stdout" else "stdout"
    process = subprocess.Popen(
        [kiln_binary(), "sagemaker", *arguments],
        stdin=subprocess.DEVNULL,
        env=both.environment,
        **{closed: subprocess.PIPE, other: subprocess.DEVNULL},
    )
    getattr(process, closed).close()
    assert process.wait(timeout=60) == expected
