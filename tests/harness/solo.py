"""Jobs of one container that makes something of a model: what the harness does alike for
compilation and for optimization jobs."""

from harness.identities import ACCOUNT, refused
from harness.jobs import PATIENCE, Jobs, fresh_name, poll
from harness.wire import call

ENDED = ("COMPLETED", "FAILED", "STOPPED")


class SoloJobs:
    """Makes jobs of one kind beside the training jobs of one server."""

    # The first word of the kind's operations and members.
    kind: str

    def __init__(self, jobs: Jobs):
        self.jobs, self.server, self.bucket = jobs, jobs.server, jobs.bucket

    @property
    def sagemaker(self):
        """The client, which is another one after a restart."""
        return self.jobs.sagemaker

    def member(self, name: str) -> str:
        """A member of the kind's requests and answers, such as `OptimizationJobName`."""
        return f"{self.kind}{name}"

    def arn(self, name: str) -> str:
        """The ARN of a job."""
        return f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:{self.kind.lower()}-job/{name}"

    # Making

    def request(self, name: str | None = None, **more) -> dict:
        """A request for a job that fails soon, because its model is not whole."""
        raise NotImplementedError

    def create(self, name: str | None = None, **more) -> str:
        """Creates that job and returns its name at once."""
        return self.submit(self.request(name, **more))

    def run(self, name: str | None = None, **more) -> dict:
        """Creates that job, follows it to its end and returns its description."""
        return self.wait(self.create(name, **more))

    def submit(self, request: dict, client=None) -> str:
        """The create call, by this client or the usual one; returns the job's name."""
        getattr(client or self.sagemaker, f"create_{self.kind.lower()}_job")(**request)
        return request[self.member("JobName")]

    def refusal(self, request: dict) -> str:
        """What is said against a request that makes no sense, and makes no job."""
        answer = call(self.server, f"Create{self.kind}Job", request)
        assert (answer.status, answer.code) == (400, "ValidationException"), answer.body
        with refused("ResourceNotFound", "Requested resource not found."):
            self.describe(request[self.member("JobName")])
        return answer.message

    def fresh_name(self) -> str:
        """A job name that no other test uses."""
        return fresh_name(self.kind.lower())

    # Following

    def call(self, operation: str, name: str, client=None) -> dict:
        """The describe, stop or delete call, by this client or the usual one."""
        method = getattr(client or self.sagemaker, f"{operation}_{self.kind.lower()}_job")
        return method(**{self.member("JobName"): name})

    def describe(self, name: str) -> dict:
        """What the job is now."""
        return self.call("describe", name)

    def status(self, name: str) -> str:
        """The job's status now."""
        return self.describe(name)[self.member("JobStatus")]

    def stop(self, name: str) -> None:
        """Asks the job to stop."""
        self.call("stop", name)

    def wait(self, name: str, *statuses: str, within: float = PATIENCE) -> dict:
        """Waits for one of these statuses, or for any that ends the job."""
        wanted = statuses or ENDED
        return self.wait_until(name, lambda job: job[self.member("JobStatus")] in wanted, within)

    def completed(self, name: str, within: float = PATIENCE) -> dict:
        """Waits for the end of a job, which must be a good one."""
        job = self.wait(name, within=within)
        assert job[self.member("JobStatus")] == "COMPLETED", (
            job.get("FailureReason"),
            self.lines(name),
        )
        return job

    def wait_for_line(self, name: str, text: str, within: float = PATIENCE) -> None:
        """Waits until the job's log holds a line with the text."""
        self.wait_until(name, lambda _: any(text in line for line in self.lines(name)), within)

    def wait_until(self, name: str, holds, within: float = PATIENCE) -> dict:
        """Polls until `holds(description)`; a job that has ended will change no more."""

        def complaint(job: dict) -> str:
            log = self.lines(name)[-20:]
            return f"{name}: {job}; log {log}; the server said:\n{self.server.said()}"

        def is_over(job: dict) -> bool:
            return job[self.member("JobStatus")] in ENDED

        return poll(lambda: self.describe(name), holds, complaint, within, is_over)

    # Results

    def lines(self, name: str) -> list[str]:
        """The messages of the job's log."""
        try:
            events = self.jobs.stream(name, f"/aws/sagemaker/{self.kind}Jobs")
        except self.jobs.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def outputs(self, name: str) -> dict[str, bytes]:
        """All objects that the job has stored, by their names below its prefix."""
        prefix = f"out/{name}/"
        listed = self.jobs.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        keys = [one["Key"] for one in listed.get("Contents", [])]
        return {
            key.removeprefix(prefix): self.jobs.object(f"s3://{self.bucket}/{key}") for key in keys
        }

    def left_nothing(self, name: str) -> bool:
        """Whether a job has stored nothing and left no upload."""
        return self.outputs(name) == {} and self.uploads() == []

    def uploads(self) -> list[dict]:
        """Uploads in parts that are neither completed nor forgotten."""
        return self.jobs.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
