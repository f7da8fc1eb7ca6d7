"""The little of STS and IAM that clients and SDKs ask for."""

import pytest
from botocore.exceptions import ClientError

from harness.jobs import ROLE


def test_the_caller_is_the_account_of_the_server(server):
    caller = server.client("sts").get_caller_identity()
    assert caller["Account"] == "123456789012"
    assert caller["Arn"] == "arn:aws:iam::123456789012:root"
    assert caller["UserId"]


def test_the_command_line_agrees(server):
    printed = server.aws("sts", "get-caller-identity", "--query", "Account", "--output", "text")
    assert printed.stdout.strip() == "123456789012"


def test_the_execution_role_can_be_looked_up_and_assumed(server):
    role = server.client("iam").get_role(RoleName="KilnExecutionRole")["Role"]
    assert role["Arn"] == ROLE
    assert role["RoleName"] == "KilnExecutionRole"
    statement = role["AssumeRolePolicyDocument"]["Statement"]
    assert "sagemaker.amazonaws.com" in str(statement)


def test_a_role_that_does_not_exist_is_no_such_entity(server):
    with pytest.raises(ClientError) as missing:
        server.client("iam").get_role(RoleName="no/such/role")
    assert missing.value.response["Error"]["Code"] == "NoSuchEntity"


@pytest.mark.parametrize(
    "service, call",
    [
        ("sts", lambda client: client.get_session_token()),
        ("iam", lambda client: client.list_users()),
    ],
)
def test_an_operation_that_is_not_served_is_an_error_by_name(server, service, call):
    with pytest.raises(ClientError) as refused:
        call(server.client(service))
    assert refused.value.response["Error"]["Code"] == "InvalidAction"


def test_nothing_is_denied_to_a_role_that_is_asked_about(server):
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


def test_only_a_role_can_be_asked_about(server):
    with pytest.raises(ClientError) as refused:
        server.client("iam").simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:root", ActionNames=["s3:PutObject"]
        )
    assert refused.value.response["Error"]["Code"] == "InvalidInput"
