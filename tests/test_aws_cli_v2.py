"""Version 2 of the AWS CLI, as Debian packages it: it follows logs, which version 1 cannot,
and prints of jobs what `kiln sagemaker` prints."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.aws_cli import Printed
from harness.compilations import Compilations
from harness.jobs import GROUP, LINGER, POLL, completed, fresh_name
from harness.native_cli import (
    DESCRIBE,
    FAILED,
    LIST,
    NAME,
    USAGE,
    Both,
    make_jobs,
    programs,
)

# Debian's knows fewer members of a summary than this project's model.
NAMES = (*LIST, "--query", "TrainingJobSummaries[].TrainingJobName")
AWS = Path("/usr/bin/aws")
# Lines that take a while to come, and a job that lives on.
GROWS = f"for i in $(seq 0 59); do echo line $i; usleep 50000; done; {LINGER}"


def version() -> str:
    """What the program says of itself, if it is there."""
    if not AWS.exists():
        return ""
    return subprocess.run([AWS, "--version"], capture_output=True, text=True).stdout


pytestmark = pytest.mark.skipif(
    not version().startswith("aws-cli/2."), reason=f"{AWS} is not version 2"
)


class SecondAwsCli:
    """The program. Debian's does not know the variable for the endpoint."""

    def start(self, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen:
        """Starts an invocation with just this environment."""
        return subprocess.Popen(
            [AWS, "--endpoint-url", environment["AWS_ENDPOINT_URL"], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What it prints is to come at once.
            env={**environment, "AWS_PAGER": "", "PYTHONUNBUFFERED": "1"},
            # What a shell starts in its background is deaf to interrupts, and so are these tests.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, arguments: list[str], environment: dict[str, str]) -> Printed:
        """One invocation, from beginning to end."""
        process = self.start(arguments, environment)
        texts = process.communicate(timeout=300)
        return Printed(process.returncode, *texts)


@pytest.fixture(scope="module")
def both(server, jobs, tmp_path_factory) -> Iterator[Both]:
    """`kiln sagemaker` and version 2 of `aws sagemaker`, which write times the same way."""
    make_jobs(jobs)
    configuration = tmp_path_factory.mktemp("v2") / "config"
    configuration.write_text("[default]\ncli_timestamp_format = iso8601\n")
    with programs(server, configuration) as both:
        yield Both(SecondAwsCli(), both.environment)


def tail(both: Both, *options: str) -> list[str]:
    """The messages that `aws logs tail` prints, without their times."""
    printed = both.aws.run(["logs", "tail", GROUP, "--format", "short", *options], both.environment)
    assert printed.status == 0, printed.stderr
    return messages(printed.stdout)


def messages(printed: bytes) -> list[str]:
    """What follows the time on each line."""
    return [line.split(" ", 1)[1] for line in printed.decode().splitlines()]


def test_a_log_is_followed_until_it_is_interrupted(both, jobs, tmp_path):
    name = jobs.create(GROWS)
    jobs.wait_for_line(name, "line 0")
    (stream,) = jobs.streams(name)
    options = ["--follow", "--format", "short", "--log-stream-names", stream]
    process = both.aws.start(["logs", "tail", GROUP, *options], both.environment)
    printed = b""
    os.set_blocking(process.stdout.fileno(), False)
    until = time.monotonic() + 300
    while b"line 59\n" not in printed:
        assert process.poll() is None and time.monotonic() < until, printed
        printed += process.stdout.read() or b""
        time.sleep(POLL)
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest, said) == (0, b"", b"")
    assert messages(printed) == [f"line {number}" for number in range(60)]
    jobs.stop(name)


def test_a_log_is_read_from_a_time_on_and_by_a_pattern(both, jobs):
    script = "for i in $(seq 0 19); do echo line $i; done"
    name = completed(jobs.run(script))["TrainingJobName"]
    (stream,) = jobs.streams(name)
    one = ["--log-stream-names", stream]
    assert tail(both, *one) == [f"line {number}" for number in range(20)]
    assert tail(both, *one, "--filter-pattern", '"line 7"') == ["line 7"]
    assert tail(both, "--log-stream-name-prefix", name, "--since", "1h") == tail(both, *one)
    hour = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    assert tail(both, *one, "--since", hour) == []


@pytest.mark.parametrize("output", ["json", "yaml", "yaml-stream", "text", "table"])
@pytest.mark.parametrize("question", [DESCRIBE, FAILED, NAMES], ids=["rich", "failed", "list"])
def test_training_jobs_are_printed_alike(both, question, output):
    both.agree(*question, "--output", output, "--no-cli-pager")


STREAMS = {
    "pages": ("--page-size", "2"),
    "items": ("--max-items", "3", "--page-size", "2"),
    "first page": ("--max-items", "2", "--page-size", "2"),
    "one page": ("--no-paginate", "--max-results", "2"),
    "tokens": ("--page-size", "2", "--query", "NextToken"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_has_pages_as_the_service_sent_them(both, case):
    """Debian's shows no secondary status, so that of the jobs nothing is asked."""
    pages = "{Token: NextToken, Names: TrainingJobSummaries[].TrainingJobName}"
    query = () if "--query" in STREAMS[case] else ("--query", pages)
    both.agree(*LIST, "--output", "yaml-stream", *STREAMS[case], *query)


def test_an_empty_answer_is_no_item_of_a_stream(both, jobs):
    def printed(run) -> Printed:
        name = jobs.create(LINGER)
        return run("stop-training-job", "--training-job-name", name, "--output", "yaml-stream")

    golden = printed(lambda *words: both.aws.run(["sagemaker", *words], both.environment))
    assert printed(both.native) == golden == Printed(0, b"", b"")


LONE = ["TrainingJobStatus", "HyperParameters.name", "Missing", "length(keys(@))", "`[]`", "`1.5`"]


@pytest.mark.parametrize("query", LONE)
def test_a_lone_value_is_printed_alike(both, query):
    for output in ("yaml", "yaml-stream", "json"):
        both.agree(*DESCRIBE, "--query", query, "--output", output)


DOCUMENTS = {
    "name": (f"TrainingJobName: {DESCRIBE[2]}", 0),
    "number": ("TrainingJobName: 5", USAGE),
    "list": ("[a]", USAGE),
    "no yaml": ("a: [", USAGE),
    "no file": ("file:///no/such/file", USAGE),
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_of_yaml_is_read_alike(both, document):
    text, status = DOCUMENTS[document]
    asked = ("describe-training-job", "--query", "TrainingJobArn", "--output", "text")
    both.agree(*asked, "--cli-input-yaml", text, status=status)


@pytest.mark.parametrize(
    "operation",
    ["list-tags", "add-tags", "delete-tags", "describe-training-job", "list-compilation-jobs"],
)
def test_a_skeleton_of_yaml_says_the_same_but_for_documentation(both, operation):
    asked = (operation, "--generate-cli-skeleton", "yaml-input")
    golden = both.aws.run(["sagemaker", *asked], both.environment)
    native = both.native(*asked)
    assert native.stdout.decode() == undocumented(golden.stdout.decode())
    assert (native.status, golden.status) == (0, 0)


def undocumented(skeleton: str) -> str:
    """A skeleton without the sentences of documentation."""
    lines = []
    for line in skeleton.splitlines():
        sample, gap, comment = re.match(r"(.*?)( *)(?:# (.*))?$", line).groups()
        kept = re.findall(r"\[REQUIRED\]|Valid values are: .*", comment or "")
        lines.append(f"{sample}{gap}# {' '.join(kept)}" if kept else sample)
    return "\n".join(lines) + "\n"


STATUSES = {
    "no number": ((*LIST, "--max-results", "abc"), {}),
    "no timeout": ((*LIST, "--cli-read-timeout", "x"), {}),
    "items of one page": ((*LIST, "--no-paginate", "--max-items", "3"), {}),
    "no value": (("describe-training-job", "--training-job-name"), {}),
    "no job": (("stop-training-job", *NAME), {}),
    "no keys": (LIST, {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}),
    "no region": (LIST, {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}),
    "no profile": ((*LIST, "--profile", "none"), {}),
    "no server": (LIST, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}),
    "no success": (("wait", "training-job-completed-or-stopped", *FAILED[1:]), {}),
    "no function": ((*LIST, "--query", "foo(@)"), {}),
    "asked and not asked": ((*LIST, "--cli-auto-prompt", "--no-cli-auto-prompt"), {}),
}


@pytest.mark.parametrize("case", STATUSES)
def test_failures_end_with_the_same_status(both, case):
    arguments, changes = STATUSES[case]
    golden = both.aws.run(["sagemaker", *arguments], both.changed(changes))
    assert golden.status != 0
    assert both.native(*arguments, **changes).status == golden.status


def test_compilation_jobs_are_printed_alike(both, jobs):
    name = Compilations(jobs).run(fresh_name("printed"))["CompilationJobName"]
    for output in ("json", "yaml", "text"):
        both.agree("describe-compilation-job", "--compilation-job-name", name, "--output", output)
        both.agree("list-compilation-jobs", "--name-contains", name, "--output", output)
