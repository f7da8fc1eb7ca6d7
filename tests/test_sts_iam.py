"""STS and IAM as clients know them: callers, users, keys, roles, policies, sessions."""

import json

import pytest

from harness.identities import (
    ACCOUNT,
    TRUST_ACCOUNT,
    TRUST_SAGEMAKER,
    Identities,
    allow,
    deny,
    document,
    keys,
    refused,
    trust,
)
from harness.jobs import ROLE

READ_ALL = allow("s3:Get*")


def test_the_caller_is_the_account_of_the_server(server):
    caller = server.client("sts").get_caller_identity()
    assert caller["Account"] == ACCOUNT
    assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert caller["UserId"]


def test_the_command_line_agrees(server):
    printed = server.aws("sts", "get-caller-identity", "--query", "Account", "--output", "text")
    assert printed.stdout.strip() == ACCOUNT


def test_a_role_that_nobody_created_can_be_looked_up(server):
    role = server.client("iam").get_role(RoleName="KilnExecutionRole")["Role"]
    assert role["Arn"] == ROLE
    assert role["RoleName"] == "KilnExecutionRole"
    statement = role["AssumeRolePolicyDocument"]["Statement"]
    assert "sagemaker.amazonaws.com" in str(statement)


def test_a_role_that_cannot_be_is_no_such_entity(server):
    with refused("NoSuchEntity"):
        server.client("iam").get_role(RoleName="no/such/role")


@pytest.mark.parametrize(
    "service, call",
    [
        ("sts", lambda client: client.get_access_key_info(AccessKeyId="A" * 20)),
        ("iam", lambda client: client.list_groups()),
    ],
)
def test_an_operation_that_is_not_served_is_an_error_by_name(server, service, call):
    with refused("InvalidAction"):
        call(server.client(service))


# Users and their keys


def test_a_user_lives_from_its_creation_to_its_end(server, identities):
    iam = identities.iam
    made = iam.create_user(UserName="Anna", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    assert made["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/Anna"
    assert iam.get_user(UserName="anna")["User"] == made["User"]
    with refused("EntityAlreadyExists"):
        iam.create_user(UserName="ANNA")
    listed = [user["UserName"] for user in iam.list_users(PathPrefix="/team/")["Users"]]
    assert listed == ["Anna"]
    key = iam.create_access_key(UserName="Anna")["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA")
    sts = server.client("sts", **keys(key))
    assert sts.get_caller_identity()["Arn"] == made["User"]["Arn"]
    with refused("DeleteConflict"):
        iam.delete_user(UserName="Anna")
    iam.delete_access_key(UserName="Anna", AccessKeyId=key["AccessKeyId"])
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()
    iam.delete_user(UserName="Anna")
    with refused("NoSuchEntity", "The user with name Anna cannot be found."):
        iam.get_user(UserName="Anna")


def test_keys_are_turned_off_and_on_and_are_two_at_most(server, identities):
    iam = identities.iam
    name, first = identities.user()
    iam.create_access_key(UserName=name)
    with refused("LimitExceeded"):
        iam.create_access_key(UserName=name)
    key = first["aws_access_key_id"]
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    statuses = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert sorted(one["Status"] for one in statuses) == ["Active", "Inactive"]
    with refused("InvalidClientTokenId"):
        server.client("sts", **first).get_caller_identity()
    with refused("InvalidAccessKeyId"):
        server.client("s3", **first).list_buckets()
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Active")
    assert server.client("sts", **first).get_caller_identity()["Arn"].endswith(name)
    with refused("NoSuchEntity"):
        iam.delete_access_key(UserName=name, AccessKeyId="A" * 20)


def test_what_was_made_outlives_a_crash(own_server):
    identities = Identities(own_server)
    _, given = identities.user(allow("sagemaker:List*"))
    role = identities.role(trusting=TRUST_ACCOUNT)
    session = own_server.client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    own_server.crash_and_restart()
    own_server.client("sagemaker", **given).list_training_jobs()
    caller = own_server.client("sts", **keys(session["Credentials"])).get_caller_identity()
    assert caller["Arn"] == session["AssumedRoleUser"]["Arn"]
    files = list(own_server.data_dir.glob("principals.db*"))
    assert files and all(path.stat().st_mode & 0o077 == 0 for path in files)


# Policies


def test_inline_policies_are_kept_as_they_were_written(identities):
    iam = identities.iam
    name, _ = identities.user()
    text = document(READ_ALL)
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=text)
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["one"]
    found = iam.get_user_policy(UserName=name, PolicyName="one")
    assert found["PolicyDocument"] == json.loads(text)
    with refused("NoSuchEntity", "The user policy with name two cannot be found."):
        iam.get_user_policy(UserName=name, PolicyName="two")
    iam.delete_user_policy(UserName=name, PolicyName="one")
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


@pytest.mark.parametrize(
    "text, place",
    [
        ("{", "line 1"),
        (document({"Effect": "Allow", "Action": "s3:*"}), "Statement[0]"),
        (document(READ_ALL, allow("Get")), "Statement[1].Action"),
        (
            document(allow("s3:*", Condition={"StringIs": {"a:b": "c"}})),
            "Statement[0].Condition.StringIs",
        ),
    ],
)
def test_a_malformed_policy_is_refused_with_its_place(identities, text, place):
    name, _ = identities.user()
    with refused("MalformedPolicyDocument", place):
        identities.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=text)


