"""`kiln sagemaker` and `aws sagemaker`, run alike, with jobs to ask both about."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.aws_cli import AwsCli, Printed
from harness.jobs import Jobs, completed
from harness.server import Server, kiln_binary

# What the names of the jobs begin with.
STEM = "native-cli"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job"
# What the exit statuses of failures are about.
USAGE, CONFIGURATION, SERVICE, GENERAL = 252, 253, 254, 255

DESCRIBE = ("describe-training-job", "--training-job-name", f"{STEM}-rich")
FAILED = ("describe-training-job", "--training-job-name", f"{STEM}-failed")
LIST = ("list-training-jobs", "--name-contains", STEM)
# No job has this name.
NAME = ("--training-job-name", "x")


@dataclass
class Both:
    """Both programs, in one environment."""

    aws: AwsCli
    environment: dict[str, str]

    def native(self, *arguments: str | bytes, **changes: str | None) -> Printed:
        """Runs `kiln sagemaker`."""
        done = subprocess.run(
            [kiln_binary(), "sagemaker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
            env=self.changed(changes),
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    def changed(self, changes: dict[str, str | None]) -> dict[str, str]:
        """The environment with changes; None takes a variable away."""
        changed = {**self.environment, **changes}
        return {name: value for name, value in changed.items() if value is not None}

    def agree(self, *arguments: str, status: int = 0, **changes: str | None) -> Printed:
        """Runs both, and answers what they print once it is the same."""
        golden = self.aws.run(["sagemaker", *arguments], self.changed(changes))
        native = self.native(*arguments, **changes)
        assert native.stderr.decode() == golden.stderr.decode()
        assert native.stdout.decode() == golden.stdout.decode()
        assert (native.status, golden.status == 0) == (status, status == 0)
        return native


@contextmanager
def programs(server: Server, no_file: Path) -> Iterator[Both]:
    """Both programs on a server, with its root key and no configuration."""
    aws = AwsCli()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": aws.home.name,
        "LANG": "C.UTF-8",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(no_file),
        "AWS_SHARED_CREDENTIALS_FILE": str(no_file),
        **server.exports(),
    }
    try:
        yield Both(aws, environment)
    finally:
        aws.close()


def make_jobs(jobs: Jobs) -> None:
    """Five jobs that have ended, among them one that failed and one with all sorts in it.

    They are made once and stay.
    """
    if jobs.sagemaker.list_training_jobs(NameContains=STEM)["TrainingJobSummaries"]:
        return
    for number in range(3):
        jobs.create("true", f"{STEM}-{number}", Tags=[{"Key": "n", "Value": str(number)}])
    jobs.create("exit 3", f"{STEM}-failed")
    jobs.create(
        "echo loss=0.25 > /dev/null; echo loss=0.25",
        f"{STEM}-rich",
        HyperParameters={"epochs": "3", "name": "größe 'q' \"d\" \\ 😀", "empty": ""},
        Environment={"B": "2", "A": "tab\there"},
        Tags=[{"Key": "team", "Value": "größe"}, {"Key": "a", "Value": ""}],
        EnableNetworkIsolation=True,
        AlgorithmSpecification={"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]},
    )
    for name in (f"{STEM}-0", f"{STEM}-1", f"{STEM}-2", f"{STEM}-rich"):
        completed(jobs.wait(name))
    jobs.wait(f"{STEM}-failed")
