"""How each kind of job is listed: the operation, its members, and jobs to list."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.compilations import Compilations
from harness.jobs import Jobs, fresh_name
from harness.optimizations import Optimizations, llama, quantization
from harness.solo import SoloJobs

# The order in which the jobs are created, which is no order of their names.
CREATED = (3, 0, 5, 1, 4, 2)
# The first of the jobs that end otherwise than those before it.
FIRST_OTHER = 4


@dataclass(frozen=True)
class Kind:
    """One kind of jobs."""

    name: str
    # Which end of the list comes first unless the request says it.
    oldest_first: bool
    # How those from `FIRST_OTHER` on have ended, and what no job is.
    ended: str
    never: str
    # Filters of this kind alone, each with what it asks of a job's number.
    filters: tuple[tuple[str, str, Callable[[int], bool]], ...]
    make: Callable[[Jobs, str], Iterator[None]]

    def member(self, name: str) -> str:
        """A member of a summary."""
        return f"{self.name}{name}"

    def number(self, job: dict) -> int:
        """Which of the jobs a summary is of."""
        return int(job[self.member("JobName")].rpartition("-")[2])

    def page(self, sagemaker, **asked) -> dict:
        """One call."""
        return getattr(sagemaker, f"list_{self.name.lower()}_jobs")(**asked)

    def listed(self, sagemaker, size: int = 100, **asked) -> list[dict]:
        """All summaries, from page to page."""
        pages = sagemaker.get_paginator(f"list_{self.name.lower()}_jobs").paginate(
            **asked, PaginationConfig={"PageSize": size}
        )
        return [job for page in pages for job in page[self.member("JobSummaries")]]

    def make_jobs(self, jobs: Jobs) -> str:
        """Six jobs that have ended, two of them otherwise than the others, with one stem in
        their names, which is answered."""
        stem = fresh_name("Listed")
        for number, _ in zip(CREATED, self.make(jobs, stem), strict=True):
            if number == CREATED[2]:
                # Clients send times in whole seconds.
                time.sleep(1.1)
        return stem


def _training(jobs: Jobs, stem: str) -> Iterator[None]:
    for number in CREATED:
        jobs.create(f"exit {number // FIRST_OTHER}", name=f"{stem}-{number}")
        yield
    for number in CREATED:
        jobs.wait(f"{stem}-{number}")


def _compilations(jobs: Jobs, stem: str) -> Iterator[None]:
    compilations = Compilations(jobs)
    model = compilations.put_trees()
    whole = {"S3Uri": model, "Framework": "XGBOOST", "FrameworkVersion": "1.3.3"}
    yield from _solo(compilations, stem, {}, {"InputConfig": whole})


def _optimizations(jobs: Jobs, stem: str) -> Iterator[None]:
    optimizations = Optimizations(jobs)
    step = quantization(OPTION_QUANTIZE="w8a16")
    failing = {"OptimizationConfigs": [step, {"ModelShardingConfig": {"Image": "busybox"}}]}
    source = {"S3": {"S3Uri": optimizations.put(llama())}}
    whole = {"ModelSource": source, "OptimizationConfigs": [step]}
    yield from _solo(optimizations, stem, failing, whole)


def _solo(solo: SoloJobs, stem: str, failing: dict, whole: dict) -> Iterator[None]:
    """Jobs that fail, and others whose model is whole."""
    for number in CREATED:
        solo.create(f"{stem}-{number}", **(whole if number >= FIRST_OTHER else failing))
        yield
    for number in CREATED:
        solo.wait(f"{stem}-{number}")


KINDS = (
    Kind(
        "Training",
        oldest_first=False,
        ended="Failed",
        never="Stopped",
        filters=(("WarmPoolStatusEquals", "Available", lambda number: False),),
        make=_training,
    ),
    Kind(
        "Compilation",
        oldest_first=True,
        ended="COMPLETED",
        never="INPROGRESS",
        filters=(),
        make=_compilations,
    ),
    Kind(
        "Optimization",
        oldest_first=True,
        ended="COMPLETED",
        never="INPROGRESS",
        filters=(
            ("OptimizationContains", "Quantization", lambda number: True),
            ("OptimizationContains", "Sharding", lambda number: number < FIRST_OTHER),
            ("OptimizationContains", "Compilation", lambda number: False),
        ),
        make=_optimizations,
    ),
)
