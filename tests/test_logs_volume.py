"""Logs while much is written to them: paging, crashes, long lines and retention."""

import threading
import time

import pytest

from harness import crashes
from harness.jobs import GROUP, Jobs, completed, fresh_name

LINES = 100_000
# Rests now and then, so that others come to read, and to die, in the midst of it.
TALK = (
    'awk \'BEGIN { for (i = 0; i < %d; i++) { print "line", i;'
    ' if (i %% 500 == 0) { fflush(); system("sleep 0.1") } } }\''
)
LONGEST = 256 * 1024 - 26
DAY = 24 * 60 * 60 * 1000


def stream_of(jobs: Jobs, name: str, within: float = 120) -> dict:
    """Where the job's only stream is, once it is there."""
    until = time.monotonic() + within
    while True:
        try:
            found = jobs.logs.describe_log_streams(
                logGroupName=GROUP, logStreamNamePrefix=f"{name}/"
            )["logStreams"]
        except jobs.logs.exceptions.ResourceNotFoundException:
            found = []
        if found:
            return {"logGroupName": GROUP, "logStreamName": found[0]["logStreamName"]}
        assert time.monotonic() < until, jobs.describe(name)
        time.sleep(0.05)


def wait_for_number(jobs: Jobs, where: dict, number: int, within: float = 120) -> None:
    """Waits until the stream's last line has this number, or a greater one."""
    until = time.monotonic() + within
    while True:
        last = jobs.logs.get_log_events(**where, limit=1)["events"]
        if last and int(last[0]["message"].split()[1]) >= number:
            return
        assert time.monotonic() < until, last
        time.sleep(0.05)


def page_to_the_end(jobs: Jobs, name: str, where: dict, seen: list[str]) -> None:
    """Reads the stream forward while the job writes it, and what is left then."""
    token = {}
    while True:
        # Who sees the end of a job can read its whole log.
        ended = jobs.describe(name)["TrainingJobStatus"] != "InProgress"
        page = jobs.logs.get_log_events(**where, startFromHead=True, limit=1000, **token)
        seen += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
        if ended and not page["events"]:
            return


def filter_to_the_end(jobs: Jobs, name: str, seen: list[str]) -> None:
    """Follows the job as `aws logs tail --follow` does: by time, and by what it knows."""
    start, known = 0, set()
    while True:
        ended = jobs.describe(name)["TrainingJobStatus"] != "InProgress"
        fresh, token = 0, {}
        while True:
            page = jobs.logs.filter_log_events(
                logGroupName=GROUP,
                logStreamNamePrefix=f"{name}/",
                startTime=start,
                **token,
            )
            for event in page["events"]:
                if event["eventId"] not in known:
                    known.add(event["eventId"])
                    seen.append(event["message"])
                    fresh += 1
                start = max(start, event["timestamp"])
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        if ended and fresh == 0:
            return


def test_readers_lose_nothing_while_a_job_writes(jobs):
    name = jobs.create(TALK % LINES)
    where = stream_of(jobs, name)
    seen = {"paged": [], "filtered": []}
    readers = [
        threading.Thread(target=page_to_the_end, args=(jobs, name, where, seen["paged"])),
        threading.Thread(target=filter_to_the_end, args=(jobs, name, seen["filtered"])),
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    completed(jobs.describe(name))
    expected = [f"line {i}" for i in range(LINES)]
    assert seen["paged"] == expected
    assert seen["filtered"] == expected


def test_backward_pages_are_the_forward_ones_reversed(jobs):
    name = completed(jobs.run(TALK % 3000))["TrainingJobName"]
    where, seen, token = stream_of(jobs, name), [], {}
    while True:
        page = jobs.logs.get_log_events(**where, limit=700, **token)
        if not page["events"]:
            break
        seen = [event["message"] for event in page["events"]] + seen
        token = {"nextToken": page["nextBackwardToken"]}
    assert seen == [f"line {i}" for i in range(3000)]


@pytest.mark.parametrize("victim", [crashes.SERVER, crashes.AGENT], ids=lambda one: one.name)
def test_a_crash_amid_much_output_loses_no_line_and_repeats_none(own_server, own_jobs, victim):
    name = own_jobs.create(TALK % LINES)
    wait_for_number(own_jobs, stream_of(own_jobs, name), 4000)
    victim.strike(own_server)
    if victim.server:
        own_server.start()
        own_jobs.reconnect()
    job = own_jobs.wait(name)
    lines = own_jobs.lines(name)
    assert lines == [f"line {i}" for i in range(len(lines))]
    if victim.server:
        completed(job)
        assert len(lines) == LINES
    else:
        assert job["TrainingJobStatus"] == "Failed"
        assert 4000 < len(lines) < LINES


@pytest.mark.parametrize(
    "length, lengths",
    [
        (LONGEST, [LONGEST]),
        (256 * 1024, [LONGEST, 26]),
        (2 * LONGEST + 1, [LONGEST, LONGEST, 1]),
    ],
)
def test_a_line_as_long_as_an_event_is_one_and_a_longer_one_is_cut(jobs, length, lengths):
    job = completed(jobs.run(f"head -c {length} /dev/zero | tr '\\0' x; echo; echo after"))
    lines = jobs.lines(job["TrainingJobName"])
    assert [len(line) for line in lines] == [*lengths, len("after")]
    assert set("".join(lines[:-1])) == {"x"}


def test_what_has_expired_is_not_shown_and_then_deleted(own_server, own_jobs):
    logs, group = own_jobs.logs, "/mine/kept"
    now = int(time.time() * 1000)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    where = {"logGroupName": group, "logStreamName": "s"}
    for at, count in ((now - 3 * DAY, 3000), (now, 1)):
        events = [{"timestamp": at + i, "message": f"{at + i}"} for i in range(count)]
        logs.put_log_events(**where, logEvents=events)
    assert len(logs.get_log_events(**where)["events"]) == 3001
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    shown = logs.get_log_events(**where, startFromHead=True, startTime=0)["events"]
    assert [event["message"] for event in shown] == [f"{now}"]
    filtered = logs.filter_log_events(logGroupName=group)["events"]
    assert [event["message"] for event in filtered] == [f"{now}"]

    # A server looks for what has expired when it starts.
    own_server.crash_and_restart()
    own_jobs.reconnect()
    until = time.monotonic() + 120
    while True:
        found = own_jobs.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
        assert found["retentionInDays"] == 1
        if found["storedBytes"] == len(f"{now}"):
            break
        assert time.monotonic() < until, found
        time.sleep(0.05)
    own_jobs.logs.delete_retention_policy(logGroupName=group)
    left = own_jobs.logs.get_log_events(**where, startFromHead=True)["events"]
    assert [event["message"] for event in left] == [f"{now}"]


def test_many_jobs_logs_are_merged_page_by_page(own_jobs):
    names = [
        completed(own_jobs.run(TALK % 300, name=fresh_name("Merge")))["TrainingJobName"]
        for _ in range(3)
    ]
    seen, token = [], {}
    while True:
        page = own_jobs.logs.filter_log_events(logGroupName=GROUP, limit=70, **token)
        seen += [
            (event["timestamp"], event["logStreamName"], event["message"])
            for event in page["events"]
        ]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert len(seen) == 900
    assert [one[:2] for one in seen] == sorted(one[:2] for one in seen)
    for name in names:
        own = [message for _, stream, message in seen if stream.startswith(f"{name}/")]
        assert own == [f"line {i}" for i in range(300)]
