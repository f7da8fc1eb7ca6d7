"""An HTTP proxy that does to an object store what networks and disks do to it.

It stands between a server and its agents: they look up the server's address in
the data directory for every connection, and find the proxy's there. Every
request is noted; what a plan says happens to the requests that it matches.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
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
    answer; the store has done what was asked), `cut` (the connection breaks
    after so many bytes of the request's body), `hold` (the request's body stops
    there until the proxy is released).
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
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        assert listening.wait(10)

    def plan(self, matches: Callable[[Request], bool], fault: Fault, times: int = 1) -> Plan:
        """From now on, the fault happens to these requests."""
        plan = Plan(matches, fault, times)
        self._plans.append(plan)
        return plan

    def release(self) -> None:
        """Ends every `hold` and `stall`."""
        self._loop.call_soon_threadsafe(self._released.set)

    def close(self) -> None:
        """Breaks what is under way and ends."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, listening: threading.Event) -> None:
        async def listen():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
            listening.set()

        self._loop.create_task(listen())
        self._loop.run_forever()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        store, to_store = await asyncio.open_connection(*self.upstream)
        try:
            while head := await _head(client):
                request = _request(head)
                self.seen.append(request)
                fault = self._fault(request)
                to_store.write(head)
                await self._up(client, to_store, request, fault)
                await self._down(store, to_client, request, fault)
        except (OSError, asyncio.IncompleteReadError):
            pass
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
        if fault.kind == "refuse":
            await _copy(store, None, head, request)
            to_client.write(_refusal(head))
            await to_client.drain()
            return
        if fault.kind in ("none", "cut", "hold"):
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
    lines = head.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([kept[0], b"content-length: %d" % length, *kept[1:]])


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
