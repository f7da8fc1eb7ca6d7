"""Apache Airflow: DAGs of its own operators for SageMaker, whose jobs really run.

The DAGs know nothing of Kiln. What leads them to it is either of the two settings of
`docs/clients.md`: the variables of `kiln env`, or an Airflow connection.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.jobs import completed, fresh_name
from harness.sdk import finished
from harness.server import Server

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(400)]

TRAINING = """
import os
from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor
from airflow.sdk import DAG

bucket, name, connection = os.environ["BUCKET"], os.environ["JOB"], os.environ.get("CONNECTION")
script = "for step in 1 2 3; do echo step $step; done; cp /opt/ml/input/data/train/* /opt/ml/model/"

with DAG("training", schedule=None, default_args={"aws_conn_id": connection}) as dag:
    upload = S3CreateObjectOperator(
        task_id="upload",
        s3_key=f"s3://{bucket}/{name}/table.csv",
        data="1,2",
    )
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": name,
            "RoleArn": "MyRole",
            "AlgorithmSpecification": {
                "TrainingImage": "busybox",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": f"s3://{bucket}/{name}/",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": "1",
                "VolumeSizeInGB": "5",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": "300"},
        },
        wait_for_completion=True,
        print_log=True,
        deferrable=False,
        check_interval=1,
    )
    trained = "ti.xcom_pull(task_ids='train')['Training']"
    watch = SageMakerTrainingSensor(
        task_id="watch",
        job_name="{{ %s['TrainingJobName'] }}" % trained,
        poke_interval=1,
    )
    stored = S3KeySensor(
        task_id="stored",
        bucket_key="{{ %s['ModelArtifacts']['S3ModelArtifacts'] }}" % trained,
        poke_interval=1,
    )
    upload >> train >> watch >> stored

if __name__ == "__main__":
    run = dag.test()
    print("the run ended as", run.state)
"""

WATCHING = """
import os
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor
from airflow.sdk import DAG

with DAG("watching", schedule=None) as dag:
    SageMakerTrainingSensor(
        task_id="watch", aws_conn_id=None, job_name=os.environ["JOB"], poke_interval=1
    )

if __name__ == "__main__":
    run = dag.test()
    print("the run ended as", run.state)
"""


class Airflow:
    """An installed Airflow with a home and a database of its own."""

    def __init__(self, home: Path):
        python = os.environ.get("KILN_TEST_AIRFLOW")
        assert python, "KILN_TEST_AIRFLOW names the Python with Airflow; `cargo xtask test` sets it"
        self.python, self.home = python, home
        (home / "dags").mkdir()
        self._run("-m", "airflow", "db", "migrate", environment={})

    def test(self, dag: str, **environment: str) -> str:
        """Runs a DAG without a scheduler, and returns what it logged."""
        path = self.home / "dags" / "dag.py"
        path.write_text(dag)
        return self._run(str(path), environment=environment)

    def _run(self, *arguments: str, environment: dict[str, str]) -> str:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "AWS_", "PYTHON", "KILN_"))
        }
        settings = {
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        started = subprocess.Popen(
            [self.python, *arguments],
            cwd=self.home,
            env={**plain, **settings, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return finished(started, within=300)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory) -> Airflow:
    """One Airflow for all DAGs here."""
    return Airflow(tmp_path_factory.mktemp("airflow"))


def connection(server: Server) -> dict[str, str]:
    """An Airflow connection to the server, and no variable of AWS's."""
    key, secret = server.credentials()
    extra = {"endpoint_url": server.endpoint, "region_name": "us-east-1"}
    described = {"conn_type": "aws", "login": key, "password": secret, "extra": extra}
    return {"AIRFLOW_CONN_KILN": json.dumps(described), "CONNECTION": "kiln"}


@pytest.mark.parametrize("settings", [Server.exports, connection])
def test_operators_and_sensors_train_and_show_the_log(airflow, server, jobs, settings):
    name = fresh_name("airflow")
    logged = airflow.test(TRAINING, BUCKET=jobs.bucket, JOB=name, **settings(server))
    assert "the run ended as success" in logged, logged
    assert logged.count("step 3") == 2, logged
    assert "Success criteria met" in logged, logged
    job = completed(jobs.describe(name))
    assert job["RoleArn"].endswith(":role/MyRole")
    assert jobs.model(job) == {"table.csv": b"1,2"}


def test_a_sensor_says_why_a_job_failed(airflow, server, jobs):
    name = jobs.create("printf because > /opt/ml/output/failure; exit 3", fresh_name("airflow"))
    logged = airflow.test(WATCHING, JOB=name, **server.exports())
    assert "the run ended as failed" in logged, logged
    assert "failed for the following reason: AlgorithmError: because" in logged, logged
