"""Listing objects, versions one and two, against what a sorted set of keys says."""

import random

import pytest

KEYS = sorted(
    {f"{a}/{b}/{c}" for a in ("alpha", "beta", "b e") for b in ("x", "y", "z-z") for c in "123"}
    | {"alpha", "beta.txt", "alpha/x", "ä/ö", "zz//double", "zz/", "c+d/e"},
    key=lambda key: key.encode(),
)


@pytest.fixture(scope="module")
def listed(s3) -> str:
    """A bucket that holds KEYS."""
    s3.create_bucket(Bucket="listing")
    for key in KEYS:
        s3.put_object(Bucket="listing", Key=key, Body=b"")
    return "listing"


def expected(prefix: str, delimiter: str) -> list[str]:
    """Keys and common prefixes under the prefix, in the order of their bytes."""
    found = []
    for key in KEYS:
        if not key.startswith(prefix):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if cut < 0 else key[: cut + len(delimiter)]
        if entry not in found:
            found.append(entry)
    return found


def entries(page: dict) -> list[str]:
    """The keys and common prefixes of one page, in order."""
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    return sorted(
        keys + [entry["Prefix"] for entry in page.get("CommonPrefixes", [])],
        key=lambda key: key.encode(),
    )


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("delimiter", ["", "/", "//", "-"])
@pytest.mark.parametrize("prefix", ["", "alpha", "alpha/", "alpha/x/", "b", "zz/", "none", "ä"])
def test_every_listing_agrees_with_the_model_at_every_page_size(
    s3, listed, operation, delimiter, prefix
):
    for size in random.Random(prefix + delimiter).sample([1, 2, 3, 5, 7, 1000], 2):
        found, pages = (
            [],
            s3.get_paginator(operation).paginate(
                Bucket=listed,
                Prefix=prefix,
                PaginationConfig={"PageSize": size},
                **({"Delimiter": delimiter} if delimiter else {}),
            ),
        )
        for page in pages:
            assert len(entries(page)) <= size
            found += entries(page)
        assert found == expected(prefix, delimiter)


def test_start_after_and_key_count(s3, listed):
    page = s3.list_objects_v2(Bucket=listed, StartAfter="beta/x/2", MaxKeys=3)
    assert entries(page) == [key for key in KEYS if key.encode() > b"beta/x/2"][:3]
    assert (page["KeyCount"], page["IsTruncated"]) == (3, True)


def test_no_more_than_a_thousand_at_once(s3):
    s3.create_bucket(Bucket="thousand")
    for number in range(1003):
        s3.put_object(Bucket="thousand", Key=f"{number:05}", Body=b"")
    page = s3.list_objects_v2(Bucket="thousand", MaxKeys=5000)
    assert (page["KeyCount"], page["IsTruncated"]) == (1000, True)
    rest = s3.list_objects_v2(Bucket="thousand", ContinuationToken=page["NextContinuationToken"])
    assert [entry["Key"] for entry in rest["Contents"]] == ["01000", "01001", "01002"]


def test_uploads_in_progress_and_their_parts_are_listed_and_can_be_given_up(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=3, Body=b"abc")
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["u"]
    parts = s3.list_parts(Bucket=bucket, Key="u", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(3, 3)]
    s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
