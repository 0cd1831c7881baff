"""Heads and body framing of HTTP/1.1, as a strict server reads them. Pure: bytes in, values out.

llhttp (through httptools) checks the header fields; the request line and what llhttp lets pass are checked here. What two
programs might read differently is refused: a request smuggled past a proxy starts with a head they disagree on.
"""

import re
from dataclasses import dataclass
from typing import Final

import httptools

from atoll.aws.wire import Headers

HEAD_END: Final = b"\r\n\r\n"
_VERSIONS: Final = {b"HTTP/1.1": True, b"HTTP/1.0": False}
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_CHUNK_LINE_BYTES_MAX: Final = 4096  # A size and its extensions, which aws-chunked does not use at this level.
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. Every wait and every size has one."""

    head_bytes: int = 64 * 1024
    headers: int = 200
    body_bytes: int = 64 * 1024**3  # The services have their own, far lower; this one only bounds the arithmetic.
    small_body_bytes: int = 1024 * 1024  # Up to here a body is gathered before the handler starts.
    queued_body_bytes: int = 1024 * 1024  # Of a body that streams through the loop.
    small_reply_bytes: int = 64 * 1024  # Up to here a blob is read and sent in the loop.
    pipelined_bytes: int = 64 * 1024  # Read ahead while a request runs; then reading stops.
    pipelined_requests: int = 16  # Answered in a row before other connections get their turn.
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    stall_seconds: float = 30.0  # Without a byte of a body, in or out.
    linger_seconds: float = 3.0  # For the client to read a refusal before what it still sends is cut off.
    sweep_seconds: float = 1.0  # How often deadlines are looked at, and so how exact they are.
    connections: int = 20_000
    body_threads: int = 32


class Refused(Exception):
    """The request can't be read any further: answer `status` and close."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Head:
    method: str
    path: str
    query: str
    headers: Headers
    http_1_1: bool
    keep_alive: bool
    length: int  # Of the body; 0 when chunked.
    chunked: bool
    expects_continue: bool


class _Fields:
    """What httptools calls back with; the order and case of the names are kept."""

    __slots__ = ("complete", "items")

    def __init__(self) -> None:
        self.items: list[tuple[str, str]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.items.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_head(head: bytes, limits: Limits) -> Head:
    """`head` runs from the request line to the empty line, both included. Raises Refused."""
    method, target, http_1_1 = _request_line(head)
    fields = _Fields()
    try:
        # A new parser each time: none carries state from one request into the next.
        httptools.HttpRequestParser(fields).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # Upgrades are not offered, so asking for one changes nothing (RFC 9110, 7.8).
    except httptools.HttpParserError as error:
        raise Refused(_status_of_bad_fields(fields), str(error)) from None
    if not fields.complete:
        raise Refused(400, "the head does not end where its empty line is")
    if len(fields.items) > limits.headers:
        raise Refused(431, "too many header fields")
    headers = Headers(fields.items)
    if target[0] != "/":
        target, headers = _absolute(method, target, headers)
    path, _, query = target.partition("?")
    length, chunked = _body_framing(headers, limits, http_1_1=http_1_1)
    _check_host(headers, http_1_1=http_1_1)
    expects_continue = http_1_1 and "expect" in headers and _expects_continue(headers)
    keep_alive = _keep_alive(headers.get("connection"), http_1_1=http_1_1)
    return Head(method, path, query, headers, http_1_1, keep_alive, length, chunked, expects_continue)


def _keep_alive(connection: str | None, *, http_1_1: bool) -> bool:
    if connection is None:
        return http_1_1
    tokens = [token.strip().lower() for token in connection.split(",")]
    return "close" not in tokens if http_1_1 else "keep-alive" in tokens


def _request_line(head: bytes) -> tuple[str, str, bool]:
    """Method, target and whether it is HTTP/1.1. llhttp would take several spaces, and other protocols' names."""
    line = head[: head.index(b"\r\n")]
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Refused(400, "the request line is not three words")
    method, target, version = parts
    if not method.isalpha():
        raise Refused(400, "not a method")  # llhttp skips line feeds before one.
    http_1_1 = _VERSIONS.get(version)
    if http_1_1 is None:
        raise Refused(505 if version.startswith(b"HTTP/") else 400, "not a version we speak")
    if method == b"CONNECT":
        raise Refused(501, "no tunnels")
    return method.decode("latin-1"), target.decode("latin-1"), http_1_1


def _status_of_bad_fields(fields: _Fields) -> int:
    """llhttp stops at a coding it does not know; RFC 9112, 6.1 wants 501 for that."""
    codings = [value.lower() for name, value in fields.items if name.lower() == "transfer-encoding"]
    lengths = any(name.lower() == "content-length" for name, _ in fields.items)
    return 501 if fields.complete and codings and not lengths and codings != ["chunked"] else 400


def _absolute(method: str, target: str, headers: Headers) -> tuple[str, Headers]:
    """The path and query of an absolute target, whose authority replaces the Host field (RFC 9112, 3.2.2)."""
    if target == "*" and method == "OPTIONS":
        return target, headers
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1] or "@" in absolute[1]:
        raise Refused(400, "not a request target")
    _check_host(headers, http_1_1=False)
    headers = Headers((name, absolute[1] if name.lower() == "host" else value) for name, value in headers.items)
    return absolute[2] if absolute[2].startswith("/") else "/" + absolute[2], headers


