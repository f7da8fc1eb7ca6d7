"""CloudWatch's metrics: those of jobs and hosts, of trials, and those that users put."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from harness.jobs import INSTANCE, completed, fresh_name

SPACE = "/aws/sagemaker/TrainingJobs"
LOSS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]


def around() -> dict:
    """A window that holds all that a test does."""
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1)}


def sums(cloudwatch, name: str, dimension: str, value: str) -> dict:
    """Count, sum and bounds of all that there is of one metric."""
    points = cloudwatch.get_metric_statistics(
        Namespace=SPACE,
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value}],
        Period=60,
        Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
        **around(),
    )["Datapoints"]
    if not points:
        return {}
    return {
        "count": sum(point["SampleCount"] for point in points),
        "sum": sum(point["Sum"] for point in points),
        "min": min(point["Minimum"] for point in points),
        "max": max(point["Maximum"] for point in points),
    }


@pytest.fixture(scope="module")
def cloudwatch(server):
    """A CloudWatch client of the shared server."""
    return server.client("cloudwatch")


# What jobs say


def test_every_match_of_every_host_is_a_point(jobs, cloudwatch):
    name = completed(
        jobs.run(
            "for i in 1 2 3 4 5; do echo loss=$i; done; echo loss=none",
            AlgorithmSpecification={"MetricDefinitions": LOSS},
            ResourceConfig={**INSTANCE, "InstanceCount": 2},
        )
    )["TrainingJobName"]
    expected = {"count": 10, "sum": 30, "min": 1, "max": 5}
    # Who sees the end of a job can read all its metrics.
    assert sums(cloudwatch, "loss", "TrainingJobName", name) == expected
    listed = cloudwatch.list_metrics(
        Namespace=SPACE, Dimensions=[{"Name": "TrainingJobName", "Value": name}]
    )["Metrics"]
    assert [metric["MetricName"] for metric in listed] == ["loss"]
    for host in ("algo-1", "algo-2"):
        disk = sums(cloudwatch, "DiskUtilization", "Host", f"{name}/{host}")
        assert disk["count"] >= 1 and 0 <= disk["min"] <= disk["max"] <= 100, disk


def test_a_busy_host_is_seen_busy(jobs, cloudwatch):
    # Long enough for a second look, which comes after a second.
    script = "end=$(($(date +%s) + 8)); while [ $(date +%s) -lt $end ]; do :; done"
    name = completed(jobs.run(script))["TrainingJobName"]
    host = f"{name}/algo-1"
    cpu = sums(cloudwatch, "CPUUtilization", "Host", host)
    assert cpu["count"] >= 1 and cpu["max"] > 0, cpu
    memory = sums(cloudwatch, "MemoryUtilization", "Host", host)
    assert memory["count"] >= 1 and 0 < memory["min"] <= memory["max"] <= 100, memory
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "all",
                "Expression": f"SEARCH('{{{SPACE},Host}} Host={name}/algo-', 'Average', 60)",
            }
        ],
        **around(),
    )["MetricDataResults"]
    labels = {result["Label"] for result in found}
    assert labels == {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}, found
    assert all(result["Id"] == "all" and result["Values"] for result in found)


def test_metrics_count_once_though_the_server_dies(own_jobs):
    server = own_jobs.server
    name = own_jobs.create(
        "trap 'exit 0' TERM; i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo loss=$i; sleep 0.01; "
        "done; sleep 600 & wait",
        AlgorithmSpecification={"MetricDefinitions": LOSS},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    for line in ("loss=50", "loss=150", "loss=250"):
        own_jobs.wait_for_line(name, line)
        server.crash_and_restart()
        own_jobs.reconnect()
    own_jobs.wait_for_line(name, "loss=400")
    own_jobs.sagemaker.stop_training_job(TrainingJobName=name)
    own_jobs.wait(name)
    found = sums(server.client("cloudwatch"), "loss", "TrainingJobName", name)
    assert found == {"count": 400, "sum": 400 * 401 / 2, "min": 1, "max": 400}


def test_a_job_puts_metrics_of_its_own_and_reads_none(jobs, server):
    name = jobs.create(
        "trap 'exit 0' TERM; "
        "echo keys=$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY,$AWS_SESSION_TOKEN; sleep 600 & wait",
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    jobs.wait_for_line(name, "keys=")
    (line,) = [line for line in jobs.lines(name) if line.startswith("keys=")]
    key, secret, token = line.removeprefix("keys=").split(",")
    own = {
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_session_token": token,
    }
    inside = server.client("cloudwatch", **own)
    inside.put_metric_data(Namespace=name, MetricData=[{"MetricName": "m", "Value": 1.0}])
    server.client("sagemaker-metrics", **own).batch_put_metrics(
        TrialComponentName=f"{name}-aws-training-job",
        MetricData=[{"MetricName": "m", "Timestamp": time.time(), "Value": 1.0}],
    )
    with pytest.raises(ClientError) as refused:
        inside.list_metrics(Namespace=name)
    assert "is not authorized to perform: cloudwatch:ListMetrics" in str(refused.value)
    assert len(server.client("cloudwatch").list_metrics(Namespace=name)["Metrics"]) == 1
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    jobs.wait(name)


# What users put


def test_what_is_put_is_summed_up(cloudwatch):
    space, now = fresh_name("Put"), datetime.now(UTC).replace(second=0, microsecond=0)
    start = now - timedelta(minutes=10)
    cloudwatch.put_metric_data(
        Namespace=space,
        MetricData=[
            {"MetricName": "m", "Value": 4.0, "Timestamp": start, "Unit": "Seconds"},
            {
                "MetricName": "m",
                "Values": [1.0, 2.0],
                "Counts": [2.0, 1.0],
                "Timestamp": start + timedelta(seconds=30),
                "Unit": "Seconds",
            },
            {
                "MetricName": "m",
                "StatisticValues": {"SampleCount": 2, "Sum": 6, "Minimum": 1, "Maximum": 5},
                "Timestamp": start + timedelta(minutes=2),
                "Unit": "Seconds",
            },
        ],
    )
    answer = cloudwatch.get_metric_statistics(
        Namespace=space,
        MetricName="m",
        StartTime=start,
        EndTime=now,
        Period=60,
        Statistics=["Average", "SampleCount", "Sum", "Minimum", "Maximum"],
    )
    assert answer["Label"] == "m"
    first, second = answer["Datapoints"]
    assert first == {
        "Timestamp": start,
        "SampleCount": 4.0,
        "Average": 2.0,
        "Sum": 8.0,
        "Minimum": 1.0,
        "Maximum": 4.0,
        "Unit": "Seconds",
    }
    assert (second["Timestamp"], second["Average"]) == (start + timedelta(minutes=2), 3.0)
    of_unit = {"Namespace": space, "MetricName": "m", "Period": 600, "Statistics": ["Sum"]}
    both = cloudwatch.get_metric_statistics(**of_unit, **around(), Unit="Seconds")
    assert sum(point["Sum"] for point in both["Datapoints"]) == 14.0
    assert not cloudwatch.get_metric_statistics(**of_unit, **around(), Unit="Bytes")["Datapoints"]


def test_percentiles_are_of_single_values(cloudwatch):
    space, now = fresh_name("Percentiles"), datetime.now(UTC).replace(second=0, microsecond=0)
    start = now - timedelta(minutes=10)
    later = start + timedelta(minutes=1)
    name = {"MetricName": "m", "Unit": "Seconds"}
    cloudwatch.put_metric_data(
        Namespace=space,
        MetricData=[
            {**name, "Values": [1.0, 4.0], "Counts": [3.0, 1.0], "Timestamp": start},
            {**name, "Value": 2.0, "Timestamp": start + timedelta(seconds=10)},
            # Of a summary with two values, nobody knows the others.
            {
                **name,
                "StatisticValues": {"SampleCount": 4, "Sum": 6, "Minimum": 1, "Maximum": 2},
                "Timestamp": later,
            },
            {**name, "Value": 7.0, "Timestamp": start + timedelta(minutes=2)},
        ],
    )
    request = {"Namespace": space, "MetricName": "m", "StartTime": start, "EndTime": now}
    points = cloudwatch.get_metric_statistics(
        **request, Period=60, ExtendedStatistics=["p50", "p87.5", "p100"]
    )["Datapoints"]
    assert points == [
        {
            "Timestamp": start,
            "Unit": "Seconds",
            "ExtendedStatistics": {"p50": 1.0, "p87.5": 3.0, "p100": 4.0},
        },
        {
            "Timestamp": start + timedelta(minutes=2),
            "Unit": "Seconds",
            "ExtendedStatistics": {"p50": 7.0, "p87.5": 7.0, "p100": 7.0},
        },
    ]
    all_together = cloudwatch.get_metric_statistics(**request, Period=600, ExtendedStatistics=["p1"])
    assert all_together["Datapoints"] == []
    metric = {"Metric": {"Namespace": space, "MetricName": "m"}, "Period": 60}
    queries = [
        {"Id": "named", "MetricStat": {**metric, "Stat": "p75"}, "Label": "${PROP('Stat')}"},
        {"Id": "found", "Expression": f"SEARCH('Namespace=\"{space}\"', 'p100', 60)"},
    ]
    found = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=start, EndTime=now, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    values = {one["Id"]: (one["Label"], one["Values"]) for one in found}
    assert values == {"named": ("p75", [2.0, 7.0]), "found": ("m", [4.0, 7.0])}


def test_a_job_s_loss_has_percentiles(jobs, cloudwatch):
    name = completed(
        jobs.run(
            "for i in 5 3 1 2 4; do echo loss=$i; done",
            AlgorithmSpecification={"MetricDefinitions": LOSS},
        )
    )["TrainingJobName"]
    points = cloudwatch.get_metric_statistics(
        Namespace=SPACE,
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": name}],
        Period=7200,
        ExtendedStatistics=["p0", "p25", "p62.5"],
        **around(),
    )["Datapoints"]
    assert [point["ExtendedStatistics"] for point in points] == [{"p0": 1.0, "p25": 2.0, "p62.5": 3.5}]


def test_a_large_request_comes_packed(cloudwatch):
    space = fresh_name("Packed")
    data = [
        {"MetricName": f"m{n}", "Value": n, "Dimensions": [{"Name": "N", "Value": str(n % 2)}]}
        for n in range(600)
    ]
    # Of more than 10 KiB, botocore packs it.
    cloudwatch.put_metric_data(Namespace=space, MetricData=data)
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace=space))
    assert [len(page["Metrics"]) for page in pages] == [500, 100]
    names = [metric["MetricName"] for page in pages for metric in page["Metrics"]]
    assert sorted(names) == sorted(f"m{n}" for n in range(600))
    odd = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=space, Dimensions=[{"Name": "N", "Value": "1"}], RecentlyActive="PT3H"
    )
    assert sum(len(page["Metrics"]) for page in odd) == 300
    token = pages[0]["NextToken"]
    with pytest.raises(ClientError) as refused:
        cloudwatch.list_metrics(Namespace="another", NextToken=token)
    assert refused.value.response["Error"]["Code"] == "InvalidNextToken"


def test_data_come_in_pages_in_either_order(cloudwatch):
    space, now = fresh_name("Pages"), datetime.now(UTC).replace(second=0, microsecond=0)
    start = now - timedelta(minutes=30)
    cloudwatch.put_metric_data(
        Namespace=space,
        MetricData=[
            {"MetricName": name, "Value": minute, "Timestamp": start + timedelta(minutes=minute)}
            for name in ("a", "b")
            for minute in range(20)
        ],
    )

    def stat(name: str, **more) -> dict:
        metric = {"Namespace": space, "MetricName": name}
        return {
            "Id": name,
            "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"},
            **more,
        }

    queries = [stat("a"), stat("b", Label="Bee"), stat("hidden", ReturnData=False)]
    for order, expected in (
        ("TimestampAscending", list(range(20))),
        ("TimestampDescending", list(reversed(range(20)))),
    ):
        pages = list(
            cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=start,
                EndTime=now,
                ScanBy=order,
                MaxDatapoints=15,
            )
        )
        assert len(pages) == 3
        found: dict[str, list] = {}
        for page in pages:
            for result in page["MetricDataResults"]:
                found.setdefault(result["Id"], []).extend(result["Values"])
        assert found == {"a": expected, "b": expected}
        assert pages[0]["MetricDataResults"][0]["StatusCode"] == "PartialData"
        assert {r["Label"] for p in pages for r in p["MetricDataResults"]} == {"a", "Bee"}


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ({"Expression": "m1 / m2"}, "SEARCH expressions only"),
        ({"Expression": "SEARCH('{X} (', 'Sum', 60)"}, "do not fit together"),
        ({"Expression": "SEARCH('x', 'tm99', 60)"}, "tm99"),
        ({"Expression": f"SEARCH('{'x' * 2048}', 'Sum', 60)"}, "shorter than 2049"),
        ({}, "Exactly one"),
    ],
)
def test_queries_that_are_not_served_are_refused_by_name(cloudwatch, query, part):
    with pytest.raises(ClientError) as refused:
        cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "q", **query}], **around())
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationError" and part in error["Message"], error


def test_requests_are_refused_in_the_cloud_s_words(cloudwatch):
    def refused(**more) -> dict:
        request = {"Namespace": "n", "MetricName": "m", "Period": 60, "Statistics": ["Sum"]}
        with pytest.raises(ClientError) as error:
            cloudwatch.get_metric_statistics(**{**request, **around(), **more})
        return error.value.response["Error"]

    now = datetime.now(UTC)
    assert refused(Period=45)["Code"] == "InvalidParameterValue"
    assert refused(EndTime=now - timedelta(days=1))["Code"] == "InvalidParameterValue"
    assert refused(Unit="Hours")["Code"] == "InvalidParameterValue"
    too_much = refused(StartTime=now - timedelta(days=2), EndTime=now)
    assert too_much["Code"] == "InvalidParameterCombination"
    assert too_much["Message"] == (
        "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440. You may "
        "reduce the datapoints requested by increasing Period, or decreasing the time range."
    )
    with pytest.raises(ClientError) as error:
        cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "a\x01b", "Value": 1}])
    assert "printable characters" in error.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as error:
        cloudwatch.put_metric_data(
            Namespace="n", MetricData=[{"MetricName": "m", "Value": float("nan")}]
        )
    assert error.value.response["Error"]["Message"] == (
        "The value NaN for parameter MetricData.member.1.Value is invalid."
    )


# Trial components


def test_values_of_trials_are_kept_step_by_step(server):
    metrics = server.client("sagemaker-metrics")
    trial, now = fresh_name("trial"), int(time.time()) // 60 * 60
    data = [
        {"MetricName": "loss", "Timestamp": now + n, "Step": n // 2, "Value": float(n)}
        for n in range(8)
    ]
    assert "Errors" not in metrics.batch_put_metrics(TrialComponentName=trial, MetricData=data)
    wrong = [data[0], {**data[1], "Value": float("nan")}]
    errors = metrics.batch_put_metrics(TrialComponentName=fresh_name("wrong"), MetricData=wrong)[
        "Errors"
    ]
    assert errors == [{"Code": "VALIDATION_ERROR", "MetricIndex": 1}]
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/{trial}"

    def query(stat: str, axis: str, period: str, **more) -> dict:
        return {
            "MetricName": "loss",
            "ResourceArn": arn,
            "MetricStat": stat,
            "Period": period,
            "XAxisType": axis,
            **more,
        }

    steps, late, minute, odd = metrics.batch_get_metrics(
        MetricQueries=[
            query("Avg", "IterationNumber", "IterationNumber"),
            query("Last", "IterationNumber", "IterationNumber", Start=2),
            query("Max", "Timestamp", "OneMinute"),
            query("Max", "Timestamp", "IterationNumber"),
        ]
    )["MetricQueryResults"]
    assert (steps["XAxisValues"], steps["MetricValues"]) == ([0, 1, 2, 3], [0.5, 2.5, 4.5, 6.5])
    assert (late["XAxisValues"], late["MetricValues"]) == ([2, 3], [5.0, 7.0])
    assert (minute["XAxisValues"], minute["MetricValues"]) == ([now], [7.0])
    assert odd["Status"] == "ValidationError"
    with pytest.raises(ClientError) as refused:
        metrics.batch_put_metrics(TrialComponentName="Upper", MetricData=data)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_job_s_metrics_are_a_trial_s_if_it_asks_for_that(jobs, server):
    specification = {"MetricDefinitions": LOSS, "EnableSageMakerMetricsTimeSeries": True}
    script = "for i in 1 2 3; do echo loss=$i; done"
    job = completed(jobs.run(script, AlgorithmSpecification=specification))
    specification = {**specification, "EnableSageMakerMetricsTimeSeries": False}
    plain = completed(jobs.run(script, AlgorithmSpecification=specification))
    queries = [
        {
            "MetricName": "loss",
            "ResourceArn": one["TrainingJobArn"],
            "MetricStat": "Count",
            "Period": "OneHour",
            "XAxisType": "Timestamp",
        }
        for one in (job, plain)
    ]
    found = server.client("sagemaker-metrics").batch_get_metrics(MetricQueries=queries)
    counts = [sum(result["MetricValues"]) for result in found["MetricQueryResults"]]
    assert counts == [3.0, 0]
