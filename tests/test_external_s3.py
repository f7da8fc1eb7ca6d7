"""Objects in another S3 than the embedded one.

The other S3 is a second Kiln with a data directory and keys of its own; what
passes between the two is what would pass to any other store.
"""

import hashlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import archives
from harness.jobs import LINGER, Jobs, completed, fresh_name, s3_channel
from harness.server import Server, kiln, kiln_binary

REGION = "eu-central-1"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def table(endpoint: str, key: str, secret: str, region: str = "us-east-1") -> str:
    """The lines of kiln.toml that name another S3."""
    return (
        f'[s3]\nendpoint = "{endpoint}"\nregion = "{region}"\n'
        f'access_key_id = "{key}"\nsecret_access_key = "{secret}"\n'
    )


def kiln_in_front_of(endpoint: str, key: str, secret: str, images: dict) -> Server:
    """A server whose objects are elsewhere, not started."""
    server = Server(images=images)
    (server.data_dir / "kiln.toml").write_text(table(endpoint, key, secret))
    return server


@pytest.fixture(scope="module")
def store():
    """The other S3."""
    server = Server().start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def front(store, busybox):
    """A server whose objects are in the other S3."""
    server = kiln_in_front_of(store.endpoint, *store.credentials(), {"busybox": busybox})
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def jobs(front) -> Jobs:
    """Jobs on the server in front."""
    return Jobs(front)


@pytest.fixture(scope="module")
def there(store):
    """A client of the other S3 itself."""
    return store.client("s3")


@pytest.fixture
def bucket(front) -> str:
    """A bucket of the test's own, made through Kiln."""
    name = fresh_name("bucket")
    front.client("s3").create_bucket(Bucket=name)
    return name


def test_a_job_reads_and_writes_the_other_store(jobs, front, there):
    name = fresh_name("external")
    uri = jobs.put(f"{name}/train/a.csv", "1,2,3\n")
    job = completed(
        jobs.run(
            "cp /opt/ml/input/data/train/a.csv /opt/ml/model/ && echo x > /opt/ml/output/data/o"
            " && echo state > /opt/ml/checkpoints/c",
            name,
            InputDataConfig=[s3_channel("train", uri.rsplit("/", 1)[0] + "/")],
            CheckpointConfig={"S3Uri": f"s3://{jobs.bucket}/{name}/checkpoints"},
        )
    )
    assert jobs.model(job) == {"a.csv": b"1,2,3\n"}
    keys = [
        found["Key"]
        for prefix in (f"out/{name}/", f"{name}/")
        for found in there.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix)["Contents"]
    ]
    assert f"out/{name}/output/model.tar.gz" in keys
    assert f"out/{name}/output/output.tar.gz" in keys
    assert f"{name}/checkpoints/c" in keys
    model = there.get_object(Bucket=jobs.bucket, Key=f"out/{name}/output/model.tar.gz")
    assert archives.files(model["Body"].read()) == {"a.csv": b"1,2,3\n"}
    assert not (front.data_dir / "objects.db").exists(), "the embedded store is not used"


def test_a_job_outlives_its_server_with_data_elsewhere(store, busybox):
    front = kiln_in_front_of(store.endpoint, *store.credentials(), {"busybox": busybox})
    try:
        jobs = Jobs(front.start(), bucket="outlived")
        name = jobs.create("sleep 3; echo done > /opt/ml/model/m")
        jobs.wait_for_phase(name, "Training")
        front.crash_and_restart()
        jobs.reconnect()
        assert jobs.model(completed(jobs.wait(name))) == {"m": b"done\n"}
    finally:
        front.close()


def test_the_command_line_copies_lists_and_syncs(front, bucket, there, tmp_path):
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "a b+ö.txt").write_text("small")
    large = os.urandom(20 << 20)
    (tree / "deep" / "large").write_bytes(large)
    front.aws("s3", "sync", str(tree), f"s3://{bucket}/tree")
    listed = front.aws("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert "tree/a b+ö.txt" in listed and "tree/deep/large" in listed
    assert there.get_object(Bucket=bucket, Key="tree/deep/large")["Body"].read() == large
    front.aws("s3", "cp", f"s3://{bucket}/tree/deep/large", f"s3://{bucket}/copy")
    front.aws("s3", "cp", f"s3://{bucket}/copy", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == large
    front.aws("s3", "sync", f"s3://{bucket}/tree", str(tmp_path / "again"))
    assert (tmp_path / "again" / "a b+ö.txt").read_text() == "small"
    front.aws("s3", "rm", "--recursive", f"s3://{bucket}/")
    assert "Contents" not in there.list_objects_v2(Bucket=bucket)
    front.aws("s3", "rb", f"s3://{bucket}")
    assert bucket not in front.aws("s3", "ls").stdout


def test_an_object_keeps_all_that_was_said_of_it(front, bucket, there):
    s3 = front.client("s3")
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"0123456789",
        ContentType="text/x-test",
        CacheControl="no-cache",
        ContentEncoding="identity",
        Metadata={"colour": "green"},
        Tagging="a=b",
        ChecksumAlgorithm="SHA256",
    )
    mine = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    theirs = there.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    for kept in ("ContentType", "CacheControl", "ContentEncoding", "Metadata", "ChecksumSHA256"):
        assert mine[kept] == theirs[kept], kept
    assert mine["ETag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'
    part = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert part["Body"].read() == b"234" and part["ContentRange"] == "bytes 2-4/10"
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=mine["ETag"])
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"


def test_the_store_s_errors_reach_the_client(front, bucket):
    s3 = front.client("s3")
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert refused.value.response["Error"]["Code"] == "NoSuchKey"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket="no-such-bucket-at-all")
    assert refused.value.response["Error"]["Code"] == "NoSuchBucket"
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="k",
            UploadId="none",
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "e"}]},
        )
    assert refused.value.response["Error"]["Code"] == "NoSuchUpload"


