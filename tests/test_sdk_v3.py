"""The SageMaker Python SDK v3: unchanged programs, whose jobs really run."""

import pytest

from harness.frameworks import CREATION
from harness.jobs import completed, fresh_name
from harness.sdk import Sdk

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(400)]

FIT = """
import argparse, joblib, os, numpy
from sklearn.linear_model import LogisticRegression
from scaling import scale

parser = argparse.ArgumentParser()
parser.add_argument("--reg", type=float)
parser.add_argument("--name")
arguments = parser.parse_args()
assert arguments.name == "hello", arguments
table = numpy.loadtxt(os.environ["SM_CHANNEL_TRAIN"] + "/table.csv", delimiter=",")
fitted = LogisticRegression(C=arguments.reg).fit(scale(table[:, 1:]), table[:, 0])
print(f"accuracy={fitted.score(scale(table[:, 1:]), table[:, 0]):.3f};")
joblib.dump(fitted, os.environ["SM_MODEL_DIR"] + "/model.joblib")
"""
TRAINER = """
import logging
import sys
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

logging.basicConfig(level=logging.INFO)
session = Session()
train = session.upload_data("data/table.csv", key_prefix="trainer/train")
image = image_uris.retrieve("sklearn", session.boto_region_name, "1.2-1", instance_type="ml.m5.large")
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir="source", entry_script="fit.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"reg": 1.5, "name": "hello"},
    base_job_name=sys.argv[1],
    **({"role": sys.argv[2]} if sys.argv[2:] else {}),
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=train)])
print("job:", trainer._latest_training_job.training_job_name)
"""

FAILING_TRAINER = """
import sys
from sagemaker.core.utils.exceptions import FailedStatusError
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, SourceCode

trainer = ModelTrainer(
    training_image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    source_code=SourceCode(command="echo about to fail && exit 7"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    base_job_name=sys.argv[1],
)
try:
    trainer.train()
except FailedStatusError as failure:
    print("failed:", failure)
"""

SUM = """
import torch, torch.distributed
torch.distributed.init_process_group("gloo")
total = torch.ones(1)
torch.distributed.all_reduce(total)
print(f"hosts={int(total.item())};")
"""
LAUNCHER = """
import sys
from sagemaker.core.shapes import MetricDefinition
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, SourceCode
from sagemaker.train.distributed import Torchrun

trainer = ModelTrainer(
    training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312",
    source_code=SourceCode(source_dir="sum", entry_script="sum.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=2),
    distributed=Torchrun(process_count_per_node=1),
    environment={"GLOO_SOCKET_IFNAME": "eth0"},
    base_job_name=sys.argv[1],
)
trainer.with_metric_definitions([MetricDefinition(name="hosts", regex="hosts=([0-9]+);")])
trainer.train(logs=False)
print("metric:", trainer._latest_training_job.final_metric_data_list[0].value)
"""

RESOURCES = """
import sys
from botocore.exceptions import ClientError
from sagemaker.core.resources import TrainingJob
from sagemaker.core.shapes import (
    AlgorithmSpecification,
    OutputDataConfig,
    ResourceConfig,
    StoppingCondition,
)

bucket, stem = sys.argv[1:]


def create(number, *command):
    return TrainingJob.create(
        training_job_name=f"{stem}-{number}",
        role_arn="arn:aws:iam::123456789012:role/MyRole",
        algorithm_specification=AlgorithmSpecification(
            training_image="busybox",
            training_input_mode="File",
            container_entrypoint=list(command),
        ),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/resources"),
        resource_config=ResourceConfig(
            instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
        tags=[{"key": "team", "value": "blue"}],
    )


finished = create(1, "echo", "done")
finished.wait(poll=1, logs=True)
assert finished.training_job_status == "Completed"
assert finished.model_artifacts.s3_model_artifacts.endswith(f"{stem}-1/output/model.tar.gz")

stopped = create(2, "sleep", "100")
stopped.stop()
stopped.wait(poll=1)
assert stopped.secondary_status == "Stopped", stopped.secondary_status

listed = TrainingJob.get_all(name_contains=stem, sort_by="Name", sort_order="Ascending")
found = [(job.training_job_name, job.training_job_status) for job in listed]
assert found == [(f"{stem}-1", "Completed"), (f"{stem}-2", "Stopped")], found

same = TrainingJob.get(training_job_name=f"{stem}-1")
assert same.training_job_arn == finished.training_job_arn
assert same.secondary_status_transitions[-1].status == "Completed"
same.delete()
same.wait_for_delete(poll=1)
try:
    TrainingJob.get(training_job_name=f"{stem}-1")
except ClientError as missing:
    print("missing:", missing)
"""


@pytest.fixture
def sdk(server, tmp_path) -> Sdk:
    """The SDK on the shared server, with a table and a script to train with."""
    sdk = Sdk(3, server, tmp_path)
    sdk.write_table()
    sdk.write("source/fit.py", FIT)
    sdk.write("source/scaling.py", "def scale(columns):\n    return columns * 2 - 1\n")
    return sdk


@pytest.mark.parametrize("role", [["MyRole"], []], ids=["named", "configured"])
def test_a_trainer_runs_a_directory_and_shows_the_log(sdk, jobs, role):
    stem = fresh_name("trainer")
    printed = sdk.run(TRAINER, stem, *role, within=CREATION + 60)
    assert "accuracy=" in printed, printed
    name = printed.rpartition("job: ")[2].strip()
    job = completed(jobs.describe(name))
    assert job["RoleArn"].endswith(":role/" + (role or ["KilnExecutionRole"])[0])
    assert set(jobs.model(job)) == {"model.joblib"}
    assert "Could not verify permissions" not in printed, printed


@pytest.mark.torch
def test_torchrun_joins_two_hosts(sdk):
    sdk.write("sum/sum.py", SUM)
    printed = sdk.run(LAUNCHER, fresh_name("torchrun"), within=390)
    assert "metric: 2.0" in printed, printed


def test_a_failure_is_raised_with_its_reason(sdk):
    printed = sdk.run(FAILING_TRAINER, fresh_name("failing"), within=CREATION + 60)
    assert "failed: Encountered unexpected failed state" in printed, printed
    assert "Failure Reason: AlgorithmError: " in printed, printed


def test_a_job_is_made_got_listed_stopped_and_deleted(sdk, jobs):
    printed = sdk.run(RESOURCES, jobs.bucket, fresh_name("resource"))
    assert "missing: " in printed and "Requested resource not found." in printed, printed
