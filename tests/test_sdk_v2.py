"""The SageMaker Python SDK v2: unchanged programs, whose jobs really run."""

import time

import pytest

from harness.frameworks import CREATION, SKLEARN, XGBOOST
from harness.jobs import POLL, Jobs, completed, fresh_name
from harness.sdk import Sdk, finished
from harness.server import kiln

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(400)]

ESTIMATOR = """
import sys
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

session = sagemaker.Session()
train = session.upload_data("data", key_prefix="estimator/train")
validation = session.upload_data("data/table.csv", key_prefix="estimator/validation")
estimator = Estimator(
    image_uri="busybox",
    role="MyRole",
    instance_count=1,
    instance_type="ml.m5.large",
    max_run=600,
    container_entry_point=["/bin/sh", "-c"],
    container_arguments=[
        "echo loss=0.5; echo loss=0.25; echo stage is $STAGE; cd /opt/ml/input; "
        "cp data/train/table.csv config/hyperparameters.json ../model; ls data/validation"
    ],
    hyperparameters={"rate": 0.1, "name": "x", "flag": True},
    environment={"STAGE": "test"},
    metric_definitions=[{"Name": "train:loss", "Regex": "loss=([0-9.]+)"}],
    tags=[{"Key": "team", "Value": "blue"}],
)
inputs = {"train": train, "validation": TrainingInput(validation, input_mode="FastFile")}
estimator.fit(inputs, job_name=sys.argv[1])
print("model:", estimator.model_data)
"""

ANALYTICS_PROGRAM = """
import sys
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.estimator import Estimator

estimator = Estimator(
    "busybox",
    "MyRole",
    1,
    "ml.m5.large",
    container_entry_point=["/bin/sh", "-c"],
    container_arguments=["echo loss=0.25; echo loss=0.75 accuracy=0.75"],
    metric_definitions=[
        {"Name": "train:loss", "Regex": "loss=([0-9.]+)"},
        {"Name": "train:accuracy", "Regex": "accuracy=([0-9.]+)"},
    ],
)
estimator.fit(logs=False, job_name=sys.argv[1])
frame = TrainingJobAnalytics(sys.argv[1]).dataframe()
for name, mean in frame.groupby("metric_name")["value"].mean().items():
    print(f"{name}: {mean}")
"""

SOURCES = {
    "source/fit.py": """
import argparse, joblib, os, numpy
from sklearn.linear_model import LogisticRegression
from scaling import scale
import model.parts

parser = argparse.ArgumentParser()
parser.add_argument("--reg", type=float)
parser.add_argument("--name")
parser.add_argument("--flag")
arguments = parser.parse_args()
assert (arguments.name, arguments.flag) == ("hello", "True"), arguments
table = numpy.loadtxt(os.environ["SM_CHANNEL_TRAIN"] + "/table.csv", delimiter=",")
fitted = LogisticRegression(C=arguments.reg).fit(scale(table[:, 1:]), table[:, 0])
print(f"accuracy={fitted.score(scale(table[:, 1:]), table[:, 0]):.3f};")
joblib.dump(fitted, os.environ["SM_MODEL_DIR"] + "/model.joblib")
""",
    "source/model/__init__.py": "",
    "source/model/parts.py": "",
    "beside/scaling/__init__.py": "def scale(columns):\n    return columns * 2 - 1\n",
}
SKLEARN_PROGRAM = """
import sys
import sagemaker
from sagemaker.sklearn import SKLearn

train = sagemaker.Session().upload_data("data/table.csv", key_prefix="sklearn/train")
estimator = SKLearn(
    "fit.py",
    source_dir="source",
    dependencies=["beside/scaling"],
    framework_version="1.2-1",
    role="MyRole",
    instance_type="ml.m5.large",
    instance_count=1,
    hyperparameters={"reg": 1.5, "name": "hello", "flag": True},
    metric_definitions=[{"Name": "accuracy", "Regex": "accuracy=([0-9.]+);"}],
    tags=[{"Key": "team", "Value": "blue"}],
)
estimator.fit({"train": train}, wait=False, job_name=sys.argv[1])

attached = SKLearn.attach(sys.argv[1])
assert attached.tags == [{"Key": "team", "Value": "blue"}], attached.tags
assert attached.hyperparameters()["reg"] == "1.5", attached.hyperparameters()
assert attached.entry_point == "fit.py"
assert attached.model_data.endswith(sys.argv[1] + "/output/model.tar.gz"), attached.model_data
attached.logs()
"""

