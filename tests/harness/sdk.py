"""Programs that use the SageMaker Python SDK, run as their authors would run them.

Each generation of the SDK has a Python environment of its own. The programs know
nothing of Kiln; what leads them to it are the settings of `docs/clients.md`, and
the file that it shows is read from there.
"""

import os
import random
import re
import subprocess
from pathlib import Path

from harness.server import Server

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
SETTINGS = re.compile(r"```yaml\n(SchemaVersion.+?)```", re.DOTALL)
BUCKET = re.compile(r"DefaultS3Bucket: (\S+)")


class Sdk:
    """One generation of the SDK, beside a server. Programs and their files lie in `place`."""

    def __init__(self, generation: int, server: Server, place: Path):
        variable = f"KILN_TEST_SDK_V{generation}"
        python = os.environ.get(variable)
        assert python, f"{variable} names the Python that has the SDK; `cargo xtask test` sets it"
        self.python, self.server, self.place = python, server, place
        settings = SETTINGS.search(PAGE.read_text()).group(1)
        self.bucket = BUCKET.search(settings).group(1)
        self.settings = self.write("settings.yaml", settings)

    def write(self, name: str, text: str) -> Path:
        """Writes a file beside the programs."""
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def write_table(self) -> None:
        """Writes `data/table.csv`: a label that two columns explain, label first."""
        rng = random.Random(7)
        points = [(rng.random(), rng.random()) for _ in range(300)]
        self.write("data/table.csv", "".join(f"{int(x + y > 1)},{x},{y}\n" for x, y in points))

    def start(self, program: str, *arguments: str) -> subprocess.Popen:
        """Starts a program that finds itself where its files are."""
        path = self.write("program.py", program)
        return subprocess.Popen(
            [self.python, str(path), *arguments],
            cwd=self.place,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, program: str, *arguments: str, within: float = 170) -> str:
        """Runs a program, which must succeed, and returns what it printed."""
        return finished(self.start(program, *arguments), within)

    def _environment(self) -> dict[str, str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SAGEMAKER_", "PYTHON", "KILN_"))
        }
        return {
            **plain,
            **self.server.exports(),
            "HOME": str(self.place),
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(self.settings),
        }


def finished(program: subprocess.Popen, within: float) -> str:
    """What a program printed, which must succeed in this time."""
    try:
        printed, _ = program.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        program.kill()
        printed, _ = program.communicate()
        raise AssertionError(f"the program did not end within {within} s:\n{printed}") from None
    assert program.returncode == 0, printed
    return printed
