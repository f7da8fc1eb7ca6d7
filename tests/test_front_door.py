"""Requests that are turned away before any service sees them."""

import datetime
import hashlib
import json
import socket

import pytest
import requests

from harness import wire

LIST = json.dumps({}).encode()


def list_jobs(server, **options):
    """A signed ListTrainingJobs."""
    return wire.signed(
        server, "sagemaker", "POST", "/", LIST, wire.target_headers("ListTrainingJobs"), **options
    )


def test_a_good_request_passes(server):
    assert wire.send(list_jobs(server)).status == 200


@pytest.mark.parametrize("body", [b"{", b"[1,2", b'{"MaxResults": }', b"\xff\xfe", b"nonsense"])
def test_json_that_does_not_parse(server, body):
    answer = wire.call(server, "ListTrainingJobs", body)
    assert (answer.status, answer.code) == (400, "SerializationException")


@pytest.mark.parametrize(
    "document",
    [
        {"MaxResults": "ten"},
        {"MaxResults": {}},
        {"NameContains": ["a"]},
        {"MaxResults": 1.5},
        [1],
        "text",
    ],
)
def test_json_of_the_wrong_type(server, document):
    answer = wire.call(server, "ListTrainingJobs", document)
    assert (answer.status, answer.code) == (400, "SerializationException")


def test_json_nested_without_end_is_refused_and_harmless(server):
    answer = wire.call(server, "ListTrainingJobs", b'{"a":' * 100_000)
    assert (answer.status, answer.code) == (400, "SerializationException")
    assert server.is_running()


@pytest.mark.parametrize("operation", ["MakeCoffee", "CreateEndpoint", ""])
def test_an_operation_that_is_not_served_is_answered_by_name_in_json(server, operation):
    answer = wire.call(server, operation, {})
    assert (answer.status, answer.code) == (400, "UnknownOperationException")
    assert answer.headers["Content-Type"] == wire.JSON_TYPE
    assert operation in answer.message


def test_no_credentials_at_all(server):
    answer = requests.post(
        server.endpoint, data=LIST, timeout=10, headers=wire.target_headers("ListTrainingJobs")
    )
    assert answer.status_code in (400, 403)
    assert "MissingAuthenticationToken" in answer.json()["__type"]


@pytest.mark.parametrize(
    "authorization",
    ["Basic abc", "AWS4-HMAC-SHA256 nonsense", "AWS4-HMAC-SHA256 Credential=a/b, Signature="],
)
def test_credentials_that_cannot_be_read(server, authorization):
    answer = requests.post(
        server.endpoint,
        data=LIST,
        timeout=120,
        headers={**wire.target_headers("ListTrainingJobs"), "Authorization": authorization},
    )
    assert answer.status_code in (400, 403)
    assert answer.json()["__type"].split("#")[-1] in (
        "IncompleteSignatureException",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    )


def test_an_unknown_access_key(server):
    answer = wire.send(list_jobs(server, key="AKIAIOSFODNN7EXAMPLE", secret="x"))
    assert (answer.code, answer.message) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def test_a_wrong_secret(server):
    assert wire.send(list_jobs(server, secret="wrong")).code == "InvalidSignatureException"


def test_the_body_is_signed_and_cannot_be_replaced(server):
    answer = wire.send(list_jobs(server), body=b'{"MaxResults": 1}')
    assert answer.code == "InvalidSignatureException"


def test_the_target_is_signed_and_cannot_be_replaced(server):
    request = list_jobs(server)
    request.headers.replace_header("X-Amz-Target", "SageMaker.Search")
    assert wire.send(request).code == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_signature_of_another_time(server, minutes, monkeypatch):
    shifted = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: shifted)
    answer = wire.send(list_jobs(server))
    assert answer.code == "InvalidSignatureException"
    assert answer.message.startswith(
        "Signature expired: " if minutes < 0 else "Signature not yet current: "
    )


@pytest.mark.parametrize("service", ["ecr", "dynamodb", "ec2"])
def test_a_service_that_is_not_here_is_not_a_web_page(server, service):
    answer = wire.send(
        wire.signed(server, service, "POST", "/", b"{}", {"Content-Type": wire.JSON_TYPE})
    )
    assert 400 <= answer.status < 500
    assert b"<html" not in answer.body.lower()


def test_a_request_that_is_far_too_large_is_refused(server):
    answer = wire.call(server, "CreateTrainingJob", b" " * 20_000_000)
    assert 400 <= answer.status < 500
    assert server.is_running()


def test_what_an_unknown_caller_has_to_say_is_not_waited_for(server):
    request = list_jobs(server, key="AKIAIOSFODNN7EXAMPLE", secret="x")
    request.headers["Content-Length"] = str(10_000_000)
    head = "POST / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in request.headers.items())
    host, port = server.endpoint.removeprefix("http://").split(":")
    head += f"Host: {host}:{port}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
    assert b"UnrecognizedClientException" in answer


def test_a_hash_of_the_body_that_is_said_must_be_right(server):
    for said, status in ((LIST, 200), (b"other", 400)):
        headers = {
            **wire.target_headers("ListTrainingJobs"),
            "X-Amz-Content-SHA256": hashlib.sha256(said).hexdigest(),
        }
        request = wire.signed(server, "sagemaker", "POST", "/", said, headers)
        answer = wire.send(request, body=LIST)
        assert answer.status == status, answer.body
    assert answer.code == "InvalidSignatureException"


def test_many_kinds_of_garbage_leave_the_server_standing(server):
    host, port = server.endpoint.removeprefix("http://").split(":")
    for garbage in (
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"A" * 70000,
    ):
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            connection.sendall(garbage)
    assert wire.send(list_jobs(server)).status == 200


def test_the_root_key_file_is_for_its_owner_only(server):
    assert (server.data_dir / "root-key.json").stat().st_mode & 0o777 == 0o600


def test_the_ready_line_and_the_exports_agree(server):
    exports = server.exports()
    assert exports["AWS_ENDPOINT_URL"] == server.endpoint
    assert exports["AWS_REGION"] == exports["AWS_DEFAULT_REGION"] == "us-east-1"
    assert str(server.data_dir) in server.ready_line
