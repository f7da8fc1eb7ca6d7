"""Requests that are well-formed and still cannot be: what AWS checks next."""

import pytest

from harness.jobs import ROLE, fresh_name, s3_channel
from harness.wire import call

MISSING = (
    'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
    "bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, "
    'and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
)


def refused(server, request: dict, code: str = "ValidationException") -> str:
    """The text with which the request is refused."""
    answer = call(server, "CreateTrainingJob", request)
    assert (answer.status, answer.code) == (400, code), answer.body
    missing = call(server, "DescribeTrainingJob", {"TrainingJobName": request["TrainingJobName"]})
    if code != "ResourceInUse":
        assert missing.code == "ValidationException", "a refused job must not exist"
    return answer.message


@pytest.mark.parametrize(
    "bucket, key", [("kiln-tests", "no/such/prefix/"), ("no-such-bucket", "x")]
)
def test_a_prefix_without_objects(server, jobs, bucket, key):
    uri = f"s3://{bucket}/{key}"
    request = jobs.request("true", InputDataConfig=[s3_channel("train", uri)])
    assert refused(server, request) == MISSING.format(uri=uri, role=ROLE, bucket=bucket)


def test_a_name_that_is_taken(server, jobs):
    name = fresh_name("Taken")
    request = jobs.request("true", name=name)
    jobs.sagemaker.create_training_job(**request)
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name.lower()}"
    assert refused(server, request, "ResourceInUse") == (
        "Training job names must be unique within an AWS account and region, "
        f"and a training job with this name already exists ({arn})"
    )
    jobs.wait(name)
    refused(server, request, "ResourceInUse")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}},
            id="MaxWaitTime without spot",
        ),
        pytest.param(
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 30},
            },
            id="MaxWaitTime < MaxRuntime",
        ),
        pytest.param(
            {
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "InstanceGroups": [
                        {
                            "InstanceType": "ml.m5.large",
                            "InstanceCount": 1,
                            "InstanceGroupName": "g",
                        }
                    ],
                }
            },
            id="InstanceGroups with InstanceType",
        ),
        pytest.param(
            {"AlgorithmSpecification": {"TrainingImage": "busybox", "AlgorithmName": "mine"}},
            id="image and algorithm",
        ),
        pytest.param({"Tags": [{"Key": "aws:x", "Value": "y"}]}, id="reserved tag key"),
        pytest.param(
            {"Tags": [{"Key": "x", "Value": "y"}, {"Key": "x", "Value": "z"}]},
            id="the same tag key twice",
        ),
        pytest.param(
            {"OutputDataConfig": {"S3OutputPath": "https://example.com/x"}}, id="output not in S3"
        ),
        pytest.param(
            {"StoppingCondition": {"MaxRuntimeInSeconds": 2419201}}, id="more than 28 days"
        ),
    ],
)
def test_what_contradicts_itself(server, jobs, change):
    assert len(refused(server, jobs.request("true", **change))) > 20, "the text must explain"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"CompressionType": "Gzip"}, id="Gzip in File mode"),
        pytest.param({"RecordWrapperType": "RecordIO"}, id="RecordIO in File mode"),
        pytest.param(
            {
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "AugmentedManifestFile",
                        "S3Uri": "s3://kiln-tests/semantic/a",
                        "AttributeNames": ["a"],
                    }
                }
            },
            id="augmented manifest in File mode",
        ),
        pytest.param({"DataSource": {}}, id="no data source"),
    ],
)
def test_a_channel_that_cannot_be(server, jobs, change):
    uri = jobs.put("semantic/a", "x")
    channel = {**s3_channel("train", uri), **change}
    assert len(refused(server, jobs.request("true", InputDataConfig=[channel]))) > 20


@pytest.mark.parametrize(
    "change, name",
    [
        (
            {
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "VolumeKmsKeyId": "alias/mine",
                }
            },
            "ResourceConfig.VolumeKmsKeyId",
        ),
        (
            {
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "TrainingPlanArn": (
                        "arn:aws:sagemaker:us-east-1:123456789012:training-plan/mine"
                    ),
                }
            },
            "ResourceConfig.TrainingPlanArn",
        ),
    ],
)
def test_what_kiln_cannot_do_yet_is_refused_by_name(server, jobs, change, name):
    text = f"{name} is not available in this version of Kiln."
    assert refused(server, jobs.request("true", **change)) == text


def test_two_channels_of_one_name(server, jobs):
    channel = s3_channel("train", jobs.put("semantic/a", "x"))
    assert "train" in refused(server, jobs.request("true", InputDataConfig=[channel, channel]))


@pytest.mark.parametrize("operation", ["DescribeTrainingJob", "StopTrainingJob"])
def test_a_job_that_is_not_there(server, operation):
    answer = call(server, operation, {"TrainingJobName": "nobody"})
    assert (answer.status, answer.code, answer.message) == (
        400,
        "ValidationException",
        "Requested resource not found.",
    )


def test_deleting_a_job_that_is_not_there(server):
    answer = call(server, "DeleteTrainingJob", {"TrainingJobName": "nobody"})
    assert answer.code in ("ResourceNotFound", "ValidationException")
    assert "Requested resource not found" in answer.message


def test_an_update_that_updates_nothing(server, jobs):
    name = jobs.run("true")["TrainingJobName"]
    answer = call(server, "UpdateTrainingJob", {"TrainingJobName": name})
    assert (answer.code, answer.message) == (
        "ValidationException",
        "Invalid UpdateTrainingJobRequest, the request cannot be empty",
    )


@pytest.mark.parametrize(
    "operation, more",
    [
        ("ListTags", {}),
        ("AddTags", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("DeleteTags", {"TagKeys": ["a"]}),
    ],
)
def test_tags_of_what_does_not_exist(server, operation, more):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/nobody"
    answer = call(server, operation, {"ResourceArn": arn, **more})
    assert answer.status == 400
    assert answer.code in ("ResourceNotFound", "ValidationException")


def test_more_than_fifty_tags_in_all(server, jobs):
    name = jobs.create("true", Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    arn = jobs.describe(name)["TrainingJobArn"]
    answer = call(
        server, "AddTags", {"ResourceArn": arn, "Tags": [{"Key": "one", "Value": "more"}]}
    )
    assert answer.status == 400
    assert answer.code in ("ValidationException", "ResourceLimitExceeded")
    same = call(server, "AddTags", {"ResourceArn": arn, "Tags": [{"Key": "k1", "Value": "new"}]})
    assert same.status == 200 and {"Key": "k1", "Value": "new"} in same.document["Tags"]


def test_a_listing_token_that_nobody_gave_out(server):
    answer = call(server, "ListTrainingJobs", {"NextToken": "made-up"})
    assert (answer.status, answer.code) == (400, "ValidationException")
