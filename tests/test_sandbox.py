"""What a job tries to do to the machine, the server and other jobs, and cannot."""

import os
import shlex
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import archives, leaks, processes
from harness.jobs import ASK_S3, completed, fresh_name

OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, or reduce the size of job data "
    "processed on an instance.",
    "AlgorithmError: , exit code: 137",
)

# Ten kilobytes a step, every page of them written to.
EAT = """awk 'BEGIN { while (1) a[i++] = sprintf("%010000d", i) }'"""


def output(jobs, script: str, **more) -> list[str]:
    """What a script prints when run as a job."""
    return jobs.lines(completed(jobs.run(script, **more))["TrainingJobName"])


def test_the_servers_data_directory_is_not_there(jobs, server):
    directory = shlex.quote(str(server.data_dir))
    lines = output(
        jobs,
        f"""
        ls -A {directory} && echo SEEN; cat {directory}/root-key.json && echo READ
        find / -xdev -name root-key.json -o -xdev -name jobs.db -o -xdev -name objects.db | sed 's/^/FOUND /'
        echo end""",
    )
    assert not [line for line in lines if line.startswith(("SEEN", "READ", "FOUND"))], lines
    assert lines[-1] == "end"


def test_no_way_out_through_proc(jobs, server):
    key = shlex.quote(str(server.data_dir / "root-key.json"))
    lines = output(
        jobs,
        f"""
        for p in /proc/[0-9]*; do cat $p/root{key} 2>/dev/null && echo READ; done
        cat /proc/1/root{key} 2>/dev/null && echo READ
        ls -d /proc/[0-9]* | wc -l""",
    )
    assert "READ" not in lines
    assert int(lines[-1]) < 10, "only the container's own processes are seen"


def test_nothing_that_the_server_keeps_for_other_jobs_is_there(jobs, server):
    marker = fresh_name("marker")
    completed(jobs.run("echo before > /opt/ml/model/m"))
    for directory, inside, _ in os.walk(server.data_dir):
        if Path(directory) == server.data_dir:
            inside.remove("images")  # the job's own root file system is one of these
        Path(directory, marker).write_text("theirs")
    try:
        assert output(jobs, f"find / -name {marker} 2>/dev/null; echo end") == ["end"]
    finally:
        for planted in server.data_dir.rglob(marker):
            planted.unlink()


def test_a_process_outside_cannot_be_killed(jobs):
    victim = subprocess.Popen(["sleep", "300"])
    try:
        lines = output(jobs, f"kill -9 {victim.pid} && echo KILLED; kill -TERM -1; echo end")
        assert "KILLED" not in lines
        assert victim.poll() is None
        assert jobs.server.is_running()
    finally:
        victim.kill()
        victim.wait()