def test_a_role_lives_from_its_creation_to_its_end(identities):
    iam = identities.iam
    made = iam.create_role(
        RoleName="Trainer",
        AssumeRolePolicyDocument=trust(TRUST_SAGEMAKER),
        Description="trains",
        MaxSessionDuration=7200,
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/Trainer"
    found = iam.get_role(RoleName="Trainer")["Role"]
    assert found == made
    assert (found["Description"], found["MaxSessionDuration"]) == ("trains", 7200)
    assert "Trainer" in [role["RoleName"] for role in iam.list_roles()["Roles"]]
    changed = trust(TRUST_ACCOUNT)
    iam.update_assume_role_policy(RoleName="Trainer", PolicyDocument=changed)
    found = iam.get_role(RoleName="Trainer")["Role"]
    assert found["AssumeRolePolicyDocument"] == json.loads(changed)
    with refused("MalformedPolicyDocument"):
        iam.update_assume_role_policy(RoleName="Trainer", PolicyDocument=document(READ_ALL))
    iam.tag_role(RoleName="Trainer", Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_role_tags(RoleName="Trainer")["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.put_role_policy(RoleName="Trainer", PolicyName="p", PolicyDocument=document(READ_ALL))
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="Trainer")
    iam.delete_role_policy(RoleName="Trainer", PolicyName="p")
    iam.delete_role(RoleName="Trainer")
    with refused("NoSuchEntity"):
        iam.delete_role(RoleName="Trainer")


def test_managed_policies_are_attached_and_those_not_known_are_refused(identities):
    iam = identities.iam
    name, _ = identities.user()
    made = iam.create_policy(PolicyName="Reading", PolicyDocument=document(READ_ALL))["Policy"]
    iam.attach_user_policy(UserName=name, PolicyArn=made["Arn"])
    known = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    iam.attach_user_policy(UserName=name, PolicyArn=known)
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["Reading", "AmazonSageMakerFullAccess"]
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"]["AttachmentCount"] == 1
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document(READ_ALL))
    with refused("NoSuchEntity", "PowerUserAccess"):
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=made["Arn"])
    iam.detach_user_policy(UserName=name, PolicyArn=made["Arn"])
    iam.delete_policy(PolicyArn=made["Arn"])
    assert "Reading" not in [one["PolicyName"] for one in iam.list_policies()["Policies"]]


# Simulation


