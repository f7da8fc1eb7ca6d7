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
    jobs.wait_for_line(name, "early")
    assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


def test_events_are_stamped_when_they_were_written(jobs):
    before = time.time() * 1000
    name = completed(jobs.run("echo a; sleep 3; echo b"))["TrainingJobName"]
    a, b = jobs.events(name)
    assert before - 5 <= a["timestamp"] and b["timestamp"] <= time.time() * 1000
    # An agent on a busy machine reads a line a little after it was written.
    assert b["timestamp"] - a["timestamp"] >= 1000
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
    name = jobs.create("trap 'echo second; exit 0' TERM; echo first; sleep 3600 & wait")
    jobs.wait_for_line(name, "first")
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name + "/")
    where = {"logGroupName": GROUP, "logStreamName": found["logStreams"][0]["logStreamName"]}
    token = logs.get_log_events(**where, startFromHead=True)["nextForwardToken"]
    jobs.stop(name)
    page = logs.get_log_events(**where, startFromHead=True, nextToken=token)
    assert messages(page) == ["second"]


def test_start_time_is_inclusive_and_end_time_is_not(logs, group):
    where = {"logGroupName": group, "logStreamName": "s"}
    now = int(time.time() * 1000)
    events = [{"timestamp": now + i, "message": text} for i, text in enumerate("abc")]
    logs.put_log_events(**where, logEvents=events)
    page = logs.get_log_events(**where, startFromHead=True, startTime=now + 1, endTime=now + 2)
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


def test_a_token_is_good_for_what_it_was_given_for(logs, group):
    for stream in ("s", "t"):
        if stream != "s":
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + number, "message": str(number)} for number in range(3)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    of = {"logGroupName": group}
    read = {**of, "logStreamName": "s", "startFromHead": True}
    forward = logs.get_log_events(**read, limit=1)["nextForwardToken"]
    merged = logs.filter_log_events(**of, limit=1)["nextToken"]
    by_name = logs.describe_log_streams(**of, limit=1)["nextToken"]
    by_time = logs.describe_log_streams(**of, orderBy="LastEventTime", limit=1)["nextToken"]
    # The same question may be asked for another number of answers.
    assert messages(logs.get_log_events(**read, limit=2, nextToken=forward)) == ["1", "2"]
    assert len(logs.filter_log_events(**of, limit=9, nextToken=merged)["events"]) == 5
    for operation, asked, token in (
        ("get_log_events", {**read, "logStreamName": "t"}, forward),
        ("get_log_events", read, "b" + forward[1:]),
        ("get_log_events", read, merged),
        ("filter_log_events", {**of, "filterPattern": "1"}, merged),
        ("filter_log_events", {**of, "logStreamNames": ["s"]}, merged),
        ("filter_log_events", of, forward),
        ("describe_log_streams", {**of, "descending": True}, by_name),
        ("describe_log_streams", of, by_time),
        ("describe_log_streams", of, "s"),
        ("describe_log_groups", {}, group),
    ):
        with pytest.raises(ClientError, match="The specified nextToken is invalid") as refused:
            getattr(logs, operation)(**asked, nextToken=token)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


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


SAID = [
    "[INFO] began",
    "[ERROR 401] UNAUTHORIZED request",
    "[WARN] retrying request",
    '{"level": "info", "step": 1, "loss": 0.75, "tags": ["a", "b"], "best": null}',
    '{"level": "error", "step": 2, "loss": 1.5e-3, "user": {"id": 7}, "ok": true}',
    '10.0.0.1 frank [10/Oct/2000:13:25:15 -0700] "GET /index.html" 404 1534',
    '10.0.0.2 - [10/Oct/2000:13:25:16 -0700] "GET /train.csv" 200 9',
]


