"""A request's body as it comes in: gathered when small, and otherwise moved into a sink by pool threads.

Big bodies of known length on plain TCP go from the socket to the sink on a thread. Chunked bodies, TLS and slow clients
come through the loop, with at most Limits.queued_body_bytes waiting.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from atoll.aws.errors import AwsError
from atoll.gateway import bulk
from atoll.gateway.framing import ChunkedBody, Refused, SizedBody
from atoll.operation import Sink

T = TypeVar("T")

LOOP_WRITE_BYTES_MAX: Final = 64 * 1024  # A sink may block: what takes long is written on a thread.


class ClientGone(Exception):
    """The client has left, or does not read: there is nobody to answer."""


class Link(Protocol):
    """What a body needs of its connection."""

    def descriptor(self) -> int | None:
        """The socket's, where threads may use it; None under TLS or once the client has gone."""
        ...

    def want_body(self) -> None:
        """The body is wanted: says so to a client that waits to be told."""
        ...

    def flow(self, *, on: bool) -> None:
        """Starts or stops reading the body into `feed`."""
        ...

    async def flushed(self) -> None:
        """Returns when all that was written is with the kernel. Raises ClientGone."""
        ...

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T: ...

    @property
    def buffers(self) -> bulk.Buffers: ...

    @property
    def queued_body_bytes(self) -> int: ...


def incomplete() -> AwsError:
    return AwsError(
        "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.", 400
    )


def stalled() -> AwsError:
    return AwsError(
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period. "
        "Idle connections will be closed.",
        400,
    )


class RawBody:
    """A request's body, without its transfer framing. Nothing is verified here but that it is whole."""

    __slots__ = ("_decoder", "_drained", "_failure", "_held_bytes", "_link", "_pieces", "_wake", "length", "whole")

    def __init__(self, length: int | None, decoder: SizedBody | ChunkedBody | None, link: Link | None) -> None:
        self.length = length
        self.whole = decoder is None
        self._decoder = decoder
        self._link = link
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._failure: AwsError | None = None
        self._wake: asyncio.Future[None] | None = None
        self._drained = False

    @classmethod
    def of(cls, data: bytes, link: Link | None = None) -> "RawBody":
        """A body that is already here."""
        body = cls(len(data), None, link)
        body._pieces.append(data)
        return body

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    def in_memory(self) -> bytes | None:
        """The whole body, when it was small enough to be gathered before the handler started."""
        if not self.whole or self._drained:
            return None
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def feed(self, data: bytes) -> bytes | None:
        """By the connection. Answers what follows the body once it is whole, until then None. Raises Refused."""
        assert self._decoder is not None
        out: list[bytes] = []
        rest = self._decoder.feed(data, out)
        # Joined, because a client may send chunks of one byte, each of which would cost an object.
        piece = out[0] if len(out) == 1 else b"".join(out)
        if piece:
            self._pieces.append(piece)
            self._held_bytes += len(piece)
        self.whole = rest is not None
        if self._link is not None and not self.whole and self._held_bytes >= self._link.queued_body_bytes:
            self._link.flow(on=False)
        self._notify()
        return rest

    def fail(self, failure: AwsError) -> None:
        """By the connection: no more will come."""
        if not self.whole and self._failure is None:
            self._failure = failure
            self._notify()

    def refuse(self, refusal: Refused) -> None:
        """By the connection: the framing broke after the handler had started."""
        self.fail(AwsError("InvalidRequest", f"The body cannot be read: {refusal.reason}.", refusal.status))

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def next_bytes(self) -> bytes:
        """What is here of the body, or comes next; b"" at its end. What follows can still be drained. Raises as drain does."""
        assert not self._drained, "a body that is drained leaves nothing"
        link = self._link
        if not self._pieces and not self.whole and link is not None:
            link.want_body()
            while not self._pieces and not self.whole:
                if self._failure is not None:
                    raise self._failure
                self._wake = asyncio.get_running_loop().create_future()
                link.flow(on=True)
                await self._wake
                self._wake = None
            if not self.whole:
                link.flow(on=False)
        pieces, self._pieces, self._held_bytes = self._pieces, [], 0
        return b"".join(pieces)

    async def drain(self, sink: Sink) -> None:
        """Moves what is left of the body into the sink, once. Raises AwsError IncompleteBody or RequestTimeout, and what the sink raises.

        The sink may not keep a view after its write has returned: the memory is used again.
        """
        assert not self._drained, "a body can be drained once"
        body = self.in_memory()
        if body is not None and (self._link is None or len(body) <= LOOP_WRITE_BYTES_MAX):
            sink.write(memoryview(body))
            return
        assert self._link is not None
        if body is not None:
            await self._link.in_thread(bulk.write_pieces, sink, [body])
            return
        self._drained = True
        self._link.want_body()
        while not self.whole:
            # What is small is sooner here than handed to a thread that waits for it.
            if isinstance(self._decoder, SizedBody) and self._decoder.left > self._link.queued_body_bytes:
                await self._receive(self._link, self._decoder, sink)
            if not self.whole:
                await self._through_loop(self._link, sink)

    async def _receive(self, link: Link, decoder: SizedBody, sink: Sink) -> None:
        """From the socket, on threads, for as long as the client keeps up."""
        try:
            await link.flushed()
        except ClientGone:
            raise incomplete() from None
        descriptor = link.descriptor()
        if descriptor is None or self._failure is not None:
            return
        receiving = bulk.Receiving(bulk.duplicate(descriptor), decoder.left, link.buffers)
        pieces, self._pieces, self._held_bytes = self._pieces, [], 0
        try:
            await link.in_thread(bulk.write_pieces, sink, pieces)
            turn = bulk.Turn.MORE
            while turn is bulk.Turn.MORE:
                turn = await link.in_thread(receiving.turn, sink)
        finally:
            receiving.sock.close()
        decoder.left = receiving.left
        self.whole = turn is bulk.Turn.DONE
        if turn is bulk.Turn.GONE:
            self._failure = incomplete()
            raise self._failure

    async def _through_loop(self, link: Link, sink: Sink) -> None:
        """Until the body is whole, or comes in fast enough for a thread again."""
        loop = asyncio.get_running_loop()
        while True:
            fast = self._held_bytes >= link.queued_body_bytes  # And so reading has stopped.
            if not fast and not self.whole and self._failure is None:
                self._wake = loop.create_future()
                link.flow(on=True)
                if not self._pieces:
                    await self._wake
                self._wake = None
            whole, pieces = self.whole, self._pieces
            self._pieces, self._held_bytes = [], 0
            if pieces:
                await link.in_thread(bulk.write_pieces, sink, pieces)
            if whole or (fast and isinstance(self._decoder, SizedBody)):
                return  # If not whole: a thread may be worth it again.
            if self._failure is not None and not self._pieces:
                raise self._failure


NO_BODY = RawBody.of(b"")