def test_nothing_is_denied_to_a_role_that_nobody_created(server):
    simulation = server.client("iam").get_paginator("simulate_principal_policy")
    actions = ["s3:PutObject", "ecr:GetAuthorizationToken", "logs:<any>"]
    resources = ["arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"]
    pages = list(
        simulation.paginate(
            PolicySourceArn=ROLE,
            ActionNames=actions,
            ResourceArns=resources,
            PaginationConfig={"PageSize": 4},
        )
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    assert [len(page["EvaluationResults"]) for page in pages] == [4, 2]
    assert {result["EvalDecision"] for result in results} == {"allowed"}
    pairs = [(result["EvalActionName"], result["EvalResourceName"]) for result in results]
    assert pairs == [(action, resource) for action in actions for resource in resources]


def test_a_simulation_says_what_the_evaluator_decides(identities):
    name, _ = identities.user(
        READ_ALL,
        deny("s3:GetObject", "arn:aws:s3:::secret/*"),
        allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "mine/*"}}),
    )

    def decisions(action: str, resource: str, **more) -> dict:
        return identities.iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/{name}",
            ActionNames=[action],
            ResourceArns=[resource],
            **more,
        )["EvaluationResults"][0]

    assert decisions("s3:GetObject", "arn:aws:s3:::data/a")["EvalDecision"] == "allowed"
    assert decisions("s3:GetObject", "arn:aws:s3:::secret/a")["EvalDecision"] == "explicitDeny"
    assert decisions("s3:PutObject", "arn:aws:s3:::data/a")["EvalDecision"] == "implicitDeny"
    listing = decisions("s3:ListBucket", "arn:aws:s3:::data")
    assert listing["EvalDecision"] == "implicitDeny"
    assert listing["MissingContextValues"] == ["s3:prefix"]
    entry = {
        "ContextKeyName": "s3:prefix",
        "ContextKeyValues": ["mine/a"],
        "ContextKeyType": "string",
    }
    listing = decisions("s3:ListBucket", "arn:aws:s3:::data", ContextEntries=[entry])
    assert listing["EvalDecision"] == "allowed"
    assert listing["MatchedStatements"][0]["SourcePolicyId"] == f"user_{name}_p"


def test_documents_are_simulated_by_themselves(identities):
    results = identities.iam.simulate_custom_policy(
        PolicyInputList=[document(READ_ALL), document(deny("s3:GetBucket*"))],
        ActionNames=["s3:GetObject", "s3:GetBucketLocation", "iam:GetUser"],
    )["EvaluationResults"]
    decided = [result["EvalDecision"] for result in results]
    assert decided == ["allowed", "explicitDeny", "implicitDeny"]


def test_only_users_and_roles_can_be_asked_about(server):
    with refused("InvalidInput"):
        server.client("iam").simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:root", ActionNames=["s3:PutObject"]
        )


# Sessions


def test_a_role_is_assumed_by_whom_it_trusts(server, identities):
    assume = "sts:AssumeRole"
    name, trusted = identities.user()
    _, allowed = identities.user(allow(assume))
    _, stranger = identities.user(allow("s3:*"))
    _, barred = identities.user(allow("*"), deny(assume))
    by_name = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}}
    roles = {
        "name": identities.role(trusting=by_name),
        "account": identities.role(trusting=TRUST_ACCOUNT),
        "sagemaker": identities.role(),
    }
    unallowed = f"because no identity-based policy allows the {assume} action"
    untrusted = f"because no role trust policy allows the {assume} action"
    # Whose keys, which role, and why not.
    cases = [
        (trusted, "name", None),
        (trusted, "account", unallowed),
        (allowed, "name", untrusted),
        (allowed, "account", None),
        (allowed, "sagemaker", untrusted),
        (stranger, "account", unallowed),
        (barred, "account", "with an explicit deny in an identity-based policy"),
        ({}, "account", None),
        ({}, "sagemaker", untrusted),
    ]
    for given, role, reason in cases:
        sts = server.client("sts", **given)
        if reason is None:
            made = sts.assume_role(RoleArn=roles[role], RoleSessionName="me")
            assert made["Credentials"]["AccessKeyId"].startswith("ASIA")
        else:
            words = f"is not authorized to perform: {assume} on resource: {roles[role]} {reason}"
            with refused("AccessDenied", words):
                sts.assume_role(RoleArn=roles[role], RoleSessionName="me")
    with refused("AccessDenied", untrusted):
        server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me")


