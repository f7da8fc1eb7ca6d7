"""The logs of jobs, through the CloudWatch Logs operations that clients use."""

import time

import pytest
from botocore.exceptions import ClientError

from harness.jobs import GROUP, LINGER, Jobs, completed, fresh_name


def messages(page: dict) -> list[str]:
    """The messages of one page."""
    return [event["message"] for event in page["events"]]


@pytest.fixture(scope="module")
def logs(jobs):
    """A client of the logs service."""
    return jobs.logs


@pytest.fixture(scope="module")
def stream(jobs: Jobs, logs) -> dict:
    """Where a job with one hundred lines has written them."""
    job = completed(
        jobs.run("for i in $(seq 1 100); do echo line $i; done", name=fresh_name("Log"))
    )
    streams = logs.describe_log_streams(
        logGroupName=GROUP, logStreamNamePrefix=job["TrainingJobName"] + "/"
    )["logStreams"]
    assert len(streams) == 1
    return {"logGroupName": GROUP, "logStreamName": streams[0]["logStreamName"]}


def test_control_characters_are_escaped_as_rsyslog_does(jobs):
    job = completed(
        jobs.run(r"printf '[0]\ttrain-rmse:1.5\n\033[1mbold\rback\b\nno line break at the end'")
    )
    assert jobs.lines(job["TrainingJobName"]) == [
        "[0]#011train-rmse:1.5",
        "#033[1mbold#015back#010",
        "no line break at the end",
    ]


def test_standard_error_is_in_the_log_too(jobs):
    job = completed(jobs.run("echo one; echo two >&2; echo three"))
    assert jobs.lines(job["TrainingJobName"]) == ["one", "two", "three"]


def test_bytes_that_are_not_utf8_do_not_stop_the_log(jobs):
    job = completed(jobs.run(r"printf 'caf\351\n'; echo größe"))
    lines = jobs.lines(job["TrainingJobName"])
    assert lines[0].startswith("caf") and lines[1] == "größe"


def test_a_very_long_line_loses_nothing(jobs):
    job = completed(jobs.run("yes x | tr -d '\\n' | head -c 700000; echo; echo after"))
    lines = jobs.lines(job["TrainingJobName"])
    assert all(len(line) <= 256 * 1024 for line in lines)
    assert "".join(lines[:-1]) == "x" * 700000
    assert lines[-1] == "after"


def test_metric_definitions_see_the_escaped_line(jobs):
    job = completed(
        jobs.run(
            r"printf '[7]\ttrain-rmse:0.25\tvalidation-rmse:0.5\n'",
            AlgorithmSpecification={
                "MetricDefinitions": [
                    {
                        "Name": "train:rmse",
                        "Regex": r".*\[[0-9]+\].*#011train-rmse:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*",
                    }
                ]
            },
        )
    )
    assert job["FinalMetricDataList"][0]["Value"] == 0.25


def test_lines_are_visible_while_the_job_runs(jobs):
    name = jobs.create(f"echo early; {LINGER}; echo never")
    jobs.wait_for_line(name, "early", within=15)
    assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


def test_events_are_stamped_when_they_were_written(jobs):
    before = time.time() * 1000
    name = completed(jobs.run("echo a; sleep 0.5; echo b"))["TrainingJobName"]
    a, b = jobs.events(name)
    assert before - 5 <= a["timestamp"] and b["timestamp"] <= time.time() * 1000
    assert 400 <= b["timestamp"] - a["timestamp"] <= 3000
    assert a["ingestionTime"] >= a["timestamp"] - 1000


def test_pages_chain_forward_and_end_with_the_same_token(logs, stream):
    seen, token = [], {}
    while True:
        page = logs.get_log_events(**stream, startFromHead=True, limit=30, **token)
        if token and page["nextForwardToken"] == token["nextToken"]:
            assert page["events"] == []
            break
        seen += messages(page)
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [f"line {i}" for i in range(1, 101)]


def test_without_start_from_head_the_newest_come_and_pages_chain_backward(logs, stream):
    page = logs.get_log_events(**stream, limit=30)
    assert messages(page) == [f"line {i}" for i in range(71, 101)]
    page = logs.get_log_events(**stream, limit=30, nextToken=page["nextBackwardToken"])
    assert messages(page) == [f"line {i}" for i in range(41, 71)]


def test_a_token_at_the_end_waits_for_what_comes(jobs, logs):
    name = jobs.create("echo first; sleep 2; echo second")
    jobs.wait_for_line(name, "first")
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name + "/")
    where = {"logGroupName": GROUP, "logStreamName": found["logStreams"][0]["logStreamName"]}
    token = logs.get_log_events(**where, startFromHead=True)["nextForwardToken"]
    jobs.wait(name)
    page = logs.get_log_events(**where, startFromHead=True, nextToken=token)
    assert messages(page) == ["second"]


def test_start_time_is_inclusive_and_end_time_is_not(jobs, logs):
    name = completed(jobs.run("echo a; sleep 0.1; echo b; sleep 0.1; echo c"))["TrainingJobName"]
    a, b, c = jobs.events(name)
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name + "/")
    where = {"logGroupName": GROUP, "logStreamName": found["logStreams"][0]["logStreamName"]}
    page = logs.get_log_events(
        **where, startFromHead=True, startTime=b["timestamp"], endTime=c["timestamp"]
    )
    assert messages(page) == ["b"]


def test_streams_are_found_by_prefix_with_no_token_when_all_fit(logs, stream):
    name = stream["logStreamName"].split("/")[0]
    page = logs.describe_log_streams(
        logGroupName=GROUP, logStreamNamePrefix=name + "/", orderBy="LogStreamName", limit=1
    )
    assert "nextToken" not in page
    found = page["logStreams"][0]
    assert found["logStreamName"] == stream["logStreamName"]
    assert found["firstEventTimestamp"] <= found["lastEventTimestamp"]
    assert found["arn"].endswith(f":log-group:{GROUP}:log-stream:{stream['logStreamName']}")


def test_a_prefix_that_matches_nothing_gives_an_empty_list(logs, stream):
    assert (
        logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="no-such-job/")[
            "logStreams"
        ]
        == []
    )


def test_filter_interleaves_and_pages(logs, stream):
    job, seen, token = stream["logStreamName"].split("/")[0], [], {}
    while True:
        page = logs.filter_log_events(
            logGroupName=GROUP, logStreamNamePrefix=job + "/", limit=40, **token
        )
        seen += messages(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == [f"line {i}" for i in range(1, 101)]


def test_filter_matches_a_term(logs, stream):
    page = logs.filter_log_events(
        logGroupName=GROUP, filterPattern='"line 42"', logStreamNames=[stream["logStreamName"]]
    )
    assert messages(page) == ["line 42"]
    assert page["events"][0]["logStreamName"] == stream["logStreamName"]
    assert page["events"][0]["eventId"]


@pytest.mark.parametrize(
    "group, name, text",
    [
        ("/no/such/group", "x", "The specified log group does not exist."),
        (GROUP, "no-such-job/algo-1-1", "The specified log stream does not exist."),
    ],
)
def test_what_does_not_exist_is_said_so(logs, stream, group, name, text):
    with pytest.raises(ClientError) as missing:
        logs.get_log_events(logGroupName=group, logStreamName=name)
    assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert missing.value.response["Error"]["Message"] == text
