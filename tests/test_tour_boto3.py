"""The whole tour with boto3: paginators, waiters, tags."""

import datetime

import pytest

from harness.jobs import completed, fresh_name, s3_channel


@pytest.fixture(scope="module")
def family(jobs) -> str:
    """Five jobs with one stem in their names: four complete and one fails."""
    stem = fresh_name("fam")
    uri = jobs.put("tour/data.csv", "1\n")
    for number in range(5):
        jobs.create(
            f"echo score={number}; exit {1 if number == 4 else 0}",
            name=f"{stem}-{number}",
            InputDataConfig=[s3_channel("train", uri)],
            HyperParameters={"number": str(number), "depth": "6"},
            Tags=[{"Key": "family", "Value": stem}],
            AlgorithmSpecification={
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+)"}]
            },
        )
    for number in range(5):
        jobs.wait(f"{stem}-{number}")
    return stem


def names(page: dict) -> list[str]:
    """The names on a page of ListTrainingJobs."""
    return [summary["TrainingJobName"] for summary in page["TrainingJobSummaries"]]


def test_a_job_from_data_to_model(jobs, sagemaker):
    uri = jobs.put("tour/train/data.csv", "1,2\n3,4\n")
    name = jobs.create(
        "cp /opt/ml/input/data/train/data.csv /opt/ml/model/",
        InputDataConfig=[s3_channel("train", uri)],
    )
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    job = completed(jobs.describe(name))
    assert jobs.model(job) == {"data.csv": b"1,2\n3,4\n"}


def test_lists_are_newest_first_and_page(sagemaker, family):
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains=family,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": 2},
    )
    listed = [names(page) for page in pages]
    assert [len(page) for page in listed if page] == [2, 2, 1]
    assert sum(listed, []) == [f"{family}-{number}" for number in (4, 3, 2, 1, 0)]


def test_a_summary_says_the_essential(sagemaker, family):
    page = sagemaker.list_training_jobs(NameContains=f"{family}-0")
    summary = page["TrainingJobSummaries"][0]
    assert summary["TrainingJobArn"].endswith(f":training-job/{family}-0")
    assert summary["TrainingJobStatus"] == "Completed"
    assert summary["CreationTime"] <= summary["TrainingEndTime"] <= summary["LastModifiedTime"]


def test_list_filters(sagemaker, family):
    failed = sagemaker.list_training_jobs(
        NameContains=family, StatusEquals="Failed", MaxResults=100
    )
    assert names(failed) == [f"{family}-4"]
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert names(sagemaker.list_training_jobs(NameContains=family, CreationTimeAfter=future)) == []
    earlier = sagemaker.list_training_jobs(
        NameContains=family, CreationTimeBefore=future, MaxResults=100
    )
    assert len(names(earlier)) == 5
    assert names(sagemaker.list_training_jobs(NameContains="no-job-has-this")) == []


def test_tags_are_added_replaced_and_removed(jobs, sagemaker, family):
    arn = jobs.describe(f"{family}-0")["TrainingJobArn"]
    answer = sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    )
    assert {"Key": "family", "Value": family} in answer["Tags"], "AddTags answers with all tags"
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b", "never"])
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags == {"family": family, "a": "2"}


def test_the_create_answers_with_the_arn_and_the_job_is_at_once_there(jobs, sagemaker):
    request = jobs.request("true")
    arn = sagemaker.create_training_job(**request)["TrainingJobArn"]
    job = jobs.describe(request["TrainingJobName"])
    assert job["TrainingJobArn"] == arn
    assert job["SecondaryStatusTransitions"][0]["Status"] == "Starting"
    jobs.wait(request["TrainingJobName"])
