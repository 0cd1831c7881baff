"""Heads and chunked bodies: what is understood, and that everything two programs could read differently is refused."""

import pytest

from atoll.gateway.framing import ChunkedBody, Limits, Refused, SizedBody, check_partial_head, parse_head

LIMITS = Limits()


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status_of(data: bytes) -> int:
    with pytest.raises(Refused) as refused:
        parse_head(data, LIMITS)
    return refused.value.status


def test_the_target_and_the_names_stay_as_they_were_sent():
    parsed = parse_head(
        head("GET /bkt/a%20b//%C3%BC%2541?x=1?y&z HTTP/1.1", "hOsT: h:1", "X-Amz-Meta-A:  v \t", "x-amz-meta-a: w"),
        LIMITS,
    )
    assert (parsed.method, parsed.path, parsed.query) == ("GET", "/bkt/a%20b//%C3%BC%2541", "x=1?y&z")
    assert parsed.headers.items == [("hOsT", "h:1"), ("X-Amz-Meta-A", "v"), ("x-amz-meta-a", "w")]
    assert parsed.headers.get("x-amz-meta-a") == "v,w"
    assert (parsed.http_1_1, parsed.keep_alive, parsed.length, parsed.chunked) == (True, True, 0, False)
    assert not parsed.expects_continue


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Upgrade, CLOSE", False),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_whether_the_connection_stays_open(version: str, connection: str | None, keep_alive: bool):
    fields = [] if connection is None else [f"Connection: {connection}"]
    assert parse_head(head(f"GET / HTTP/{version}", "Host: h", *fields), LIMITS).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("version", "fields", "expects_continue"),
    [
        ("1.1", ["Expect: 100-Continue"], True),
        ("1.1", ["Expect: other, 100-continue"], True),
        ("1.1", ["Expect: other", "Expect: 100-continue"], True),
        ("1.0", ["Expect: 100-continue"], False),
        ("1.1", ["Expect: 200"], False),
        ("1.1", ["Expect: "], False),
    ],
)
def test_of_expectations_only_one_is_heard(version: str, fields: list[str], expects_continue: bool):
    parsed = parse_head(head(f"PUT / HTTP/{version}", "Host: h", *fields), LIMITS)
    assert parsed.expects_continue is expects_continue


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        ("http://other:8/a?b", "/a", "b", "other:8"),
        ("HTTP://other", "/", "", "other"),
        ("http://other?b", "/", "b", "other"),
    ],
)
def test_an_absolute_target_names_the_host(target: str, path: str, query: str, host: str):
    parsed = parse_head(head(f"GET {target} HTTP/1.1", "Host: h"), LIMITS)
    assert (parsed.path, parsed.query, parsed.headers.get("host")) == (path, query, host)


def test_an_upgrade_is_ignored():
    parsed = parse_head(
        head("POST / HTTP/1.1", "Host: h", "Connection: upgrade", "Upgrade: h2c", "Content-Length: 5"), LIMITS
    )
    assert (parsed.length, parsed.keep_alive) == (5, True)


