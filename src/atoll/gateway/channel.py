"""The byte side of a connection: what it reads and writes, and on which thread, and when it has waited long enough.

READY    waits for a head, or for the rest of one
GATHER   collects a small body
RUNNING  the handler runs, or its answer is on its way; what comes in is a streaming body or the next requests
LINGER   the last answer has been written; what still comes is thrown away, so that the client gets to read it
CLOSED   nothing more is read; what was written may still be on its way out
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from math import inf
from typing import Any, Protocol, TypeVar

from atoll.gateway import bulk
from atoll.gateway.framing import Limits
from atoll.gateway.incoming import ClientGone

T = TypeVar("T")


class State(Enum):
    READY = "ready"
    GATHER = "gather"
    RUNNING = "running"
    LINGER = "linger"
    CLOSED = "closed"


class Shared(Protocol):
    """What the channels of one server share."""

    limits: Limits
    pool: ThreadPoolExecutor
    buffers: bulk.Buffers
    now: float  # Of the loop's clock, at most a sweep old: reading it per request would cost more than it tells.


class Channel(asyncio.Protocol):
    """Bytes in and out. Connection knows what they mean."""

    __slots__ = (
        "_clear",
        "_reading",
        "_shared",
        "_transport",
        "_unsent_bytes",
        "_writing",
        "deadline",
        "secure",
        "state",
    )

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._transport: Any = None
        self.state = State.READY
        self.deadline = inf
        self.secure = False
        self._reading = True
        self._writing = True
        self._unsent_bytes = 0  # When last looked at, while the client does not take what is written.
        self._clear: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.secure = transport.get_extra_info("sslcontext") is not None

    def connection_lost(self, exc: Exception | None) -> None:
        self.state = State.CLOSED
        self._wake_writer()

    def pause_writing(self) -> None:
        self._writing = False
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self.deadline = self._shared.now + self._shared.limits.stall_seconds

    def resume_writing(self) -> None:
        self._writing = True
        self._wake_writer()

    def write(self, *pieces: bytes) -> None:
        if self.state is State.CLOSED:
            return
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)

    def flow(self, *, on: bool) -> None:
        """Starts or stops reading. While a handler runs, reading is reading its body, which may not stall."""
        if self.state is State.RUNNING:
            self.deadline = self._shared.now + self._shared.limits.stall_seconds if on else inf
        if on is self._reading or self._transport.is_closing():
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    async def flushed(self) -> None:
        """Returns when all that was written is with the kernel. Raises ClientGone."""
        # uvloop hands its writes to the kernel at the end of a turn, and does not count them before.
        await asyncio.sleep(0)
        if self._transport.get_write_buffer_size() and not self._is_closed():
            self._clear = asyncio.get_running_loop().create_future()
            self._transport.set_write_buffer_limits(0)
            await self._clear
            self._clear = None
            if not self._is_closed():
                self._transport.set_write_buffer_limits()
        if self._is_closed():
            raise ClientGone

    def _is_closed(self) -> bool:
        return self.state is State.CLOSED

    def _wake_writer(self) -> None:
        if self._clear is not None:
            _wake(self._clear)

    def still_sending(self) -> bool:
        """Whether the client has taken some of what was written since this was last asked."""
        unsent_bytes: int = self._transport.get_write_buffer_size()
        progress = 0 < unsent_bytes < self._unsent_bytes
        self._unsent_bytes = unsent_bytes
        return progress

    # The channel's end.

    def close(self) -> None:
        """After what has been written."""
        self.state = State.CLOSED
        self.deadline = self._shared.now + self._shared.limits.stall_seconds
        self._unsent_bytes = self._transport.get_write_buffer_size() + 1
        self._transport.close()

    def linger(self) -> None:
        """Closes our side. Closing both, with bytes unread, would have the kernel take the answer back from the client."""
        self.state = State.LINGER
        self.deadline = self._shared.now + self._shared.limits.linger_seconds
        self._transport.write_eof()
        self.flow(on=True)

    def abort(self) -> None:
        self.state = State.CLOSED
        self._transport.abort()

    def cut(self) -> None:
        """Ends whatever is under way, on pool threads too: they hold the socket by a descriptor of their own."""
        descriptor = self.descriptor()
        if descriptor is not None:
            with contextlib.closing(bulk.duplicate(descriptor)) as sock, contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.abort()

    # Big bodies.

    @property
    def buffers(self) -> bulk.Buffers:
        return self._shared.buffers

    @property
    def queued_body_bytes(self) -> int:
        return self._shared.limits.queued_body_bytes

    def descriptor(self) -> int | None:
        """The socket's, where threads may use it; None under TLS or once the client has gone."""
        if self.secure or self._transport.is_closing():
            return None
        descriptor: int = self._transport.get_extra_info("socket").fileno()
        return descriptor

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        moving = asyncio.get_running_loop().run_in_executor(self._shared.pool, function, *arguments)
        try:
            return await asyncio.shield(moving)
        except asyncio.CancelledError:
            # The thread still uses the descriptors that the caller is about to close.
            await asyncio.wait([moving])
            raise

    async def send_blob(self, head: bytes, source: bulk.BlobSource) -> None:
        """Raises ClientGone."""
        descriptor = self.descriptor()
        if descriptor is None:
            self.write(head)
            while block := await self.in_thread(source.read_block):
                self.write(block)
                await self.flushed()
            return
        source.head = head
        with contextlib.closing(bulk.duplicate(descriptor)) as sock:
            while (turn := await self.in_thread(source.send_turn, sock)) is not bulk.Turn.DONE:
                if turn is bulk.Turn.GONE:
                    raise ClientGone
                if turn is bulk.Turn.SLOW:
                    await self._writable(sock)

    async def _writable(self, sock: socket.socket) -> None:
        """Waits in the loop, where a slow reader costs nothing."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(sock, _wake, ready)
        try:
            async with asyncio.timeout(self._shared.limits.stall_seconds):
                await ready
        except TimeoutError:
            raise ClientGone from None
        finally:
            loop.remove_writer(sock)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
