"""One client's requests and their answers: one at a time and in order, whatever the bytes arrive in.

A request's handler is stepped where its last byte was read. Only a handler that suspends costs a task.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

from atoll.aws.wire import Headers, WireReply
from atoll.gateway import bulk
from atoll.gateway.channel import Channel, Shared, State
from atoll.gateway.framing import (
    HEAD_END,
    ChunkedBody,
    Head,
    Limits,
    Refused,
    SizedBody,
    check_partial_head,
    parse_head,
)
from atoll.gateway.incoming import NO_BODY, ClientGone, RawBody, incomplete, stalled
from atoll.gateway.rendering import CONTINUE, has_body, render_head
from atoll.operation import BlobBody

log = logging.getLogger(__name__)

JOINED_BYTES_MAX: Final = 32 * 1024  # Up to here copying a body behind its head is cheaper than a second buffer.


@dataclass(slots=True)
class HttpRequest:
    """`path` and `query` are the target as it was sent (latin-1 text), split at its first `?`."""

    method: str
    path: str
    query: str
    headers: Headers
    body: RawBody
    source_ip: str
    secure: bool


Handler = Callable[[HttpRequest], Coroutine[Any, Any, WireReply]]


class Host(Shared, Protocol):
    """What the connections of one server share."""

    handler: Handler
    connections: "set[Connection]"
    draining: bool
    date: str

    def spawn(self, exchange: Coroutine[Any, Any, None]) -> None: ...

    def left(self, connection: "Connection") -> None: ...


class _Started(Awaitable[None]):
    """The rest of a coroutine that has been stepped once, and waits for `waiting`."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waiting: Any) -> None:
        self._coroutine = coroutine
        self._waiting: Any = waiting

    def __await__(self) -> Generator[Any, None, None]:
        waiting, self._waiting = self._waiting, None
        while True:
            try:
                try:
                    yield waiting
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001  # A task throws in what its future failed with: pass it on.
                    waiting = None  # It has the error, and the error has this frame: a ring, with the request in it.
                    waiting = self._coroutine.throw(error)
                else:
                    waiting = self._coroutine.send(None)
            except StopIteration:
                return