def _body_framing(headers: Headers, limits: Limits, *, http_1_1: bool) -> tuple[int, bool]:
    """(length, chunked). llhttp has already refused repeated or non-digit lengths, and a length beside a coding."""
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise Refused(
                400 if _repeated(headers, "transfer-encoding") else 501, "a transfer coding other than chunked"
            )
        if not http_1_1:
            raise Refused(400, "a transfer coding in HTTP/1.0")  # RFC 9112, 6.1: its framing can't be trusted.
        return 0, True
    length = headers.get("content-length")
    if length is None:
        return 0, False
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "Content-Length is not a number")
    if len(length) > 18 or int(length) > limits.body_bytes:
        raise Refused(413, "the body is too long")
    return int(length), False


def _check_host(headers: Headers, *, http_1_1: bool) -> None:
    host = headers.get("host")
    if host is None:
        if http_1_1:
            raise Refused(400, "no Host")
    elif "," in host and _repeated(headers, "host"):
        raise Refused(400, "more than one Host")


def _repeated(headers: Headers, lower: str) -> bool:
    return sum(1 for name, _ in headers.items if name.lower() == lower) > 1


def _expects_continue(headers: Headers) -> bool:
    # RFC 9110, 10.1.1: other expectations may be refused. S3 overlooks them, whatever they are.
    return any(member.strip().lower() == "100-continue" for member in headers.lower()["expect"].split(","))


def check_partial_head(data: bytes, limits: Limits) -> None:
    """Refuses what can never become a head, so that garbage is answered at once and not when its time is up."""
    if len(data) >= limits.head_bytes:
        raise Refused(431, "the head is too long")
    newline = data.find(b"\n")
    if newline < 0:
        if data == b"\r":
            return  # Half of the empty line that may stand before a request.
        if not data[:1].isalpha() or (len(data) > 32 and b" " not in data[:32]):
            raise Refused(400, "not a request line")
    elif data.count(b"\n") != data.count(b"\r\n"):
        raise Refused(400, "a line that ends without CR")
    else:
        _request_line(data)


class SizedBody:
    """A body of a known length."""

    __slots__ = ("left",)

    def __init__(self, length: int) -> None:
        self.left = length

    def feed(self, data: bytes, out: list[bytes]) -> bytes | None:
        """Adds what belongs to the body to `out`. Once the body is whole, answers what follows it; until then None."""
        if len(data) < self.left:
            self.left -= len(data)
            out.append(data)
            return None
        end, self.left = self.left, 0
        out.append(data if end == len(data) else data[:end])
        return data[end:]


class ChunkedBody:
    """The chunked coding (RFC 9112, 7.1): size CRLF data CRLF ... 0 CRLF trailers CRLF. Trailers are checked, not kept.

    States: a size line; data; the CRLF after data; trailer lines up to an empty one.
    """

    __slots__ = ("_ending", "_held", "_room", "_trailer_room", "left")

    def __init__(self, limits: Limits) -> None:
        self.left = 0  # Of the chunk under way.
        self._held = b""  # The start of a line whose end has not come.
        self._ending = ""  # "data": its CRLF is due. "trailers": the last chunk has been.
        self._room = limits.body_bytes
        self._trailer_room = limits.head_bytes

    def feed(self, data: bytes, out: list[bytes]) -> bytes | None:
        """As SizedBody.feed. Raises Refused."""
        at = 0
        if self._held:
            data, self._held = self._held + data, b""
        while True:
            if self.left:
                piece = data[at : at + self.left]
                out.append(piece)
                self.left -= len(piece)
                at += len(piece)
                if self.left:
                    return None
            end = data.find(b"\n", at, at + _CHUNK_LINE_BYTES_MAX)
            if end < 0:
                self._hold(data[at:])
                return None
            line = data[at : end + 1]
            at = end + 1
            if not line.endswith(b"\r\n"):
                raise Refused(400, "a chunk line that ends without CR")
            if self._line(line[:-2]):
                return data[at:]

    def _hold(self, rest: bytes) -> None:
        if len(rest) >= _CHUNK_LINE_BYTES_MAX:
            raise Refused(400, "a chunk line is too long")
        if self._ending == "data" and rest not in (b"", b"\r"):
            raise Refused(400, "a chunk is longer than its size")
        self._held = rest

    def _line(self, line: bytes) -> bool:
        """Takes one whole line. Answers whether it ended the body."""
        if self._ending == "trailers":
            self._trailer_room -= len(line) + 2
            if self._trailer_room < 0:
                raise Refused(431, "the trailers are too long")
            if line and not _TRAILER.fullmatch(line):
                raise Refused(400, "a malformed trailer")
            return not line
        if self._ending == "data":
            if line:
                raise Refused(400, "a chunk is longer than its size")
            self._ending = ""
            return False
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise Refused(400, "a malformed chunk size")
        self.left = int(size[1], 16)
        self._room -= self.left
        if self._room < 0:
            raise Refused(413, "the body is too long")
        self._ending = "data" if self.left else "trailers"
        return False
