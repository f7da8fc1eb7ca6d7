"""An HTTP server that answers from a script, with or without TLS."""

import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Self


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    body: str = ""

    # The connection is closed without an answer, or stays open without one.
    NONE: ClassVar["Answer"]
    NEVER: ClassVar["Answer"]


Answer.NONE = Answer(0)
Answer.NEVER = Answer(-1)


@dataclass(frozen=True)
class Request:
    """A request that came."""

    path: str
    headers: Message
    body: bytes


@dataclass
class Stub:
    """The server, in threads of its own. Each request takes an answer off the script."""

    # A file with a certificate and its key.
    certificate: Path | None = None
    script: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.closed = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.handle_error = lambda *_: None
        scheme = "http"
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            # The handshake is the handler's, which has a thread for each connection.
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one connection."""

            def answer(self) -> None:
                """Takes a request, and does what the script says."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stub.requests.append(Request(self.path, self.headers, body))
                answer = stub.script.pop(0) if stub.script else Answer(500)
                if answer is Answer.NEVER:
                    stub.closed.wait()
                if answer in (Answer.NONE, Answer.NEVER):
                    self.close_connection = True
                    return
                body = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_) -> None:
                """Keeps silent."""

        return Handler


class Certificates:
    """A certificate authority, and what it has signed."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.authority = self._authority("authority")
        self.stranger = self._authority("stranger")
        self.for_this_host = self._signed("here", "IP:127.0.0.1")
        self.for_another_host = self._signed("there", "DNS:example.com")

    def _authority(self, name: str) -> Path:
        made = self.directory / f"{name}.pem"
        self._openssl("req", "-x509", "-subj", f"/CN={name}", *self._new_key(name), "-out", made)
        return made

    def _signed(self, name: str, host: str) -> Path:
        made = self.directory / f"{name}.pem"
        signer = ("-CA", self.authority, "-CAkey", self.directory / "authority.key")
        extensions = (
            "-addext",
            f"subjectAltName={host}",
            "-addext",
            "basicConstraints=CA:FALSE",
        )
        new = ("req", "-x509", "-subj", f"/CN={name}", *self._new_key(name))
        self._openssl(*new, *signer, *extensions, "-out", made)
        made.write_text(made.read_text() + (self.directory / f"{name}.key").read_text())
        return made

    def _new_key(self, name: str) -> tuple:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        return (
            *curve,
            "-nodes",
            "-days",
            "2",
            "-keyout",
            self.directory / f"{name}.key",
        )

    def _openssl(self, *arguments) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
