"""The load: connections that each send their next request when the last answer is whole. Costs some 20 us of CPU a small request."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop
from processes import Group

BUFFER_BYTES = 1 << 20
STALL_SECONDS_MAX = 120.0
_REFUSALS_MAX = 20  # New connections in a row without one answer.
_MEMORY_SAMPLE_SECONDS = 0.25

Request = tuple[bytes, bytes | memoryview]
"""A head, and the body that follows it."""
NextRequest = Callable[[int, int], Request]
"""Given the connection's number and how many it has sent."""


@dataclass
class Outcome:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    bytes_in: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    client_cpu_seconds: float = 0.0
    server_cpu_seconds: float = 0.0
    server_rss_max_bytes: int = 0

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] * 1000 if ordered else float("nan")


class _Run:
    """What the connections of one run share."""

    def __init__(self, next_request: NextRequest, until: float, ops_max: int) -> None:
        self.next_request = next_request
        self.until = until
        self.ops_left = ops_max
        self.outcome = Outcome()
        self.last_answer = 0.0

    def may_go_on(self) -> bool:
        return self.ops_left > 0 and time.monotonic() < self.until


class _Connection(asyncio.BufferedProtocol):
    """Reads answers with a length, chunked ones, and those that end with the connection."""

    def __init__(self, client: "_Client", pending: Request | None = None) -> None:
        self._client = client
        self._run = client.run
        self._view = client.view
        self._transport: Any = None
        self._pending = pending
        self._forget_answer()

    def _forget_answer(self) -> None:
        self._head = b""
        self._left = -1  # Body bytes still to come; -1: no head yet, -2: chunked, -3: until the connection ends.
        self._tail = b""
        self._status = b""
        self._closes = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._client.connection = self
        if self._pending is not None:
            self._write(self._pending)
        else:
            self.send_next()

    def send_next(self) -> None:
        request = self._client.next_request()
        if request is None:
            self.close()
            self._client.finish()
            return
        self._pending = request
        self._write(request)

    def close(self) -> None:
        self._pending = None
        if self._transport is not None:
            self._transport.close()

    def _write(self, request: Request) -> None:
        head, body = request
        if len(body) <= 65_536:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view  # The client's: a closed connection gets nothing more, so two never share it.

    def buffer_updated(self, count: int) -> None:
        if self._left >= 0:
            self._take_body(count)
        elif self._left == -1:
            self._take_head(count)
        else:
            self._take_unmeasured(bytes(self._view[:count]))

    def _take_head(self, count: int) -> None:
        self._head += self._view[:count]
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = self._head[:end].lower(), self._head[end + 4 :]
        self._status = head[9:12]
        if self._status == b"100":
            self._head = b""
            self._view[: len(rest)] = rest
            if rest:
                self._take_head(len(rest))
            return
        self._closes = b"\r\nconnection: close" in head or head.startswith(b"http/1.0")
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            line_end = head.find(b"\r\n", at + 2)
            self._left = int(head[at + 17 : line_end if line_end > 0 else end])
        elif b"\r\ntransfer-encoding: chunked" in head:
            self._left = -2
        elif self._status in {b"204", b"304"}:
            self._left = 0
        else:
            self._left = -3
        if self._left >= 0:
            self._run.outcome.bytes_in += len(rest)
            self._left -= len(rest)
            if self._left <= 0:
                self._answered()
        elif rest:
            self._take_unmeasured(rest)

    def _take_body(self, count: int) -> None:
        self._run.outcome.bytes_in += count
        self._left -= count
        if self._left <= 0:
            self._answered()

    def _take_unmeasured(self, data: bytes) -> None:
        self._run.outcome.bytes_in += len(data)
        if self._left == -2:
            self._tail = (self._tail + data)[-7:]
            if self._tail.endswith(b"\r\n0\r\n\r\n"):
                self._answered()

    def _answered(self) -> None:
        self._client.note_answer(self._status)
        closes = self._closes or self._left == -3
        self._pending = None
        self._forget_answer()
        if closes:
            self.close()
            self._client.reconnect()
        else:
            self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._left == -3:
            self._answered()
        elif self._pending is not None:
            begun = bool(self._head) or self._left != -1
            if begun:
                self._client.note_error("connection lost in an answer")
            # A server may close an idle connection: the request goes on a new one, and the time it takes is counted.
            self._client.reconnect(None if begun else self._pending)


