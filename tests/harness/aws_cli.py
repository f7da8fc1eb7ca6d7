"""The AWS CLI in one process that forks for each invocation.

Most of what an invocation of `aws` takes is the loading of its modules. Here they are
loaded once, and each invocation is a fork of that process, with file descriptors,
environment and arguments of its own. What it prints is what `aws` prints.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import awscli.clidriver
import botocore.loaders


class Printed(NamedTuple):
    """What an invocation came to."""

    status: int
    stdout: bytes
    stderr: bytes


class AwsCli:
    """The process."""

    def __init__(self):
        # It keeps the keys of roles there, which are those of one server.
        self.home = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUTF8": "1", "HOME": self.home.name},
        )

    def run(self, arguments: list[str], environment: dict[str, str]) -> Printed:
        """One invocation: the arguments after `aws`, with just this environment."""
        with tempfile.TemporaryDirectory() as directory:
            order = {
                "arguments": arguments,
                "environment": environment,
                "directory": directory,
            }
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            status = int(self.process.stdout.readline())
            texts = []
            for name in ("stdout", "stderr"):
                with open(os.path.join(directory, name), "rb") as file:
                    texts.append(file.read())
        return Printed(status, *texts)

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.home.cleanup()


def _serve() -> None:
    """Takes orders, one a line, and answers each with the exit status."""
    _load_models_once()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.exit(_invoke(json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _load_models_once() -> None:
    """Finds and reads the models here, and not in each fork."""
    files, loader = botocore.loaders.JSONFileLoader, botocore.loaders.Loader
    load = functools.cache(files().load_file)
    files.load_file = lambda _, path: load(path)
    session = awscli.clidriver.create_clidriver().session
    services = functools.cache(session.get_component("data_loader").list_available_services)
    loader.list_available_services = lambda _, type_name: services(type_name)
    session.create_client("sagemaker", "us-east-1", use_ssl=False)


def _invoke(order: dict) -> int:
    """Is the invocation, and answers its exit status."""
    # awscli says there, when it is loaded, where its data are.
    data = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}
    os.environ.clear()
    os.environ.update({**data, **order["environment"]})
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(os.path.join(order["directory"], name), os.O_CREAT | os.O_WRONLY)
        os.dup2(file, descriptor)
    sys.argv = ["aws", *order["arguments"]]
    return awscli.clidriver.main()


if __name__ == "__main__":
    _serve()
