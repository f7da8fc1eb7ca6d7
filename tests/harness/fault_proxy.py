"""An HTTP proxy that does to an object store what networks and disks do to it.

It stands between agents and the store of their jobs' objects. Every request is
noted; what a plan says happens to the requests that it matches.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from harness.jobs import PATIENCE, POLL, Jobs
from harness.server import Server

SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
PIECE = 64 << 10


@dataclass(frozen=True)
class Request:
    """A request that came through."""

    method: str
    path: str
    length: int

    def reads(self, key: str) -> bool:
        """Whether this reads data of an object whose key ends so."""
        return self.method == "GET" and self.path.partition("?")[0].endswith(key)

    def writes(self, key: str) -> bool:
        """Whether this writes data of an object whose key ends so."""
        return self.method == "PUT" and self.path.partition("?")[0].endswith(key)

    def begins(self, key: str) -> bool:
        """Whether this begins an upload in parts of an object whose key ends so."""
        path, _, query = self.path.partition("?")
        return self.method == "POST" and path.endswith(key) and "uploads=" in query

    def completes(self, key: str) -> bool:
        """Whether this makes an object of its parts."""
        path, _, query = self.path.partition("?")
        return self.method == "POST" and path.endswith(key) and "uploadId=" in query


@dataclass(frozen=True)
class Fault:
    """What happens to an exchange.

    `kind` is one of: `drop` (the connection breaks after so many bytes of the
    answer's body), `shorten` (the body is that short and says so), `stall` (no
    byte follows), `flip` (one byte is another), `refuse` (503 in place of the
    answer; the store has done what was asked), `lose` (the connection breaks in
    place of the answer), `late` (the answer comes so many milliseconds later),
    `cut` (the connection breaks after so many bytes of the request's body), `hold`
    (the request's body stops there until the proxy is released).
    """

    kind: str
    after: int = 0


@dataclass
class Plan:
    """A fault, for the first so many of the requests that match."""

    matches: Callable[[Request], bool]
    fault: Fault
    times: int
    happened: int = 0


@dataclass
class FaultProxy:
    """A proxy in front of one server, in a thread of its own."""

    upstream: tuple[str, int]
    seen: list[Request] = field(default_factory=list)
    address: str = ""

    def __post_init__(self):
        self._plans: list[Plan] = []
        self._released, self._ended = asyncio.Event(), asyncio.Event()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        assert listening.wait(10)

    def plan(self, matches: Callable[[Request], bool], fault: Fault, times: int = 1) -> Plan:
        """From now on, the fault happens to these requests."""
        plan = Plan(matches, fault, times)
        self._plans.append(plan)
        return plan

    def wait_for(self, matches: Callable[[Request], bool], within: float = PATIENCE) -> None:
        """Waits until a request that matches has come through."""
        until = time.monotonic() + within
        while not any(matches(request) for request in list(self.seen)):
            assert time.monotonic() < until, [request.path for request in self.seen]
            time.sleep(POLL)

    def release(self) -> None:
        """Ends every `hold` and `stall`, and that there are any."""
        self._plans = [plan for plan in self._plans if plan.fault.kind not in ("hold", "stall")]
        self._loop.call_soon_threadsafe(self._released.set)

    def close(self) -> None:
        """Breaks what is under way and ends."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def _run(self, listening: threading.Event) -> None:
        async def listen():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            host, port = server.sockets[0].getsockname()
            self.address = f"{host}:{port}"
            listening.set()
            await self._ended.wait()
            server.close()

        # It cancels what is under way when it ends.
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(listen())

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            store, to_store = await asyncio.open_connection(*self.upstream)
        except OSError:
            to_client.transport.abort()
            return
        try:
            while head := await _head(client):
                request = _request(head)
                self.seen.append(request)
                fault = self._fault(request)
                if _header(head, b"expect"):
                    # A store that answered this would answer twice.
                    to_client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    head = _without(head, b"expect")
                to_store.write(head)
                await self._up(client, to_store, request, fault)
                await self._down(store, to_client, request, fault)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # Either side is gone, or the proxy ends.
        finally:
            to_client.transport.abort()
            to_store.transport.abort()

    def _fault(self, request: Request) -> Fault:
        for plan in self._plans:
            if plan.happened < plan.times and plan.matches(request):
                plan.happened += 1
                return plan.fault
        return Fault("none")

    async def _up(self, client, to_store, request: Request, fault: Fault) -> None:
        async for piece, sent in _pieces(client, request.length):
            if fault.kind == "cut" and sent + len(piece) > fault.after:
                raise ConnectionResetError
            if fault.kind == "hold" and sent + len(piece) > fault.after:
                await self._released.wait()
            to_store.write(piece)
            await to_store.drain()

    async def _down(self, store, to_client, request: Request, fault: Fault) -> None:
        head = await _head(store)
        if not head:
            raise ConnectionResetError
        if fault.kind == "refuse":
            await _copy(store, None, head, request)
            to_client.write(_refusal(head))
            await to_client.drain()
            return
        if fault.kind == "lose":
            raise ConnectionResetError
        if fault.kind == "late":
            await asyncio.sleep(fault.after / 1000)
        if fault.kind in ("none", "cut", "hold", "late"):
            to_client.write(head)
            await _copy(store, to_client, head, request)
            return
        length = int(_header(head, b"content-length"))
        if fault.kind == "shorten":
            length = min(length, fault.after)
            head = _with_length(head, length)
        to_client.write(head)
        async for piece, sent in _pieces(store, length):
            at = fault.after - sent
            within = 0 <= at < len(piece)
            if fault.kind == "flip" and within:
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
            to_client.write(piece[:at] if within and fault.kind in ("drop", "stall") else piece)
            await to_client.drain()
            if within and fault.kind == "stall":
                await self._released.wait()
            if within and fault.kind in ("drop", "stall"):
                raise ConnectionResetError
        if fault.kind == "shorten":
            raise ConnectionResetError


def in_front_of(server: Server) -> FaultProxy:
    """A proxy in front of the server, through which all its agents speak from now on.

    Large objects are read past it, from the server's own disk.
    """
    proxy = FaultProxy(_address(server))
    (server.data_dir / "address").write_text(proxy.address)
    return proxy


@contextmanager
def holding(
    server: Server, matches: Callable[[Request], bool], fault: Fault
) -> Iterator[Callable[[], None]]:
    """Holds up the first request that matches, as the fault says, until the end of the
    block. What it gives waits for that request."""
    proxy = in_front_of(server)
    proxy.plan(matches, fault)
    try:
        yield partial(proxy.wait_for, matches)
    finally:
        proxy.release()
        proxy.close()


@contextmanager
def apart(images: dict) -> Iterator[tuple[Jobs, FaultProxy]]:
    """Jobs on a server whose objects lie on another one, and the proxy between the two.

    The tests' own S3 client goes straight to where the objects lie.
    """
    store = Server().start()
    proxy = FaultProxy(_address(store))
    server = Server(images=images)
    key, secret = store.credentials()
    (server.data_dir / "kiln.toml").write_text(
        f'[s3]\nendpoint = "http://{proxy.address}"\n'
        f'access_key_id = "{key}"\nsecret_access_key = "{secret}"\n'
    )
    try:
        jobs = Jobs(server.start())
        jobs.s3 = store.client("s3")
        yield jobs, proxy
    finally:
        server.close()
        proxy.close()
        store.close()


def _address(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.endpoint)
    return parts.hostname, parts.port


async def _head(stream: asyncio.StreamReader) -> bytes:
    """The head of a message; nothing when the connection has ended."""
    try:
        return await stream.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return b""


def _request(head: bytes) -> Request:
    method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    assert not _header(head, b"transfer-encoding"), "agents know how much they send"
    return Request(method, path, int(_header(head, b"content-length") or 0))


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


def _with_length(head: bytes, length: int) -> bytes:
    start, *lines = _without(head, b"content-length").split(b"\r\n")
    return b"\r\n".join([start, b"content-length: %d" % length, *lines])


def _without(head: bytes, name: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(name + b":"))


def _refusal(head: bytes) -> bytes:
    """A 503 of the same server."""
    identity = _header(head, b"x-kiln-server")
    lines = [
        b"HTTP/1.1 503 Slow Down",
        b"content-type: application/xml",
        b"x-kiln-server: " + identity,
        b"content-length: %d" % len(SLOW_DOWN),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + SLOW_DOWN


async def _copy(store, to_client, head: bytes, request: Request) -> None:
    """The body of an answer, as it is; into nothing when there is nobody."""
    status = head.split(b" ", 2)[1]
    if request.method == "HEAD" or status in (b"204", b"304"):
        return
    if _header(head, b"transfer-encoding") == b"chunked":
        size = None
        while size != 0:
            line = await store.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            chunk = line + await store.readexactly(size + 2)
            if to_client:
                to_client.write(chunk)
    async for piece, _ in _pieces(store, int(_header(head, b"content-length") or 0)):
        if to_client:
            to_client.write(piece)
            await to_client.drain()


async def _pieces(stream: asyncio.StreamReader, length: int):
    """So many bytes, in pieces with their place."""
    sent = 0
    while sent < length:
        piece = await stream.read(min(PIECE, length - sent))
        if not piece:
            raise ConnectionResetError
        yield piece, sent
        sent += len(piece)
