"""Training jobs to give to a server, and ways to follow them to their end."""

import itertools
import os
import time
from urllib.parse import urlsplit

from harness import archives
from harness.server import ENDED, Server

ROLE = "arn:aws:iam::123456789012:role/KilnExecutionRole"
GROUP = "/aws/sagemaker/TrainingJobs"
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
POLL = 0.02
# What takes longer, even on a busy machine, never comes.
PATIENCE = 300
# Doing nothing for longer than any test takes, which ends at once on SIGTERM. A shell
# that is process 1 and has no handler ignores the signal, here as under Docker.
LINGER = "trap 'exit 0' TERM; sleep 3600 & wait"
# Doing nothing until the test lets go.
UNTIL_LET_GO = "until [ -e /opt/ml/model/go ]; do sleep 0.05; done"
# More of everything than any machine has: what is left of it is nothing.
WHOLE_MACHINE = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}

# An unsigned request to the endpoint that the container was given. (Debian's static
# wget crashes in an image without name-service libraries; nc does not.)
ASK_S3 = (
    "a=${S3_ENDPOINT_URL#http://}; h=${a%%[:/]*}; p=${a#$h}; p=${p#:}; "
    r"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $h ${p:-80}"
)

_numbers = itertools.count(1)


def fresh_name(stem: str = "job") -> str:
    """A job name that no other test uses."""
    return f"{stem}-{os.getpid()}-{next(_numbers)}"