def test_a_session_has_the_role_s_rights_narrowed_by_its_own(server, identities, bucket, s3):
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    objects = f"arn:aws:s3:::{bucket}"
    role = identities.role(allow("s3:GetObject", f"{objects}/*"), trusting=TRUST_ACCOUNT)
    sts = server.client("sts")
    whole = sts.assume_role(RoleArn=role, RoleSessionName="whole", DurationSeconds=900)
    narrow = sts.assume_role(
        RoleArn=role,
        RoleSessionName="narrow",
        Policy=document(allow("s3:*", [f"{objects}/a"])),
    )
    caller = server.client("sts", **keys(narrow["Credentials"])).get_caller_identity()
    assert (
        caller["Arn"]
        == role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/narrow"
    )
    assert caller["UserId"].endswith(":narrow")
    everything = server.client("s3", **keys(whole["Credentials"]))
    little = server.client("s3", **keys(narrow["Credentials"]))
    everything.get_object(Bucket=bucket, Key="b")
    little.get_object(Bucket=bucket, Key="a")
    with refused("AccessDenied", "because no session policy allows the s3:GetObject action"):
        little.get_object(Bucket=bucket, Key="b")
    with refused("AccessDenied"):
        little.put_object(Bucket=bucket, Key="a", Body=b"y")
    stolen = keys(whole["Credentials"]) | {"aws_session_token": "other"}
    with refused("InvalidClientTokenId"):
        server.client("sts", **stolen).get_caller_identity()
    with refused("InvalidToken"):
        server.client("s3", **stolen).get_object(Bucket=bucket, Key="a")


def test_sessions_of_impossible_lengths_are_refused(server, identities):
    role = identities.role(trusting=TRUST_ACCOUNT)
    with refused("ValidationError", "900 and 3600"):
        server.client("sts").assume_role(RoleArn=role, RoleSessionName="me", DurationSeconds=43200)


def test_a_user_has_a_session_of_its_own(server, identities):
    name, given = identities.user(allow("sagemaker:List*"))
    made = server.client("sts", **given).get_session_token()["Credentials"]
    sts = server.client("sts", **keys(made))
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{name}")
    server.client("sagemaker", **keys(made)).list_training_jobs()
    with refused("AccessDenied"):
        sts.get_session_token()


def test_a_session_ends_with_its_role(server, identities):
    role = identities.role(trusting=TRUST_ACCOUNT, name="Passing")
    made = server.client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    identities.iam.delete_role(RoleName="Passing")
    identities.role(trusting=TRUST_ACCOUNT, name="Passing")
    with refused("InvalidClientTokenId"):
        server.client("sts", **keys(made["Credentials"])).get_caller_identity()


def test_the_command_line_manages_users_and_roles(server, tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(document(READ_ALL))
    server.aws("iam", "create-user", "--user-name", "by-hand")
    server.aws(
        "iam",
        "put-user-policy",
        *("--user-name", "by-hand", "--policy-name", "p"),
        *("--policy-document", f"file://{policy}"),
    )
    shown = server.aws("iam", "get-user-policy", "--user-name", "by-hand", "--policy-name", "p")
    assert json.loads(shown.stdout)["PolicyDocument"] == json.loads(policy.read_text())
    role = tmp_path / "trust.json"
    role.write_text(trust(TRUST_SAGEMAKER))
    server.aws(
        "iam",
        "create-role",
        *("--role-name", "by-hand", "--assume-role-policy-document", f"file://{role}"),
    )
    listed = server.aws("iam", "list-roles", "--query", "Roles[].RoleName", "--output", "text")
    assert "by-hand" in listed.stdout.split()
    denied = server.aws("iam", "delete-user", "--user-name", "by-hand", check=False)
    assert "(DeleteConflict)" in denied.stderr