@pytest.fixture(scope="module")
def said(jobs) -> str:
    """The name of a job that says a little of everything."""
    script = "cat <<'EOF'\n" + "\n".join(SAID) + "\nEOF\n"
    return completed(jobs.run(script, name=fresh_name("Said")))["TrainingJobName"]


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("request", [1, 2]),
        ('"ERROR 401" request', [1]),
        ("?INFO ?WARN", [0, 2]),
        ("request -WARN", [1]),
        ("%AUTHORIZED%", [1]),
        (r"%^10\.0\.0\.[12] %", [5, 6]),
        ("{ $.level = error }", [4]),
        ("{ $.loss > 0.5 }", [3]),
        ("{ $.step >= 1 && ($.user.id = 7 || $.tags[1] = c) }", [4]),
        ("{ $.tags[*] = b }", [3]),
        ("{ $.best IS NULL }", [3]),
        ("{ $.ok IS TRUE }", [4]),
        ("{ $.level = * && $.user NOT EXISTS }", [3]),
        ("[ip, user, time, request, status, bytes]", [5, 6]),
        ("[ip, user, time, request = *.html, status = 4*, bytes > 1000]", [5]),
        ("[..., status = 200 || status = 201, bytes]", [6]),
        ("[level, ...]", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_patterns_select_lines(logs, said, pattern, found):
    page = logs.filter_log_events(
        logGroupName=GROUP, logStreamNamePrefix=said + "/", filterPattern=pattern
    )
    assert messages(page) == [SAID[i] for i in found]


@pytest.mark.parametrize("pattern", ['"open', "{ $.a }", "[a, b", "%(a|b)%", "x" * 1025])
def test_a_pattern_that_cannot_be_read_is_refused(logs, said, pattern):
    with pytest.raises(ClientError) as refused:
        logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidParameterException"
    assert error["Message"].startswith("Invalid filter pattern")


@pytest.fixture
def group(logs):
    """A log group of the test's own, with one stream."""
    name = f"/mine/{fresh_name('group')}"
    logs.create_log_group(logGroupName=name, tags={"team": "vision"})
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


def test_users_write_streams_of_their_own(logs, group):
    where = {"logGroupName": group, "logStreamName": "s"}
    empty = logs.describe_log_streams(logGroupName=group)["logStreams"][0]
    assert empty["logStreamName"] == "s" and "firstEventTimestamp" not in empty
    now = int(time.time() * 1000)
    texts = ["one\ttab", "größe", "x" * 300_000]
    events = [{"timestamp": now + i, "message": text} for i, text in enumerate(texts)]
    logs.put_log_events(**where, logEvents=events)
    assert messages(logs.get_log_events(**where, startFromHead=True)) == texts
    earlier = [{"timestamp": now - 1000, "message": "earlier"}]
    logs.put_log_events(**where, logEvents=earlier)
    assert messages(logs.get_log_events(**where, startFromHead=True)) == [
        "earlier",
        *texts,
    ]
    held = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"]
    assert held == sum(len(text.encode()) for text in ["earlier", *texts])

    answer = logs.put_log_events(
        **where,
        logEvents=[{"timestamp": now + i * 3_600_000, "message": "m"} for i in (0, 3)],
    )
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}


def test_what_is_deleted_is_gone_and_its_name_is_free(logs, group):
    where = {"logGroupName": group, "logStreamName": "s"}
    logs.put_log_events(
        **where, logEvents=[{"timestamp": int(time.time() * 1000), "message": "old"}]
    )
    logs.delete_log_stream(**where)
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(**where)
    logs.create_log_stream(**where)
    assert logs.get_log_events(**where)["events"] == []
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


@pytest.mark.parametrize("before", [[], ["old"]])
def test_who_waits_at_the_tail_sees_what_comes(logs, group, before):
    where = {"logGroupName": group, "logStreamName": "s"}
    now = int(time.time() * 1000)

    def put(texts: list[str]) -> None:
        events = [{"timestamp": now, "message": text} for text in texts]
        logs.put_log_events(**where, logEvents=events)

    if before:
        put(before)
    # Nothing is as late as that.
    waiting = logs.get_log_events(**where, startTime=now + 1)
    assert waiting["events"] == []
    put(["new"])
    page = logs.get_log_events(**where, nextToken=waiting["nextForwardToken"])
    assert messages(page) == ["new"]


def test_groups_are_listed_in_pages_and_have_tags_and_a_retention(logs):
    stem = f"/mine/{fresh_name('listed')}"
    names = [f"{stem}/{letter}" for letter in "abcde"]
    for name in names:
        logs.create_log_group(logGroupName=name)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=stem, PaginationConfig={"PageSize": 2}
    )
    groups = [group for page in pages for group in page["logGroups"]]
    assert [group["logGroupName"] for group in groups] == names
    part = logs.describe_log_groups(logGroupNamePattern=f"{stem[3:]}/c")["logGroups"]
    assert [group["logGroupName"] for group in part] == [names[2]]

    arn = groups[0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    logs.put_retention_policy(logGroupName=names[0], retentionInDays=14)
    kept = logs.describe_log_groups(logGroupNamePrefix=names[0])["logGroups"][0]
    assert kept["retentionInDays"] == 14
    for name in names:
        logs.delete_log_group(logGroupName=name)


@pytest.mark.parametrize(
    "operation, more, code, text",
    [
        (
            "create_log_group",
            {},
            "ResourceAlreadyExistsException",
            "group already exists",
        ),
        (
            "create_log_stream",
            {"logStreamName": "s"},
            "ResourceAlreadyExistsException",
            "stream already exists",
        ),
        (
            "create_log_stream",
            {"logStreamName": "a:b"},
            "InvalidParameterException",
            "regular expression pattern: [^:*]*",
        ),
        (
            "put_retention_policy",
            {"retentionInDays": 2},
            "InvalidParameterException",
            "Value '2' at 'retentionInDays'",
        ),
        (
            "put_log_events",
            {
                "logStreamName": "s",
                "logEvents": [{"timestamp": at, "message": "m"} for at in (2, 1)],
            },
            "InvalidParameterException",
            "chronological order",
        ),
        (
            "put_metric_filter",
            {
                "filterName": "f",
                "filterPattern": "",
                "metricTransformations": [
                    {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
                ],
            },
            "UnknownOperationException",
            "The operation 'PutMetricFilter' is not one that Kiln serves.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(logs, group, operation, more, code, text):
    with pytest.raises(ClientError) as refused:
        getattr(logs, operation)(logGroupName=group, **more)
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert text in error["Message"]
