"""What another server, or another program, puts in the place of ours does no harm."""

import http.server
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.jobs import Jobs, completed
from harness.server import Server, kiln_binary

COUNT = "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); usleep 50000; done"
COUNTED = [f"line {i}" for i in range(60)]


@contextmanager
def impostor(address: str, status: int):
    """A web server at another's address, that gives every request the same answer."""
    asked = []

    class Refusal(http.server.BaseHTTPRequestHandler):
        def refuse(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = refuse

        def log_message(self, *_):
            pass

    host, port = address.removeprefix("http://").split(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [403, 404, 200])
def test_a_job_goes_on_while_another_server_has_the_port(own_jobs, status):
    name = own_jobs.create(f"{COUNT}; echo kept > /opt/ml/model/m")
    own_jobs.wait_for_line(name, "line 5")
    own_jobs.server.kill()
    with impostor(own_jobs.server.endpoint, status) as asked:
        # Until the work has ended, and its outputs are on their way.
        until = time.monotonic() + 120
        while not any("model.tar.gz" in path for path in asked):
            assert time.monotonic() < until, asked
            time.sleep(0.1)
        assert any("/_kiln/" in path for path in asked)
    own_jobs.server.start()
    own_jobs.reconnect()
    job = completed(own_jobs.wait(name))
    assert own_jobs.lines(name) == COUNTED
    assert own_jobs.model(job) == {"m": b"kept\n"}


def test_a_server_whose_program_was_replaced_still_runs_jobs(busybox, tmp_path, monkeypatch):
    program = tmp_path / "kiln"
    shutil.copy(kiln_binary(), program)
    server = Server(images={"busybox": busybox})
    try:
        with monkeypatch.context() as patched:
            patched.setenv("KILN_BIN", str(program))
            server.start()
        program.unlink()
        program.write_text("a build under way\n")
        jobs = Jobs(server)
        name = jobs.create("echo ran")
        completed(jobs.wait(name))
        assert jobs.lines(name) == ["ran"]
    finally:
        server.close()


def test_what_nobody_remembers_is_cleared_away_at_start(own_jobs):
    own_jobs.server.kill()
    forgotten = Path(own_jobs.server.data_dir) / "instances" / "kiln-forgotten"
    (forgotten / "ml" / "model").mkdir(parents=True)
    (forgotten / "reports.spool").touch()
    own_jobs.server.start()
    until = time.monotonic() + 120
    while forgotten.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not forgotten.exists()
