"""A directory where a person works with Kiln's commands."""

import os
import subprocess
from pathlib import Path

from harness.jobs import fresh_name
from harness.server import Server, kiln
from harness.terminal import COLOUR, Terminal

WITHIN = 120


class Place:
    """A shell in a directory of its own."""

    def __init__(self, directory: Path, server: Server):
        self.directory = directory
        self.environment = without_aws()
        self.environment["KILN_DATA_DIR"] = str(server.data_dir)
        self.environment.pop("NO_COLOR", None)

    def path(self, name: str) -> str:
        """The path of something in the directory."""
        return str(self.directory / name)

    def write(self, name: str, text: str | bytes) -> str:
        """Writes a file, and answers its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def kiln(self, *arguments: str, status: int = 0, timeout: float = WITHIN, **variables):
        """Runs a command in a pipe, and answers what it printed."""
        environment = {**self.environment, **variables}
        done = kiln(
            *arguments,
            env=environment,
            cwd=self.directory,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        assert not COLOUR.search(done.stdout + done.stderr)
        return done

    def terminal(self, *arguments: str, **variables) -> Terminal:
        """Runs a command on a terminal."""
        return Terminal(*arguments, environment={**self.environment, **variables})

    def begin(self, script: str, *options: str) -> str:
        """Begins a job, and answers its name."""
        path = self.write(f"{fresh_name('script')}.sh", script)
        done = self.kiln("train", path, "--image", "busybox", "--detach", *options)
        return done.stdout.strip()


def without_aws() -> dict:
    """This environment, without what points clients elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
