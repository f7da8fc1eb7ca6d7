"""Jobs in AWS's framework images, as the SageMaker SDK makes them."""

import json

from harness import archives
from harness.jobs import Jobs, fresh_name

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
XGBOOST_ELSEWHERE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.5-1"
PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"
CREATION = 170  # seconds that a first job may spend on creating its environment


def framework(jobs: Jobs, image: str, hyperparameters: dict, **more) -> str:
    """Creates a job in a framework image, whose own program is started."""
    request = jobs.request("", HyperParameters=hyperparameters, **more)
    request["AlgorithmSpecification"] = {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "train:accuracy", "Regex": "train:accuracy=([0-9.]+)"}],
    }
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": 600}
    jobs.sagemaker.create_training_job(**request)
    return request["TrainingJobName"]


def script_mode(jobs: Jobs, files: dict, program: str, **hyperparameters) -> dict:
    """The hyperparameters that the SageMaker SDK would send for these sources."""
    uri = jobs.put(f"sources/{fresh_name()}/sourcedir.tar.gz", archives.make(files))
    plain = {
        "sagemaker_program": program,
        "sagemaker_submit_directory": uri,
        "sagemaker_region": "us-east-1",
        "sagemaker_container_log_level": 20,
        **hyperparameters,
    }
    return {name: json.dumps(value) for name, value in plain.items()}
