"""`kiln quickstart`: one command from nothing to a model."""

import re
import time

import pytest

from harness import processes
from harness.server import kiln

FIRST_WITHIN, SECOND_WITHIN = 170, 25


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[tuple[float, str]]:
    """Two runs in one data directory: seconds taken and what was printed."""
    directory, runs = tmp_path_factory.mktemp("quickstart"), []
    for limit in (FIRST_WITHIN, FIRST_WITHIN):
        started = time.monotonic()
        done = kiln("quickstart", "--data-dir", str(directory), timeout=limit)
        assert done.returncode == 0, done.stdout + done.stderr
        runs.append((time.monotonic() - started, done.stdout + done.stderr))
    yield runs
    processes.kill_all_that_mention(str(directory))


@pytest.mark.parametrize("run", [0, 1])
def test_it_shows_the_whole_job(runs, run):
    printed = runs[run][1]
    for phase in ("Starting", "Downloading", "Training", "Uploading", "Completed"):
        assert phase in printed, f"the timeline lacks {phase}"
    assert re.search(r"s3://\S+/output/model\.tar\.gz", printed), "the model's URI"
    assert re.search(r"aws sagemaker describe-training-job\b.*--training-job-name \S+", printed)
    assert re.search(r"aws s3 cp s3://\S+model\.tar\.gz", printed)
    assert re.search(r"aws logs ", printed)


@pytest.mark.parametrize("run", [0, 1])
def test_the_accuracy_is_of_held_out_rows(runs, run):
    found = re.findall(
        r"(?:test|validation|held.out)[:\w ]*accuracy\D*([01]?\.\d+|\d+\.\d+ ?%)",
        runs[run][1],
        re.IGNORECASE,
    )
    assert found, runs[run][1]
    value = float(found[-1].rstrip(" %")) / (100 if "%" in found[-1] else 1)
    assert 0.85 < value <= 1.0


def test_the_second_run_has_nothing_to_set_up(runs):
    assert runs[1][0] < SECOND_WITHIN
