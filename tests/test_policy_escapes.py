"""Ways around a policy: other spellings, other members, other keys. None leads anywhere."""

import json
from urllib.parse import urlencode

import pytest
import requests
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.identities import (
    ACCOUNT,
    TRUST_ACCOUNT,
    TRUST_SAGEMAKER,
    allow,
    deny,
    document,
    keys,
    own_keys,
    refused,
    trust,
)
from harness.jobs import completed
from harness.wire import JSON_TYPE, send, signed

SOME = allow("s3:GetObject")


# The roles of jobs


def test_only_the_owner_has_use_for_a_role_that_nobody_created(server, jobs, identities):
    _, given = identities.user(allow(["sagemaker:*", "iam:PassRole"]))
    sagemaker = server.client("sagemaker", **given)
    for account in (ACCOUNT, "999999999999"):
        role = f"arn:aws:iam::{account}:role/AmazonSageMaker-nobody-created-it"
        with refused("ValidationException", f"Could not assume role {role}"):
            sagemaker.create_training_job(**jobs.request("true", RoleArn=role))


def test_a_role_may_trust_sagemaker_for_one_account_only(jobs, identities):
    def role(account: str) -> str:
        condition = {"StringEquals": {"aws:SourceAccount": account}}
        return identities.role(allow("s3:*"), trusting=TRUST_SAGEMAKER | {"Condition": condition})

    completed(jobs.run("true", RoleArn=role(ACCOUNT)))
    with refused("ValidationException", "Could not assume role"):
        jobs.create("true", RoleArn=role("999999999999"))


