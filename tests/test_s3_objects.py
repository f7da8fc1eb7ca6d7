"""Single objects in the embedded S3: keys, ranges, conditions, checksums, copies."""

import base64
import hashlib
import threading
import zlib

import pytest
from botocore.exceptions import ClientError

ODD_KEYS = [
    "a//b",
    "/leading",
    "trailing/",
    "..",
    "../../etc/passwd",
    "a/../b",
    ".",
    "./x",
    "a/./b",
    "node",
    "node/child",
    "node/child/grandchild",
    "sp ace",
    "plus+sign",
    "per%cent",
    "per%2Fcent",
    "quo\"te'",
    "<xml>&amp;",
    "ünïcödé",
    "数据/文件",
    "emoji-🔥",
    "new\nline",
    "tab\there",
    "back\\slash",
    "q?uery=1&x",
    "ha#sh",
    "x" * 1024,
    "y/" * 512,
    "*",
    "~",
    "nul-ish-%00",
    "con",
]


def code_of(refused) -> str:
    """The error code of a refused call."""
    return refused.value.response["Error"]["Code"]


def test_every_legal_key_is_a_place_of_its_own(s3, bucket, server):
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ODD_KEYS:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    listed = [
        entry["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 7}
        )
        for entry in page["Contents"]
    ]
    assert listed == sorted(ODD_KEYS, key=lambda key: key.encode())
    assert not (server.data_dir.parent / "etc").exists()


def test_a_key_longer_than_1024_bytes_is_refused(s3, bucket):
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="ü" * 513, Body=b"")
    assert code_of(refused) == "KeyTooLongError"


@pytest.mark.parametrize(
    "asked, expected, shown",
    [
        ("bytes=0-4", b"01234", "bytes 0-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-500", b"56789", "bytes 5-9/10"),
    ],
)
def test_ranges(s3, bucket, asked, expected, shown):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="digits", Range=asked)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (found["Body"].read(), found["ContentRange"]) == (expected, shown)


def test_a_range_beyond_the_end_is_invalid(s3, bucket):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="digits", Range="bytes=10-20")
    assert code_of(refused) == "InvalidRange"


def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="c", IfMatch=etag)["ETag"] == etag
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="c", IfMatch='"other"')
    assert code_of(refused) == "PreconditionFailed"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="c", IfNoneMatch=etag)
    assert code_of(refused) == "304"


def test_conditional_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="w", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="w", Body=b"2", IfNoneMatch="*")
    assert code_of(refused) == "PreconditionFailed"
    s3.put_object(Bucket=bucket, Key="w", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="w", Body=b"4", IfMatch=etag)
    assert code_of(refused) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="w")["Body"].read() == b"3"


def test_of_many_creators_exactly_one_wins(server, bucket):
    outcomes = []

    def create(number: int) -> None:
        try:
            server.client("s3").put_object(
                Bucket=bucket, Key="once", Body=str(number), IfNoneMatch="*"
            )
            outcomes.append("won")
        except ClientError as refused:
            outcomes.append(refused.response["Error"]["Code"])

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("won") == 1
    assert set(outcomes) <= {"won", "PreconditionFailed", "ConditionalRequestConflict"}


CHECKSUMS = [
    ("CRC32", "ChecksumCRC32", lambda body: zlib.crc32(body).to_bytes(4, "big")),
    ("SHA1", "ChecksumSHA1", lambda body: hashlib.sha1(body).digest()),
    ("SHA256", "ChecksumSHA256", lambda body: hashlib.sha256(body).digest()),
]


@pytest.mark.parametrize("algorithm, member, digest", CHECKSUMS)
def test_checksums_are_kept_and_checked(s3, bucket, algorithm, member, digest):
    body = b"check me"
    right = base64.b64encode(digest(body)).decode()
    stored = s3.put_object(Bucket=bucket, Key="sum", Body=body, **{member: right})
    assert stored[member] == right
    head = s3.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
    assert head[member] == right
    wrong = base64.b64encode(digest(b"other")).decode()
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="bad", Body=body, **{member: wrong})
    assert code_of(refused) == "BadDigest"
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="bad")


def test_crc32c_of_the_standard_vector(s3, bucket):
    right = base64.b64encode(0xE3069283.to_bytes(4, "big")).decode()
    stored = s3.put_object(Bucket=bucket, Key="v", Body=b"123456789", ChecksumCRC32C=right)
    assert stored["ChecksumCRC32C"] == right
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="v2", Body=b"12345678", ChecksumCRC32C=right)
    assert code_of(refused) == "BadDigest"


def test_content_md5_is_checked(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="m", Body=b"x", ContentMD5=right)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="m", Body=b"y", ContentMD5=right)
    assert code_of(refused) == "BadDigest"
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"x"


def test_metadata_and_headers_come_back(s3, bucket):
    headers = {
        "ContentType": "text/csv",
        "CacheControl": "no-cache",
        "ContentEncoding": "gzip",
        "ContentDisposition": "attachment",
        "Metadata": {"colour": "red", "n": "1"},
    }
    s3.put_object(Bucket=bucket, Key="h", Body=b"x", **headers)
    head = s3.head_object(Bucket=bucket, Key="h")
    assert {name: head[name] for name in headers} == headers
    assert head["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'


def test_copies_keep_or_replace_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="src ü+", Body=b"copy", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "src ü+"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    s3.copy_object(
        Bucket=bucket,
        Key="new",
        CopySource=source,
        Metadata={"b": "2"},
        MetadataDirective="REPLACE",
    )
    assert s3.head_object(Bucket=bucket, Key="kept")["Metadata"] == {"a": "1"}
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"copy"


def test_many_are_deleted_in_one_call(s3, bucket):
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"d/{number}", Body=b"")
    asked = [{"Key": f"d/{number}"} for number in range(15)] + [{"Key": "never-was"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert sorted(e["Key"] for e in done["Deleted"]) == sorted(e["Key"] for e in asked)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 5
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "d/15"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet


def test_a_reader_keeps_the_object_it_began_with(s3, bucket):
    first, second = b"1" * 40_000_000, b"2" * 1000
    s3.put_object(Bucket=bucket, Key="r", Body=first)
    body = s3.get_object(Bucket=bucket, Key="r")["Body"]
    start = body.read(1000)
    s3.put_object(Bucket=bucket, Key="r", Body=second)
    assert start + body.read() == first
    assert s3.get_object(Bucket=bucket, Key="r")["Body"].read() == second


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda s3, b: s3.get_object(Bucket=b, Key="none"), "NoSuchKey"),
        (lambda s3, b: s3.head_object(Bucket=b, Key="none"), "404"),
        (lambda s3, b: s3.get_object(Bucket="no-such-bucket", Key="k"), "NoSuchBucket"),
        (lambda s3, b: s3.head_bucket(Bucket="no-such-bucket"), "404"),
        (lambda s3, b: s3.create_bucket(Bucket="Bad_Name"), "InvalidBucketName"),
        (
            lambda s3, b: s3.upload_part(Bucket=b, Key="k", UploadId="no", PartNumber=1, Body=b""),
            "NoSuchUpload",
        ),
    ],
)
def test_errors_have_awss_codes(s3, bucket, call, expected):
    with pytest.raises(ClientError) as refused:
        call(s3, bucket)
    assert code_of(refused) == expected
