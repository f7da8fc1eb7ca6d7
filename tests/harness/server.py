"""A `kiln serve` process with a data directory of its own, and clients for it.

The server listens on a free port, so it comes back at another address after a
restart; clients are therefore made on demand and never kept across one.
"""

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import boto3
from botocore.config import Config

from harness import leaks, processes

READY_LINE = re.compile(r"^kiln is ready at (http://127\.0\.0\.1:(\d+)) \(data in (.+)\)$")
READY_WITHIN = 120.0
ENDED = ("Completed", "Failed", "Stopped")


def kiln_binary() -> str:
    """The binary under test; `cargo xtask test` names it in KILN_BIN."""
    binary = os.environ.get("KILN_BIN")
    if binary is None:
        binary = str(Path(__file__).parents[2] / "target" / "debug" / "kiln")
    if not Path(binary).exists():
        raise RuntimeError(f"there is no kiln binary at {binary}; set KILN_BIN")
    return binary


def kiln(*arguments: str, timeout: float = 120, **options) -> subprocess.CompletedProcess:
    """Runs one kiln command to its end and returns what it printed."""
    return subprocess.run(
        [kiln_binary(), *arguments], capture_output=True, text=True, timeout=timeout, **options
    )


class Server:
    """One data directory and the server process that works on it.

    What it started is looked after: closing it fails when any of that is left.
    """

    # Those that were made and not closed.
    all: ClassVar[list["Server"]] = []

    def __init__(self, environment: dict | None = None, images: dict | None = None):
        self.data_dir = Path(tempfile.mkdtemp(prefix="kiln-test-", dir="/tmp"))
        # Its own and its agents', which must be empty in the end.
        self.temporary = self.data_dir / "tmp"
        self.temporary.mkdir()
        self.environment = {"TMPDIR": str(self.temporary), **(environment or {})}
        self._groups_before = leaks.empty_groups()
        self._blamed: set[str] = set()
        self.process: subprocess.Popen | None = None
        self.endpoint = ""
        self._exports: dict[str, str] = {}
        self.ready_line = ""
        for name, path in (images or {}).items():
            added = kiln("images", "add", name, str(path), "--data-dir", str(self.data_dir))
            assert added.returncode == 0, added.stderr
        self.all.append(self)

    # Life

    def start(self) -> "Server":
        """Starts the process and waits for the line that says it is ready."""
        self._exports, self.endpoint = {}, ""
        self.process = subprocess.Popen(
            [kiln_binary(), "serve", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self.data_dir / "server.log").open("ab"),
            env={**os.environ, **self.environment},
        )
        self.ready_line = self._first_line()
        match = READY_LINE.match(self.ready_line)
        assert match, f"the server printed {self.ready_line!r}; it said:\n{self.said()}"
        self.endpoint = match.group(1)
        return self

    def _first_line(self) -> str:
        """The first line on the server's standard output."""
        output = self.process.stdout.fileno()
        line, until = b"", time.monotonic() + READY_WITHIN
        while not line.endswith(b"\n") and time.monotonic() < until:
            readable, _, _ = select.select([output], [], [], 0.2)
            if readable:
                piece = os.read(output, 4096)
                if not piece:
                    break
                line += piece
        return line.decode().strip()

    def said(self) -> str:
        """What the server has written to its standard error so far."""
        log = self.data_dir / "server.log"
        return log.read_text(errors="replace")[-6000:] if log.exists() else ""

    def kill(self) -> None:
        """kill -9: the server gets no chance to put anything in order."""
        self.process.kill()
        self.process.wait()

    def terminate(self, signum: int = signal.SIGTERM, within: float = 120) -> int:
        """Asks the server to stop and returns its exit status."""
        self.process.send_signal(signum)
        return self.process.wait(timeout=within)

    def crash_and_restart(self) -> "Server":
        """kill -9 and start again with the same data directory."""
        self.kill()
        return self.start()

    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether the server process is alive and was once ready."""
        return self.endpoint != "" and self.is_running()

    def close(self) -> None:
        """Ends the server, everything it started, and removes the directory."""
        self.all.remove(self)
        left = self._end_jobs() if self.answers() else []
        said = self.said()
        self._end()
        assert not left, f"left behind: {'; '.join(left)}; the server said:\n{said}"

    def check_for_leaks(self) -> None:
        """Fails when something is still there of jobs that have ended, once for each."""
        left = leaks.left_by_ended_jobs(self, self._groups_before, self._blamed)
        self._blamed.update(left)
        assert not left, f"left behind: {'; '.join(left)}; the server said:\n{self.said()}"

    def _end_jobs(self) -> list[str]:
        leaks.end_every_job(self)
        left = leaks.left_by_ended_jobs(self, self._groups_before, self._blamed)
        return left + [f"the temporary file {path}" for path in self.temporary.iterdir()]

    def _end(self) -> None:
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.kill()
        processes.kill_all_that_mention(str(self.data_dir))
        if os.environ.get("KILN_TEST_KEEP"):
            print(f"kept {self.data_dir}", file=sys.stderr)
            return
        shutil.rmtree(self.data_dir, ignore_errors=True)

    # Clients

    def exports(self) -> dict[str, str]:
        """What `kiln env` exports, read as a shell would."""
        if self._exports:
            return self._exports
        printed = kiln("env", "--data-dir", str(self.data_dir))
        assert printed.returncode == 0, printed.stderr
        exports = {}
        for line in printed.stdout.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["export"]:
                name, _, value = words[1].partition("=")
                exports[name] = value
        self._exports = exports
        return exports

    def credentials(self) -> tuple[str, str]:
        """The root access key and its secret."""
        exports = self.exports()
        return exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"]

    def client(self, service: str, config: Config | None = None, **options):
        """A boto3 client of the service that retries nothing."""
        key, secret = self.credentials()
        base = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=60,
            read_timeout=120,
            max_pool_connections=40,
        )
        settings = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "config": base.merge(config) if config else base,
        }
        settings.update(options)
        return boto3.session.Session().client(service, **settings)

    def aws(self, *arguments: str, check: bool = True, timeout: float = 120, **options):
        """Runs the aws command line as a person would after `eval $(kiln env)`."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment.update(self.exports())
        environment.update(
            {
                "AWS_PAGER": "",
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            }
        )
        command = Path(sys.executable).parent / "aws"
        done = subprocess.run(
            [str(command), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            **options,
        )
        if check:
            assert done.returncode == 0, f"aws {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done
