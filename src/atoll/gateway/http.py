"""The HTTP/1.1 server: what its connections share, their deadlines, and how it ends.

A handler gets an HttpRequest and answers a WireReply. Its first steps, up to where it first suspends, run outside any task: before
that it can't use what asks for the current task (asyncio.timeout, TaskGroup).
"""

import asyncio
import select
import ssl
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from socket import socket
from typing import Any, Protocol

from atoll.base.clock import Clock, SystemClock
from atoll.gateway.bulk import Buffers
from atoll.gateway.connection import Connection, Handler, HttpRequest
from atoll.gateway.framing import Limits
from atoll.gateway.incoming import RawBody
from atoll.gateway.rendering import date_line

BACKLOG = 4096  # The kernel's own default limit.
CUT_SECONDS = 1.0  # For requests that were cut to end by themselves.


class Stopping(Protocol):
    """How a server is told to end (workers.WorkerControl)."""

    draining: asyncio.Event
    """No new connections; the present ones are served to their end: a successor has taken over."""

    hurried: asyncio.Event
    """Idle connections are closed, and requests that run have StopTimes.finish_seconds. Set after, or together with, draining."""


@dataclass(frozen=True, slots=True)
class StopTimes:
    idle_seconds: float = 5.0  # While draining, a connection without a request may still send one.
    drain_seconds: float = 300.0  # For requests that run meanwhile.
    finish_seconds: float = 8.0


class HttpServer:
    """Serves any number of listening sockets. Its tasks belong to the group it is given."""

    def __init__(
        self, handler: Handler, tasks: asyncio.TaskGroup, limits: Limits | None = None, clock: Clock | None = None
    ) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.pool = ThreadPoolExecutor(self.limits.body_threads, "body")
        self.buffers = Buffers(self.limits.body_threads)
        self.connections: set[Connection] = set()
        self.draining = False
        self.now = 0.0
        self.date = ""
        self._tasks = tasks
        self._exchanges: set[asyncio.Task[None]] = set()
        self._clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._listeners: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None
        self._sweep()

    async def start(self, sock: socket, tls: ssl.SSLContext | None = None) -> None:
        """Serves a bound socket."""
        self._listeners.append(
            await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG, ssl=tls)
        )

    def _sweep(self) -> None:
        self.now = self._loop.time()
        self.date = date_line(self._clock.now())
        for connection in [late for late in self.connections if late.deadline <= self.now]:
            connection.expire()
        self._tick = self._loop.call_later(self.limits.sweep_seconds, self._sweep)

    def spawn(self, exchange: Coroutine[Any, Any, None]) -> None:
        """Finishes an exchange that has suspended. They are known apart from the group's other tasks, to be ended alone."""
        task = self._tasks.create_task(exchange)
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._empty.set()

    def drain(self) -> None:
        """Leaves new connections to the others that hold the socket. Every answer from now on ends its connection."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if not self.connections:
            self._empty.set()

    def close_idle(self) -> None:
        """Spares those whose next request is already here: it gets its answer."""
        poll = select.poll()
        idle: dict[int, Connection] = {}
        for connection in list(self.connections):
            descriptor = connection.descriptor() if connection.is_idle() else None
            if descriptor is not None:
                idle[descriptor] = connection
                poll.register(descriptor, select.POLLIN)
            elif connection.is_idle():
                connection.close()
        asked = {descriptor for descriptor, _ in poll.poll(0)}
        for descriptor, connection in idle.items():
            if descriptor not in asked:
                connection.close()

    async def emptied(self, within_seconds: float, unless: asyncio.Event | None = None) -> None:
        """Returns when no connection is left, the time is up, or `unless` is set."""
        waits = [self._tasks.create_task(event.wait()) for event in (self._empty, unless) if event is not None]
        await asyncio.wait(waits, timeout=within_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def stop(self, finish_seconds: float) -> None:
        """Closes idle connections, lets requests that run finish, and cuts what is left when the time is up."""
        self.drain()
        self.close_idle()
        await self.emptied(finish_seconds)
        for connection in list(self.connections):
            connection.cut()
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=CUT_SECONDS)
        for exchange in list(self._exchanges):
            exchange.cancel()
        if self._tick is not None:
            self._tick.cancel()
        self.pool.shutdown(wait=False, cancel_futures=True)


async def serve(
    sock: socket,
    handler: Handler,
    stopping: Stopping,
    *,
    limits: Limits | None = None,
    times: StopTimes | None = None,
    tls: ssl.SSLContext | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves `sock` until told to stop. Returns when every request has ended, or its time was up."""
    times = times or StopTimes()
    async with asyncio.TaskGroup() as tasks:
        server = HttpServer(handler, tasks, limits)
        await server.start(sock, tls)
        ready()
        await stopping.draining.wait()
        server.drain()
        await server.emptied(times.idle_seconds, unless=stopping.hurried)
        server.close_idle()
        await server.emptied(times.drain_seconds, unless=stopping.hurried)
        await server.stop(times.finish_seconds)


__all__ = [
    "Handler",
    "HttpRequest",
    "HttpServer",
    "Limits",
    "RawBody",
    "StopTimes",
    "Stopping",
    "serve",
]
