"""Compilation jobs to give to a server, and ways to follow them to their end."""

import time

from harness.jobs import POLL, ROLE, Jobs, fresh_name

LOG_GROUP = "/aws/sagemaker/CompilationJobs"
ENDED = ("COMPLETED", "FAILED", "STOPPED")


class Compilations:
    """Makes compilation jobs beside the training jobs of one server."""

    def __init__(self, jobs: Jobs):
        self.jobs = jobs

    @property
    def sagemaker(self):
        """The client, which is another one after a restart."""
        return self.jobs.sagemaker

    def request(self, name: str | None = None, **more) -> dict:
        """A request for a compilation of a model that is not there."""
        return {
            "CompilationJobName": name or fresh_name("compilation"),
            "RoleArn": ROLE,
            "InputConfig": {
                "S3Uri": f"s3://{self.jobs.bucket}/no/such/model.tar.gz",
                "Framework": "XGBOOST",
                "FrameworkVersion": "1.3.3",
            },
            "OutputConfig": {
                "S3OutputLocation": f"s3://{self.jobs.bucket}/compiled",
                "TargetDevice": "ml_c5",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            **more,
        }

    def create(self, name: str | None = None, **more) -> str:
        """Creates the job and returns its name at once."""
        request = self.request(name, **more)
        self.sagemaker.create_compilation_job(**request)
        return request["CompilationJobName"]

    def run(self, name: str | None = None, **more) -> dict:
        """Creates the job, follows it to its end and returns its description."""
        return self.wait(self.create(name, **more))

    def describe(self, name: str) -> dict:
        """DescribeCompilationJob."""
        return self.sagemaker.describe_compilation_job(CompilationJobName=name)

    def wait(self, name: str, *statuses: str, within: float = 120) -> dict:
        """Waits for one of these statuses, or for any that ends the job."""
        until = time.monotonic() + within
        while True:
            job = self.describe(name)
            if job["CompilationJobStatus"] in (statuses or ENDED):
                return job
            assert time.monotonic() < until and job["CompilationJobStatus"] not in ENDED, (
                f"{name}: {job}; the server said:\n{self.jobs.server.said()}"
            )
            time.sleep(POLL)
