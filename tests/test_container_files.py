"""What a job finds in its container: /opt/ml, its configuration files, its environment."""

import json

import pytest

from harness.jobs import GROUP, Jobs, completed, fresh_name, s3_channel

HYPERPARAMETERS = {"lr": "0.1", "quoted": '"hello"', "flag": "True", "empty": "", "unicode": "é"}
METRICS = [{"Name": "train:loss", "Regex": "loss=([0-9.]+)"}]
DUMP = """
echo here is all that can be seen
cp /opt/ml/input/config/* /opt/ml/model/
env > /opt/ml/model/environment
cat /proc/net/dev > /opt/ml/model/interfaces
cat /etc/hosts > /opt/ml/model/hosts
id -u > /opt/ml/model/uid
touch /opt/ml/input/written /opt/ml/input/data/train/written && echo yes > /opt/ml/model/writable
chmod +x /opt/ml/input/data/train/tool.sh
/opt/ml/input/data/train/tool.sh > /opt/ml/model/executed
for d in /opt/ml/output /opt/ml/output/data; do test -d $d && echo $d; done > /opt/ml/model/tree
"""


@pytest.fixture(scope="module")
def described(jobs: Jobs) -> dict:
    """A job with a mixed-case name and a bit of everything, completed."""
    jobs.put("files/train/data.csv", "1,2,3\n")
    jobs.put("files/train/tool.sh", "#!/bin/sh\necho it runs\n")
    jobs.put("files/validation/data.csv", "4,5,6\n")
    return completed(
        jobs.run(
            DUMP,
            name=fresh_name("Mixed-Case-Name"),
            HyperParameters=HYPERPARAMETERS,
            AlgorithmSpecification={"MetricDefinitions": METRICS},
            InputDataConfig=[
                s3_channel("train", f"s3://{jobs.bucket}/files/train/", ContentType="text/csv"),
                s3_channel("validation", f"s3://{jobs.bucket}/files/validation/", InputMode="File"),
            ],
            Environment={"GREETING": "hello there", "MULTI_LINE": "one\ntwo"},
        )
    )


@pytest.fixture(scope="module")
def dump(jobs, described) -> dict[str, bytes]:
    """The files that the job copied out of its container."""
    return jobs.model(described)


@pytest.fixture(scope="module")
def environment(dump) -> dict[str, str]:
    """The environment variables that the job saw."""
    pairs = (line.partition("=") for line in dump["environment"].decode().splitlines())
    return {name: value for name, _, value in pairs}


def config(dump, name: str):
    """One configuration file, parsed."""
    return json.loads(dump[name])


def test_hyperparameters_are_verbatim_strings(dump):
    assert config(dump, "hyperparameters.json") == HYPERPARAMETERS


def test_inputdataconfig_says_how_each_channel_arrives(dump):
    channel = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    found = config(dump, "inputdataconfig.json")
    script = found.pop("script", None)
    assert script in (None, channel)
    assert found == {"train": {"ContentType": "text/csv", **channel}, "validation": channel}


def test_resourceconfig_describes_the_cluster_of_one(dump):
    resources = config(dump, "resourceconfig.json")
    interface = resources.pop("network_interface_name")
    assert resources == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.m5.large",
                "hosts": ["algo-1"],
            }
        ],
    }
    assert f"{interface}:" in dump["interfaces"].decode(), "the interface must really exist"


def test_init_config_has_the_platforms_spelling(dump):
    init = config(dump, "init-config.json")
    assert init["inputMode"] == "FILE"
    assert init["hostConfig"] == {"clusterSize": 1, "hostNumber": 1}
    assert init["jobRunInfo"] == {"jobRunNumber": 1}
    train = init["channels"]["train"]
    assert train["s3DataSource"]["s3DataType"] == "S3_PREFIX"
    assert train["s3DataSource"]["s3DataDistributionType"] == "FULLY_REPLICATED"
    assert train["inputMode"] == "FILE"
    assert train["sharded"] is False


