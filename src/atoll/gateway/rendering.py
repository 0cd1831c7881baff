"""The head of an answer, as bytes. Pure: the connection writes it."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from atoll.aws.wire import WireReply

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_OF_THE_FRAME: Final = frozenset({"connection", "content-length", "date", "transfer-encoding"})
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def date_line(now: float) -> str:
    return f"Date: {formatdate(now, usegmt=True)}\r\n"


def has_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)


def render_head(reply: WireReply, length: int, date: str, *, bodiless: bool, connection: str) -> tuple[bytes, bool]:
    """The head, and whether the connection stays open: a handler may have it closed by its own `Connection: close`.

    `length` is the body's; `bodiless`: an answer to HEAD, whose own Content-Length stands. `connection` may be empty.

    Asserts what would break the framing: another Content-Length, a transfer coding, a line end inside a field.
    """
    assert reply.status >= 200, "interim answers are the connection's"
    lines = [_STATUS_LINES.get(reply.status) or f"HTTP/1.1 {reply.status} \r\n"]
    body_allowed = has_body(reply.status)
    dated = sized = False
    for name, value in reply.headers:
        lower = name.lower()
        if lower not in _OF_THE_FRAME:
            lines.append(f"{name}: {value}\r\n")
            continue
        if lower == "content-length":
            assert bodiless or not body_allowed or int(value) == length, f"{length} bytes under Content-Length {value}"
            if reply.status == 204:
                continue  # RFC 9110, 8.6: a 204 must not have one.
            sized = True
        elif lower == "date":
            dated = True
        elif lower == "connection":
            connection = "close" if value.lower() == "close" else connection
            continue
        assert lower != "transfer-encoding", "answers have a known length"
        lines.append(f"{name}: {value}\r\n")
    if not sized and body_allowed:
        lines.append(f"Content-Length: {length}\r\n")
    if not dated:
        lines.append(date)
    if connection:
        lines.append(f"Connection: {connection}\r\n")
    lines.append("\r\n")
    text = "".join(lines)
    assert text.count("\n") == text.count("\r") == len(lines), "a header field with a line end in it"
    return text.encode("latin-1"), connection != "close"
