"""Users and roles of a server, and clients that act as them."""

import itertools
import json
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from harness.jobs import LINGER
from harness.server import Server

ACCOUNT = "123456789012"
TRUST_SAGEMAKER = {"Principal": {"Service": "sagemaker.amazonaws.com"}}
TRUST_ACCOUNT = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}

_numbers = itertools.count(1)


def allow(actions, resources="*", **more) -> dict:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions, resources="*", **more) -> dict:
    """A statement that denies."""
    return {"Effect": "Deny", "Action": actions, "Resource": resources, **more}


def document(*statements: dict) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*principals: dict) -> str:
    """A trust policy."""
    statements = [{"Effect": "Allow", "Action": "sts:AssumeRole", **one} for one in principals]
    return document(*statements)


def keys(made: dict) -> dict:
    """What a client is given of an access key, or of credentials."""
    given = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }
    if "SessionToken" in made:
        given["aws_session_token"] = made["SessionToken"]
    return given


class Identities:
    """Makes users and roles on one server."""

    def __init__(self, server: Server):
        self.server = server
        self.iam = server.client("iam")

    def user(self, *statements: dict, name: str | None = None) -> tuple[str, dict]:
        """A user with a policy: its name, and what its clients are given."""
        name = name or f"user-{next(_numbers)}"
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(
                UserName=name, PolicyName="p", PolicyDocument=document(*statements)
            )
        return name, keys(self.iam.create_access_key(UserName=name)["AccessKey"])

    def role(self, *statements: dict, trusting=TRUST_SAGEMAKER, name: str | None = None) -> str:
        """A role with a policy: its ARN."""
        name = name or f"role-{next(_numbers)}"
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(trusting))
        if statements:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="p", PolicyDocument=document(*statements)
            )
        return made["Role"]["Arn"]


@contextmanager
def refused(code: str, *words: str):
    """Expects an error with this code, and with these words in its message."""
    with pytest.raises(ClientError) as error:
        yield error
    found = error.value.response["Error"]
    assert found["Code"] == code, found
    for part in words:
        assert part in found["Message"], found


@contextmanager
def own_keys(jobs, **more):
    """A job that lingers: its name, and what clients with its own keys are given."""
    name = jobs.create(
        f"echo keys=$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY,$AWS_SESSION_TOKEN; {LINGER}", **more
    )
    jobs.wait_for_line(name, "keys=", within=60)
    line = next(line for line in jobs.lines(name) if line.startswith("keys="))
    key, secret, token = line.removeprefix("keys=").split(",")
    given = {
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_session_token": token,
    }
    try:
        yield name, given
    finally:
        jobs.sagemaker.stop_training_job(TrainingJobName=name)
        jobs.wait(name)
