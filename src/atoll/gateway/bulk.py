"""Bodies too big for the loop: pool threads move them between a socket and a sink or a blob's descriptor.

A thread works in turns: it gives way after TURN_BYTES_MAX, so that more clients than threads all get on, and as soon as its
client is slow, so that no client can hold a thread by trickling. A slow client is waited for in the loop, where it costs nothing.
"""

import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from atoll.operation import BlobBody, Lender, Sink

TURN_BYTES_MAX: Final = 64 * 1024**2
BLOCK_BYTES: Final = 1024**2
SEND_BYTES_MAX: Final = 8 * 1024**2  # Per sendfile: the kernel stops earlier, where the socket's buffer is full.
RECEIVE_MILLISECONDS: Final = 100  # A client that takes longer for BLOCK_BYTES is slow.
SEND_MILLISECONDS: Final = 50
_RECEIVE_TIMEOUT: Final = struct.pack("ll", 0, RECEIVE_MILLISECONDS * 1000)


class Turn(Enum):
    DONE = "done"
    MORE = "more"  # Its turn is over; the client keeps up.
    SLOW = "slow"
    GONE = "gone"


class Buffers:
    """BLOCK_BYTES buffers, used again: fresh ones would cost more page faults than the copying."""

    def __init__(self, kept_max: int) -> None:
        self._free: list[bytearray] = []
        self._kept_max = kept_max

    def take(self) -> bytearray:
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(BLOCK_BYTES)

    def give(self, buffer: bytearray) -> None:
        if len(self._free) < self._kept_max:
            self._free.append(buffer)


class _Copying:
    """Lends a buffer in the name of a sink that does not lend."""

    def __init__(self, buffer: bytearray, sink: Sink) -> None:
        self._view = memoryview(buffer)
        self._sink = sink

    def write(self, data: memoryview) -> None:
        self._sink.write(data)

    def lend(self) -> memoryview:
        return self._view

    def took(self, count: int) -> None:
        with self._view[:count] as block:
            self._sink.write(block)


class Receiving:
    """The rest of a body of known length, straight from the socket into the sink. `left` counts what has not come."""

    def __init__(self, sock: socket.socket, left: int, buffers: Buffers) -> None:
        self.sock = sock
        self.left = left
        self._buffers = buffers
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIMEOUT)

    def turn(self, sink: Sink) -> Turn:
        """On a pool thread. What the sink raises goes to the caller."""
        # Blocking belongs to the open socket, not to our duplicate: the loop must not touch its own until we are done.
        self.sock.settimeout(None)
        try:
            if isinstance(sink, Lender):
                return self._receive(sink)
            buffer = self._buffers.take()
            try:
                return self._receive(_Copying(buffer, sink))
            finally:
                self._buffers.give(buffer)
        finally:
            self.sock.settimeout(0.0)

    def _receive(self, sink: Lender) -> Turn:
        turn_left = TURN_BYTES_MAX
        while self.left and turn_left > 0:
            view = sink.lend()
            wanted = min(self.left, len(view))
            try:
                # One call, and one round for the interpreter's lock, per block.
                count = self.sock.recv_into(view, wanted, socket.MSG_WAITALL)
            except BlockingIOError:
                return Turn.SLOW
            except OSError:
                return Turn.GONE
            if count == 0:
                return Turn.GONE
            self.left -= count
            turn_left -= count
            sink.took(count)
            if count < wanted:
                return Turn.SLOW
        return Turn.MORE if self.left else Turn.DONE


class _Segments:
    """A BlobBody's bytes in order: one open descriptor at a time."""

    def __init__(self, body: BlobBody) -> None:
        self._blobs = body.blobs
        self._rest = list(reversed(body.segments))
        self._first = body.first
        self.descriptor = -1
        self.offset = 0
        self.left = 0

    def advance(self) -> bool:
        """Moves to the next bytes to send. Answers whether there are any. Opening blocks."""
        while not self.left:
            self._close_current()
            if not self._rest:
                return False
            segment = self._rest.pop()
            first, self._first = self._first, None
            self.descriptor = self._blobs.open(segment.blob_id) if first is None else first
            self.offset, self.left = segment.offset, segment.length
        return True

    def read(self, count: int) -> bytes:
        data = os.pread(self.descriptor, min(count, self.left), self.offset)
        assert data, "a blob is shorter than its record says"
        self.moved(len(data))
        return data

    def moved(self, count: int) -> None:
        self.offset += count
        self.left -= count

    def _close_current(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def close(self) -> None:
        self._close_current()
        if self._first is not None:
            first, self._first = self._first, None
            os.close(first)


class BlobSource:
    """A reply's blobs, read or sent from pool threads, or in the loop when small. Must be closed."""

    def __init__(self, body: BlobBody) -> None:
        self._segments = _Segments(body)
        self._on_close: Callable[[], None] | None = body.close
        self.head = b""  # Sent before the first bytes, in one packet with them.

    def advance(self) -> bool:
        """Opens what comes next. Answers whether anything does."""
        return self._segments.advance()

    def read_all(self) -> bytes:
        pieces = []
        while self._segments.advance():
            pieces.append(self._segments.read(BLOCK_BYTES))
        return b"".join(pieces)

    def read_block(self) -> bytes:
        """Empty at the end."""
        return self._segments.read(BLOCK_BYTES // 4) if self._segments.advance() else b""

    def send_turn(self, sock: socket.socket) -> Turn:
        """On a pool thread. `sock` does not block, so that a client that stops reading cannot hold the thread."""
        segments = self._segments
        turn_left = TURN_BYTES_MAX
        while self.head or segments.advance():
            if turn_left <= 0:
                return Turn.MORE
            try:
                if self.head:
                    self.head = self.head[sock.send(self.head, socket.MSG_MORE) :]
                    continue
                count = os.sendfile(
                    sock.fileno(), segments.descriptor, segments.offset, min(segments.left, SEND_BYTES_MAX)
                )
            except BlockingIOError:
                if not _writable(sock):
                    return Turn.SLOW
                continue
            except (ConnectionError, TimeoutError):
                return Turn.GONE
            assert count, "a blob is shorter than its record says"
            segments.moved(count)
            turn_left -= count
        return Turn.DONE

    def close(self) -> None:
        self._segments.close()
        if self._on_close is not None:
            on_close, self._on_close = self._on_close, None
            on_close()


def _writable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(SEND_MILLISECONDS))


def write_pieces(sink: Sink, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        sink.write(memoryview(piece))


def duplicate(descriptor: int) -> socket.socket:
    """Our own handle on the loop's socket: it stays valid when the loop closes its own."""
    return socket.socket(fileno=os.dup(descriptor))
