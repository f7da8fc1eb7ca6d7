"""Manifests of both kinds: what they bring, and what is said of those that are wrong."""

import json

import pytest

from harness.channels import TAKE, augmented, channel, manifest, refused, seen
from harness.jobs import fresh_name

LIST = (
    "cd c && for f in $(find . -type f | sort); do echo $f $(cat $f); done > /opt/ml/output/data/0"
)


@pytest.fixture(scope="module")
def prefix(jobs) -> str:
    """Four objects; the URI ends with a slash."""
    prefix = fresh_name("manifests")
    for name in ("a", "b", "deep/er/c", "unlisted"):
        jobs.put(f"{prefix}/{name}", name)
    return f"s3://{jobs.bucket}/{prefix}/"


def listed(uri: str, mode: str = "File") -> dict:
    """The channel `c` over a manifest."""
    return channel("c", uri, mode, "ManifestFile")


def test_a_manifest_brings_what_it_lists_and_nothing_else(jobs, prefix):
    uri = manifest(jobs, fresh_name("manifest"), prefix, "deep/er/c", "a")
    script = LIST + "; cat ../c-manifest > /opt/ml/output/data/manifest"
    found = seen(jobs, script, listed(uri))
    assert found["0"].decode().splitlines() == ["./a a", "./deep/er/c deep/er/c"]
    assert found["manifest"].decode().splitlines()[1:] == [f"{prefix}deep/er/c", f"{prefix}a"]


def test_a_manifest_may_lie_in_another_bucket_than_its_objects(jobs, prefix, s3, bucket):
    s3.put_object(Bucket=bucket, Key="m", Body=json.dumps([{"prefix": prefix}, "b"]))
    assert seen(jobs, LIST, listed(f"s3://{bucket}/m"))["0"] == b"./b b\n"


@pytest.mark.parametrize("mode", ["File", "Pipe"])
def test_an_entry_that_does_not_exist_is_named(jobs, prefix, mode):
    uri = manifest(jobs, fresh_name("manifest"), prefix, "a", "gone")
    script = TAKE + "take c_0 0" if mode == "Pipe" else "true"
    reason = refused(jobs, script, listed(uri, mode))
    assert reason.startswith("ClientError: Data download failed:")
    assert f"{prefix}gone" in reason


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('["a", "b"]', id="no prefix"),
        pytest.param('{"prefix": "s3://kiln-tests/x/"}', id="no list"),
        pytest.param('[{"prefix": "s3://kiln-tests/x/"}, "a"', id="cut off"),
        pytest.param('[{"prefix": "s3://kiln-tests/x/"}, 7]', id="a number"),
        pytest.param('[{"prefix": "/etc/"}, "passwd"]', id="no S3 URI"),
        pytest.param("", id="empty"),
        pytest.param("\x00\xff", id="binary"),
    ],
)
def test_what_is_no_manifest_fails_the_job_and_is_named(jobs, text):
    uri = jobs.put(fresh_name("manifest"), text)
    reason = refused(jobs, "true", listed(uri))
    assert reason.startswith("ClientError: Data download failed:")
    assert uri in reason


@pytest.mark.parametrize("name", ["../../../escaped", "/etc/cron.d/x", "a/../../b"])
def test_an_entry_cannot_lead_out_of_its_channel(jobs, prefix, name):
    key = prefix.split("/", 3)[3] + name
    jobs.s3.put_object(Bucket=jobs.bucket, Key=key, Body=b"x")
    uri = manifest(jobs, fresh_name("manifest"), prefix, name)
    assert refused(jobs, "true", listed(uri)).startswith("ClientError: Data download failed:")


@pytest.mark.parametrize(
    "attributes, expected",
    [
        (["text-ref", "class"], ["a", '{"id": 1}', "b", "2"]),
        (["class", "text-ref"], ['{"id": 1}', "a", "2", "b"]),
        (["class"], ['{"id": 1}', "2"]),
        (["class-metadata", "name"], ['{"human": true}', "é", "[]", "x"]),
    ],
)
def test_attributes_come_in_the_requests_order(jobs, prefix, attributes, expected):
    uri = augmented(
        jobs,
        fresh_name("augmented"),
        {
            "name": "é",
            "text-ref": f"{prefix}a",
            "class": {"id": 1},
            "class-metadata": {"human": True},
        },
        {"class-metadata": [], "text-ref": f"{prefix}b", "class": 2, "name": "x"},
    )
    made = channel("c", uri, "Pipe", "AugmentedManifestFile", attributes=attributes)
    assert seen(jobs, TAKE + "take c_0 0", made)["0"].decode() == "".join(expected)


@pytest.mark.parametrize(
    "line, says",
    [
        pytest.param('{"other": 1}', "class", id="missing attribute"),
        pytest.param('{"class": 1', "line 2", id="cut off"),
        pytest.param('{"class": 1, "text-ref": "/etc/passwd"}', "line 2", id="no S3 URI"),
        pytest.param('{"class": 1, "text-ref": "s3://kiln-tests/gone"}', "/gone", id="gone"),
    ],
)
def test_a_line_that_is_wrong_is_named(jobs, prefix, line, says):
    good = json.dumps({"class": 1, "text-ref": f"{prefix}a"})
    uri = jobs.put(fresh_name("augmented"), f"{good}\n{line}\n")
    attributes = ["class", "text-ref"]
    made = channel("c", uri, "Pipe", "AugmentedManifestFile", attributes=attributes)
    reason = refused(jobs, TAKE + "take c_0 0; sleep 30", made)
    assert reason.startswith("ClientError: Data download failed:")
    assert says in reason


def test_an_augmented_manifest_is_shuffled_by_its_lines(jobs, prefix):
    lines = [{"n": number, "same": number} for number in range(10)]
    uri = augmented(jobs, fresh_name("augmented"), *lines)
    made = channel(
        "c",
        uri,
        "Pipe",
        "AugmentedManifestFile",
        attributes=["n", "same"],
        ShuffleConfig={"Seed": 9},
    )
    pairs = seen(jobs, TAKE + "take c_0 0", made)["0"].decode()
    assert sorted(pairs[::2]) == list("0123456789") and pairs[::2] == pairs[1::2]
    assert pairs[::2] != "0123456789"