class Connection(Channel):
    __slots__ = (
        "_answered",
        "_at",
        "_body",
        "_continue_due",
        "_head",
        "_head_begun",
        "_inbox",
        "_keep",
        "_peer_done",
        "_server",
        "_source_ip",
    )

    def __init__(self, server: Host) -> None:
        super().__init__(server)
        self._server = server
        self._source_ip = ""
        self._inbox = b""
        self._at = 0  # Where in the inbox the next request starts.
        self._head_begun = False
        self._head: Head | None = None
        self._body = NO_BODY
        self._continue_due = False
        self._answered = False  # The answer under way has begun to go out.
        self._keep = True
        self._peer_done = False  # It has sent its last byte, and may still read.

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._source_ip = peer[0] if isinstance(peer, tuple) else "127.0.0.1"
        server = self._server
        server.connections.add(self)
        self.deadline = server.now + server.limits.idle_seconds
        if len(server.connections) > server.limits.connections:
            self._refuse(Refused(503, "too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._inbox, self._at = b"", 0
        self._body.fail(incomplete())
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state is State.READY:
            self._inbox = self._inbox + data if self._inbox else data
            self._serve_inbox()
        elif state is State.GATHER or (state is State.RUNNING and not self._body.whole):
            self._take_body(data)
            if self.state is State.READY:
                self._serve_inbox()
        elif state is State.RUNNING:
            self._inbox += data
            if len(self._inbox) > self._server.limits.pipelined_bytes:
                self.flow(on=False)

    def eof_received(self) -> bool:
        self._peer_done = True
        if self.state is State.GATHER:
            self._refuse(Refused(400, "the body is incomplete"))
        elif self.state is State.RUNNING:
            self._body.fail(incomplete())
        elif self.state is State.READY and self._inbox:
            if self._inbox.find(HEAD_END, self._at) < 0:
                self._refuse(Refused(400, "the head is incomplete"))
        else:
            self.close()
        # A client that only shuts its sending side still reads; TLS knows no such half.
        return not self.secure

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.state is State.READY:
            self._rest()
            self._serve_inbox()
        elif self.state is State.RUNNING:
            self.deadline = inf

    # What the server calls.

    def expire(self) -> None:
        """The deadline has passed."""
        if self.still_sending() and self.state is not State.LINGER:
            self.deadline = self._server.now + self._server.limits.stall_seconds
        elif not self._writing or self.state in (State.LINGER, State.CLOSED):
            self.abort()
        elif self.state is State.RUNNING:
            self._body.fail(stalled())
            self.deadline = inf
        elif self.state is State.GATHER or self._inbox:
            self._refuse(Refused(408, "the request is too slow"))
        else:
            self.close()

    def is_idle(self) -> bool:
        return self.state is State.READY and not self._inbox

    # Requests.

    def _serve_inbox(self) -> None:
        """Answers the requests that are here, for as long as their handlers do not suspend."""
        limits = self._server.limits
        turns = limits.pipelined_requests
        try:
            while self.state is State.READY and self._writing:
                while self._inbox.startswith(b"\r\n", self._at):
                    self._at += 2  # RFC 9112, 2.2: some clients end a body with a line too many.
                end = self._inbox.find(HEAD_END, self._at) + len(HEAD_END)
                if end < len(HEAD_END):
                    self._await_head(limits)
                    return
                if turns == 0:
                    self.flow(on=False)
                    self._server.spawn(self._serve_later())
                    return
                turns -= 1
                if end - self._at > limits.head_bytes:
                    raise Refused(431, "the head is too long")
                head = parse_head(self._inbox[self._at : end], limits)
                self._at = end
                self._begin(head)
        except Refused as refusal:
            self._refuse(refusal)

    async def _serve_later(self) -> None:
        """Others first: this client has sent more requests at once than its share."""
        await asyncio.sleep(0)
        if self.state is State.READY:
            self._serve_inbox()

    def _await_head(self, limits: Limits) -> None:
        self._inbox, self._at = self._inbox[self._at :], 0
        if self._inbox:
            check_partial_head(self._inbox, limits)
            if self._peer_done:
                raise Refused(400, "the head is incomplete")
            if not self._head_begun:
                # Set once, when the head begins: more bytes of it do not buy more time.
                self._head_begun = True
                self.deadline = self._server.now + limits.head_seconds
        elif self._peer_done:
            self.close()
            return
        self.flow(on=True)

    def _begin(self, head: Head) -> None:
        """A head has come. Starts the handler, at once or when the body is here."""
        self._head = head
        self._head_begun = False
        if not head.length and not head.chunked:
            if head.expects_continue:
                # Nothing will come, but the aws cli misreads the next answer on a connection that gave it a final one here.
                self.write(CONTINUE)
            self._start(NO_BODY)
            return
        limits = self._server.limits
        if head.length and len(self._inbox) - self._at >= head.length <= limits.small_body_bytes:
            end = self._at + head.length
            data, self._at = self._inbox[self._at : end], end
            self._start(RawBody.of(data, self))
            return
        self._continue_due = head.expects_continue
        rest = self._inbox[self._at :]
        self._inbox, self._at = b"", 0
        decoder = ChunkedBody(limits) if head.chunked else SizedBody(head.length)
        body = self._body = RawBody(None if head.chunked else head.length, decoder, self)
        self.state = State.GATHER
        self.deadline = self._server.now + limits.stall_seconds
        if rest:
            self._take_body(rest)
        if self.state is not State.GATHER:
            return
        if self._peer_done:
            raise Refused(400, "the body is incomplete")
        if head.length > limits.small_body_bytes or head.expects_continue:
            # Not read further until the handler wants it, so that an upload can be refused unread, and unsent.
            self.flow(on=False)
            self._start(body)
        else:
            self.want_body()
            self.flow(on=True)

    def _take_body(self, data: bytes) -> None:
        body = self._body
        try:
            rest = body.feed(data)
        except Refused as refusal:
            if self.state is State.GATHER:
                self._refuse(refusal)
            else:
                body.refuse(refusal)
            return
        limits = self._server.limits
        gathering = self.state is State.GATHER
        if rest is not None:
            self._inbox, self._at = rest, 0
            self.deadline = inf
            if gathering:
                self._start(body)
            return
        self.deadline = self._server.now + limits.stall_seconds if self._reading else inf
        if gathering and body.length is None and body.held_bytes > limits.small_body_bytes:
            self._start(body)

    def want_body(self) -> None:
        """Says so to a client that waits to be told."""
        if self._continue_due:
            self._continue_due = False
            self.write(CONTINUE)

    def _start(self, body: RawBody) -> None:
        head = self._head
        assert head is not None
        self._body = body
        if self._peer_done:
            body.fail(incomplete())
        self._answered = False
        self.state = State.RUNNING
        self.deadline = inf
        request = HttpRequest(head.method, head.path, head.query, head.headers, body, self._source_ip, self.secure)
        exchange = self._exchange(request, head)
        try:
            waiting = exchange.send(None)
        except StopIteration:
            return
        self._server.spawn(self._finish(_Started(exchange, waiting)))

    async def _finish(self, exchange: _Started) -> None:
        await exchange
        if self.state is State.READY:
            self._serve_inbox()

    # Answers.

    async def _exchange(self, request: HttpRequest, head: Head) -> None:
        """One request and its answer. The last boundary: what is raised up to here is our bug."""
        self._keep = False
        try:
            reply = await self._server.handler(request)
            await self._answer(reply, head)
        except ClientGone:
            self.abort()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            if self._answered:
                self.abort()
            else:
                self._send(self._render(WireReply(500), 0, head))
        if self.state is State.RUNNING:
            self._exchanged()

    def _exchanged(self) -> None:
        if self._keep:
            self.state = State.READY
            self._body = NO_BODY
            self._rest()
        elif self._body.whole and self._at == len(self._inbox):
            self.close()
        else:
            self._turn_away()

    def _rest(self) -> None:
        """Nothing is under way."""
        limits = self._server.limits
        self.deadline = self._server.now + (limits.idle_seconds if self._writing else limits.stall_seconds)

    async def _answer(self, reply: WireReply, head: Head) -> None:
        body = reply.body
        if isinstance(body, BlobBody):
            await self._answer_blob(reply, body, head)
            return
        rendered = self._render(reply, len(body), head)
        if not body or head.method == "HEAD" or not has_body(reply.status):
            self._send(rendered)
        elif len(body) <= JOINED_BYTES_MAX:
            self._send(rendered + body)
        else:
            self._send(rendered, body)

    async def _answer_blob(self, reply: WireReply, body: BlobBody, head: Head) -> None:
        source = bulk.BlobSource(body)
        try:
            length = body.length
            rendered = self._render(reply, length, head)
            if head.method == "HEAD" or not has_body(reply.status):
                self._send(rendered)
            elif length <= self._server.limits.small_reply_bytes:
                self._send(rendered + source.read_all())
            else:
                await self.flushed()
                if body.first is None:
                    await self.in_thread(source.advance)  # It can be opened: only now is the head true.
                self._answered = True
                await self.send_blob(rendered, source)
        finally:
            source.close()

    def _render(self, reply: WireReply, length: int, head: Head) -> bytes:
        keep = head.keep_alive and self._body.whole and not self._server.draining
        connection = "close" if not keep else "" if head.http_1_1 else "keep-alive"
        rendered, self._keep = render_head(
            reply, length, self._server.date, bodiless=head.method == "HEAD", connection=connection
        )
        return rendered

    def _send(self, *pieces: bytes) -> None:
        self._answered = True
        self.write(*pieces)

    def _refuse(self, refusal: Refused) -> None:
        """Answers what never became a request."""
        log.debug("%s: refused with %s: %s", self._source_ip, refusal.status, refusal.reason)
        reply = WireReply(refusal.status)
        rendered, _ = render_head(reply, 0, self._server.date, bodiless=False, connection="close")
        self.write(rendered)
        self._turn_away()

    def _turn_away(self) -> None:
        """Ends the connection, though its client may still be sending."""
        self._inbox, self._at = b"", 0
        if self.state is State.CLOSED:
            return
        if self._peer_done or self.secure:
            self.close()
        else:
            self.linger()
