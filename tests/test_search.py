"""Search: the expression grammar, orders and pages, and suggestions for it."""

import datetime

import pytest
from botocore.exceptions import ClientError

from harness.jobs import Jobs, fresh_name, s3_channel
from harness.wire import call

METRICS = [{"Name": "score", "Regex": "score=([0-9.]+)"}]


@pytest.fixture(scope="module")
def family(jobs) -> str:
    """Five jobs with one stem in their names: four complete and one fails."""
    stem = fresh_name("fam")
    uri = jobs.put("search/data.csv", "1\n")
    for number in range(5):
        jobs.create(
            f"echo score={number}; exit {1 if number == 4 else 0}",
            name=f"{stem}-{number}",
            InputDataConfig=[s3_channel("train", uri), s3_channel(f"extra{number}", uri)],
            HyperParameters={"number": str(number), "rate": f"0.{number}", "depth": "6"},
            Tags=[{"Key": "family", "Value": stem}, {"Key": "half", "Value": "ab"[number // 3]}],
            AlgorithmSpecification={"MetricDefinitions": METRICS},
        )
    for number in range(5):
        jobs.wait(f"{stem}-{number}")
    return stem


def one(name: str, operator: str | None = None, value: str | None = None) -> dict:
    """A filter."""
    asked = {"Name": name, "Operator": operator, "Value": value}
    return {member: given for member, given in asked.items() if given is not None}


def found(sagemaker, family: str, *filters: dict, **more) -> list[str]:
    """The jobs of the family that meet all filters, without the family's name."""
    expression = {"Filters": [one("Tags.family", "Equals", family), *filters]}
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending", **more}
    page = sagemaker.search(Resource="TrainingJob", SearchExpression=expression, **order)
    assert page["TotalHits"] == {"Value": len(page["Results"]), "Relation": "EqualTo"}
    return names(page, family)


def names(page: dict, family: str) -> list[str]:
    """The names on a page, without the family's."""
    jobs = [result["TrainingJob"] for result in page["Results"]]
    return [job["TrainingJobName"].removeprefix(f"{family}-") for job in jobs]


def soon(**more) -> str:
    """A time as filters have it."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**more)).strftime(
        "%Y-%m-%dT%H:%M:%S"
    )


@pytest.mark.parametrize(
    "filters, expected",
    [
        ([("HyperParameters.number", "Equals", "2")], "2"),
        ([("HyperParameters.number", "In", "1,3")], "13"),
        ([("Metrics.score", "GreaterThan", "1")], "234"),
        (
            [
                ("Metrics.score", "LessThanOrEqualTo", "1"),
                ("TrainingJobStatus", "Equals", "Completed"),
            ],
            "01",
        ),
        ([("TrainingJobStatus", "NotEquals", "Completed")], "4"),
        ([("FailureReason", "Exists", None)], "4"),
        ([("FailureReason", None, None)], "4"),
        ([("FailureReason", "NotExists", None)], "0123"),
        ([("ResourceConfig.InstanceType", "Equals", "ml.m5.large")], "01234"),
        ([("HyperParameters.number", "Equals", "7")], ""),
        ([("HyperParameters.rate", "LessThan", "0.25")], "012"),
        ([("HyperParameters.depth", "GreaterThan", "5"), ("Tags.half", None, "b")], "34"),
        ([("Tags.half", "NotEquals", "b")], "012"),
        ([("InputDataConfig.ChannelName", "Equals", "extra3")], "3"),
        ([("TrainingJobName", "Contains", "-4")], "4"),
        ([("ResourceConfig.InstanceCount", "LessThan", "2")], "01234"),
        ([("EnableManagedSpotTraining", "Equals", "true")], ""),
        ([("CreationTime", "LessThan", soon(hours=1))], "01234"),
        ([("LastModifiedTime", "GreaterThan", soon(hours=1))], ""),
        ([("TrainingEndTime", "GreaterThan", soon(hours=-1))], "01234"),
    ],
)
def test_search(sagemaker, family, filters, expected):
    assert found(sagemaker, family, *(one(*asked) for asked in filters)) == list(expected)


def test_search_by_name_or_by_either(sagemaker, family):
    page = sagemaker.search(
        Resource="TrainingJob",
        SearchExpression={
            "Operator": "Or",
            "Filters": [
                one("TrainingJobName", "Contains", f"{family}-1"),
                one("TrainingJobName", "Equals", f"{family}-3"),
            ],
        },
    )
    jobs = [result["TrainingJob"] for result in page["Results"]]
    assert sorted(job["TrainingJobName"] for job in jobs) == [f"{family}-1", f"{family}-3"]
    assert all({"Key": "family", "Value": family} in job["Tags"] for job in jobs)
    assert all(job["HyperParameters"]["depth"] == "6" for job in jobs)


def test_a_nested_filter_is_about_one_object(sagemaker, family):
    def channels(name: str, uri: str) -> list[str]:
        source = "InputDataConfig.DataSource.S3DataSource.S3Uri"
        nested = {
            "NestedPropertyName": "InputDataConfig",
            "Filters": [
                one("InputDataConfig.ChannelName", "Equals", name),
                one(source, "Contains", uri),
            ],
        }
        mine = one("Tags.family", "Equals", family)
        expression = {"Filters": [mine], "NestedFilters": [nested]}
        return names(sagemaker.search(Resource="TrainingJob", SearchExpression=expression), family)

    assert channels("extra2", "search/data") == ["2"]
    assert channels("extra2", "elsewhere") == []


def test_expressions_within_expressions(sagemaker, family):
    first = {"Filters": [one("HyperParameters.number", "Equals", "0")]}
    failed = {"Filters": [one("TrainingJobStatus", "Equals", "Failed")]}
    page = sagemaker.search(
        Resource="TrainingJob",
        SearchExpression={
            "Filters": [one("Tags.family", "Equals", family)],
            "SubExpressions": [{"Operator": "Or", "SubExpressions": [first, failed]}],
        },
        SortBy="TrainingJobName",
        SortOrder="Ascending",
    )
    assert names(page, family) == ["0", "4"]


def test_a_record_is_what_describe_says(jobs, sagemaker, family):
    name = f"{family}-1"
    page = sagemaker.search(
        Resource="TrainingJob",
        SearchExpression={"Filters": [one("TrainingJobName", "Equals", name)]},
    )
    record = page["Results"][0]["TrainingJob"]
    tags = record.pop("Tags")
    assert {tag["Key"] for tag in tags} == {"family", "half"}
    described = jobs.describe(name)
    assert record.items() <= described.items()
    assert {"HyperParameters", "FinalMetricDataList", "SecondaryStatusTransitions"} <= set(record)


@pytest.mark.parametrize(
    "sort, descending",
    [
        ("CreationTime", "43210"),
        ("TrainingJobName", "43210"),
        ("HyperParameters.number", "43210"),
        ("HyperParameters.rate", "43210"),
        ("Metrics.score", "43210"),
        # One has it; the others are behind it, whatever the order.
        ("FailureReason", "43210"),
    ],
)
def test_orders(sagemaker, family, sort, descending):
    assert found(sagemaker, family, SortBy=sort, SortOrder="Descending") == list(descending)
    ascending = list(reversed(descending))
    if sort == "FailureReason":
        ascending = list("40123")
    assert found(sagemaker, family, SortBy=sort, SortOrder="Ascending") == ascending


def test_what_changed_last_comes_first(jobs, sagemaker, family):
    expression = {"Filters": [one("Tags.family", "Equals", family)]}
    page = sagemaker.search(Resource="TrainingJob", SearchExpression=expression)
    times = [result["TrainingJob"]["LastModifiedTime"] for result in page["Results"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("sort", ["LastModifiedTime", "Metrics.score"])
def test_search_pages(sagemaker, family, sort):
    for mine in (one("Tags.family", "Equals", family), one("TrainingJobName", "Contains", family)):
        pages = sagemaker.get_paginator("search").paginate(
            Resource="TrainingJob",
            SearchExpression={"Filters": [mine]},
            SortBy=sort,
            PaginationConfig={"PageSize": 2},
        )
        pages = list(pages)
        assert [len(page["Results"]) for page in pages] == [2, 2, 1]
        assert {page["TotalHits"]["Value"] for page in pages} == {5}
        assert sorted(sum((names(page, family) for page in pages), [])) == list("01234")


def test_a_page_token_survives_jobs_and_a_restart_and_no_tampering(own_server, own_jobs: Jobs):
    stem = fresh_name("kept")
    for number in range(3):
        own_jobs.run("true", name=f"{stem}-{number}")
    asked = {
        "Resource": "TrainingJob",
        "SearchExpression": {"Filters": [one("TrainingJobName", "Contains", stem)]},
        "SortBy": "CreationTime",
    }
    first = own_jobs.sagemaker.search(**asked, MaxResults=1)
    assert names(first, stem) == ["2"]
    own_jobs.run("true", name=f"{stem}-new")
    own_server.kill()
    own_server.start()
    own_jobs.reconnect()
    token = first["NextToken"]
    rest = own_jobs.sagemaker.search(**asked, MaxResults=10, NextToken=token)
    assert names(rest, stem) == ["1", "0"]
    assert "NextToken" not in rest

    other = {**asked, "SortBy": "TrainingJobName"}
    for request, bad in ((asked, token[:-2] + "AA"), (asked, "x"), (other, token)):
        with pytest.raises(ClientError, match="The given NextToken is not valid") as refused:
            own_jobs.sagemaker.search(**request, NextToken=bad)
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_only_what_may_be_seen(sagemaker, family):
    def seen(key: str, value: str) -> list[str]:
        return found(sagemaker, family, VisibilityConditions=[{"Key": key, "Value": value}])

    assert seen("Tags.half", "a") == list("012")
    assert seen("Tags.never", "a") == list("01234")
    assert found(sagemaker, family, CrossAccountFilterOption="SameAccount") == list("01234")
    assert found(sagemaker, family, CrossAccountFilterOption="CrossAccount") == []


CONTAINS = one("TrainingJobName", "Contains", "a")
REFUSED = [
    ({"Filters": [CONTAINS, CONTAINS]}, "'CONTAINS' operator usage limit of 1 exceeded."),
    (
        {"Filters": [one("Nothing", "Equals", "a")]},
        "'Nothing' is not a property of the resource TrainingJob.",
    ),
    (
        {"Filters": [one("TrainingJobName", "GreaterThan", "a")]},
        "The operator GreaterThan is not supported for the property 'TrainingJobName'.",
    ),
    (
        {"Filters": [one("CreationTime", "LessThan", "yesterday")]},
        "The Value 'yesterday' for the property 'CreationTime' is not a time such as "
        "2026-01-31T12:00:00.",
    ),
    (
        {},
        "A SearchExpression must have at least one of Filters, NestedFilters and SubExpressions.",
    ),
]


@pytest.mark.parametrize("expression, message", REFUSED)
def test_expressions_that_are_refused(server, expression, message):
    asked = {"Resource": "TrainingJob", "SearchExpression": expression}
    answer = call(server, "Search", asked)
    assert (answer.status, answer.code, answer.message) == (400, "ValidationException", message)


@pytest.mark.parametrize("operation", ["Search", "GetSearchSuggestions"])
def test_other_resources_are_refused_by_name(server, operation):
    answer = call(server, operation, {"Resource": "Endpoint"})
    assert (answer.status, answer.code) == (400, "ValidationException")
    assert answer.message == "Kiln searches the resource TrainingJob; Endpoint is not available."


def test_suggestions(sagemaker, family):
    def suggested(hint: str | None) -> list[str]:
        query = {"PropertyNameQuery": {"PropertyNameHint": hint}}
        more = {} if hint is None else {"SuggestionQuery": query}
        answer = sagemaker.get_search_suggestions(Resource="TrainingJob", **more)
        return [suggestion["PropertyName"] for suggestion in answer["PropertyNameSuggestions"]]

    assert suggested("TrainingJob") == ["TrainingJobName", "TrainingJobArn", "TrainingJobStatus"]
    assert suggested("HyperParameters.dep") == ["HyperParameters.depth"]
    assert "Metrics.score" in suggested("Metrics.")
    assert suggested("Tags.fam") == ["Tags.family"]
    assert suggested("nothing") == []
    everything = {"CreationTime", "InputDataConfig.ChannelName", "Tags.half", "Metrics.score"}
    assert everything <= set(suggested(None))