class _Client:
    """One client's turn of requests, over as many connections as its server makes it need."""

    def __init__(self, run: _Run, number: int, address: tuple[str, int]) -> None:
        self.run = run
        self.view = memoryview(bytearray(BUFFER_BYTES))
        self.connection: _Connection | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number = number
        self._address = address
        self._sent = 0
        self._started = 0.0
        self._refusals = 0

    def next_request(self) -> Request | None:
        if not self.run.may_go_on():
            return None
        self.run.ops_left -= 1
        request = self.run.next_request(self._number, self._sent)
        self._sent += 1
        self._started = time.perf_counter()
        return request

    def note_answer(self, status: bytes) -> None:
        now = time.perf_counter()
        if status in {b"200", b"204", b"206"}:
            self.run.outcome.latencies.append(now - self._started)
        else:
            self.note_error(status.decode(errors="replace"))
        self.run.last_answer = now
        self._refusals = 0

    def note_error(self, error: str) -> None:
        errors = self.run.outcome.errors
        errors[error] = errors.get(error, 0) + 1

    def reconnect(self, pending: Request | None = None) -> None:
        self.connection = None
        if self.finished.done():
            return
        if pending is None:
            pending = self.next_request()
            if pending is None:
                self.finish()
                return
        self._connect(pending)

    def connect(self) -> None:
        self._connect(None)

    def _connect(self, pending: Request | None) -> None:
        self._refusals += 1
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(loop.create_connection(lambda: _Connection(self, pending), *self._address))
        self._connecting.add_done_callback(self._connected)

    def _connected(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is None and self._refusals < _REFUSALS_MAX:
            return
        self.note_error("no connection")
        self.finish()

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def abandon(self) -> None:
        """The run is over: what this client still waits for is an error."""
        if not self.finished.done():
            self.note_error("no answer")
            self.finish()
            if self.connection is not None:
                self.connection.close()


async def _drive(run: _Run, address: tuple[str, int], connections: int, server: Group | None) -> None:
    clients = [_Client(run, number, address) for number in range(connections)]
    for client in clients:
        client.connect()
    everyone = asyncio.gather(*(client.finished for client in clients))
    deadline = run.until + STALL_SECONDS_MAX
    while not everyone.done():
        await asyncio.wait([everyone], timeout=_MEMORY_SAMPLE_SECONDS)
        if server is not None:
            server.sample_memory()
        if time.monotonic() > deadline:
            for client in clients:
                client.abandon()


def drive(
    address: tuple[str, int],
    next_request: NextRequest,
    *,
    connections: int,
    seconds: float,
    ops_max: int = 10**9,
    server: Group | None = None,
) -> Outcome:
    """Runs until the time is up or the operations are; what is under way then is awaited and counted."""
    run = _Run(next_request, time.monotonic() + seconds, ops_max)
    if server is not None:
        server.rss_max_bytes = 0
    server_before = server.cpu_seconds() if server is not None else 0.0
    client_before = time.process_time()
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_drive(run, address, connections, server))
    outcome = run.outcome
    outcome.seconds = max(run.last_answer - started, 1e-9)
    outcome.client_cpu_seconds = time.process_time() - client_before
    if server is not None:
        outcome.server_cpu_seconds = server.cpu_seconds() - server_before
        outcome.server_rss_max_bytes = server.rss_max_bytes
    return outcome


def do_all(address: tuple[str, int], requests: Sequence[Request], connections: int = 16) -> Outcome:
    """Sends each of these once, and fails unless all are answered well."""
    waiting = iter(requests)
    outcome = drive(
        address,
        lambda _n, _i: next(waiting),
        connections=min(connections, len(requests)),
        seconds=600,
        ops_max=len(requests),
    )
    if outcome.errors or len(outcome.latencies) != len(requests):
        raise SystemExit(f"preparing failed: {len(outcome.latencies)} of {len(requests)} answered, {outcome.errors}")
    return outcome
