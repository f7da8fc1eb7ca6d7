"""`kiln sagemaker` takes addresses and keys from where `aws sagemaker` does."""

import json
import shlex
import sys

import pytest

from harness.identities import TRUST_ACCOUNT, Identities, allow
from harness.native_cli import (
    CONFIGURATION,
    DESCRIBE,
    GENERAL,
    LIST,
    SERVICE,
)
from harness.stub import Answer, Stub


CONFIGURED = {
    "no region": ({"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, CONFIGURATION),
    "no keys": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        CONFIGURATION,
    ),
    "no key": ({"AWS_ACCESS_KEY_ID": None}, CONFIGURATION),
    "no secret": ({"AWS_SECRET_ACCESS_KEY": None}, GENERAL),
    "wrong key": ({"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, SERVICE),
    "wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, SERVICE),
    "unknown profile": ({"AWS_PROFILE": "none"}, GENERAL),
    "text": ({"AWS_DEFAULT_OUTPUT": "text"}, 0),
    "no word for tries": ({"AWS_RETRY_MODE": "frob"}, GENERAL),
    "no tries": ({"AWS_MAX_ATTEMPTS": "0"}, GENERAL),
    "no number of tries": ({"AWS_MAX_ATTEMPTS": "x"}, GENERAL),
    "no address": ({"AWS_ENDPOINT_URL": "frob", "AWS_MAX_ATTEMPTS": "1"}, GENERAL),
    "nobody there": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
        GENERAL,
    ),
    "the service's address": (
        {"AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
        GENERAL,
    ),
}


@pytest.mark.parametrize("case", CONFIGURED)
def test_the_environment_configures_both(both, case):
    changes, status = CONFIGURED[case]
    both.agree(*LIST, status=status, **changes)


def test_files_configure_both(both, server, tmp_path):
    key, secret = server.credentials()
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        "[default]\nregion = us-east-1\noutput = table\n"
        f"[profile work]\nregion = us-east-1\noutput = text\nservices = here\n"
        f"[services here]\nsagemaker =\n  endpoint_url = {server.endpoint}\n"
        "[profile iso]\nregion = us-east-1\nsource = x\ncli_timestamp_format = iso8601\n"
        f"endpoint_url = {server.endpoint}\n"
        f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        "[profile half]\nregion = us-east-1\naws_access_key_id = x\n"
    )
    credentials.write_text(f"[work]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    files = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_REGION": None,
        "AWS_DEFAULT_REGION": None,
    }
    alone = {**files, "AWS_ENDPOINT_URL": None}
    without_keys = {**alone, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    both.agree(*LIST, **files)
    both.agree(*LIST, "--profile", "work", **alone)
    both.agree(*LIST, **{**without_keys, "AWS_PROFILE": "work"})
    both.agree(*DESCRIBE, "--profile", "iso", **without_keys)
    both.agree(*LIST, "--profile", "half", status=GENERAL, **alone)
    # What a script passes whose variable is not set.
    both.agree(*LIST, "--profile", "", **files)
    both.agree(*LIST, "--profile", "", **{**without_keys, "AWS_PROFILE": "work"})


NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
NOBODY = "arn:aws:iam::123456789012:role/nobody"


@pytest.fixture(scope="module")
def profiles(server, tmp_path_factory):
    """A file of profiles whose keys are those of roles, and the variable that names it."""
    identities = Identities(server)
    rights = allow(["sagemaker:*", "sts:AssumeRole"])
    role = identities.role(rights, trusting=TRUST_ACCOUNT)
    narrow = identities.role(allow("sagemaker:Describe*"), trusting=TRUST_ACCOUNT)
    key, secret = server.credentials()
    settings = {
        "base": {"aws_access_key_id": key, "aws_secret_access_key": secret},
        "worker": {
            "role_arn": role,
            "source_profile": "base",
            "role_session_name": "worker",
        },
        "chain": {
            "role_arn": narrow,
            "source_profile": "worker",
            "role_session_name": "chain",
        },
        "self": {
            "role_arn": role,
            "source_profile": "self",
            "duration_seconds": "900",
            "external_id": "a&b=c",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
        },
        "around": {"role_arn": role, "credential_source": "Environment"},
        "stranger": {
            "role_arn": NOBODY,
            "source_profile": "base",
            "role_session_name": "stranger",
        },
        "sourceless": {"role_arn": role},
        "two": {
            "role_arn": role,
            "source_profile": "base",
            "credential_source": "Environment",
        },
        "lost": {"role_arn": role, "source_profile": "missing"},
        "odd": {"role_arn": role, "credential_source": "Luck"},
        "loop": {"role_arn": role, "source_profile": "pool"},
        "pool": {"role_arn": role, "source_profile": "loop"},
        "poor": {"role_arn": role, "source_profile": "empty"},
        "empty": {"output": "json"},
    }
    lines = []
    for name, members in settings.items():
        lines.append(f"[profile {name}]")
        lines += [f"{member} = {value}" for member, value in members.items()]
    file = tmp_path_factory.mktemp("aws") / "config"
    file.write_text("\n".join(lines) + "\n")
    return {"AWS_CONFIG_FILE": str(file)}


@pytest.mark.parametrize("profile", ["base", "worker", "chain", "self"])
def test_a_profile_s_role_is_assumed(both, profiles, profile):
    both.agree(*DESCRIBE, "--profile", profile, **profiles, **NO_KEYS)


def test_a_role_is_assumed_with_the_environment_s_keys(both, profiles):
    # Keys in the environment go before a profile's, unless that is named by option.
    both.agree(*DESCRIBE, "--profile", "around", **profiles)
    both.agree(*DESCRIBE, **profiles, AWS_PROFILE="stranger")


def test_a_role_has_its_own_rights_only(both, profiles):
    both.agree(*LIST, "--profile", "chain", status=SERVICE, **profiles, **NO_KEYS)


@pytest.mark.parametrize(
    ("profile", "status"),
    [
        ("stranger", SERVICE),
        ("sourceless", GENERAL),
        ("two", GENERAL),
        ("lost", GENERAL),
        ("odd", GENERAL),
        ("loop", GENERAL),
        ("poor", GENERAL),
    ],
)
def test_a_role_that_cannot_be_assumed_is_refused(both, profiles, profile, status):
    both.agree(*LIST, "--profile", profile, status=status, **profiles, **NO_KEYS)


def test_secrets_are_not_told(both, profiles, server):
    """What --debug tells may be shown to others."""
    _, secret = server.credentials()
    for profile in ((), ("--profile", "worker")):
        told = both.native(*DESCRIBE, *profile, "--debug", **profiles)
        assert told.status == 0 and b"DEBUG" in told.stderr
        assert secret.encode() not in told.stderr
        assert b"SecretAccessKey" not in told.stderr


def printing(text: str, status: int = 0) -> str:
    """A command that prints a text and ends so."""
    script = f"import sys; print({text!r}); sys.stderr.write('sorry\\n'); sys.exit({status})"
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}"


@pytest.mark.parametrize("case", ["good", "failing", "other version", "no keys", "not json"])
def test_a_program_gives_the_keys(both, server, tmp_path, case):
    key, secret = server.credentials()
    good = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret}
    command, status = {
        "good": (printing(json.dumps(good)), 0),
        "failing": (printing("", status=3), GENERAL),
        "other version": (printing(json.dumps({**good, "Version": 2})), GENERAL),
        "no keys": (printing('{"Version": 1}'), GENERAL),
        "not json": (printing("keys"), GENERAL),
    }[case]
    file = tmp_path / "config"
    file.write_text(f"[default]\ncredential_process = {command}\n")
    changes = {**NO_KEYS, "AWS_CONFIG_FILE": str(file)}
    if case == "not json":
        # The AWS CLI does not say which text is no JSON.
        assert both.native(*LIST, **changes).status == status
    else:
        both.agree(*LIST, status=status, **changes)


def test_a_container_is_given_its_keys(both, server, tmp_path):
    key, secret = server.credentials()
    given = {
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": "",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    token = tmp_path / "token"
    token.write_text("let me in")
    with Stub() as stub:
        uri = {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{stub.url}/keys"}
        for variable, value in (("", "let me in"), ("_FILE", str(token))):
            stub.script = [Answer(200, json.dumps(given))] * 2
            stub.requests.clear()
            changes = {**uri, f"AWS_CONTAINER_AUTHORIZATION_TOKEN{variable}": value}
            both.agree(*LIST, **changes)
            assert [request.path for request in stub.requests] == ["/keys", "/keys"]
            for request in stub.requests:
                assert request.headers["Authorization"] == "let me in"
    far = {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/keys"}
    both.agree(*LIST, status=GENERAL, **far)
