"""A container engine that has no image and takes its time to say so."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

ANSWERS = {
    "/version": {"Version": "1", "ApiVersion": "1.43"},
    "/info": {"NCPU": 2},
    "/containers/json": [],
}


class SlowEngine:
    """Answers on a socket of its own. A question for an image waits for `release`."""

    def __init__(self, directory: Path):
        self.socket = directory / "engine.sock"
        self.asked, self._released = threading.Event(), threading.Event()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if "/images/" in self.path:
                    engine.asked.set()
                    engine._released.wait()
                path = self.path.partition("?")[0]
                found = [body for end, body in ANSWERS.items() if path.endswith(end)]
                status, body = (200, found[0]) if found else (404, {"message": "there is none"})
                self._answer(status, body)

            def do_POST(self):
                self._answer(404, {"message": "there is none"})

            def _answer(self, status: int, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        class Listener(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # Who asked is dead.

        self._server = Listener(str(self.socket), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self) -> None:
        """From now on, questions for images wait."""
        self.asked.clear()
        self._released.clear()

    def release(self) -> None:
        """Answers what waits."""
        self._released.set()

    def close(self) -> None:
        """Ends it."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
