"""A webhook that notes what it is sent, and is as unreliable as it is told to be."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Sent:
    """One request, and how it was answered: a status, or `drop` or `stall`."""

    event: dict
    body: bytes
    headers: dict
    answer: int | str

    @property
    def job(self) -> str:
        """The name of the job that it is about."""
        return self.event["detail"]["TrainingJobName"]

    @property
    def phase(self) -> tuple[str, str]:
        """The secondary status that it tells of, and the message."""
        last = self.event["detail"]["SecondaryStatusTransitions"][-1]
        assert last["Status"] == self.event["detail"]["SecondaryStatus"]
        return last["Status"], last["StatusMessage"]

    @property
    def ends(self) -> bool:
        """Whether it tells of a job's end."""
        return "TrainingEndTime" in self.event["detail"]


class Webhook:
    """Listens on a port of its own, which it keeps while it is away.

    `mood` says how each request is answered. It is told the event and how many
    times this very event was sent before. With a file that holds a certificate and
    its key, it speaks TLS.
    """

    def __init__(self, certificate: Path | None = None):
        self.mood: Callable[[dict, int], int | str] = lambda event, before: 200
        self.certificate = certificate
        self.sent: list[Sent] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        """Listens."""
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                webhook._answer(self)

            def log_message(self, *_):
                pass

        class Listener(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self._released.clear()
        self._server = Listener(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Is away: connections are refused."""
        self._released.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        event = json.loads(body)
        with self._lock:
            before = sum(sent.event["id"] == event["id"] for sent in self.sent)
            answer = self.mood(event, before)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.sent.append(Sent(event, body, headers, answer))
        if answer == "stall":
            self._released.wait(60)
        if isinstance(answer, str):
            handler.close_connection = True
            return
        handler.send_response(answer)
        handler.send_header("content-length", "0")
        handler.end_headers()

    # What it has heard

    def taken(self, job: str) -> list[Sent]:
        """What was sent about a job and answered with success, repetitions left out."""
        seen: dict[str, Sent] = {}
        for sent in list(self.sent):
            if sent.job == job and sent.answer in range(200, 300):
                seen.setdefault(sent.event["id"], sent)
        return list(seen.values())

    def wait_for_end(self, job: str, within: float = 120) -> list[Sent]:
        """Waits until a job's end was told; answers what was taken until then."""
        return self.wait_until(job, lambda taken: any(sent.ends for sent in taken), within)

    def wait_until(self, job: str, holds, within: float = 120) -> list[Sent]:
        """Waits until `holds` of what was taken about a job."""
        until = time.monotonic() + within
        while not holds(taken := self.taken(job)):
            assert time.monotonic() < until, (
                f"told of {job}: {[(s.phase, s.answer) for s in self.sent if s.job == job]}"
            )
            time.sleep(0.02)
        return taken
