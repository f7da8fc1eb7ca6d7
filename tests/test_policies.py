"""Policies decide: what users may do through every service, and what a job's role may."""

import pytest
import requests
from botocore.config import Config

from harness.identities import (
    ACCOUNT,
    TRUST_ACCOUNT,
    allow,
    deny,
    document,
    keys,
    own_keys,
    refused,
)
from harness.jobs import GROUP, completed, fresh_name, s3_channel
from harness.wire import send, signed

JOBS = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job"
PASS = allow("iam:PassRole")
NOTHING_ALLOWS = "because no identity-based policy allows the {} action"


# Callers


@pytest.mark.parametrize(
    "service, action, resource, call",
    [
        (
            "sagemaker",
            "sagemaker:ListTrainingJobs",
            "*",
            lambda client: client.list_training_jobs(),
        ),
        (
            "sagemaker",
            "sagemaker:DescribeTrainingJob",
            f"{JOBS}/some-job",
            lambda client: client.describe_training_job(TrainingJobName="some-job"),
        ),
        (
            "sagemaker",
            "sagemaker:ListTags",
            f"{JOBS}/some-job",
            lambda client: client.list_tags(ResourceArn=f"{JOBS}/some-job"),
        ),
        (
            "logs",
            "logs:DescribeLogStreams",
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:log-stream:",
            lambda client: client.describe_log_streams(logGroupName=GROUP),
        ),
        (
            "cloudwatch",
            "cloudwatch:ListMetrics",
            "*",
            lambda client: client.list_metrics(),
        ),
        (
            "iam",
            "iam:CreateUser",
            f"arn:aws:iam::{ACCOUNT}:user/new",
            lambda client: client.create_user(UserName="new"),
        ),
        (
            "iam",
            "iam:ListUsers",
            f"arn:aws:iam::{ACCOUNT}:user/",
            lambda client: client.list_users(),
        ),
        (
            "iam",
            "iam:GetRole",
            "role some-role",
            lambda client: client.get_role(RoleName="some-role"),
        ),
        (
            "s3",
            "s3:PutObject",
            '"arn:aws:s3:::kiln-tests/key"',
            lambda client: client.put_object(Bucket="kiln-tests", Key="key", Body=b""),
        ),
        (
            "s3",
            "s3:ListBucket",
            '"arn:aws:s3:::kiln-tests"',
            lambda client: client.list_objects_v2(Bucket="kiln-tests"),
        ),
    ],
)
def test_what_no_policy_allows_is_denied_in_awss_words(
    server, jobs, identities, service, action, resource, call
):
    name, given = identities.user()
    # Services that speak in forms and XML have a code of their own.
    code = "AccessDenied" if service in ("iam", "s3") else "AccessDeniedException"
    who = f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: {action}"
    with refused(code, f"{who} on resource: {resource} {NOTHING_ALLOWS.format(action)}"):
        call(server.client(service, **given))
    _, barred = identities.user(allow("*"), deny(action))
    with refused(code, "with an explicit deny in an identity-based policy"):
        call(server.client(service, **barred))


def test_what_a_policy_allows_is_done(server, jobs, identities):
    _, given = identities.user(
        allow("sagemaker:ListTrainingJobs"),
        allow("logs:*"),
        allow("cloudwatch:List*"),
        allow("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"),
    )
    server.client("sagemaker", **given).list_training_jobs()
    server.client("logs", **given).describe_log_groups()
    server.client("cloudwatch", **given).list_metrics()
    server.client("iam", **given).get_user()
    with refused("AccessDenied"):
        server.client("iam", **given).get_user(UserName="another")


def test_metrics_are_put_to_the_namespaces_that_a_policy_names(server, identities):
    put, key = "cloudwatch:PutMetricData", "cloudwatch:namespace"
    _, only = identities.user(allow(put, Condition={"StringEquals": {key: "Mine"}}))
    _, but = identities.user(allow(put), deny(put, Condition={"StringLike": {key: "Their*"}}))
    data = [{"MetricName": "m", "Value": 1.0}]
    for given in (only, but):
        cloudwatch = server.client("cloudwatch", **given)
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=data)
        with refused("AccessDeniedException", f"{put} on resource: *"):
            cloudwatch.put_metric_data(Namespace="Theirs", MetricData=data)


