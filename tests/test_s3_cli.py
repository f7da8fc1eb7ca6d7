"""The aws command line against the embedded S3: cp, sync, multipart, presign."""

import filecmp
import hashlib
import os
import time

import pytest
import requests

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """One hundred megabytes that do not repeat."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(1_000_000))
    return path


def test_mb_cp_ls_rm_rb(server, tmp_path):
    local = tmp_path / "a.txt"
    local.write_text("hello\n")
    server.aws("s3", "mb", "s3://cli-tour")
    server.aws("s3", "cp", str(local), "s3://cli-tour/dir/a.txt")
    assert "a.txt" in server.aws("s3", "ls", "s3://cli-tour/dir/").stdout
    assert "PRE dir/" in server.aws("s3", "ls", "s3://cli-tour").stdout
    assert server.aws("s3", "cp", "s3://cli-tour/dir/a.txt", "-").stdout == "hello\n"
    server.aws("s3", "mv", "s3://cli-tour/dir/a.txt", "s3://cli-tour/b.txt")
    assert server.aws("s3", "rb", "s3://cli-tour", check=False).returncode != 0, "not empty"
    server.aws("s3", "rm", "s3://cli-tour", "--recursive")
    server.aws("s3", "rb", "s3://cli-tour")
    assert "cli-tour" not in server.aws("s3", "ls").stdout


def test_sync_there_and_back_is_the_same_tree(server, bucket, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    for number in range(40):
        file = there / f"part {number % 4}" / f"größe+{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 100))
    server.aws("s3", "sync", str(there), f"s3://{bucket}/tree")
    server.aws("s3", "sync", f"s3://{bucket}/tree", str(back))
    for directory in sorted(there.iterdir()):
        names = [file.name for file in directory.iterdir()]
        _, mismatch, errors = filecmp.cmpfiles(directory, back / directory.name, names, False)
        assert (mismatch, errors) == ([], [])
    again = server.aws("s3", "sync", str(there), f"s3://{bucket}/tree")
    assert "upload:" not in again.stdout, "nothing changed"


def test_sync_deletes_what_is_gone(server, bucket, s3, tmp_path):
    for name in ("keep", "drop"):
        (tmp_path / name).write_text(name)
    server.aws("s3", "sync", str(tmp_path), f"s3://{bucket}/d")
    (tmp_path / "drop").unlink()
    server.aws("s3", "sync", str(tmp_path), f"s3://{bucket}/d", "--delete")
    found = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in found] == ["d/keep"]


def test_a_hundred_megabytes_go_up_in_parts_and_come_back_equal(server, bucket, s3, big, tmp_path):
    server.aws("s3", "cp", str(big), f"s3://{bucket}/big.bin")
    head = s3.head_object(Bucket=bucket, Key="big.bin")
    assert head["ContentLength"] == big.stat().st_size
    assert "-" in head["ETag"], "an upload in parts has the ETag of one"
    server.aws("s3", "cp", f"s3://{bucket}/big.bin", str(tmp_path / "back"))
    assert filecmp.cmp(big, tmp_path / "back", shallow=False)


def test_the_etag_of_parts_is_the_md5_of_their_md5s(s3, bucket, big):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    body, parts, digests = big.read_bytes()[: 12 * MIB], [], b""
    for number, start in enumerate(range(0, len(body), 5 * MIB), 1):
        piece = body[start : start + 5 * MIB]
        answer = s3.upload_part(
            Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=piece
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        digests += hashlib.md5(piece).digest()
    with pytest.raises(s3.exceptions.ClientError):
        s3.head_object(Bucket=bucket, Key="parts")
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == body


def test_a_presigned_url_from_the_command_line_can_be_fetched(server, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"signed")
    url = server.aws("s3", "presign", f"s3://{bucket}/a b/ü.txt").stdout.strip()
    answer = requests.get(url, timeout=120)
    assert (answer.status_code, answer.content) == (200, b"signed")


def test_a_presigned_put_stores_the_body(s3, bucket):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "up"})
    assert requests.put(url, data=b"by url", timeout=120).status_code == 200
    assert s3.get_object(Bucket=bucket, Key="up")["Body"].read() == b"by url"


def test_a_presigned_url_is_for_its_method_key_and_time_only(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.get(url, timeout=120).status_code == 200
    for refused in (
        requests.put(url, data=b"y", timeout=120),
        requests.get(url.replace("/k?", "/other?"), timeout=120),
    ):
        assert refused.status_code == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in refused.content
    brief = s3.generate_presigned_url(
        "get_object", ExpiresIn=1, Params={"Bucket": bucket, "Key": "k"}
    )
    time.sleep(2.1)
    late = requests.get(brief, timeout=120)
    assert late.status_code == 403
    assert b"<Code>AccessDenied</Code>" in late.content and b"Request has expired" in late.content
