"""The head of an answer, byte for byte."""

import pytest

from atoll.aws.wire import WireReply
from atoll.gateway.rendering import date_line, render_head

DATE = date_line(1_800_000_000.0)


def rendered(reply: WireReply, length: int, *, bodiless: bool = False, connection: str = "") -> tuple[bytes, bool]:
    return render_head(reply, length, DATE, bodiless=bodiless, connection=connection)


def test_what_the_handler_left_out_is_added():
    head, keep = rendered(WireReply(200, [("ETag", '"x"')]), 3)
    assert head == b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 3\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n\r\n'
    assert keep


def test_what_the_handler_gave_stands():
    head, _ = rendered(WireReply(206, [("content-length", "3"), ("date", "then")]), 3)
    assert head == b"HTTP/1.1 206 Partial Content\r\ncontent-length: 3\r\ndate: then\r\n\r\n"


def test_an_answer_to_head_keeps_the_length_of_what_it_does_not_send():
    head, _ = rendered(WireReply(200, [("Content-Length", "1234")]), 0, bodiless=True)
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_has_no_length_added(status: int):
    assert b"Content-Length" not in rendered(WireReply(status), 0)[0]


def test_a_204_has_no_length_even_when_given_one():
    assert b"Content-Length" not in rendered(WireReply(204, [("Content-Length", "0")]), 0)[0]


def test_a_handler_can_have_the_connection_closed():
    head, keep = rendered(WireReply(200, [("Connection", "Close")]), 0)
    assert head.endswith(b"Connection: close\r\n\r\n")
    assert not keep


def test_an_unknown_status_is_sent_without_a_phrase():
    assert rendered(WireReply(299), 0)[0].startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize(
    "reply",
    [
        WireReply(200, [("A", "b\r\nC: d")]),
        WireReply(200, [("A", "b\n")]),
        WireReply(200, [("A\r", "b")]),
        WireReply(200, [("Content-Length", "4")]),
        WireReply(200, [("Transfer-Encoding", "chunked")]),
        WireReply(100),
    ],
)
def test_what_would_break_the_framing_is_our_bug(reply: WireReply):
    with pytest.raises(AssertionError):
        rendered(reply, 3)
