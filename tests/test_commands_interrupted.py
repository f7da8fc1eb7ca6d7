"""Commands whose server goes away for a while, and commands that Ctrl-C ends midway."""

import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness import server as harness
from harness.fault_proxy import Fault, FaultProxy, Plan, Request
from harness.jobs import fresh_name
from harness.place import WITHIN, Place
from harness.server import Server

# More than one part of an upload, and more than goes into anybody's buffers.
LARGE = 20 << 20
# Says one thing, waits until it is stopped, and says another.
WAITING = "trap 'echo after; exit 0' TERM; echo before; while :; do sleep 1; done"
# What happens to the third part of an upload.
HELD = Fault("hold", 4096)


# A server that is started anew


@pytest.fixture(scope="module")
def mortal(busybox):
    """A server of the module's own, which listens elsewhere after each start."""
    server = Server(images={"busybox": busybox}).start()
    yield server
    server.close()


def begun(place: Place, *arguments: str) -> subprocess.Popen:
    """A command in a pipe."""
    return subprocess.Popen(
        [harness.kiln_binary(), *arguments],
        cwd=place.directory,
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("command", "status"), [("train", 5), ("logs", 0)])
def test_following_outlasts_a_restart_of_the_server(tmp_path, mortal, command, status):
    place, name = Place(tmp_path, mortal), fresh_name("outlast")
    train = ["train", place.write("long.sh", WAITING), "--image", "busybox", "--name", name]
    if command == "train":
        following = begun(place, *train)
    else:
        place.kiln(*train, "--detach")
        following = begun(place, "logs", "-f", name)
    assert any("before" in line for line in following.stdout)
    mortal.kill()
    assert "does not answer" in following.stderr.readline()
    mortal.start()
    assert following.stderr.readline() == "kiln: the server answers again\n"
    place.kiln("stop", name)
    printed, said = following.communicate(timeout=WITHIN)
    assert following.returncode == status, said
    lines = [line.strip() for line in printed.splitlines()]
    assert lines.count("after") == 1 and "before" not in lines


def test_ctrl_c_is_heard_while_the_server_is_away(tmp_path, mortal):
    place, name = Place(tmp_path, mortal), fresh_name("away")
    script = place.write("long.sh", WAITING)
    following = begun(place, "train", script, "--image", "busybox", "--name", name)
    assert any("before" in line for line in following.stdout)
    mortal.kill()
    assert "does not answer" in following.stderr.readline()
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=WITHIN)
    assert following.returncode == 130 and f"{name} goes on" in said
    mortal.start()
    place.kiln("stop", name, "--wait")


# Ctrl-C on the way


@pytest.fixture
def held(tmp_path, jobs):
    """A directory to work in, and a proxy in front of the objects of the shared server."""
    server = urlsplit(jobs.server.endpoint)
    proxy = FaultProxy((server.hostname, server.port))
    place = Place(tmp_path, jobs.server)
    place.environment |= jobs.server.exports()
    place.environment["AWS_ENDPOINT_URL_S3"] = f"http://{proxy.address}"
    yield place, proxy
    proxy.close()


def is_third_part(request: Request) -> bool:
    """Whether a request brings this part."""
    return "partNumber=3" in request.path


def interrupted(place: Place, plan: Plan, *arguments: str) -> str:
    """What a command says that Ctrl-C ends when the plan's fault has happened to it."""
    copying = begun(place, *arguments)
    until = time.monotonic() + WITHIN
    while not plan.happened:
        assert time.monotonic() < until and copying.poll() is None
        time.sleep(0.05)
    copying.send_signal(signal.SIGINT)
    _, said = copying.communicate(timeout=WITHIN)
    assert copying.returncode == 130, said
    return said


def test_an_upload_that_ends_early_leaves_no_parts(held, jobs):
    place, proxy = held
    name = fresh_name("parts")
    file = place.write("large.bin", os.urandom(LARGE))
    plan = proxy.plan(is_third_part, HELD)
    said = interrupted(place, plan, "cp", file, f"s3://{jobs.bucket}/{name}")
    assert "left nothing behind" in said
    assert "Uploads" not in jobs.s3.list_multipart_uploads(Bucket=jobs.bucket, Prefix=name)
    assert "Contents" not in jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=name)


def test_a_file_that_fails_takes_the_parts_of_the_others_back(held, jobs):
    place, proxy = held
    name = fresh_name("tree")
    place.write("tree/large.bin", os.urandom(LARGE))
    place.write("tree/" + "n" * 250, "x")
    proxy.plan(is_third_part, HELD)
    # Together they make a key longer than S3 takes.
    target = f"s3://{jobs.bucket}/{name}/" + "/".join(["p" * 200] * 4)
    place.kiln("cp", "-r", place.path("tree"), target, status=1)
    assert "Uploads" not in jobs.s3.list_multipart_uploads(Bucket=jobs.bucket, Prefix=name)


def test_a_download_that_ends_early_leaves_no_file(held, jobs):
    place, proxy = held
    name = fresh_name("down")
    jobs.put(name, os.urandom(LARGE))
    plan = proxy.plan(lambda request: request.reads(name), Fault("stall", LARGE // 2))
    target = place.path("down/large.bin")
    said = interrupted(place, plan, "cp", f"s3://{jobs.bucket}/{name}", target)
    assert "left nothing behind" in said
    assert not Path(target).parent.exists() or os.listdir(Path(target).parent) == []


def test_an_upload_for_training_that_ends_early_leaves_no_job(held, jobs):
    place, proxy = held
    name = fresh_name("never")
    script, data = place.write("s.sh", "true"), place.write("large.bin", os.urandom(LARGE))
    plan = proxy.plan(is_third_part, HELD)
    options = ["--image", "busybox", "--data", f"train={data}", "--name", name]
    interrupted(place, plan, "train", script, *options)
    assert "there is no job" in place.kiln("describe", name, status=1).stderr
