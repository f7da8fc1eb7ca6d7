"""Compilation jobs to give to a server, and ways to follow them to their end."""

import io
import json
import tarfile
import time

from harness.jobs import ROLE, fresh_name
from harness.server import Server

GROUP = "/aws/sagemaker/CompilationJobs"
ENDED = ("COMPLETED", "FAILED", "STOPPED")
POLL = 0.02
# The first compilation of a machine makes environments and parts.
PATIENCE = 300


def archive(files: dict[str, bytes]) -> bytes:
    """A gzipped tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def xgboost_model(trees: int = 2) -> bytes:
    """A model as XGBoost writes it: so many trees of one question each."""

    def tree(number: int) -> dict:
        return {
            "base_weights": [0.0, -1.0, 1.0],
            "categories": [],
            "categories_nodes": [],
            "categories_segments": [],
            "categories_sizes": [],
            "default_left": [1, 0, 0],
            "id": number,
            "left_children": [1, -1, -1],
            "loss_changes": [1.0, 0.0, 0.0],
            "parents": [2147483647, 0, 0],
            "right_children": [2, -1, -1],
            "split_conditions": [0.5 + number % 7, -0.25, 0.25],
            "split_indices": [number % 3, 0, 0],
            "split_type": [0, 0, 0],
            "sum_hessian": [2.0, 1.0, 1.0],
            "tree_param": {
                "num_deleted": "0",
                "num_feature": "3",
                "num_nodes": "3",
                "size_leaf_vector": "1",
            },
        }

    model = {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(trees)},
                    "iteration_indptr": list(range(trees + 1)),
                    "tree_info": [0] * trees,
                    "trees": [tree(number) for number in range(trees)],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "5E-1",
                "boost_from_average": "1",
                "num_class": "0",
                "num_feature": "3",
                "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 0, 5],
    }
    return json.dumps(model).encode()


class Compilations:
    """Makes compilation jobs on one server. Everything they need lies in one bucket."""

    def __init__(self, server: Server, bucket: str = "kiln-compilations"):
        self.server = server
        self.bucket = bucket
        self.reconnect()
        self.s3.create_bucket(Bucket=bucket)

    def reconnect(self) -> None:
        """New clients, for a server that came back at another address."""
        self.sagemaker = self.server.client("sagemaker")
        self.s3 = self.server.client("s3")
        self.logs = self.server.client("logs")

    def put(self, key: str, body: bytes) -> str:
        """Stores an object and returns its URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def create(self, model: str, framework: str = "XGBOOST", **more) -> str:
        """Creates a job for the archive at a URI and returns its name at once."""
        name = fresh_name("compilation")
        request = {
            "CompilationJobName": name,
            "RoleArn": ROLE,
            "InputConfig": {"S3Uri": model, "Framework": framework, **more.pop("input", {})},
            "OutputConfig": {
                "S3OutputLocation": f"s3://{self.bucket}/out/{name}",
                "TargetDevice": "ml_c5",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        request.update(more)
        self.sagemaker.create_compilation_job(**request)
        return name

    def describe(self, name: str) -> dict:
        """DescribeCompilationJob."""
        return self.sagemaker.describe_compilation_job(CompilationJobName=name)

    def wait_until(self, name: str, holds, within: float = PATIENCE) -> dict:
        """Polls until `holds(description)`; says what the job was doing if never."""
        until = time.monotonic() + within
        while not holds(job := self.describe(name)):
            assert time.monotonic() < until, (
                f"{name} is {job['CompilationJobStatus']} after {within} s: "
                f"{job.get('FailureReason')}; log {self.lines(name)[-20:]}; "
                f"the server said:\n{self.server.said()}"
            )
            time.sleep(POLL)
        return job

    def wait(self, name: str, within: float = PATIENCE) -> dict:
        """Waits for a terminal status."""
        return self.wait_until(name, lambda job: job["CompilationJobStatus"] in ENDED, within)

    def wait_for_work(self, name: str) -> dict:
        """Waits until the compiler runs; a job that has ended is an error."""
        job = self.wait_until(name, lambda job: job["CompilationJobStatus"] != "STARTING")
        assert job["CompilationJobStatus"] == "INPROGRESS", job
        return job

    def stop(self, name: str) -> None:
        """StopCompilationJob."""
        self.sagemaker.stop_compilation_job(CompilationJobName=name)

    def lines(self, name: str) -> list[str]:
        """The messages of the job's log."""
        try:
            page = self.logs.get_log_events(
                logGroupName=GROUP, logStreamName=name, startFromHead=True
            )
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in page["events"]]

    def outputs(self, name: str) -> dict[str, bytes]:
        """All objects that the job has stored."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"out/{name}")
        keys = [one["Key"] for one in listed.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def uploads(self) -> list[dict]:
        """Uploads in parts that are neither completed nor forgotten."""
        return self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
