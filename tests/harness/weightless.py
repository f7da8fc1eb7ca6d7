"""Optimization jobs that fail soon: their model has no weights. They are for tests of everything
that needs no model."""

from harness.jobs import ROLE, Jobs, fresh_name
from harness.optimizations import Optimizations, quantization


class Weightless(Optimizations):
    """Makes such jobs, as a test asks for them."""

    def __init__(self, jobs: Jobs):
        super().__init__(jobs)
        self.model = self.put({"config.json": b"{}"})

    def request(self, name: str | None = None, **more) -> dict:
        """A request to quantize a model without weights."""
        return {
            "OptimizationJobName": name or fresh_name("optimization"),
            "RoleArn": ROLE,
            "ModelSource": {"S3": {"S3Uri": self.model}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationConfigs": [quantization(OPTION_QUANTIZE="w4a16")],
            "OutputConfig": {"S3OutputLocation": f"s3://{self.bucket}/optimized"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            **more,
        }

    def ask(self, name: str | None = None, **more) -> str:
        """Creates such a job and returns its name at once."""
        request = self.request(name, **more)
        self.sagemaker.create_optimization_job(**request)
        return request["OptimizationJobName"]

    def fail(self, name: str | None = None, **more) -> dict:
        """Creates such a job and follows it to its end."""
        return self.wait(self.ask(name, **more))
