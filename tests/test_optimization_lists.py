"""Lists of optimization jobs: filters, orders, and pages of a thousand."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.identities import refused
from harness.jobs import LINGER, fresh_name
from harness.optimizations import quantization
from harness.weightless import Weightless

# More of everything than any machine has: what is left of it is nothing.
HUGE = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}
THOUSAND = 1000
QUANTIZED, SHARDED = quantization(), {"ModelShardingConfig": {}}


@pytest.fixture(scope="module")
def optimizations(jobs) -> Weightless:
    """Optimization jobs on the shared server."""
    return Weightless(jobs)


@pytest.fixture(scope="module")
def stem(optimizations) -> str:
    """Five jobs with one stem in their names, created in no order of the names."""
    stem = fresh_name("Listed")
    kinds = itertools.cycle([[QUANTIZED], [QUANTIZED, SHARDED]])
    for number, configs in zip((3, 0, 4, 1, 2), kinds, strict=False):
        name = f"{stem}-{number}"
        optimizations.fail(name, OptimizationConfigs=configs, MaxInstanceCount=1)
    return stem


def listed(sagemaker, size: int = 100, **asked) -> list[dict]:
    """All summaries, from page to page."""
    pages = sagemaker.get_paginator("list_optimization_jobs").paginate(
        **asked, PaginationConfig={"PageSize": size}
    )
    return [job for page in pages for job in page["OptimizationJobSummaries"]]


SORTS = {
    "Name": "OptimizationJobName",
    "CreationTime": "CreationTime",
    "Status": "OptimizationJobStatus",
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_orders_at_every_page_size(sagemaker, stem, sort, order):
    whole = listed(sagemaker, NameContains=stem, SortBy=sort, SortOrder=order)
    keys = [job[SORTS[sort]] for job in whole]
    assert len(keys) == 5
    assert keys == sorted(keys, reverse=order == "Descending")
    for size in (1, 2, 5):
        assert listed(sagemaker, size, NameContains=stem, SortBy=sort, SortOrder=order) == whole


def test_the_oldest_come_first_unless_it_is_said_otherwise(sagemaker, stem):
    whole = listed(sagemaker, NameContains=stem)
    assert whole == listed(sagemaker, NameContains=stem, SortBy="CreationTime")
    assert [job["OptimizationJobName"][-1] for job in whole] == [
        "3",
        "0",
        "4",
        "1",
        "2",
    ]


def test_filters_and_what_a_summary_says(sagemaker, optimizations, stem):
    def names(**asked) -> set[str]:
        found = listed(sagemaker, NameContains=stem.upper(), **asked)
        return {job["OptimizationJobName"].rsplit("-", 1)[1] for job in found}

    job = optimizations.describe(f"{stem}-0")
    everyone, past = {"0", "1", "2", "3", "4"}, job["CreationTime"].replace(year=2020)
    assert names() == everyone
    assert names(StatusEquals="FAILED") == everyone
    assert names(StatusEquals="INPROGRESS") == set()
    assert names(OptimizationContains="Quantization") == everyone
    assert names(OptimizationContains="Sharding") == {"0", "1"}
    assert names(OptimizationContains="Compilation") == set()
    assert names(CreationTimeBefore=past) == set()
    assert names(CreationTimeAfter=past) == everyone
    assert names(LastModifiedTimeBefore=past) == set()
    assert names(LastModifiedTimeAfter=past) == everyone
    (one,) = listed(sagemaker, NameContains=f"{stem}-0")
    members = (
        "OptimizationJobName",
        "OptimizationJobArn",
        "OptimizationJobStatus",
        "CreationTime",
        "OptimizationStartTime",
        "OptimizationEndTime",
        "LastModifiedTime",
        "DeploymentInstanceType",
        "MaxInstanceCount",
    )
    assert one == {
        **{member: job[member] for member in members if member in job},
        "OptimizationTypes": ["Quantization", "Sharding"],
    }


def test_a_token_is_good_for_its_own_list(sagemaker, stem):
    token = sagemaker.list_optimization_jobs(NameContains=stem, MaxResults=2)["NextToken"]
    with refused("ValidationException", "The given NextToken is not valid."):
        sagemaker.list_optimization_jobs(NameContains="other", NextToken=token)
    with refused("ValidationException", "The given NextToken is not valid."):
        sagemaker.list_compilation_jobs(NameContains=stem, NextToken=token)


@pytest.mark.timeout(300)
def test_a_thousand_jobs_are_paged_through_quickly(own_jobs):
    # Nothing runs beside a job that has all of the machine.
    occupant = own_jobs.create(LINGER, ResourceConfig=HUGE)
    own_jobs.wait_for_phase(occupant, "Training")
    request = Weightless(own_jobs).request
    sagemaker = own_jobs.sagemaker
    names = [f"job-{number:04}" for number in range(THOUSAND)]
    with ThreadPoolExecutor(8) as clients:
        requests = map(request, reversed(names))
        list(clients.map(lambda one: sagemaker.create_optimization_job(**one), requests))
    begun = time.monotonic()
    found = [job["OptimizationJobName"] for job in listed(sagemaker, SortBy="Name")]
    within = time.monotonic() - begun
    assert found == names
    first = sagemaker.list_optimization_jobs()
    assert len(first["OptimizationJobSummaries"]) == 50
    assert len(listed(sagemaker, size=7)) == THOUSAND
    assert {job["OptimizationJobStatus"] for job in listed(sagemaker, 100)} == {"STARTING"}
    # Ten pages; each takes some milliseconds, of which boto3 has the most.
    assert within < 10, within
    with ThreadPoolExecutor(8) as clients:
        stop = sagemaker.stop_optimization_job
        list(clients.map(lambda name: stop(OptimizationJobName=name), names))
    assert len(listed(sagemaker, StatusEquals="STOPPED")) == THOUSAND
    sagemaker.stop_training_job(TrainingJobName=occupant)
    own_jobs.wait(occupant)
