"""A sample of the onnx package's node tests: compiled, run and compared with the answers.

They need the environment of the compilers' tools, which `KILN_TEST_TOOLS` names.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "onnx_nodes"
TOOLS = os.environ.get("KILN_TEST_TOOLS")


@pytest.fixture(scope="module")
def compiler() -> Path:
    """The program that compiles a model for each line."""
    build = ["cargo", "build", "--package", "kiln-compile", "--example", "onnx_nodes"]
    said = subprocess.run(
        [*build, "--message-format=json"], check=True, stdout=subprocess.PIPE, text=True
    )
    messages = map(json.loads, said.stdout.splitlines())
    programs = [message["executable"] for message in messages if message.get("executable")]
    return Path(programs[-1])


@pytest.mark.skipif(not TOOLS, reason="needs KILN_TEST_TOOLS")
@pytest.mark.timeout(1800)
def test_the_sample_passes(compiler):
    said = subprocess.run(
        [
            Path(TOOLS) / "bin/python",
            FOLDER / "run.py",
            "--compiler",
            compiler,
            FOLDER / "sample.txt",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    outcomes = dict(map(json.loads, said.stdout.splitlines()))
    assert len(outcomes) >= 100
    assert {name: text for name, text in outcomes.items() if text != "passes"} == {}


def test_two_thirds_of_what_the_reference_passes_pass():
    passing, reference, sample = (
        set((FOLDER / name).read_text().split())
        for name in ("passing.txt", "reference.txt", "sample.txt")
    )
    assert sample <= passing
    assert len(passing & reference) >= 0.65 * len(reference)
