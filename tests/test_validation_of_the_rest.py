"""Every other operation checks the model's constraints as well."""

import pytest

from harness.violations import AT_LEAST_ONE, NULL, enum, said
from harness.wire import call

OTHERS = [
    ("DescribeTrainingJob", {}, said(("null", "trainingJobName", NULL))),
    ("StopTrainingJob", {}, said(("null", "trainingJobName", NULL))),
    (
        "ListTrainingJobs",
        {"MaxResults": 101},
        said(("'101'", "maxResults", "Member must have value less than or equal to 100")),
    ),
    (
        "ListTrainingJobs",
        {"MaxResults": 0},
        said(("'0'", "maxResults", "Member must have value greater than or equal to 1")),
    ),
    (
        "ListTrainingJobs",
        {"StatusEquals": "Done"},
        said(("'Done'", "statusEquals", enum("TrainingJobStatus"))),
    ),
    ("ListTrainingJobs", {"SortBy": "Size"}, said(("'Size'", "sortBy", enum("SortBy")))),
    (
        "ListTags",
        {
            "ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/x",
            "MaxResults": 49,
        },
        said(("'49'", "maxResults", "Member must have value greater than or equal to 50")),
    ),
    (
        "ListTags",
        {"ResourceArn": "training-job/x"},
        said(
            (
                "'training-job/x'",
                "resourceArn",
                "Member must satisfy regular expression pattern: "
                "arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+",
            )
        ),
    ),
    (
        "DeleteTags",
        {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/x", "TagKeys": []},
        said(("'[]'", "tagKeys", AT_LEAST_ONE)),
    ),
    (
        "AddTags",
        {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/x"},
        said(("null", "tags", NULL)),
    ),
    ("Search", {"Resource": "Job"}, said(("'Job'", "resource", enum("ResourceType")))),
    (
        "Search",
        {"Resource": "TrainingJob", "SearchExpression": {"Filters": [{"Value": "x"}]}},
        said(("null", "searchExpression.filters.1.member.name", NULL)),
    ),
    ("DeleteTrainingJob", {}, said(("null", "trainingJobName", NULL))),
    ("DescribeCompilationJob", {}, said(("null", "compilationJobName", NULL))),
]


@pytest.mark.parametrize(
    "operation, document, text", OTHERS, ids=[f"{case[0]}-{i}" for i, case in enumerate(OTHERS)]
)
def test_the_other_operations_check_as_well(server, operation, document, text):
    answer = call(server, operation, document)
    assert (answer.status, answer.code, answer.message) == (400, "ValidationException", text)
