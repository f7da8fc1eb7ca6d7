"""Framework images: script mode through the real toolkit, and built-in XGBoost."""

import os
import random

import pytest

from harness.frameworks import (
    CREATION,
    PYTORCH,
    SKLEARN,
    XGBOOST,
    XGBOOST_ELSEWHERE,
    framework,
    script_mode,
)
from harness.jobs import Jobs, completed, fresh_name, s3_channel
from harness.rootfs import make_busybox_rootfs
from harness.server import Server

FIT = """
import argparse, joblib, os, numpy
from sklearn.linear_model import LogisticRegression
parser = argparse.ArgumentParser()
parser.add_argument("--reg", type=float)
parser.add_argument("--name")
arguments = parser.parse_args()
assert arguments.name == "hello", arguments.name
data = numpy.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
model = LogisticRegression(C=arguments.reg).fit(data[:, 1:], data[:, 0])
print(f"train:accuracy={model.score(data[:, 1:], data[:, 0]):.3f}")
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
XGB_SCRIPT = """
import os, xgboost
import helper
data = xgboost.DMatrix(os.environ["SM_CHANNEL_TRAIN"] + "/train.csv?format=csv&label_column=0")
model = xgboost.train({"objective": "binary:logistic"}, data, helper.ROUNDS)
model.save_model(os.environ["SM_MODEL_DIR"] + "/xgboost-model.json")
print("rounds", model.num_boosted_rounds(), os.environ["SM_NUM_CPUS"], os.environ["SM_CURRENT_HOST"])
"""


def table(rows: int = 400) -> list[tuple[int, float, float]]:
    """A label that two columns explain."""
    rng = random.Random(7)
    points = [(rng.random(), rng.random()) for _ in range(rows)]
    return [(int(x + y > 1), x, y) for x, y in points]


def csv(rows) -> str:
    """The table as SageMaker's CSV: label first, no header."""
    return "".join(f"{label},{x},{y}\n" for label, x, y in rows)


def libsvm(rows) -> str:
    """The table as libsvm."""
    return "".join(f"{label} 1:{x} 2:{y}\n" for label, x, y in rows)


@pytest.fixture(scope="module")
def train(jobs: Jobs) -> str:
    """The URI of the training table as CSV."""
    return jobs.put("frameworks/train/train.csv", csv(table())).rsplit("/", 1)[0] + "/"


def test_scikit_learn_in_script_mode(jobs, train):
    name = framework(
        jobs,
        SKLEARN,
        script_mode(jobs, {"fit.py": FIT}, "fit.py", reg=1.5, name="hello"),
        InputDataConfig=[s3_channel("train", train)],
    )
    job = completed(jobs.wait(name, CREATION))
    assert job["FinalMetricDataList"][0]["Value"] > 0.9
    assert set(jobs.model(job)) == {"model.joblib"}
    assert any("--reg" in line for line in jobs.lines(name)), (
        "the toolkit shows how it calls the script"
    )


def test_xgboost_in_script_mode_with_two_files(jobs, train):
    sources = {"train.py": XGB_SCRIPT, "helper.py": "ROUNDS = 4\n"}
    name = framework(
        jobs,
        XGBOOST,
        script_mode(jobs, sources, "train.py"),
        InputDataConfig=[s3_channel("train", train)],
    )
    job = completed(jobs.wait(name, CREATION))
    assert "xgboost-model.json" in jobs.model(job)
    assert any(line.startswith("rounds 4") and line.endswith("algo-1") for line in jobs.lines(name))


def test_a_failing_script_gives_the_toolkits_reason(jobs):
    sources = {"bad.py": "import sys\nprint('about to fail')\nraise ValueError('no good')\n"}
    name = framework(jobs, SKLEARN, script_mode(jobs, sources, "bad.py"))
    job = jobs.wait(name, CREATION)
    assert job["TrainingJobStatus"] == "Failed"
    reason = job["FailureReason"]
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage ")
    assert "bad.py" in reason and reason.endswith(", exit code: 1")
    assert any("ValueError: no good" in line for line in jobs.lines(name))


def test_script_mode_needs_no_set_up_once_the_environment_is_there(jobs):
    sources = {"fast.py": "print('started')\n"}
    hyperparameters = script_mode(jobs, sources, "fast.py")
    completed(jobs.wait(framework(jobs, SKLEARN, hyperparameters), CREATION))
    name = framework(jobs, SKLEARN, hyperparameters)
    completed(jobs.wait(name))
    lines = jobs.lines(name)
    assert "started" in lines
    assert not any("Creating the environment" in line for line in lines)


@pytest.mark.parametrize(
    "content, form, image", [("text/csv", csv, XGBOOST), ("text/libsvm", libsvm, XGBOOST_ELSEWHERE)]
)
def test_built_in_xgboost(jobs, content, form, image):
    rows, folder = table(), f"frameworks/{fresh_name('data')}"
    channels = []
    for channel, part in (("train", rows[:300]), ("validation", rows[300:])):
        uri = jobs.put(f"{folder}/{channel}/part", form(part))
        channels.append(s3_channel(channel, uri.rsplit("/", 1)[0] + "/", ContentType=content))
    name = framework(
        jobs,
        image,
        {
            "objective": "binary:logistic",
            "num_round": "8",
            "max_depth": "3",
            "eta": "0.4",
            "eval_metric": "error",
        },
        InputDataConfig=channels,
    )
    job = completed(jobs.wait(name, CREATION))
    assert set(jobs.model(job)) == {"xgboost-model"}
    rounds = [line for line in jobs.lines(name) if "#011train-error:" in line]
    assert len(rounds) == 8
    assert rounds[-1].startswith("[7]#011train-error:") and "#011validation-error:" in rounds[-1]
    assert float(rounds[-1].rpartition("validation-error:")[2]) < 0.1


@pytest.mark.parametrize(
    "hyperparameters, word",
    [
        ({"objective": "binary:logistic"}, "num_round"),
        ({"objective": "binary:logistic", "num_round": "many"}, "num_round"),
        ({"objective": "nonsense", "num_round": "2"}, "objective"),
    ],
)
def test_built_in_xgboost_explains_wrong_hyperparameters(jobs, train, hyperparameters, word):
    name = framework(
        jobs,
        XGBOOST,
        hyperparameters,
        InputDataConfig=[s3_channel("train", train, ContentType="text/csv")],
    )
    job = jobs.wait(name, CREATION)
    assert job["TrainingJobStatus"] == "Failed"
    assert word in job["FailureReason"]


def test_two_jobs_at_once_wait_for_one_creation(tmp_path):
    busybox = make_busybox_rootfs(tmp_path / "busybox")
    server = Server(
        environment={"KILN_CACHE_DIR": str(tmp_path / "cache")}, images={"busybox": busybox}
    ).start()
    try:
        jobs = Jobs(server)
        hyperparameters = script_mode(jobs, {"a.py": "print('here')\n"}, "a.py")
        names = [framework(jobs, SKLEARN, hyperparameters) for _ in range(2)]
        for name in names:
            completed(jobs.wait(name, CREATION))
            assert "here" in jobs.lines(name)
    finally:
        server.close()


@pytest.mark.torch
def test_pytorch_in_script_mode(jobs):
    script = "import torch, os\ntorch.save(torch.ones(2), os.environ['SM_MODEL_DIR'] + '/t.pt')\n"
    name = framework(jobs, PYTORCH, script_mode(jobs, {"t.py": script}, "t.py"))
    job = completed(jobs.wait(name, within=int(os.environ.get("KILN_TORCH_SECONDS", "170"))))
    assert set(jobs.model(job)) == {"t.pt"}
