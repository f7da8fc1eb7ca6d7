"""The AWS SDK for JavaScript: programs that know nothing of Kiln, whose jobs really run.

The programs lie in `javascript/`; what leads them to the server are the variables of
`kiln env`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.jobs import fresh_name
from harness.sdk import finished
from harness.server import Server

PROGRAMS = Path(__file__).parent / "javascript"
# `npm ci` made it; `cargo xtask test` names it.
INSTALLED = Path(
    os.environ.get("KILN_TEST_JAVASCRIPT", Path(__file__).parents[1] / "target" / "javascript")
)


@pytest.fixture
def run(server: Server, tmp_path: Path):
    """Runs a program, which must succeed, and returns what it printed."""
    modules = INSTALLED / "node_modules"
    assert modules.is_dir(), f"there is no {modules}; `cargo xtask test` makes it"
    (tmp_path / "node_modules").symlink_to(modules)

    def run(program: str, *arguments: str) -> str:
        path = shutil.copy(PROGRAMS / program, tmp_path)
        started = subprocess.Popen(
            ["node", str(path), *arguments],
            cwd=tmp_path,
            env=environment(server, tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return finished(started, within=170)

    return run


def environment(server: Server, home: Path) -> dict[str, str]:
    """What a shell has after `eval "$(kiln env)"`, at someone who has no AWS files."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "NODE_", "KILN_"))
    }
    return {**plain, **server.exports(), "HOME": str(home)}


def test_a_job_runs_and_gives_back_its_log_metrics_and_model(run, jobs):
    assert "trained Completed" in run("train.mjs", jobs.bucket, fresh_name("javascript"))


def test_jobs_are_stopped_listed_searched_and_tagged(run, jobs):
    assert "organised 4" in run("organise.mjs", jobs.bucket, fresh_name("javascript"))


def test_refusals_are_exceptions_of_the_sdk(run, jobs):
    assert "refused" in run("refusals.mjs", jobs.bucket, fresh_name("javascript"))