@pytest.mark.parametrize("length", ["0", "5", "00005"])
def test_a_length_is_a_number(length: str):
    assert parse_head(head("PUT / HTTP/1.1", "Host: h", f"Content-Length: {length}"), LIMITS).length == int(length)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET / HTTP/1.1",), 400),
        (("GET / HTTP/1.1", "Host: h", "Host: h"), 400),
        (("GET / HTTP/1.0", "Host: h", "host: g"), 400),
        (("GET / HTTP/1.1", "Host : h"), 400),
        (("GET / HTTP/1.1", "Host: h", " folded"), 400),
        (("GET / HTTP/1.1", " Host: h"), 400),
        (("GET / HTTP/1.1", "Host: h", "no colon"), 400),
        (("GET / HTTP/1.1", "Host: h", ": no name"), 400),
        (("GET / HTTP/1.1", "Host: h", "Bad(name: x"), 400),
        (("GET / HTTP/1.1", "Host: h", "A: b\x00c"), 400),
        (("GET / HTTP/1.1", "Host: h", "A: b\rc"), 400),
        (("GET / HTTP/1.1", "Host: h\nA: b"), 400),
        (("GET /\nX HTTP/1.1", "Host: h"), 400),
        (("GET  / HTTP/1.1", "Host: h"), 400),
        (("GET / HTTP/1.1 ", "Host: h"), 400),
        (("GET /a b HTTP/1.1", "Host: h"), 400),
        (("GET\t/ HTTP/1.1", "Host: h"), 400),
        (("\nGET / HTTP/1.1", "Host: h"), 400),
        (("GET /", "Host: h"), 400),
        (("get / HTTP/1.1", "Host: h"), 400),
        (("GET x HTTP/1.1", "Host: h"), 400),
        (("GET * HTTP/1.1", "Host: h"), 400),
        (("GET http:///x HTTP/1.1", "Host: h"), 400),
        (("GET http://user@h/x HTTP/1.1", "Host: h"), 400),
        (("GET ftp://h/x HTTP/1.1", "Host: h"), 400),
        (("OPTIONS rtsp://h/x RTSP/1.0", "Host: h"), 400),
        (("GET / HTTP/1.2", "Host: h"), 505),
        (("PRI * HTTP/2.0",), 505),
        (("CONNECT h:1 HTTP/1.1", "Host: h"), 501),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Content-Length: 5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 5", "Content-Length: 5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 5", "Content-Length: 6"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 5, 5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: +5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: -5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 0x5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 5 5"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: "), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: \xb2"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 99999999999999999999999"), 400),
        (("PUT / HTTP/1.1", "Host: h", "Content-Length: 999999999999999999"), 413),
        (("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: gzip"), 501),
        (("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: gzip, chunked"), 501),
        (("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: xchunked"), 501),
        (("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
        (("PUT / HTTP/1.0", "Host: h", "Transfer-Encoding: chunked"), 400),
        (("GET / HTTP/1.1", "Host: h", *(f"A{n}: x" for n in range(200))), 431),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(lines: tuple[str, ...], status: int):
    assert status_of(head(*lines)) == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"A" * 40, 400),
        (b"GET / HTTP/3.0\r\nHost: h\r\n", 505),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 65536, 431),
    ],
)
def test_what_can_never_become_a_head_is_refused_before_it_ends(data: bytes, status: int):
    with pytest.raises(Refused) as refused:
        check_partial_head(data, LIMITS)
    assert refused.value.status == status


def test_a_good_head_is_never_refused_before_it_ends():
    whole = head("DELETE /a/b?c HTTP/1.1", "Host: h", "X-Long: " + "x" * 500)
    for end in range(1, len(whole)):
        check_partial_head(whole[:end], LIMITS)


def test_a_sized_body_ends_where_its_length_says():
    out: list[bytes] = []
    body = SizedBody(5)
    assert body.feed(b"abc", out) is None
    assert body.feed(b"defgh", out) == b"fgh"
    assert b"".join(out) == b"abcde"


CHUNKED = b"3\r\nabc\r\nA;name=value;x\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nNEXT"


def test_a_chunked_body_is_the_same_however_it_is_cut():
    for first in range(len(CHUNKED)):
        for second in range(first, len(CHUNKED), 7):
            out: list[bytes] = []
            body = ChunkedBody(LIMITS)
            rest: bytes | None = None
            for piece in (CHUNKED[:first], CHUNKED[first:second], CHUNKED[second:]):
                rest = body.feed(piece, out) if rest is None else rest + piece
            assert (b"".join(out), rest) == (b"abc0123456789", b"NEXT")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"3\nabc\r\n0\r\n\r\n", 400),
        (b"3\r\nabcd\r\n0\r\n\r\n", 400),
        (b"3\r\nabc\n0\r\n\r\n", 400),
        (b"3\r\nabcX", 400),
        (b"\r\n", 400),
        (b"x\r\n", 400),
        (b"-3\r\nabc\r\n", 400),
        (b"0x3\r\nabc\r\n", 400),
        (b" 3\r\nabc\r\n", 400),
        (b"3;a\x00b\r\nabc\r\n", 400),
        (b"3;" + b"x" * 5000, 400),
        (b"FFFFFFFFFFFFFFFF\r\n", 400),
        (b"FFFFFFFFFFFFFFF\r\n", 413),
        (b"0\r\nbad trailer\r\n\r\n", 400),
        (b"0\r\nA: b\nC: d\r\n\r\n", 400),
        (b"0\r\n" + b"A: b\r\n" * 20000, 431),
    ],
)
def test_a_malformed_chunk_is_refused(data: bytes, status: int):
    with pytest.raises(Refused) as refused:
        ChunkedBody(LIMITS).feed(data, [])
    assert refused.value.status == status
