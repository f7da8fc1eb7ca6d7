"""Requests as bytes on the wire, signed by botocore's own signer.

boto3 refuses many malformed requests before they leave the client; these reach
the server, and its answer comes back unparsed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.server import Server

JSON_TYPE = "application/x-amz-json-1.1"


@dataclass
class Answer:
    """What came back: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code without its namespace."""
        return self.document["__type"].rsplit("#", 1)[-1]

    @property
    def message(self) -> str:
        """The error's text; modelled errors spell the member with a capital."""
        return self.document.get("message") or self.document.get("Message") or ""


def signed(
    server: Server,
    service: str,
    method: str,
    path: str,
    body: bytes,
    headers: dict,
    key: str | None = None,
    secret: str | None = None,
) -> AWSRequest:
    """A request signed for the server, with the root key unless told otherwise."""
    root_key, root_secret = server.credentials()
    request = AWSRequest(method, server.endpoint + path, headers=dict(headers), data=body)
    credentials = Credentials(key or root_key, secret or root_secret)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials, service, "us-east-1").add_auth(request)
    return request


def send(request: AWSRequest, body: bytes | None = None) -> Answer:
    """Sends a signed request; `body` replaces what was signed."""
    data = request.data if body is None else body
    answer = requests.request(
        request.method, request.url, headers=dict(request.headers), data=data, timeout=120
    )
    return Answer(answer.status_code, answer.headers, answer.content)


def target_headers(operation: str) -> dict:
    """The headers of a SageMaker operation in AWS JSON 1.1."""
    return {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": JSON_TYPE}


def call(server: Server, operation: str, document) -> Answer:
    """Calls a SageMaker operation with any JSON document, or raw bytes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return send(signed(server, "sagemaker", "POST", "/", body, target_headers(operation)))


def changed(request: dict, path: str, value) -> dict:
    """The request with one member set, or removed where the value is None."""
    *way, last = path.split("/")
    place = request
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return request
