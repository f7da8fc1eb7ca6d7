"""Create requests that break the model's constraints, and the text AWS answers with."""

import pytest

from harness.jobs import INSTANCE, ROLE, s3_channel
from harness.violations import AT_LEAST_ONE, NULL, at_most, enum, said
from harness.wire import call

NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
ROLE_PATTERN = r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
TAG_PATTERN = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
ABSENT = object()


def valid() -> dict:
    """A request with nothing wrong in it."""
    return {
        "TrainingJobName": "valid",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "busybox", "TrainingInputMode": "File"},
        "InputDataConfig": [s3_channel("train", "s3://kiln-tests/none")],
        "OutputDataConfig": {"S3OutputPath": "s3://kiln-tests/out"},
        "ResourceConfig": dict(INSTANCE),
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def changed(path: str, value) -> dict:
    """A valid request with one member replaced, or removed when ABSENT."""
    document = valid()
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = document
    for step in parents:
        place = place[step] if isinstance(place, list) else place.setdefault(step, {})
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return document


LONG = "a" * 64
HYPER = (
    "Map value must satisfy constraint: [Member must have length less than or equal to 2500, "
    "Member must have length greater than or equal to 0, "
    "Member must satisfy regular expression pattern: .*]"
)

CREATE = [
    ("TrainingJobName", ABSENT, [("null", "trainingJobName", NULL)]),
    ("TrainingJobName", None, [("null", "trainingJobName", NULL)]),
    (
        "TrainingJobName",
        "-bad",
        [
            (
                "'-bad'",
                "trainingJobName",
                f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
            )
        ],
    ),
    (
        "TrainingJobName",
        "under_score",
        [
            (
                "'under_score'",
                "trainingJobName",
                f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
            )
        ],
    ),
    (
        "TrainingJobName",
        LONG,
        [
            (
                f"'{LONG}'",
                "trainingJobName",
                f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
            ),
            (f"'{LONG}'", "trainingJobName", at_most(63)),
        ],
    ),
    ("RoleArn", ABSENT, [("null", "roleArn", NULL)]),
    (
        "RoleArn",
        "arn:aws:iam::12:role/x-y-z",
        [
            (
                "'arn:aws:iam::12:role/x-y-z'",
                "roleArn",
                f"Member must satisfy regular expression pattern: {ROLE_PATTERN}",
            )
        ],
    ),
    ("OutputDataConfig", ABSENT, [("null", "outputDataConfig", NULL)]),
    ("OutputDataConfig", {}, [("null", "outputDataConfig.s3OutputPath", NULL)]),
    (
        "OutputDataConfig.S3OutputPath",
        "/local/dir",
        [
            (
                "'/local/dir'",
                "outputDataConfig.s3OutputPath",
                "Member must satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)",
            )
        ],
    ),
    (
        "OutputDataConfig.CompressionType",
        "ZIP",
        [("'ZIP'", "outputDataConfig.compressionType", enum("OutputCompressionType"))],
    ),
    (
        "AlgorithmSpecification.TrainingInputMode",
        ABSENT,
        [("null", "algorithmSpecification.trainingInputMode", NULL)],
    ),
    (
        "AlgorithmSpecification.TrainingInputMode",
        "Fast",
        [("'Fast'", "algorithmSpecification.trainingInputMode", enum("TrainingInputMode"))],
    ),
    (
        "AlgorithmSpecification.TrainingImage",
        "i" * 256,
        [(f"'{'i' * 256}'", "algorithmSpecification.trainingImage", at_most(255))],
    ),
    (
        "AlgorithmSpecification.ContainerEntrypoint",
        [],
        [("'[]'", "algorithmSpecification.containerEntrypoint", AT_LEAST_ONE)],
    ),
    (
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "a"}],
        [("null", "algorithmSpecification.metricDefinitions.1.member.regex", NULL)],
    ),
    (
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "", "Regex": "x"}],
        [
            (
                "''",
                "algorithmSpecification.metricDefinitions.1.member.name",
                "Member must satisfy regular expression pattern: .+",
            ),
            ("''", "algorithmSpecification.metricDefinitions.1.member.name", AT_LEAST_ONE),
        ],
    ),
    (
        "ResourceConfig.InstanceType",
        "ml.t2.medium",
        [("'ml.t2.medium'", "resourceConfig.instanceType", enum("TrainingInstanceType"))],
    ),
    (
        "ResourceConfig.InstanceCount",
        -1,
        [
            (
                "'-1'",
                "resourceConfig.instanceCount",
                "Member must have value greater than or equal to 0",
            )
        ],
    ),
    (
        "ResourceConfig.KeepAlivePeriodInSeconds",
        21601,
        [
            (
                "'21601'",
                "resourceConfig.keepAlivePeriodInSeconds",
                "Member must have value less than or equal to 21600",
            )
        ],
    ),
    (
        "StoppingCondition.MaxRuntimeInSeconds",
        0,
        [
            (
                "'0'",
                "stoppingCondition.maxRuntimeInSeconds",
                "Member must have value greater than or equal to 1",
            )
        ],
    ),
    (
        "RetryStrategy",
        {"MaximumRetryAttempts": 31},
        [
            (
                "'31'",
                "retryStrategy.maximumRetryAttempts",
                "Member must have value less than or equal to 30",
            )
        ],
    ),
    ("InputDataConfig", [], [("'[]'", "inputDataConfig", AT_LEAST_ONE)]),
    (
        "InputDataConfig.0.InputMode",
        "Stream",
        [("'Stream'", "inputDataConfig.1.member.inputMode", enum("TrainingInputMode"))],
    ),
    (
        "InputDataConfig.0.ChannelName",
        "a b",
        [
            (
                "'a b'",
                "inputDataConfig.1.member.channelName",
                r"Member must satisfy regular expression pattern: [A-Za-z0-9\.\-_]+",
            )
        ],
    ),
    (
        "InputDataConfig.0.DataSource",
        ABSENT,
        [("null", "inputDataConfig.1.member.dataSource", NULL)],
    ),
    (
        "InputDataConfig.0.DataSource.S3DataSource.S3DataType",
        "Folder",
        [
            (
                "'Folder'",
                "inputDataConfig.1.member.dataSource.s3DataSource.s3DataType",
                enum("S3DataType"),
            )
        ],
    ),
    (
        "InputDataConfig.0.DataSource.S3DataSource.S3Uri",
        ABSENT,
        [("null", "inputDataConfig.1.member.dataSource.s3DataSource.s3Uri", NULL)],
    ),
    (
        "InputDataConfig.0.CompressionType",
        "Bzip2",
        [("'Bzip2'", "inputDataConfig.1.member.compressionType", enum("CompressionType"))],
    ),
    (
        "HyperParameters",
        {"k": "v" * 2501},
        [("'{k=" + "v" * 2501 + "}'", "hyperParameters", HYPER)],
    ),
    ("Tags", [{"Key": "a"}], [("null", "tags.1.member.value", NULL)]),
    (
        "Tags",
        [{"Key": "a", "Value": "b"}, {"Key": "no!", "Value": "v"}],
        [
            (
                "'no!'",
                "tags.2.member.key",
                f"Member must satisfy regular expression pattern: {TAG_PATTERN}",
            )
        ],
    ),
    (
        "Tags",
        [{"Key": "k" * 129, "Value": "v"}],
        [(f"'{'k' * 129}'", "tags.1.member.key", at_most(128))],
    ),
]


@pytest.mark.parametrize(
    "path, value, violations", CREATE, ids=[f"{i:02}-{case[0]}" for i, case in enumerate(CREATE)]
)
def test_create_says_exactly_what_is_wrong(server, jobs, path, value, violations):
    answer = call(server, "CreateTrainingJob", changed(path, value))
    assert (answer.status, answer.code, answer.message) == (
        400,
        "ValidationException",
        said(*violations),
    )


def test_every_violation_is_named_in_one_answer(server):
    document = valid()
    document["TrainingJobName"] = "-"
    document["ResourceConfig"]["InstanceType"] = "tiny"
    del document["OutputDataConfig"]
    answer = call(server, "CreateTrainingJob", document)
    head, _, rest = answer.message.partition(": ")
    assert head == "3 validation errors detected"
    assert {part.split("' failed")[0].split("at '")[1] for part in rest.split("; ")} == {
        "trainingJobName",
        "resourceConfig.instanceType",
        "outputDataConfig",
    }
