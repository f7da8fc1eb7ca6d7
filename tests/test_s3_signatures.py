"""What the embedded S3 accepts as signed, and what it turns away."""

import base64
import datetime
import hashlib
import hmac
import io
import zlib

import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.config import Config

from harness import wire


def code_of(answer: wire.Answer) -> str:
    """The code in an S3 error document."""
    return answer.body.decode().partition("<Code>")[2].partition("</Code>")[0]


def put(server, bucket, body=b"body", **options) -> wire.AWSRequest:
    """A signed PUT of one object."""
    return wire.signed(server, "s3", "PUT", f"/{bucket}/key", body, {}, **options)


def test_a_signed_put_is_stored(server, s3, bucket):
    assert wire.send(put(server, bucket)).status == 200
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"body"


def test_anonymous_requests_are_denied(server, bucket):
    answer = requests.get(f"{server.endpoint}/{bucket}/key", timeout=120)
    assert answer.status_code == 403
    assert b"AccessDenied" in answer.content or b"MissingAuthenticationToken" in answer.content


def test_an_unknown_key_is_named_so(server, bucket):
    answer = wire.send(put(server, bucket, key="AKIAIOSFODNN7EXAMPLE", secret="x"))
    assert (answer.status, code_of(answer)) == (403, "InvalidAccessKeyId")


def test_a_wrong_secret_does_not_match(server, bucket):
    answer = wire.send(put(server, bucket, secret="wrong"))
    assert (answer.status, code_of(answer)) == (403, "SignatureDoesNotMatch")


def test_a_body_other_than_the_signed_one_is_not_stored(server, s3, bucket):
    request = put(server, bucket)
    answer = wire.send(request, body=b"evil")
    assert answer.status == 400
    assert code_of(answer) in ("XAmzContentSHA256Mismatch", "BadDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_document_other_than_the_signed_one_does_nothing(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"body")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    delete = b"<Delete><Object><Key>key</Key></Object></Delete>"
    for method, path in (
        ("POST", f"/{bucket}?delete="),
        ("POST", f"/{bucket}/key?uploadId={upload}"),
        ("PUT", f"/{bucket}/key?tagging="),
    ):
        request = wire.signed(server, "s3", method, path, delete, {})
        answer = wire.send(request, body=delete.replace(b"key", b"kez"))
        assert (answer.status, code_of(answer)) == (400, "XAmzContentSHA256Mismatch"), path
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"body"


def test_a_header_that_was_signed_cannot_be_changed(server, bucket):
    request = wire.signed(server, "s3", "PUT", f"/{bucket}/key", b"body", {"x-amz-meta-a": "1"})
    request.headers.replace_header("x-amz-meta-a", "2")
    assert code_of(wire.send(request)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_more_than_a_quarter_of_an_hour_off_is_refused(
    server, bucket, minutes, monkeypatch
):
    shifted = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: shifted)
    answer = wire.send(put(server, bucket))
    assert (answer.status, code_of(answer)) == (403, "RequestTimeTooSkewed")


def test_an_unsigned_payload_is_accepted_when_the_header_says_so(server, s3, bucket):
    client = server.client(
        "s3",
        Config(s3={"payload_signing_enabled": False}, request_checksum_calculation="when_required"),
    )
    client.put_object(Bucket=bucket, Key="u", Body=b"unsigned")
    assert s3.get_object(Bucket=bucket, Key="u")["Body"].read() == b"unsigned"


def test_an_answer_before_the_body_was_asked_for_spoils_no_connection(server, s3, bucket):
    # A body with `read` travels with `Expect: 100-continue`. When the final answer comes
    # without a 100, botocore misreads the next answer on the same connection, unless the
    # server closes it.
    client = server.client("s3", Config(read_timeout=60))
    client.put_object(Bucket=bucket, Key="empty", Body=io.BytesIO(b""))
    client.put_object(Bucket=bucket, Key="next", Body=io.BytesIO(b"1"))
    with pytest.raises(client.exceptions.ClientError):
        client.put_object(Bucket=bucket, Key="next", Body=io.BytesIO(b"2"), IfNoneMatch="*")
    client.put_object(Bucket=bucket, Key="last", Body=io.BytesIO(b"3"))
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 3


class Stream(io.RawIOBase):
    """A body that cannot seek, which clients send in chunks with a trailer."""

    def __init__(self, data: bytes):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._data.read(size)


def chunk_signature(key: bytes, date: str, scope: str, previous: str, chunk: bytes) -> str:
    """The signature of one chunk, as AWS defines it."""
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256-PAYLOAD",
            date,
            scope,
            previous,
            hashlib.sha256(b"").hexdigest(),
            hashlib.sha256(chunk).hexdigest(),
        ]
    )
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signing_key(secret: str, day: str) -> bytes:
    """The key that signs for S3 in us-east-1 on this day."""
    key = b"AWS4" + secret.encode()
    for word in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key


