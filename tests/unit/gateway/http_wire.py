"""A server on one end of a socket pair and a client that speaks raw bytes on the other, in one loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from atoll.gateway.connection import Connection
from atoll.gateway.http import Handler, HttpServer, Limits

QUICK = replace(
    Limits(),
    head_seconds=0.2,
    idle_seconds=0.3,
    stall_seconds=0.3,
    linger_seconds=0.3,
    sweep_seconds=0.02,
    body_threads=4,
)
"""For tests of what happens when time is up. Others use the real limits, so that a slow machine changes nothing."""


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._held = b""

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    def shut(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    async def _more(self) -> bool:
        data = await self._loop.sock_recv(self.sock, 1 << 18)
        self._held += data
        return bool(data)

    async def reply(self, method: str = "GET") -> Reply:
        """One answer, no byte more."""
        while b"\r\n\r\n" not in self._held:
            assert await self._more(), f"closed in a head, after {self._held!r}"
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        status_line, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        status = int(status_line.split(" ")[1])
        bodiless = method == "HEAD" or status < 200 or status in (204, 304)
        length = 0 if bodiless else int(headers["content-length"])
        pieces, count = [self._held], len(self._held)
        while count < length:
            piece = await self._loop.sock_recv(self.sock, 1 << 18)
            assert piece, f"closed in a body, {length - count} bytes short"
            pieces.append(piece)
            count += len(piece)
        held = b"".join(pieces)
        body, self._held = held[:length], held[length:]
        return Reply(status, headers, body)

    async def ended(self) -> bytes:
        """What still comes before the server closes."""
        try:
            while await self._more():
                pass
        except ConnectionError:
            return b"reset"
        rest, self._held = self._held, b""
        return rest


class Bench:
    """A server, and as many clients as a test wants."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.socks: list[socket.socket] = []

    async def client(self) -> Client:
        ours, theirs = socket.socketpair()
        self.socks.append(ours)
        loop: Any = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Connection(self.server), theirs)
        return Client(ours)


@asynccontextmanager
async def bench(handler: Handler, limits: Limits | None = None) -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as tasks:
        made = Bench(HttpServer(handler, tasks, limits))
        try:
            yield made
        finally:
            for sock in made.socks:
                sock.close()
            await made.server.stop(2.0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    uvloop.run(bounded())
