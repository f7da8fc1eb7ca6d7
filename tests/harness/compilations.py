"""Compilation jobs to give to a server, and models for them."""

import json

from harness import archives
from harness.jobs import ROLE
from harness.solo import SoloJobs

# What a job compiles for.
THIS_MACHINE = {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
ML_C5 = {"TargetDevice": "ml_c5"}


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


class Compilations(SoloJobs):
    """Makes compilation jobs. Those of models that are there store below a prefix of their
    own."""

    kind = "Compilation"

    def request(self, name: str | None = None, **more) -> dict:
        """A request for a compilation of a model that is not there."""
        return {
            "CompilationJobName": name or self.fresh_name(),
            "RoleArn": ROLE,
            "InputConfig": {
                "S3Uri": f"s3://{self.bucket}/no/such/model.tar.gz",
                "Framework": "XGBOOST",
                "FrameworkVersion": "1.3.3",
            },
            "OutputConfig": {
                "S3OutputLocation": f"s3://{self.bucket}/compiled",
                **ML_C5,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            **more,
        }

    def put(self, files: dict[str, bytes]) -> str:
        """Stores the archive of a model's files and returns its URI."""
        return self.jobs.put(f"models/{self.fresh_name()}.tar.gz", archives.make(files))

    def put_trees(self, trees: int = 2) -> str:
        """Stores a model of XGBoost of so many trees and returns its URI."""
        return self.put({"model.json": xgboost_model(trees)})

    def compile(
        self,
        model: str,
        framework: str = "XGBOOST",
        target: dict = ML_C5,
        inputs: dict | None = None,
        **more,
    ) -> str:
        """Creates a job for the archive at a URI and returns its name at once."""
        name = self.fresh_name()
        place = {"S3OutputLocation": f"s3://{self.bucket}/out/{name}"}
        return self.create(
            name,
            InputConfig={"S3Uri": model, "Framework": framework, **(inputs or {})},
            OutputConfig={**place, **target},
            **more,
        )

    def report(self, job: dict) -> dict:
        """The report in the artifact of a job, which must have ended well."""
        assert job["CompilationJobStatus"] == "COMPLETED", job["FailureReason"]
        artifact = self.jobs.object(job["ModelArtifacts"]["S3ModelArtifacts"])
        return json.loads(archives.files(artifact)["kiln-report.json"])