def s3_channel(name: str, uri: str, **more) -> dict:
    """A File-mode channel over a prefix."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


def poll(describe, holds, complaint, within: float, is_over=lambda job: False) -> dict:
    """Polls until `holds(description)`. If it never does, or the job is over without that,
    `complaint(description)` is raised."""
    until = time.monotonic() + within
    while True:
        job = describe()
        # Asked for first, so that a job that is over has had its chance to hold.
        if holds(job):
            return job
        if is_over(job) or time.monotonic() > until:
            raise AssertionError(complaint(job))
        time.sleep(POLL)


class Jobs:
    """Makes jobs on one server. Everything they need lies in one bucket."""

    def __init__(self, server: Server, bucket: str = "kiln-tests"):
        self.server = server
        self.bucket = bucket
        self.reconnect()
        self.s3.create_bucket(Bucket=bucket)

    def reconnect(self) -> None:
        """New clients, for a server that came back at another address."""
        self.sagemaker = self.server.client("sagemaker")
        self.s3 = self.server.client("s3")
        self.logs = self.server.client("logs")

    # Making

    def put(self, key: str, body: bytes | str) -> str:
        """Stores an object and returns its URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def request(self, script: str, name: str | None = None, **more) -> dict:
        """A request for a job that runs a shell script in the busybox image.

        Entrypoint items hold 256 characters and no line breaks; a longer script
        travels in an environment variable, and the longest in a channel.
        """
        name = name or fresh_name()
        environment = dict(more.pop("Environment", {}))
        channels = list(more.pop("InputDataConfig", []))
        command = script.strip()
        if len(command) > 256 or "\n" in command:
            if len(command) <= 512:
                environment["TEST_SCRIPT"] = command
                command = 'eval "$TEST_SCRIPT"'
            else:
                channels.append(s3_channel("script", self.put(f"scripts/{name}/run.sh", command)))
                command = "exec sh /opt/ml/input/data/script/run.sh"
        request = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": "busybox",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", command],
                **more.pop("AlgorithmSpecification", {}),
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out"},
            "ResourceConfig": dict(INSTANCE),
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
        }
        if channels:
            request["InputDataConfig"] = channels
        if environment:
            request["Environment"] = environment
        request.update(more)
        return request

    def create(self, script: str, name: str | None = None, **more) -> str:
        """Creates the job and returns its name at once."""
        request = self.request(script, name, **more)
        self.sagemaker.create_training_job(**request)
        return request["TrainingJobName"]

    def run(self, script: str, name: str | None = None, within: float = PATIENCE, **more) -> dict:
        """Creates the job, follows it to its end and returns its description."""
        return self.wait(self.create(script, name, **more), within)

    def occupy(self) -> str:
        """A job that has all of the machine, until it is stopped."""
        name = self.create(LINGER, ResourceConfig=WHOLE_MACHINE)
        self.wait_for_phase(name, "Training")
        return name

    def stop(self, name: str) -> dict:
        """Stops the job, follows it to its end and returns its description."""
        self.sagemaker.stop_training_job(TrainingJobName=name)
        return self.wait(name)

    def let_go(self) -> None:
        """Ends the waiting of all jobs that do `UNTIL_LET_GO`, whether the server is there or
        not."""
        for model in self.server.data_dir.glob("instances/*/ml/model"):
            (model / "go").touch()

    # Following

    def describe(self, name: str) -> dict:
        """DescribeTrainingJob."""
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def wait_until(self, name: str, holds, within: float = PATIENCE) -> dict:
        """Polls until `holds(description)`; says what the job was doing if never."""

        def complaint(job: dict) -> str:
            return (
                f"{name} is {job['TrainingJobStatus']}/{job['SecondaryStatus']} after "
                f"{within} s: {job.get('FailureReason')}; log {self.lines(name)[-20:]}; "
                f"the server said:\n{self.server.said()}"
            )

        return poll(lambda: self.describe(name), holds, complaint, within)

    def wait(self, name: str, within: float = PATIENCE) -> dict:
        """Waits for a terminal status."""
        return self.wait_until(name, lambda job: job["TrainingJobStatus"] in ENDED, within)

    def wait_for_phase(self, name: str, *phases: str, within: float = PATIENCE) -> dict:
        """Waits for one of these secondary statuses; an ended job is an error."""
        job = self.wait_until(
            name,
            lambda job: job["SecondaryStatus"] in phases or job["TrainingJobStatus"] in ENDED,
            within,
        )
        assert job["SecondaryStatus"] in phases, (
            f"{name} went to {job['SecondaryStatus']} and was never seen in {phases}: "
            f"{job.get('FailureReason')}"
        )
        return job

    def wait_for_line(self, name: str, text: str, within: float = PATIENCE) -> None:
        """Waits until the job's log holds a line with the text; an ended job will write none."""
        job = self.wait_until(
            name,
            lambda job: self._says(name, text) or job["TrainingJobStatus"] in ENDED,
            within,
        )
        assert self._says(name, text), (
            f"no line {text!r} in {self.lines(name)}: {job['SecondaryStatus']}, "
            f"{job.get('FailureReason')}"
        )

    def _says(self, name: str, text: str) -> bool:
        return any(text in line for line in self.lines(name))

    # Results

    def events(self, name: str) -> list[dict]:
        """Every log event of the job, in the log's order."""
        return [event for events in self.streams(name).values() for event in events]

    def streams(self, name: str) -> dict[str, list[dict]]:
        """The events of each of the job's log streams: one for each host and attempt."""
        try:
            streams = self.logs.describe_log_streams(
                logGroupName=GROUP, logStreamNamePrefix=f"{name}/"
            )["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:
            return {}
        return {one["logStreamName"]: self.stream(one["logStreamName"]) for one in streams}

    def stream(self, stream: str, group: str = GROUP) -> list[dict]:
        """Every event of one log stream."""
        found, position = [], {"startFromHead": True}
        while True:
            page = self.logs.get_log_events(logGroupName=group, logStreamName=stream, **position)
            if not page["events"]:
                return found
            found += page["events"]
            position = {"startFromHead": True, "nextToken": page["nextForwardToken"]}

    def lines(self, name: str) -> list[str]:
        """The messages of the job's log."""
        return [event["message"] for event in self.events(name)]

    def object(self, uri: str) -> bytes:
        """The bytes of an object, by URI."""
        parts = urlsplit(uri)
        found = self.s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        return found["Body"].read()

    def model(self, job: dict) -> dict[str, bytes]:
        """The files in the job's model.tar.gz."""
        return archives.files(self.object(job["ModelArtifacts"]["S3ModelArtifacts"]))


def completed(job: dict) -> dict:
    """The job, which must have completed."""
    assert job["TrainingJobStatus"] == "Completed", (
        f"{job['TrainingJobStatus']}: {job.get('FailureReason')}"
    )
    return job