def test_a_user_creates_the_jobs_that_it_may(server, jobs, identities):
    small = {"ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["ml.m5.large"]}}
    limited, other = (identities.role(*storage(jobs)) for _ in range(2))
    _, given = identities.user(
        allow("sagemaker:CreateTrainingJob", f"{JOBS}/mine-*", Condition=small),
        allow("iam:PassRole", limited),
        allow("sagemaker:Describe*"),
    )
    sagemaker = server.client("sagemaker", **given)
    request = jobs.request("true", fresh_name("mine"), RoleArn=limited)
    sagemaker.create_training_job(**request)
    completed(jobs.wait(request["TrainingJobName"]))
    denied = [
        ("sagemaker:CreateTrainingJob", {"TrainingJobName": fresh_name("theirs")}),
        (
            "sagemaker:CreateTrainingJob",
            {"ResourceConfig": request["ResourceConfig"] | {"InstanceType": "ml.m5.xlarge"}},
        ),
        ("iam:PassRole", {"RoleArn": other}),
        ("sagemaker:AddTags", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ]
    for action, change in denied:
        with refused(
            "AccessDeniedException", f"perform: {action} on", NOTHING_ALLOWS.format(action)
        ):
            sagemaker.create_training_job(
                **(request | {"TrainingJobName": fresh_name("mine")} | change)
            )


def test_conditions_on_tags_hold_for_jobs_that_are_there(server, jobs, identities):
    mine = {"StringEquals": {"aws:ResourceTag/team": "vision"}}
    _, given = identities.user(allow("sagemaker:DescribeTrainingJob", Condition=mine))
    sagemaker = server.client("sagemaker", **given)
    for team, may in (("vision", True), ("speech", False)):
        name = jobs.create("true", Tags=[{"Key": "team", "Value": team}])
        jobs.wait(name)
        if may:
            sagemaker.describe_training_job(TrainingJobName=name)
        else:
            with refused("AccessDeniedException"):
                sagemaker.describe_training_job(TrainingJobName=name)


def test_everyone_may_ask_who_they_are(server, identities):
    name, given = identities.user(deny("*"))
    assert server.client("sts", **given).get_caller_identity()["Arn"].endswith(name)


def test_the_address_of_a_caller_can_be_asked_for(server, identities):
    for network, may in (("127.0.0.0/8", True), ("10.0.0.0/8", False)):
        where = {"IpAddress": {"aws:SourceIp": network}}
        _, given = identities.user(allow("*", Condition=where))
        for service, call in (
            ("sagemaker", lambda client: client.list_training_jobs()),
            ("s3", lambda client: client.list_buckets()),
        ):
            client = server.client(service, **given)
            if may:
                call(client)
            else:
                with pytest.raises(client.exceptions.ClientError):
                    call(client)


def test_an_interruption_is_for_those_who_may(server, jobs, identities):
    path = "/_kiln/training-jobs/no-such-job/interrupt"
    for statements, status in (((), "AccessDeniedException"), ((allow("kiln:*"),), None)):
        _, given = identities.user(*statements)
        key, secret = given["aws_access_key_id"], given["aws_secret_access_key"]
        answer = send(signed(server, "sagemaker", "POST", path, b"", {}, key, secret))
        assert answer.status == 400
        assert (answer.code == "AccessDeniedException") == (status is not None), answer.body


# S3


def test_a_user_has_the_part_of_a_bucket_that_is_its_own(server, identities, bucket, s3):
    name, given = identities.user(
        allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/${{aws:username}}/*"),
        allow(
            "s3:ListBucket",
            f"arn:aws:s3:::{bucket}",
            Condition={"StringLike": {"s3:prefix": "${aws:username}/*"}},
        ),
    )
    mine = server.client("s3", **given)
    mine.put_object(Bucket=bucket, Key=f"{name}/a", Body=b"mine")
    assert mine.get_object(Bucket=bucket, Key=f"{name}/a")["Body"].read() == b"mine"
    listed = mine.list_objects_v2(Bucket=bucket, Prefix=f"{name}/")
    assert [one["Key"] for one in listed["Contents"]] == [f"{name}/a"]
    s3.put_object(Bucket=bucket, Key="other/a", Body=b"other")
    for call in (
        lambda: mine.get_object(Bucket=bucket, Key="other/a"),
        lambda: mine.put_object(Bucket=bucket, Key="other/b", Body=b""),
        lambda: mine.delete_object(Bucket=bucket, Key=f"{name}/a"),
        lambda: mine.list_objects_v2(Bucket=bucket),
        lambda: mine.list_buckets(),
        lambda: mine.copy_object(
            Bucket=bucket, Key=f"{name}/b", CopySource={"Bucket": bucket, "Key": "other/a"}
        ),
    ):
        with refused("AccessDenied"):
            call()
    left = mine.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "other/a"}]})
    assert [error["Code"] for error in left["Errors"]] == ["AccessDenied"]
    s3.head_object(Bucket=bucket, Key="other/a")


def test_presigned_urls_have_the_rights_of_who_signed(server, identities, bucket, s3):
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"body")
    role = identities.role(
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"), trusting=TRUST_ACCOUNT
    )
    made = server.client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    client = server.client("s3", Config(signature_version="s3v4"), **keys(made["Credentials"]))
    for key, status in (("a", 200), ("b", 403)):
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
        assert requests.get(url, timeout=120).status_code == status


# The roles of jobs


def test_a_role_must_trust_sagemaker(jobs, identities):
    role = identities.role(allow("*"), trusting=TRUST_ACCOUNT)
    with refused("ValidationException", f"Could not assume role {role}"):
        jobs.create("true", RoleArn=role)


def test_a_role_has_one_spelling(server, jobs, identities):
    role = identities.role(allow("s3:*"), name="Spelled")
    _, given = identities.user(allow(["sagemaker:*", "iam:PassRole"]), deny("iam:PassRole", role))
    sagemaker = server.client("sagemaker", **given)
    for spelling in (role, role.replace("Spelled", "SPELLED"), role.replace("role/", "role/x/")):
        with pytest.raises(sagemaker.exceptions.ClientError):
            sagemaker.create_training_job(**jobs.request("true", RoleArn=spelling))


def storage(jobs, *prefixes: str) -> list[dict]:
    """What a role needs for a job that reads under prefixes and stores its outputs."""
    bucket = f"arn:aws:s3:::{jobs.bucket}"
    return [
        allow("s3:ListBucket", bucket),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], f"{bucket}/out/*"),
        *(allow("s3:GetObject", f"{bucket}/{prefix}*") for prefix in prefixes),
    ]


def test_a_job_runs_with_a_role_that_allows_what_it_needs(jobs, identities):
    stem = fresh_name("allowed")
    uri = jobs.put(f"{stem}/in/a.txt", "hello")
    role = identities.role(*storage(jobs, f"{stem}/in/"))
    job = jobs.run(
        "cat /opt/ml/input/data/in/a.txt && echo done > /opt/ml/model/m",
        RoleArn=role,
        InputDataConfig=[s3_channel("in", uri.rsplit("/", 1)[0])],
    )
    completed(job)
    assert jobs.model(job) == {"m": b"done\n"}


def test_a_job_fails_whose_role_may_not_read_its_input(jobs, identities):
    stem = fresh_name("unreadable")
    # Larger than what would be copied through the server anyway.
    uri = jobs.put(f"{stem}/in/a.txt", b"x" * (9 << 20))
    bucket = f"arn:aws:s3:::{jobs.bucket}"
    for statements, action in (
        (storage(jobs), "s3:GetObject"),
        ([allow("s3:GetObject", f"{bucket}/*")], "s3:ListBucket"),
        ([*storage(jobs, ""), deny("s3:GetObject", f"{bucket}/{stem}/*")], "s3:GetObject"),
    ):
        name = fresh_name()
        job = jobs.run(
            "true",
            name,
            RoleArn=identities.role(*statements),
            InputDataConfig=[s3_channel("in", uri.rsplit("/", 1)[0])],
        )
        assert job["TrainingJobStatus"] == "Failed"
        reason = job["FailureReason"]
        assert reason.startswith("ClientError: "), reason
        assert f"is not authorized to perform: {action} on resource" in reason, reason


def test_a_job_fails_whose_role_may_not_store_its_model(jobs, identities):
    role = identities.role(allow("s3:ListBucket"))
    job = jobs.run("echo model > /opt/ml/model/m", RoleArn=role)
    assert job["TrainingJobStatus"] == "Failed"
    assert "s3:PutObject" in job["FailureReason"], job["FailureReason"]


def test_the_work_has_the_rights_of_a_role_that_was_created(server, jobs, identities, bucket, s3):
    s3.put_object(Bucket=bucket, Key="shared/a", Body=b"shared")
    s3.put_object(Bucket=bucket, Key="secret/a", Body=b"secret")
    role = identities.role(
        *storage(jobs),
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/shared/*"),
        allow("sagemaker:ListTrainingJobs"),
    )
    with own_keys(jobs, RoleArn=role) as (name, given):
        own = server.client("s3", **given)
        assert own.get_object(Bucket=bucket, Key="shared/a")["Body"].read() == b"shared"
        with refused("AccessDenied", f"assumed-role/{role.rsplit('/', 1)[1]}/{name}"):
            own.get_object(Bucket=bucket, Key="secret/a")
        server.client("sagemaker", **given).list_training_jobs()
        with refused("AccessDeniedException"):
            server.client("sagemaker", **given).describe_training_job(TrainingJobName=name)
        caller = server.client("sts", **given).get_caller_identity()
        assert caller["Arn"].endswith(f":assumed-role/{role.rsplit('/', 1)[1]}/{name}")
        # What its role is given meanwhile counts at once.
        identities.iam.put_role_policy(
            RoleName=role.rsplit("/", 1)[1],
            PolicyName="more",
            PolicyDocument=document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/secret/*")),
        )
        own.get_object(Bucket=bucket, Key="secret/a")


def test_with_a_role_that_nobody_created_a_job_has_its_own_places_only(server, jobs, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a", Body=b"other")
    with own_keys(jobs) as (name, given):
        own = server.client("s3", **given)
        own.put_object(Bucket=jobs.bucket, Key=f"out/{name}/mine", Body=b"mine")
        with refused("AccessDenied"):
            own.get_object(Bucket=bucket, Key="a")
        with refused("AccessDeniedException"):
            server.client("sagemaker", **given).list_training_jobs()
