"""ListTrainingJobs: every filter in every order, and pages that hold on to their place."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError

from harness.jobs import Jobs, fresh_name

SORTS = {
    "Name": lambda job: job["TrainingJobName"],
    "CreationTime": lambda job: job["CreationTime"],
    "Status": lambda job: job["TrainingJobStatus"],
}


@pytest.fixture(scope="module")
def stem(jobs: Jobs) -> str:
    """Six jobs with one stem in their names, created in no order of the names; two fail."""
    stem = fresh_name("Listed")
    for number in (3, 0, 5, 1, 4, 2):
        jobs.create(f"exit {number // 4}", name=f"{stem}-{number}")
        if number == 5:
            # Clients send times in whole seconds.
            time.sleep(1.1)
    for number in range(6):
        jobs.wait(f"{stem}-{number}")
    return stem


def listed(sagemaker, size: int = 100, **asked) -> list[dict]:
    """All summaries, from page to page."""
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        **asked, PaginationConfig={"PageSize": size}
    )
    return [job for page in pages for job in page["TrainingJobSummaries"]]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_orders_at_every_page_size(sagemaker, stem, sort, order):
    whole = listed(sagemaker, NameContains=stem, SortBy=sort, SortOrder=order)
    keys = [SORTS[sort](job) for job in whole]
    assert len(keys) == 6
    assert keys == sorted(keys, reverse=order == "Descending")
    for size in (1, 2, 4, 6):
        assert listed(sagemaker, size, NameContains=stem, SortBy=sort, SortOrder=order) == whole


def filters_of(jobs: list[dict]) -> list[tuple[dict, object]]:
    """Filters, each with what it asks of a summary; times are about those of a job."""
    last = max(jobs, key=lambda job: job["CreationTime"])
    created, modified = (
        last[member].replace(microsecond=0) for member in ("CreationTime", "LastModifiedTime")
    )
    return [
        ({"StatusEquals": "Failed"}, lambda job: job["TrainingJobStatus"] == "Failed"),
        ({"StatusEquals": "Stopped"}, lambda job: False),
        ({"CreationTimeAfter": created}, lambda job: job["CreationTime"] >= created),
        ({"CreationTimeBefore": created}, lambda job: job["CreationTime"] <= created),
        ({"LastModifiedTimeAfter": modified}, lambda job: job["LastModifiedTime"] >= modified),
        ({"LastModifiedTimeBefore": modified}, lambda job: job["LastModifiedTime"] <= modified),
        ({"WarmPoolStatusEquals": "Available"}, lambda job: False),
    ]


@pytest.mark.parametrize("sort", SORTS)
def test_filters_alone_and_in_pairs(sagemaker, stem, sort):
    asked = {"NameContains": stem.upper(), "SortBy": sort, "SortOrder": "Ascending"}
    whole = listed(sagemaker, **asked)
    assert len(whole) == 6, "a name's case is no matter"
    filters = filters_of(whole)
    pairs = itertools.combinations(filters, 2)
    pairs = [pair for pair in pairs if pair[0][0].keys() != pair[1][0].keys()]
    for narrowed in [(one,) for one in filters] + pairs:
        more = {name: value for asked, _ in narrowed for name, value in asked.items()}
        expected = [job for job in whole if all(meets(job) for _, meets in narrowed)]
        assert listed(sagemaker, 2, **asked, **more) == expected, more


def test_a_token_survives_jobs_and_a_restart_and_no_tampering(own_server, own_jobs: Jobs):
    for number in range(3):
        own_jobs.run("true", name=f"kept-{number}")
    first = own_jobs.sagemaker.list_training_jobs(NameContains="kept", MaxResults=1)
    token = first["NextToken"]
    own_jobs.run("true", name="kept-new")
    own_server.kill()
    own_server.start()
    own_jobs.reconnect()
    ask = own_jobs.sagemaker.list_training_jobs
    rest = ask(NameContains="kept", MaxResults=100, NextToken=token)
    names = [job["TrainingJobName"] for job in rest["TrainingJobSummaries"]]
    assert names == ["kept-1", "kept-0"]
    assert "NextToken" not in rest

    same = {"NameContains": "kept"}
    for asked, bad in ((same, token[:-2] + "AA"), (same, "x"), ({"SortBy": "Name"}, token)):
        with pytest.raises(ClientError, match="The given NextToken is not valid") as refused:
            ask(**asked, NextToken=bad)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
