"""The lists of jobs: every filter in every order, and pages that hold on to their place.

The rules are those of every kind of job.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.compilations import Compilations
from harness.identities import refused
from harness.jobs import Jobs
from harness.lists import CREATED, FIRST_OTHER, KINDS, Kind
from harness.optimizations import Optimizations

THOUSAND = 1000
SORTS = ["Name", "CreationTime", "Status"]
BAD_TOKEN = "The given NextToken is not valid."


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request) -> Kind:
    """Each kind of jobs."""
    return request.param


@pytest.fixture(scope="module")
def stem(kind, jobs) -> str:
    """What the names of six jobs of the kind begin with."""
    return kind.make_jobs(jobs)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_orders_at_every_page_size(sagemaker, kind, stem, sort, order):
    asked = {"NameContains": stem, "SortBy": sort, "SortOrder": order}
    whole = kind.listed(sagemaker, **asked)
    member = sort if sort == "CreationTime" else kind.member(f"Job{sort}")
    keys = [job[member] for job in whole]
    assert len(keys) == 6
    assert keys == sorted(keys, reverse=order == "Descending")
    for size in (1, 2, 4, 6):
        assert kind.listed(sagemaker, size, **asked) == whole


def test_what_comes_first_unless_it_is_said(sagemaker, kind, stem):
    numbers = [kind.number(job) for job in kind.listed(sagemaker, NameContains=stem)]
    assert numbers == list(CREATED if kind.oldest_first else reversed(CREATED))


def filters_of(kind: Kind, jobs: list[dict]) -> list[tuple[dict, object]]:
    """Filters, each with what it asks of a summary; times are about those of a job."""
    last = max(jobs, key=lambda job: job["CreationTime"])
    status = kind.member("JobStatus")
    filters = [
        ({"StatusEquals": kind.ended}, lambda job: job[status] == kind.ended),
        ({"StatusEquals": kind.never}, lambda job: False),
    ]
    for member in ("CreationTime", "LastModifiedTime"):
        at = last[member].replace(microsecond=0)
        filters += [
            ({f"{member}After": at}, lambda job, member=member, at=at: job[member] >= at),
            ({f"{member}Before": at}, lambda job, member=member, at=at: job[member] <= at),
        ]
    for member, value, holds in kind.filters:
        filters.append(({member: value}, lambda job, holds=holds: holds(kind.number(job))))
    return filters


@pytest.mark.parametrize("sort", SORTS)
def test_filters_alone_and_in_pairs(sagemaker, kind, stem, sort):
    asked = {"NameContains": stem.upper(), "SortBy": sort, "SortOrder": "Ascending"}
    whole = kind.listed(sagemaker, **asked)
    assert len(whole) == 6, "a name's case is no matter"
    ended = [job for job in whole if job[kind.member("JobStatus")] == kind.ended]
    assert {kind.number(job) for job in ended} == set(range(FIRST_OTHER, 6))
    filters = filters_of(kind, whole)
    pairs = itertools.combinations(filters, 2)
    pairs = [pair for pair in pairs if pair[0][0].keys() != pair[1][0].keys()]
    for narrowed in [(one,) for one in filters] + pairs:
        more = {name: value for asked, _ in narrowed for name, value in asked.items()}
        expected = [job for job in whole if all(meets(job) for _, meets in narrowed)]
        assert kind.listed(sagemaker, 2, **asked, **more) == expected, more


def test_what_the_summary_of_a_compilation_says(sagemaker, jobs):
    compilations = Compilations(jobs)
    request = compilations.request()
    request["OutputConfig"]["TargetDevice"] = "rasp3b"
    job = compilations.wait(compilations.submit(request))
    (one,) = KINDS[1].listed(sagemaker, NameContains=job["CompilationJobName"])
    copied = ("JobName", "JobArn", "EndTime", "JobStatus")
    assert one == {
        **{f"Compilation{member}": job[f"Compilation{member}"] for member in copied},
        "CreationTime": job["CreationTime"],
        "LastModifiedTime": job["LastModifiedTime"],
        "CompilationTargetDevice": "rasp3b",
    }


def test_what_the_summary_of_an_optimization_says(sagemaker, jobs):
    job = Optimizations(jobs).run(MaxInstanceCount=1)
    (one,) = KINDS[2].listed(sagemaker, NameContains=job["OptimizationJobName"])
    copied = ("JobName", "JobArn", "StartTime", "EndTime", "JobStatus")
    members = [f"Optimization{member}" for member in copied]
    members += ["CreationTime", "LastModifiedTime", "DeploymentInstanceType", "MaxInstanceCount"]
    assert one == {
        **{member: job[member] for member in members if member in job},
        "OptimizationTypes": ["Quantization"],
    }


def test_a_token_is_good_for_its_own_list(sagemaker, kind, stem):
    page = kind.page(sagemaker, NameContains=stem, MaxResults=2)
    token = page["NextToken"]
    (another, *_) = [other for other in KINDS if other != kind]
    for refusing, asked, bad in (
        (kind, {"NameContains": "other"}, token),
        (kind, {"NameContains": stem, "SortBy": "Name"}, token),
        (kind, {"NameContains": stem}, token[:-2] + "AA"),
        (kind, {"NameContains": stem}, "x"),
        (another, {"NameContains": stem}, token),
    ):
        with refused("ValidationException", BAD_TOKEN):
            refusing.page(sagemaker, **asked, NextToken=bad)


def test_all_tags_are_on_one_page(sagemaker, kind, stem):
    arn = kind.listed(sagemaker, NameContains=stem)[0][kind.member("JobArn")]
    assert "NextToken" not in sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
    with refused("ValidationException", BAD_TOKEN):
        sagemaker.list_tags(ResourceArn=arn, NextToken="x")


def test_a_token_survives_jobs_and_a_restart(own_server, own_jobs: Jobs):
    for number in range(3):
        own_jobs.run("true", name=f"kept-{number}")
    newest = {"NameContains": "kept", "SortOrder": "Descending"}
    token = own_jobs.sagemaker.list_training_jobs(**newest, MaxResults=1)["NextToken"]
    own_jobs.run("true", name="kept-new")
    own_server.crash_and_restart()
    own_jobs.reconnect()
    rest = own_jobs.sagemaker.list_training_jobs(**newest, MaxResults=100, NextToken=token)
    names = [job["TrainingJobName"] for job in rest["TrainingJobSummaries"]]
    assert names == ["kept-1", "kept-0"]
    assert "NextToken" not in rest


def test_a_thousand_jobs_are_paged_through(own_jobs):
    # Nothing runs beside a job that has all of the machine.
    occupant = own_jobs.occupy()
    optimizations, kind, sagemaker = Optimizations(own_jobs), KINDS[2], own_jobs.sagemaker
    names = [f"job-{number:04}" for number in range(THOUSAND)]
    requests = [optimizations.request(name) for name in reversed(names)]
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(optimizations.submit, requests))
    found = [kind.number(job) for job in kind.listed(sagemaker, SortBy="Name")]
    assert found == list(range(THOUSAND))
    assert len(kind.page(sagemaker)["OptimizationJobSummaries"]) == 50
    assert len(kind.listed(sagemaker, size=7)) == THOUSAND
    assert {job["OptimizationJobStatus"] for job in kind.listed(sagemaker)} == {"STARTING"}
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(optimizations.stop, names))
    assert len(kind.listed(sagemaker, StatusEquals="STOPPED")) == THOUSAND
    own_jobs.stop(occupant)