def test_filling_memory_ends_the_job_and_nothing_else(jobs):
    job = jobs.run(
        EAT,
        within=120,
        ResourceConfig={"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] in OUT_OF_MEMORY
    completed(jobs.run("true"))


def test_a_child_that_fills_memory_is_contained_too(jobs):
    job = jobs.run(
        f"{EAT}; echo child ended with $?",
        within=120,
        ResourceConfig={"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1},
    )
    assert job["TrainingJobStatus"] in ("Completed", "Failed")
    if job["TrainingJobStatus"] == "Failed":
        assert job["FailureReason"] in OUT_OF_MEMORY


def test_forking_without_end_is_bounded_and_leaves_nothing(jobs):
    before = len(processes.command_lines())
    name = jobs.create(
        "bomb() { bomb | bomb & }; bomb; sleep 30", StoppingCondition={"MaxRuntimeInSeconds": 3}
    )
    most = 0
    while jobs.describe(name)["TrainingJobStatus"] == "InProgress":
        most = max(most, len(processes.command_lines()) - before)
        time.sleep(0.1)
    job = jobs.wait(name)
    assert job["TrainingJobStatus"] in ("Stopped", "Failed", "Completed")
    assert most < 10_000
    settle(lambda: not leaks.processes_of(Path(jobs.server.data_dir)))
    completed(jobs.run("true"))


class Listener:
    """A service of the host that no job should reach."""

    def __init__(self, address: str):
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.reached = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self.socket.accept()
                self.reached.set()
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nSECRET")
                connection.close()
        except OSError:
            pass


def test_the_hosts_loopback_and_own_addresses_are_out_of_reach(jobs):
    listener = Listener("0.0.0.0")
    host = socket.gethostbyname(socket.gethostname())
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    addresses = {"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0", host, *own[:3]}
    targets = " ".join(sorted(address for address in addresses if ":" not in address))
    lines = output(
        jobs,
        f"{ASK_S3} | head -1; for a in {targets}; do echo hello | nc -w 2 $a {listener.port}; "
        "done; echo end",
    )
    listener.socket.close()
    assert " 403 " in lines[0], "the one way out, to S3, is open"
    assert not listener.reached.is_set(), lines
    assert not any("SECRET" in line for line in lines)


def test_an_isolated_job_has_no_network_and_no_credentials(jobs, server):
    lines = output(
        jobs,
        """
        env | grep -E '^(AWS_(ACCESS|SECRET|SESSION|ENDPOINT|CONTAINER)|S3_ENDPOINT)' | sed 's/^/ENV /'
        cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '
        echo | nc -w 2 169.254.170.2 80 && echo REACHED; echo end""",
        EnableNetworkIsolation=True,
    )
    assert not [line for line in lines if line.startswith("ENV")]
    assert "REACHED" not in lines
    assert lines[0] == "lo" and lines[-1] == "end"
    interfaces = [line for line in lines if line in ("eth0", "tun0", "wlan0")]
    assert interfaces == []


@pytest.mark.parametrize(
    "attempt",
    [
        "mknod /tmp/disk b 8 0",
        "mknod /tmp/mem c 1 1",
        "mount -t tmpfs none /tmp",
        "mount -o bind /bin /tmp",
        "mount -o remount,rw /proc",
        "umount /proc",
        "unshare -m true",
        "unshare -r true",
        "unshare -n true",
        "insmod /bin/busybox",
        "echo h > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/kernel/panic",
        "cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern",
        "hostname changed",
        "! date -s @$(date +%s) 2>&1 | grep -q not.permitted",
        "dmesg",
        "cat /dev/mem",
        "cat /dev/kmsg",
        "cat /proc/kcore | head -c 1 | grep -q .",
        "reboot -f",
        "nsenter -t 1 -m true",
        "for f in $(find /sys/fs/cgroup -name cgroup.procs); do mkdir $(dirname $f)/x && exit; done; false",
        "for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ > $f && exit; done; false",
        "echo -1000 > /proc/self/oom_score_adj",
    ],
)
def test_what_only_the_machine_may_do_is_refused(jobs, attempt):
    lines = output(
        jobs, f"timeout 5 sh -c '{attempt}' >/dev/null 2>&1 && echo ALLOWED || echo refused"
    )
    assert lines == ["refused"]


def test_every_process_of_a_job_dies_with_it(jobs):
    completed(
        jobs.run("setsid sleep 31337.5 & (trap '' TERM HUP; nohup sleep 31337.5 &) ; echo left")
    )
    assert processes.that_mention("31337.5") == []


def test_links_in_the_outputs_do_not_lead_out(jobs, server):
    key = server.data_dir / "root-key.json"
    name = jobs.run(f"""
        ln -s {key} /opt/ml/model/key; ln -s /etc/shadow /opt/ml/model/shadow
        ln -s {server.data_dir} /opt/ml/output/data/dir; ln -s / /opt/ml/model/all
        rm -f /opt/ml/output/failure; ln -s {key} /opt/ml/output/failure; exit 1""")
    secret = server.credentials()[1]
    assert secret not in name["FailureReason"]
    base = f"s3://{jobs.bucket}/out/{name['TrainingJobName']}/output"
    for archive in ("model.tar.gz", "output.tar.gz"):
        body = jobs.object(f"{base}/{archive}")
        assert not any(secret.encode() in data for data in archives.files(body).values())
        assert len(archives.members(body)) <= 3, "a link is stored as itself or left out"


def test_a_link_in_place_of_a_directory_that_is_synchronised_leads_nowhere(jobs, server):
    root = f"s3://{jobs.bucket}/{fresh_name('links')}"
    places = {
        "TensorBoardOutputConfig": {"S3OutputPath": f"{root}/boards"},
        "CheckpointConfig": {"S3Uri": f"{root}/state", "LocalPath": "/opt/ml/output/deep/state"},
    }
    before = sorted(path.name for path in server.data_dir.iterdir())
    completed(
        jobs.run(
            f"""
        rmdir /opt/ml/output/tensorboard /opt/ml/output/deep/state /opt/ml/output/deep
        ln -s {server.data_dir} /opt/ml/output/tensorboard
        ln -s {server.data_dir.parent} /opt/ml/output/deep
        ln -s {server.data_dir} /opt/ml/output/state; sleep 4""",
            **places,
        )
    )
    prefix = root.removeprefix(f"s3://{jobs.bucket}/")
    assert "Contents" not in jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=prefix)
    assert [name for name in before if not (server.data_dir / name).exists()] == []
    assert not list(server.data_dir.glob("*.sagemaker-*"))


def test_a_failure_file_that_is_a_pipe_or_a_directory_holds_nothing_up(jobs):
    for make in ("mkfifo", "mkdir"):
        job = jobs.run(f"{make} /opt/ml/output/failure; exit 1")
        assert job["FailureReason"] == "AlgorithmError: , exit code: 1"
    job = completed(jobs.run("mkfifo /opt/ml/model/pipe; echo 1 > /opt/ml/model/w"))
    assert jobs.model(job) == {"w": b"1\n"}


def test_a_jobs_keys_are_its_own_and_die_with_it(jobs, server):
    job = completed(jobs.run("env > /opt/ml/model/env"))
    pairs = (line.partition("=") for line in jobs.model(job)["env"].decode().splitlines())
    found = {name: value for name, _, value in pairs}
    assert found["AWS_ACCESS_KEY_ID"] != server.credentials()[0]
    client = server.client(
        "s3",
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=found.get("AWS_SESSION_TOKEN"),
    )
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.list_buckets()
    assert refused.value.response["Error"]["Code"] in (
        "InvalidAccessKeyId",
        "ExpiredToken",
        "InvalidToken",
        "AccessDenied",
    )


def test_the_root_file_system_of_the_image_is_not_shared(jobs):
    assert (
        output(jobs, "echo mine > /root/left; echo '#!/bin/sh' > /bin/new; ls /root")[0] == "left"
    )
    assert output(jobs, "ls /root /bin/new 2>/dev/null; echo end") == ["/root:", "end"]


def test_nothing_of_a_finished_job_is_left_on_the_machine(jobs):
    directory = str(jobs.server.data_dir)
    settle(lambda: processes.agents_of(directory) == [])
    before = cgroups()
    completed(jobs.run("true"))
    settle(lambda: processes.agents_of(directory) == [])
    settle(lambda: cgroups() <= before)
    assert directory not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def cgroups() -> set[str]:
    """Every control group of the machine."""
    return {path for path, _, _ in os.walk("/sys/fs/cgroup")}


def settle(holds, within: float = 120) -> None:
    """Waits until `holds()`."""
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