def test_a_presigned_url_is_one_of_kiln_s(front, bucket):
    s3 = front.client("s3", Config(signature_version="s3v4"))
    named = {"Bucket": bucket, "Key": "by url"}
    curl = ["curl", "-sS", "-f"]
    url = s3.generate_presigned_url("put_object", Params=named)
    subprocess.run([*curl, "-T", "-", url], input=b"hello", check=False, capture_output=True)
    put = subprocess.run([*curl, "-X", "PUT", "--data-binary", "hello", url], capture_output=True)
    assert put.returncode == 0, put.stderr
    url = s3.generate_presigned_url("get_object", Params=named)
    assert subprocess.run([*curl, url], capture_output=True).stdout == b"hello"


def test_keys_that_urls_would_bend_are_refused(front, bucket):
    s3 = front.client("s3", Config(s3={"addressing_style": "path"}))
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="a/../../other/k", Body=b"")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_job_s_keys_open_its_own_places_only(jobs, front, there):
    name = fresh_name("scoped")
    jobs.put(f"{name}/in/a", "a")
    jobs.put(f"{name}/secret", "s")
    script = f"env | grep ^AWS_; echo that is all; {LINGER}"
    created = jobs.create(
        script,
        name,
        InputDataConfig=[s3_channel("in", f"s3://{jobs.bucket}/{name}/in/")],
        CheckpointConfig={"S3Uri": f"s3://{jobs.bucket}/{name}/checkpoints"},
    )
    jobs.wait_for_line(created, "that is all")
    variables = dict(line.split("=", 1) for line in jobs.lines(created) if "=" in line)
    s3 = front.client(
        "s3",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )
    own = dict(Bucket=jobs.bucket)
    assert s3.get_object(Key=f"{name}/in/a", **own)["Body"].read() == b"a"
    s3.put_object(Key=f"{name}/checkpoints/d", Body=b"d", **own)
    for refusal in (
        lambda: s3.get_object(Key=f"{name}/secret", **own),
        lambda: s3.put_object(Key=f"{name}/in/a", Body=b"", **own),
        lambda: s3.list_objects_v2(Prefix="", **own),
        lambda: s3.copy_object(
            Key=f"{name}/checkpoints/e", CopySource=f"{jobs.bucket}/{name}/secret", **own
        ),
        s3.list_buckets,
    ):
        with pytest.raises(ClientError) as refused:
            refusal()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    both = [{"Key": f"{name}/checkpoints/d"}, {"Key": f"{name}/secret"}]
    answer = s3.delete_objects(Delete={"Objects": both}, **own)
    assert [one["Key"] for one in answer["Deleted"]] == [f"{name}/checkpoints/d"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [
        (f"{name}/secret", "AccessDenied")
    ]
    assert there.get_object(Key=f"{name}/secret", **own)["Body"].read() == b"s"
    jobs.sagemaker.stop_training_job(TrainingJobName=created)
    jobs.wait(created)


def test_no_container_sees_the_operator_s_keys(jobs, store):
    job = completed(
        jobs.run("cat /proc/self/environ /proc/$PPID/environ > /opt/ml/model/env; true")
    )
    key, secret = store.credentials()
    seen = jobs.model(job)["env"].decode(errors="replace")
    assert "AWS_ACCESS_KEY_ID" in seen and key not in seen and secret not in seen


def test_missing_places_are_found_when_a_job_is_created(jobs):
    with pytest.raises(ClientError) as refused:
        jobs.create("true", InputDataConfig=[s3_channel("c", f"s3://{jobs.bucket}/nothing/here")])
    assert "No S3 objects found under S3 URL" in str(refused.value)
    with pytest.raises(ClientError) as refused:
        jobs.create("true", OutputDataConfig={"S3OutputPath": "s3://no-such-bucket-there/out"})
    assert 'bucket "no-such-bucket-there" does not exist' in str(refused.value)


class Recorder:
    """An S3 that notes the headers of every request and answers as it is told."""

    def __init__(self, status: int = 200, code: str = ""):
        self.requests: list[tuple[str, str, dict]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                recorder.requests.append((self.command, self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("content-length", 0)))
                text = f"<Error><Code>{code}</Code><Message>No.</Message></Error>" if code else ""
                body = b"" if self.command == "HEAD" else text.encode()
                self.send_response(status if self.path != "/" else 200)
                self.send_header("ETag", '"e"')
                self.send_header("Content-Length", str(len(body) if self.path != "/" else 0))
                self.end_headers()
                if self.path != "/":
                    self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        """Stops listening."""
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def recorded(busybox):
    """Starts a Kiln in front of a recorder that answers so."""
    started = []

    def start(*arguments) -> tuple[Recorder, Server]:
        recorder = Recorder(*arguments)
        front = kiln_in_front_of(recorder.endpoint, "AKIAOPERATOR", "secret", {"busybox": busybox})
        front.start()
        started.extend([front, recorder])
        return recorder, front

    yield start
    for one in started:
        one.close()


def test_a_kms_key_reaches_the_other_store(recorded):
    recorder, front = recorded()
    jobs = Jobs(front)
    output = {"S3OutputPath": f"s3://{jobs.bucket}/out", "KmsKeyId": KEY}
    jobs.wait(jobs.create("echo x > /opt/ml/model/m", OutputDataConfig=output))
    front.client("s3").put_object(
        Bucket="bucket", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY
    )
    stored = [
        headers
        for method, path, headers in recorder.requests
        if (method == "PUT" and path == "/bucket/k")
        or ("model.tar.gz" in path and (method == "PUT" or "uploads" in path))
        and "partNumber" not in path
    ]
    assert len(stored) >= 2
    for headers in stored:
        named = {name.lower(): value for name, value in headers.items()}
        assert named["x-amz-server-side-encryption"] == "aws:kms"
        assert named["x-amz-server-side-encryption-aws-kms-key-id"] == KEY


def test_nothing_of_kiln_s_own_signature_is_sent_on(recorded):
    recorder, front = recorded()
    key, _ = front.credentials()
    front.client("s3").put_object(Bucket="bucket", Key="k", Body=b"x", Metadata={"m": "v"})
    method, path, headers = recorder.requests[-1]
    assert (method, path) == ("PUT", "/bucket/k")
    assert "AKIAOPERATOR/" in headers["authorization"]
    assert key not in str(headers)
    assert headers["x-amz-meta-m"] == "v"


def test_access_denied_there_is_said_when_a_job_is_created(recorded):
    _, front = recorded(403, "AccessDenied")
    client = front.client("sagemaker")
    jobs = Jobs.__new__(Jobs)
    jobs.server, jobs.bucket, jobs.sagemaker = front, "bucket", client
    with pytest.raises(ClientError) as refused:
        jobs.create("true", InputDataConfig=[s3_channel("c", "s3://bucket/in")])
    assert 'Unauthorized to List objects under S3 URL "s3://bucket/in"' in str(refused.value)
    with pytest.raises(ClientError) as refused:
        jobs.create("true")
    assert 'Access denied to OutputDataConfig S3 bucket "bucket"' in str(refused.value)


def test_a_store_that_is_away_is_said_to_be(recorded):
    recorder, front = recorded()
    recorder.close()
    with pytest.raises(ClientError) as refused:
        front.client("s3").list_buckets()
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert recorder.endpoint in refused.value.response["Error"]["Message"]


def serve(data_dir, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Starts a server that is to fail at once."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    listen = ("--listen", "127.0.0.1:0")
    return kiln(
        "serve", "--data-dir", str(data_dir), *listen, *arguments, env={**clean, **environment}
    )


def test_what_cannot_work_is_said_at_the_start(store, tmp_path):
    endpoint = ("--s3-endpoint", store.endpoint)
    failed = serve(tmp_path, *endpoint)
    assert failed.returncode != 0 and "needs keys" in failed.stderr
    printed = kiln("env", "--data-dir", str(tmp_path)).stdout.splitlines()
    exports = dict(line.removeprefix("export ").split("=", 1) for line in printed if "=" in line)
    own = {name: exports[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    failed = serve(tmp_path, *endpoint, **own)
    assert failed.returncode != 0 and "Kiln's own root key" in failed.stderr
    key, _ = store.credentials()
    wrong = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "wrong"}
    failed = serve(tmp_path, *endpoint, **wrong)
    assert failed.returncode != 0 and "SignatureDoesNotMatch" in failed.stderr
    failed = serve(tmp_path, "--s3-endpoint", "localhost:9000", **wrong)
    assert failed.returncode != 0 and "is not a URL" in failed.stderr


def test_options_and_environment_are_enough(store, tmp_path):
    key, secret = store.credentials()
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": "",
    }
    command = [kiln_binary(), "serve", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0"]
    option = ["--s3-endpoint", store.endpoint, "--s3-region", "us-east-1"]
    process = subprocess.Popen([*command, *option], stdout=subprocess.PIPE, env=environment)
    try:
        endpoint = process.stdout.readline().decode().split()[4]
        printed = kiln("env", "--data-dir", str(tmp_path)).stdout.splitlines()
        exports = dict(
            line.removeprefix("export ").split("=", 1) for line in printed if "=" in line
        )
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        )
        name = fresh_name("option")
        s3.create_bucket(Bucket=name)
        store.client("s3").head_bucket(Bucket=name)
    finally:
        process.terminate()
        process.wait(timeout=120)
