"""Models to compile, and compilations that are followed to what they store."""

import io
import json
import tarfile

from harness.compilations import LOG_GROUP, Compilations
from harness.jobs import Jobs, fresh_name

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


class ModelCompilations(Compilations):
    """Compilations of models that are there. Each stores below a prefix of its own."""

    def __init__(self, jobs: Jobs):
        super().__init__(jobs)
        self.server, self.bucket = jobs.server, jobs.bucket

    def put(self, model: bytes) -> str:
        """Stores the archive of an XGBoost model and returns its URI."""
        return self.jobs.put(f"models/{fresh_name()}.tar.gz", archive({"model.json": model}))

    def compile(self, model: str, **more) -> str:
        """Creates a job for the archive at a URI and returns its name at once."""
        name = fresh_name("compilation")
        place = {"S3OutputLocation": f"s3://{self.bucket}/out/{name}", "TargetDevice": "ml_c5"}
        inputs = {"S3Uri": model, "Framework": "XGBOOST"}
        return self.create(name, InputConfig=inputs, OutputConfig=place, **more)

    def stop(self, name: str) -> None:
        """StopCompilationJob."""
        self.sagemaker.stop_compilation_job(CompilationJobName=name)

    def lines(self, name: str) -> list[str]:
        """The messages of the job's log, as far as one page has them."""
        logs, where = self.jobs.logs, {"logGroupName": LOG_GROUP}
        try:
            streams = logs.describe_log_streams(logStreamNamePrefix=name, **where)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        pages = [
            logs.get_log_events(logStreamName=one["logStreamName"], startFromHead=True, **where)
            for one in streams
        ]
        return [event["message"] for page in pages for event in page["events"]]

    def outputs(self, name: str) -> dict[str, bytes]:
        """All objects that the job has stored, by their URIs."""
        listed = self.jobs.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"out/{name}/")
        uris = [f"s3://{self.bucket}/{one['Key']}" for one in listed.get("Contents", [])]
        return {uri: self.jobs.object(uri) for uri in uris}

    def uploads(self) -> list[dict]:
        """Uploads in parts that are neither completed nor forgotten."""
        return self.jobs.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