def test_the_keys_of_a_job_end_with_its_role(server, jobs, identities, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    role = identities.role(allow("s3:*"), name="Transient")
    with own_keys(jobs, RoleArn=role) as (_, given):
        own = server.client("s3", **given)
        own.get_object(Bucket=bucket, Key="a")
        identities.iam.delete_role_policy(RoleName="Transient", PolicyName="p")
        identities.iam.delete_role(RoleName="Transient")
        # Nor are they those of a job with a role that nobody created, or of the next role.
        for again in (False, True):
            if again:
                identities.role(allow("*"), name="Transient")
            with refused("AccessDenied"):
                own.get_object(Bucket=bucket, Key="a")
            with refused("ExpiredToken"):
                server.client("sts", **given).get_caller_identity()


def test_a_role_that_comes_later_gives_a_job_nothing(server, jobs, identities, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    with own_keys(jobs, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Later") as (name, given):
        identities.role(allow("*"), name="Later")
        own = server.client("s3", **given)
        own.put_object(Bucket=jobs.bucket, Key=f"out/{name}/mine", Body=b"mine")
        with refused("AccessDenied"):
            own.get_object(Bucket=bucket, Key="a")


# Other members and other spellings


def test_every_member_that_names_a_log_group_is_judged(server, jobs, identities):
    logs = server.client("logs")
    for name in ("escape-open", "escape-secret"):
        logs.create_log_group(logGroupName=name)
    start = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:escape"
    _, given = identities.user(allow("logs:*", f"{start}-open:*"))
    key, secret = given["aws_access_key_id"], given["aws_secret_access_key"]

    def answer(operation: str, **more):
        headers = {
            "X-Amz-Target": f"Logs_20140328.{operation}",
            "Content-Type": JSON_TYPE,
        }
        body = json.dumps(more).encode()
        return send(signed(server, "logs", "POST", "/", body, headers, key, secret))

    tags = {"a": "b"}
    assert answer("TagResource", resourceArn=f"{start}-open", tags=tags).status == 200
    for names in (
        {"resourceArn": f"{start}-open", "logGroupName": "escape-secret"},
        {"resourceArn": f"{start}-secret", "logGroupName": "escape-open"},
        {"resourceArn": f"{start}-secret"},
    ):
        for operation in ("TagResource", "TagLogGroup"):
            found = answer(operation, **names, tags=tags)
            assert found.code == "AccessDeniedException", found.body
    assert logs.list_tags_log_group(logGroupName="escape-secret")["tags"] == {}


def test_a_policy_of_awss_own_has_one_name(identities):
    name, _ = identities.user()
    for spelling in ("arn:aws-cn", "arn:aws:x", "arn:awsx"):
        arn = f"{spelling}:iam::aws:policy/AdministratorAccess"
        with refused("NoSuchEntity"):
            identities.iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert identities.iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == []


def test_who_may_ask_about_one_user_may_not_ask_about_another(server, identities):
    users = f"arn:aws:iam::{ACCOUNT}:user"
    name, _ = identities.user()
    _, given = identities.user(allow("iam:SimulatePrincipalPolicy", f"{users}/open/*"))
    iam = server.client("iam", **given)
    asked = {"ActionNames": ["s3:GetObject"]}
    with refused("AccessDenied"):
        iam.simulate_principal_policy(PolicySourceArn=f"{users}/{name}", **asked)
    with refused("NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=f"{users}/open/{name}", **asked)


def test_tags_that_come_with_an_object_are_judged(server, identities, bucket):
    objects = f"arn:aws:s3:::{bucket}/*"
    _, given = identities.user(allow("s3:PutObject", objects))
    _, both = identities.user(allow(["s3:PutObject", "s3:PutObjectTagging"], objects))
    tagged = {"Bucket": bucket, "Key": "a", "Body": b"", "Tagging": "a=b"}
    with refused("AccessDenied", "s3:PutObjectTagging"):
        server.client("s3", **given).put_object(**tagged)
    server.client("s3", **both).put_object(**tagged)


# Sessions


def test_a_session_does_not_prolong_itself(server, identities):
    _, given = identities.user(allow("*"))
    made = server.client("sts", **given).get_session_token()["Credentials"]
    query = urlencode({"Action": "GetSessionToken", "Version": "2011-06-15"})
    request = AWSRequest("GET", f"{server.endpoint}/?{query}")
    own = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    SigV4QueryAuth(own, "sts", "us-east-1", expires=60).add_auth(request)
    answer = requests.get(request.url, timeout=120)
    assert answer.status_code == 403, answer.text
    assert "Cannot call GetSessionToken with session credentials" in answer.text
    with refused("InvalidClientTokenId"):
        server.client("iam", **keys(made)).create_access_key()


def test_a_narrowed_session_is_narrow_for_who_trusts_its_role_too(server, identities):
    role = identities.role(trusting=TRUST_ACCOUNT)
    other = identities.role(trusting={"Principal": {"AWS": role}})
    sts = server.client("sts")
    for policy, may in ((SOME, False), (allow("sts:AssumeRole"), True)):
        made = sts.assume_role(RoleArn=role, RoleSessionName="me", Policy=document(policy))
        narrowed = server.client("sts", **keys(made["Credentials"]))
        if may:
            narrowed.assume_role(RoleArn=other, RoleSessionName="me")
        else:
            with refused("AccessDenied", "because no session policy allows"):
                narrowed.assume_role(RoleArn=other, RoleSessionName="me")


# Documents and names


@pytest.mark.parametrize(
    "twice",
    ['"Effect": "Deny", "Effect": "Allow"', '"Condition": {"Null": {}, "Null": {}}'],
)
def test_a_document_says_each_thing_once(identities, twice):
    name, _ = identities.user()
    statement = f'{{{twice}, "Action": "*", "Resource": "*"}}'
    text = f'{{"Version": "2012-10-17", "Statement": {statement}}}'
    with refused("MalformedPolicyDocument", "a name is given twice"):
        identities.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=text)


def test_a_trust_policy_allows_nobody_by_exception(identities):
    excepted = {"NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody"}}
    with refused("MalformedPolicyDocument", "NotPrincipal"):
        identities.role(trusting=excepted)


def test_policies_are_no_longer_than_iam_lets_them_be(server, identities):
    iam = identities.iam

    def policy(length: int) -> str:
        return document(allow("s3:GetObject", f"arn:aws:s3:::{'a' * length}"))

    name, _ = identities.user()
    role = identities.role(trusting=TRUST_ACCOUNT)
    owner = {"RoleName": role.rsplit("/", 1)[1]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(1800))
    with refused("LimitExceeded", f"Maximum policy size of 2048 bytes exceeded for user {name}"):
        iam.put_user_policy(UserName=name, PolicyName="q", PolicyDocument=policy(500))
    iam.put_role_policy(**owner, PolicyName="p", PolicyDocument=policy(10_000))
    with refused("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role"):
        iam.put_role_policy(**owner, PolicyName="q", PolicyDocument=policy(500))
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144"):
        iam.create_policy(PolicyName="long", PolicyDocument=policy(6144))
    somebody = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{'a' * 2048}"}}
    with refused("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"):
        iam.update_assume_role_policy(**owner, PolicyDocument=trust(somebody))
    with refused("ValidationError", "2048"):
        server.client("sts").assume_role(RoleArn=role, RoleSessionName="me", Policy=policy(2048))


def test_names_and_descriptions_say_nothing_of_their_own_in_answers(server, identities):
    iam = identities.iam
    path = "/</Arn><Arn>x&y/"
    iam.create_user(UserName="odd-path", Path=path)
    key = iam.create_access_key(UserName="odd-path")["AccessKey"]
    caller = server.client("sts", **keys(key)).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:user{path}odd-path"
    # XML cannot hold it, and nobody could list roles any more.
    with refused("ValidationError", "description"):
        iam.create_role(
            RoleName="odd-description",
            AssumeRolePolicyDocument=trust(TRUST_SAGEMAKER),
            Description="a\x01b",
        )
    iam.list_roles()


def test_a_simulation_of_everything_is_answered_page_by_page(identities):
    # More decisions than there is memory for.
    page = identities.iam.simulate_custom_policy(
        PolicyInputList=[document(SOME, deny("s3:*", "arn:aws:s3:::a/0"))],
        ActionNames=[f"s3:Get{number}" for number in range(20_000)],
        ResourceArns=[f"arn:aws:s3:::a/{number}" for number in range(20_000)],
        MaxItems=3,
        Marker="1",
    )
    names = [result["EvalResourceName"] for result in page["EvaluationResults"]]
    assert names == [f"arn:aws:s3:::a/{number}" for number in (1, 2, 3)]
    assert (page["IsTruncated"], page["Marker"]) == (True, "4")