def streamed(server, bucket, chunks: list[bytes], spoil: int | None = None) -> wire.Answer:
    """PUTs in signed chunks; the chunk numbered `spoil` is changed after signing."""
    size = sum(map(len, chunks))
    request = wire.AWSRequest(
        "PUT",
        f"{server.endpoint}/{bucket}/chunked",
        headers={
            "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(size),
            "X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        },
    )
    key, secret = server.credentials()
    signer = S3SigV4Auth(wire.Credentials(key, secret), "s3", "us-east-1")
    signer.payload = lambda _: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    signer.add_auth(request)
    date = request.headers["X-Amz-Date"]
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    previous, body = request.headers["Authorization"].rpartition("Signature=")[2], b""
    for number, chunk in enumerate([*chunks, b""]):
        previous = chunk_signature(signing_key(secret, date[:8]), date, scope, previous, chunk)
        sent = b"!" * len(chunk) if number == spoil else chunk
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + sent + b"\r\n"
    return wire.send(request, body=body)


def test_signed_chunks_are_put_together(server, s3, bucket):
    chunks = [bytes([number]) * 65536 for number in range(5)] + [b"end"]
    answer = streamed(server, bucket, chunks)
    assert answer.status == 200, answer.body
    assert s3.get_object(Bucket=bucket, Key="chunked")["Body"].read() == b"".join(chunks)


def test_one_spoiled_chunk_stores_nothing(server, s3, bucket):
    answer = streamed(server, bucket, [b"a" * 65536, b"b" * 65536], spoil=1)
    assert answer.status in (400, 403)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def unsigned_trailer(server, bucket, body: bytes, checksum: int) -> wire.Answer:
    """PUTs with a CRC32 in the trailer and an unsigned streaming payload."""
    mark = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    request = wire.AWSRequest(
        "PUT",
        f"{server.endpoint}/{bucket}/trailer",
        headers={
            "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(len(body)),
            "X-Amz-Trailer": "x-amz-checksum-crc32",
            "X-Amz-Content-SHA256": mark,
        },
    )
    signer = S3SigV4Auth(wire.Credentials(*server.credentials()), "s3", "us-east-1")
    signer.payload = lambda _: mark
    signer.add_auth(request)
    value = base64.b64encode(checksum.to_bytes(4, "big")).decode()
    data = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n"
    return wire.send(request, body=data + f"x-amz-checksum-crc32:{value}\r\n\r\n".encode())


def test_a_checksum_in_the_trailer_is_checked(server, s3, bucket):
    body = b"trailing" * 1000
    assert unsigned_trailer(server, bucket, body, zlib.crc32(body) ^ 1).status == 400
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    good = unsigned_trailer(server, bucket, body, zlib.crc32(body))
    assert good.status == 200, good.body
    assert s3.get_object(Bucket=bucket, Key="trailer")["Body"].read() == body


def test_a_stream_of_unknown_length_from_boto3(s3, bucket):
    body = bytes(range(256)) * 40000
    s3.upload_fileobj(Stream(body), bucket, "stream")
    assert s3.get_object(Bucket=bucket, Key="stream")["Body"].read() == body
