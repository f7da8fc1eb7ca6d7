"""`kiln sagemaker` sends what `aws sagemaker` sends, in whichever way it is told."""

import json

import pytest

from harness.jobs import ROLE
from harness.native_cli import ARN, LIST, NAME
from harness.stub import Answer, Stub

LIMIT = ("--stopping-condition", "MaxRuntimeInSeconds=60,MaxWaitTimeInSeconds=120")
TRAINING = (
    *("create-training-job", *NAME, "--role-arn", ROLE, *LIMIT),
    *("--output-data-config", "S3OutputPath=s3://b/o"),
)
OPTIMIZATION = (
    *("create-optimization-job", "--optimization-job-name", "x", "--role-arn", ROLE, *LIMIT),
    *("--deployment-instance-type", "ml.g5.xlarge", "--model-source", "S3={S3Uri=s3://b/m}"),
    *("--output-config", "S3OutputLocation=s3://b/o,KmsKeyId=k", "--optimization-configs"),
)
COMPILATION = (
    *("create-compilation-job", "--compilation-job-name", "x", "--role-arn", ROLE, *LIMIT),
    *("--output-config", "S3OutputLocation=s3://b/o,TargetPlatform={Os=LINUX,Arch=ARM64}"),
)
CHANNEL = "ChannelName=a,DataSource={S3DataSource={S3DataType=S3Prefix,S3Uri=s3://b/a}}"
# A request as a document; options go before what it says.
DOCUMENT = {
    "TrainingJobName": "y",
    "OutputDataConfig": {"S3OutputPath": "s3://c/o", "KmsKeyId": "k"},
    "HyperParameters": {"a": "b"},
    "Tags": [{"Key": "a", "Value": "ü"}],
}
ONE_PAGE = (*LIST, "--no-paginate")

WAYS = {
    "structure": (*TRAINING, "--resource-config", "InstanceType=ml.m5.large,InstanceCount=2"),
    "structures": (*TRAINING, "--input-data-config", CHANNEL, CHANNEL),
    "structures in json": (
        *(*TRAINING, "--input-data-config"),
        '[{"ChannelName": "a", "DataSource":'
        ' {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b"}}}]',
    ),
    "lists": (
        *(*TRAINING, "--algorithm-specification"),
        "TrainingImage=i,TrainingInputMode=File,ContainerEntrypoint=[a,b],"
        "MetricDefinitions=[{Name=m,Regex='m=([0-9.]+)'}],EnableSageMakerMetricsTimeSeries=true",
    ),
    "lists without brackets": (
        *(*TRAINING, "--vpc-config"),
        "SecurityGroupIds=sg-1,sg-2,Subnets=s-1,s-2",
    ),
    "map": (*TRAINING, "--hyper-parameters", "a=1,b=two,c='x,y',d=\"q\\\"q\""),
    "map in json": (*TRAINING, "--hyper-parameters", '{"a": "1", "grün": "😀"}'),
    "map of nothing": (*TRAINING, "--environment", "{}"),
    "flags": (*TRAINING, "--enable-network-isolation", "--no-enable-managed-spot-training"),
    "spaces": (*TRAINING, "--tags", "Key = a , Value = b c", "Key=d,Value="),
    "words": ("delete-tags", "--resource-arn", ARN, "--tag-keys", "a", "b c", "é"),
    "words in json": ("delete-tags", "--resource-arn", ARN, "--tag-keys", '["a", "b"]'),
    "number": (*ONE_PAGE, "--max-results", "007"),
    "day": (*ONE_PAGE, "--creation-time-after", "2020-01-01"),
    "time elsewhere": (*ONE_PAGE, "--creation-time-after", "2020-01-01T10:00:00+02:00"),
    "time in words": (*ONE_PAGE, "--creation-time-after", "Wed, 01 Jan 2020 10:00:00 GMT"),
    "time of date": (*ONE_PAGE, "--creation-time-after", "Sat Nov  7 09:20:00 UTC 2026"),
    "time of date in english": (
        *(*ONE_PAGE, "--creation-time-after"),
        "Sat 07 Nov 2026 09:20:00 PM UTC",
    ),
    "time of a zone": (*ONE_PAGE, "--creation-time-after", "2026-11-07 08:58:41 UTC"),
    "day in words": (*ONE_PAGE, "--creation-time-after", "Nov 7, 2026"),
    "day in numbers": (*ONE_PAGE, "--creation-time-after", "11/7/2026"),
    "time in seconds": (*ONE_PAGE, "--creation-time-after", "1577836800.25"),
    "page": (*LIST, "--page-size", "7"),
    "items": (*LIST, "--max-items", "7"),
    "union": (
        *OPTIMIZATION,
        "ModelQuantizationConfig={Image=i,OverrideEnvironment={A=b,C=d}}",
    ),
    "union in json": (*OPTIMIZATION, '[{"ModelShardingConfig": {"OverrideEnvironment": {}}}]'),
    "json in a structure": (
        *(*COMPILATION, "--input-config"),
        'S3Uri=s3://b/m,DataInputConfig=\'{"a": [1, 2]}\',Framework=PYTORCH',
    ),
    "expression": (
        *("search", "--resource", "TrainingJob", "--no-paginate", "--search-expression"),
        "Filters=[{Name=a,Operator=Equals,Value=b}],Operator=Or",
    ),
    "suggestions": (
        *("get-search-suggestions", "--resource", "TrainingJob", "--suggestion-query"),
        "PropertyNameQuery={PropertyNameHint=Hyper}",
    ),
    "nothing to keep": (
        *("update-training-job", *NAME),
        *("--resource-config", "KeepAlivePeriodInSeconds=0"),
    ),
    "document": (*TRAINING, "--cli-input-json", json.dumps(DOCUMENT)),
    "models": (
        *("create-model", "--model-name", "m", "--containers"),
        *("Image=a,ModelDataUrl=s3://b/c,Environment={A=b}", "Image=b"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_request_is_sent(both, way):
    with Stub(script=[Answer(200, "{}")] * 2) as stub:
        # Where it is not said, times are in UTC, wherever somebody is.
        both.agree(*WAYS[way], AWS_ENDPOINT_URL=stub.url, TZ="America/New_York")
        golden, native = stub.requests
    assert native.path == golden.path
    for header in ("X-Amz-Target", "Content-Type"):
        assert native.headers[header] == golden.headers[header]
    assert json.loads(native.body) == json.loads(golden.body)