def test_trainingjobconfig_repeats_the_request(dump, described):
    request = config(dump, "trainingjobconfig.json")
    assert request["TrainingJobName"] == described["TrainingJobName"]
    assert request["TrainingJobArn"] == described["TrainingJobArn"]
    assert request["HyperParameters"] == HYPERPARAMETERS
    assert request["RoleArn"] == described["RoleArn"]
    assert request["ResourceConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 5,
    }
    source = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    assert source["S3DataType"] == "S3_PREFIX"


def test_metric_definitions_and_upstream_outputs_are_written(dump):
    assert config(dump, "metric-definition-regex.json") == METRICS
    assert config(dump, "upstreamoutputdataconfig.json") == []


def test_the_three_certain_files_exist_even_with_nothing_to_say(jobs):
    job = completed(jobs.run("cp /opt/ml/input/config/* /opt/ml/model/"))
    files = jobs.model(job)
    assert files["hyperparameters.json"] == b"{}"
    assert json.loads(files["inputdataconfig.json"]) == {}
    assert json.loads(files["resourceconfig.json"])["hosts"] == ["algo-1"]


@pytest.mark.parametrize(
    "feature, file, expected",
    [
        (
            {"DebugHookConfig": {"S3OutputPath": "s3://kiln-tests/"}},
            "debughookconfig.json",
            {"LocalPath": "/opt/ml/output/tensors"},
        ),
        (
            {"ProfilerConfig": {"S3OutputPath": "s3://kiln-tests/", "DisableProfiler": False}},
            "profilerconfig.json",
            {"S3OutputPath": "s3://kiln-tests/"},
        ),
    ],
)
def test_a_feature_brings_its_configuration_file(jobs, feature, file, expected):
    job = completed(jobs.run("cp /opt/ml/input/config/* /opt/ml/model/", **feature))
    written = json.loads(jobs.model(job)[file])
    assert expected.items() <= written.items()


def test_the_environment_is_the_platforms_and_the_requests(environment, described):
    expected = {
        "TRAINING_JOB_NAME": described["TrainingJobName"],
        "TRAINING_JOB_ARN": described["TrainingJobArn"],
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "NVIDIA_VISIBLE_DEVICES": "void",
        "GREETING": "hello there",
        "MULTI_LINE": "one",
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert "AWS_DEFAULT_REGION" not in environment
    assert not [name for name in environment if name.startswith("SM_")]


def test_clients_in_the_container_find_their_endpoint_and_keys(environment, server):
    assert environment["S3_ENDPOINT_URL"] == environment["AWS_ENDPOINT_URL"]
    static = environment.get("AWS_ACCESS_KEY_ID")
    assert static or environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    assert static != server.credentials()[0], "a job must never hold the root key"


def test_opt_ml_is_laid_out_and_writable(dump):
    assert dump["tree"].decode().split() == ["/opt/ml/output", "/opt/ml/output/data"]
    assert dump["writable"] == b"yes\n"
    assert dump["executed"] == b"it runs\n"
    assert dump["uid"] == b"0\n"


def test_the_container_resolves_its_own_host_name(dump):
    assert any("algo-1" in line.split()[1:] for line in dump["hosts"].decode().splitlines() if line)


def test_the_arn_lowers_the_names_case(described):
    name = described["TrainingJobName"]
    assert described["TrainingJobArn"] == (
        f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name.lower()}"
    )


def test_the_log_stream_is_named_after_job_host_and_second(jobs, described):
    streams = jobs.logs.describe_log_streams(
        logGroupName=GROUP, logStreamNamePrefix=described["TrainingJobName"] + "/"
    )["logStreams"]
    assert streams and all(
        stream["logStreamName"].startswith(f"{described['TrainingJobName']}/algo-1-")
        and stream["logStreamName"].rsplit("-", 1)[1].isdigit()
        for stream in streams
    )