XGBOOST_SCRIPT = """
import os, xgboost
table = xgboost.DMatrix(os.environ["SM_CHANNEL_TRAIN"] + "/table.csv?format=csv&label_column=0")
xgboost.train({}, table, 2).save_model(os.environ["SM_MODEL_DIR"] + "/scripted.json")
"""
XGBOOST_PROGRAM = """
import sys
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.xgboost import XGBoost

session = sagemaker.Session()
data = session.upload_data("data/table.csv", key_prefix="xgboost/train")
table = TrainingInput(data, content_type="text/csv")
image = sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
built_in = Estimator(image, "MyRole", 1, "ml.m5.large")
built_in.set_hyperparameters(objective="binary:logistic", num_round=3, eval_metric="error")
built_in.fit({"train": table, "validation": table}, logs=False, job_name=sys.argv[1])
scripted = XGBoost(
    "script.py",
    framework_version="1.7-1",
    role="arn:aws:iam::123456789012:role/MyRole",
    instance_count=1,
    instance_type="ml.m5.large",
)
scripted.fit({"train": data}, logs=False, job_name=sys.argv[2])
"""

PYTORCH_PROGRAM = """
import sys
from sagemaker.pytorch import PyTorch

estimator = PyTorch(
    "script.py",
    framework_version="2.8",
    py_version="py312",
    role="MyRole",
    instance_count=1,
    instance_type="ml.m5.large",
)
estimator.fit(logs=False, job_name=sys.argv[1])
"""

SPOT_PROGRAM = """
import sys
from sagemaker.estimator import Estimator

estimator = Estimator(
    "busybox",
    "MyRole",
    1,
    "ml.m5.24xlarge",
    use_spot_instances=True,
    max_run=300,
    max_wait=600,
    checkpoint_s3_uri=sys.argv[2],
    container_entry_point=["/bin/sh", "-c"],
    container_arguments=[
        "cd /opt/ml/checkpoints; echo x >> attempts; echo attempt $(wc -l < attempts); "
        "trap 'exit 0' TERM; [ $(wc -l < attempts) -gt 1 ] || { sleep 60 & wait; }"
    ],
)
estimator.fit(job_name=sys.argv[1])
"""

STOP_PROGRAM = """
import sys
from sagemaker.estimator import Estimator

command = {"container_entry_point": ["sleep", "60"]}
estimator = Estimator("busybox", "MyRole", 1, "ml.m5.large", **command)
estimator.fit(wait=False, job_name=sys.argv[1])
estimator.latest_training_job.stop()
estimator.latest_training_job.wait(logs="None")
print("status:", estimator.latest_training_job.describe()["TrainingJobStatus"])
"""

FAILING_PROGRAM = """
import sys
from sagemaker.estimator import Estimator
from sagemaker.exceptions import UnexpectedStatusException

script = "printf 'no such column' > /opt/ml/output/failure; exit 3"
command = {"container_entry_point": ["/bin/sh", "-c", script]}
estimator = Estimator("busybox", "MyRole", 1, "ml.m5.large", **command)
try:
    estimator.fit(logs=False, job_name=sys.argv[1])
except UnexpectedStatusException as failure:
    print("failed:", failure)
"""


@pytest.fixture
def sdk(server, tmp_path) -> Sdk:
    """The SDK on the shared server, with a table to train on."""
    sdk = Sdk(2, server, tmp_path)
    sdk.write_table()
    return sdk


