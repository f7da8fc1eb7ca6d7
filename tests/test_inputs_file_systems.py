"""EFS and FSx channels: directories of this machine that configuration names."""

import os

import pytest

from harness.channels import seen
from harness.jobs import Jobs, fresh_name
from harness.server import Server, kiln
from harness.wire import call

VPC = {"SecurityGroupIds": ["sg-12345678"], "Subnets": ["subnet-12345678"]}
EFS, FSX = "fs-0123456789abcdef0", "fs-0fedcba9876543210"


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> dict:
    """The directories that stand for two file systems."""
    base = tmp_path_factory.mktemp("file-systems")
    for name in (EFS, FSX):
        (base / name / "set" / "deep").mkdir(parents=True)
        (base / name / "set" / "a").write_text(name)
    (base / "private").mkdir()
    (base / "private" / "a").write_text("nobody's business")
    os.symlink("../private", base / EFS / "out")
    os.symlink(base / "private", base / EFS / "absolute")
    os.symlink("set", base / EFS / "inside")
    return {name: base / name for name in (EFS, FSX)}


@pytest.fixture(scope="module")
def jobs(busybox, roots):
    """Jobs on a server that knows them; the second may not be written to."""
    server = Server(images={"busybox": busybox})
    tables = [
        f'[[file_system]]\nid = "{EFS}"\npath = "{roots[EFS]}"\n',
        f'[[file_system]]\nid = "{FSX}"\npath = "{roots[FSX]}"\nread_only = true\n',
    ]
    (server.data_dir / "kiln.toml").write_text("\n".join(tables))
    yield Jobs(server.start())
    server.close()


def mounted(path: str, access: str = "ro", identity: str = EFS, kind: str = "EFS") -> dict:
    """The channel `c` over a directory."""
    source = {
        "FileSystemId": identity,
        "FileSystemType": kind,
        "FileSystemAccessMode": access,
        "DirectoryPath": path,
    }
    return {"ChannelName": "c", "DataSource": {"FileSystemDataSource": source}}


def test_a_directory_is_the_channel_and_cannot_be_written_to(jobs, roots):
    script = "cp c/a /opt/ml/output/data/a; if echo x > c/new; then exit 1; fi; ls c/deep"
    found = seen(jobs, script, mounted("/set"), VpcConfig=VPC)
    assert found["a"].decode() == EFS
    assert not (roots[EFS] / "set" / "new").exists()


def test_a_directory_may_be_written_to_when_the_job_asks_for_it(jobs, roots):
    seen(jobs, "echo x > c/deep/new; mv c/deep/new c/kept", mounted("/set", "rw"), VpcConfig=VPC)
    assert (roots[EFS] / "set" / "kept").read_text() == "x\n"


def test_configuration_has_the_last_word_on_writing(jobs, roots):
    channel = mounted("/set", "rw", FSX, "FSxLustre")
    seen(jobs, "if echo x > c/new; then exit 1; fi", channel, VpcConfig=VPC)
    assert not (roots[FSX] / "set" / "new").exists()


def test_what_the_container_is_told_of_it(jobs):
    script = "cat /opt/ml/input/config/inputdataconfig.json > /opt/ml/output/data/0"
    found = seen(jobs, script, mounted("/set"), VpcConfig=VPC)
    assert b'"TrainingInputMode":"File"' in found["0"].replace(b" ", b"")
    assert b'"S3DistributionType":"FullyReplicated"' in found["0"].replace(b" ", b"")


def test_a_link_inside_the_file_system_is_followed(jobs):
    script = "cp c/a /opt/ml/output/data/a"
    assert seen(jobs, script, mounted("/inside"), VpcConfig=VPC)["a"].decode() == EFS


@pytest.mark.parametrize("path", ["/out", "/absolute", "/nowhere", "/set/a"])
def test_a_directory_that_is_none_of_the_file_systems_fails_the_job(jobs, path):
    job = jobs.run("cat /opt/ml/input/data/c/a", InputDataConfig=[mounted(path)], VpcConfig=VPC)
    assert job["TrainingJobStatus"] == "Failed"
    assert "'c'" in job["FailureReason"] and path in job["FailureReason"]
    assert not any("nobody's" in line for line in jobs.lines(job["TrainingJobName"]))


def test_a_link_in_the_channel_leads_nowhere(jobs):
    script = "if cat c/out/a c/absolute/a; then exit 1; fi"
    seen(jobs, script, mounted("/"), VpcConfig=VPC)


def test_an_unknown_file_system_is_refused_at_once(jobs):
    request = jobs.request(
        "true",
        name=fresh_name("unmapped"),
        InputDataConfig=[mounted("/set", identity="fs-00000000000000000")],
        VpcConfig=VPC,
    )
    answer = call(jobs.server, "CreateTrainingJob", request)
    assert (answer.status, answer.code) == (400, "ValidationException")
    assert "fs-00000000000000000" in answer.message and "kiln.toml" in answer.message


def test_a_file_system_that_is_misspelt_is_refused_at_the_start(tmp_path):
    (tmp_path / "kiln.toml").write_text('[[file_system]]\nid = "fs-1"\nroot = "/"\n')
    done = kiln("serve", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert done.returncode != 0 and "kiln.toml" in done.stderr and "root" in done.stderr
