"""A job in an image that only a container engine has.

Runs when KILN_TEST_DOCKER_HOST names an engine's socket, such as
`unix:///run/docker.sock`.
"""

import os
import subprocess

import pytest

from harness.jobs import ASK_S3, Jobs, completed, s3_channel
from harness.server import Server

ENGINE = os.environ.get("KILN_TEST_DOCKER_HOST")
IMAGE = "kiln-test/busybox:latest"

pytestmark = pytest.mark.skipif(ENGINE is None, reason="KILN_TEST_DOCKER_HOST names no engine")


@pytest.fixture(scope="module")
def engine_jobs(busybox):
    """Jobs on a server that talks to the engine, which has the image."""
    archive = subprocess.run(["tar", "-C", busybox, "-c", "."], capture_output=True, check=True)
    subprocess.run(
        ["docker", "-H", ENGINE, "import", "-", IMAGE],
        input=archive.stdout,
        check=True,
        capture_output=True,
    )
    server = Server(environment={"DOCKER_HOST": ENGINE}).start()
    yield Jobs(server)
    server.close()


def in_image(**more) -> dict:
    """The algorithm specification that names the engine's image."""
    return {"TrainingImage": IMAGE, **more}


def test_a_job_in_a_container(engine_jobs):
    uri = engine_jobs.put("docker/data.csv", "1,2\n")
    job = completed(
        engine_jobs.run(
            "cd /opt/ml/input; cp data/train/data.csv config/resourceconfig.json /opt/ml/model/; "
            "echo from a container; hostname",
            AlgorithmSpecification=in_image(),
            InputDataConfig=[s3_channel("train", uri)],
        )
    )
    model = engine_jobs.model(job)
    assert model["data.csv"] == b"1,2\n"
    assert b"algo-1" in model["resourceconfig.json"]
    assert engine_jobs.lines(job["TrainingJobName"])[0] == "from a container"


def test_exit_code_and_failure_file(engine_jobs):
    job = engine_jobs.run(
        "echo because > /opt/ml/output/failure; exit 9", AlgorithmSpecification=in_image()
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: because")
    assert job["FailureReason"].endswith("exit code: 9")


def test_the_container_reaches_s3(engine_jobs):
    job = completed(engine_jobs.run(ASK_S3, AlgorithmSpecification=in_image()))
    said = engine_jobs.lines(job["TrainingJobName"])
    assert " 403 " in said[0], "an unsigned request reaches S3 and is denied"


def test_stop_is_prompt(engine_jobs):
    name = engine_jobs.create(
        "trap 'echo got TERM; exit 0' TERM; echo up; while :; do sleep 0.1; done",
        AlgorithmSpecification=in_image(),
    )
    engine_jobs.wait_for_line(name, "up")
    engine_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert engine_jobs.wait(name)["TrainingJobStatus"] == "Stopped"
    assert "got TERM" in engine_jobs.lines(name)


def test_the_server_is_killed_while_the_container_trains(engine_jobs):
    name = engine_jobs.create(
        "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); usleep 20000; done",
        AlgorithmSpecification=in_image(),
    )
    engine_jobs.wait_for_line(name, "9")
    engine_jobs.server.crash_and_restart()
    engine_jobs.reconnect()
    completed(engine_jobs.wait(name))
    assert engine_jobs.lines(name) == [str(i) for i in range(100)]


def test_no_container_is_left(engine_jobs):
    completed(engine_jobs.run("true", AlgorithmSpecification=in_image()))
    listed = subprocess.run(
        ["docker", "-H", ENGINE, "ps", "-aq", "--filter", f"ancestor={IMAGE}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.strip() == ""