def test_an_estimator_trains_on_several_channels_and_shows_the_log(sdk, jobs):
    name = fresh_name("estimator")
    printed = sdk.run(ESTIMATOR, name)
    job = completed(jobs.describe(name))
    for line in ("loss=0.25", "stage is test", "table.csv", "Training - Training image download"):
        assert line in printed, printed
    assert f"model: s3://{sdk.bucket}/{name}/output/model.tar.gz" in printed
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert metrics == {"train:loss": 0.25}
    assert jobs.model(job)["hyperparameters.json"] == b'{"flag":"True","name":"x","rate":"0.1"}'
    tags = jobs.sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "blue"}]


def test_analytics_show_the_metrics_of_a_job(sdk):
    printed = sdk.run(ANALYTICS_PROGRAM, fresh_name("analytics"))
    assert "train:loss: 0.5" in printed and "train:accuracy: 0.75" in printed, printed


def test_scikit_learn_runs_a_directory_with_what_lies_beside_it(sdk, jobs):
    name = fresh_name("sklearn")
    for path, text in SOURCES.items():
        sdk.write(path, text)
    printed = sdk.run(SKLEARN_PROGRAM, name, within=CREATION + 60)
    job = completed(jobs.describe(name))
    assert job["AlgorithmSpecification"]["TrainingImage"] == SKLEARN
    assert "accuracy=" in printed and "Training seconds:" in printed, printed
    assert job["FinalMetricDataList"][0]["Value"] > 0.9
    assert set(jobs.model(job)) == {"model.joblib"}


def test_xgboost_runs_as_an_algorithm_and_with_a_script(sdk, jobs):
    built_in, scripted = fresh_name("built-in"), fresh_name("scripted")
    sdk.write("script.py", XGBOOST_SCRIPT)
    sdk.run(XGBOOST_PROGRAM, built_in, scripted, within=CREATION + 60)
    job = completed(jobs.describe(built_in))
    assert job["AlgorithmSpecification"]["TrainingImage"] == XGBOOST
    assert set(jobs.model(job)) == {"xgboost-model"}
    assert set(jobs.model(completed(jobs.describe(scripted)))) == {"scripted.json"}


@pytest.mark.torch
def test_pytorch_runs_a_script(sdk, jobs):
    name = fresh_name("pytorch")
    script = "import torch, os\ntorch.save(torch.ones(2), os.environ['SM_MODEL_DIR'] + '/t.pt')\n"
    sdk.write("script.py", script)
    sdk.run(PYTORCH_PROGRAM, name, within=390)
    assert set(jobs.model(completed(jobs.describe(name)))) == {"t.pt"}


def test_a_spot_job_goes_on_from_its_checkpoint_and_shows_what_was_saved(sdk, jobs):
    name = fresh_name("spot")
    checkpoints = f"s3://{jobs.bucket}/{name}"
    program = sdk.start(SPOT_PROGRAM, name, checkpoints)
    started(jobs, name)
    # Another job has the room, which the spot job waits for while it costs nothing.
    instance = {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}
    other = jobs.create("sleep 4", ResourceConfig=instance)
    assert kiln("interrupt", name, "--data-dir", str(jobs.server.data_dir)).returncode == 0
    printed = finished(program, within=120)
    completed(jobs.wait(other))
    job = completed(jobs.describe(name))
    assert job["BillableTimeInSeconds"] < job["TrainingTimeInSeconds"]
    assert "attempt 2" in printed and "Managed Spot Training savings: " in printed, printed
    assert jobs.object(f"{checkpoints}/attempts") == b"x\nx\n"


def started(jobs: Jobs, name: str) -> None:
    """Waits until a program's job is there and has written its first line."""
    until = time.monotonic() + 120
    while not jobs.lines(name):
        assert time.monotonic() < until, f"{name} has written nothing"
        time.sleep(POLL)


def test_a_job_is_stopped(sdk):
    printed = sdk.run(STOP_PROGRAM, fresh_name("stopped"))
    assert "status: Stopped" in printed, printed


def test_a_failure_is_raised_with_its_reason(sdk):
    printed = sdk.run(FAILING_PROGRAM, fresh_name("failing"))
    assert "failed: Error for Training job" in printed, printed
    assert "AlgorithmError: no such column, exit code: 3" in printed, printed
