"""Bodies that come compressed, and answers that go so: what is read, what is refused, and what a client wishes for."""

import asyncio
import gzip
import zlib

import pytest

from atoll.gateway.content_coding import TooLong, Undecodable, decoded, encoded, wished

TEXT = b'{"TableName":"abc"}'


def read(body: bytes, coding: str, limit: int = 1000) -> bytes:
    return asyncio.run(decoded(body, coding, limit))


def test_gzip_and_deflate_are_read() -> None:
    assert read(gzip.compress(TEXT, mtime=0), "gzip") == TEXT
    assert read(gzip.compress(TEXT, mtime=0), " GZip ") == TEXT
    assert read(zlib.compress(TEXT), "deflate") == TEXT


def test_members_of_gzip_may_follow_each_other() -> None:
    assert read(gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]), "gzip") == TEXT


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (b"", "gzip"),
        (b"", "deflate"),
        (gzip.compress(TEXT, mtime=0)[:-1], "gzip"),
        (zlib.compress(TEXT)[:-1], "deflate"),
        (gzip.compress(TEXT, mtime=0) + b"junk", "gzip"),
        (zlib.compress(TEXT) * 2, "deflate"),
        (gzip.compress(TEXT, mtime=0), "br"),
        (gzip.compress(TEXT, mtime=0), "gzip, gzip"),
    ],
)
def test_what_is_not_what_it_says_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(Undecodable):
        read(body, coding)


def test_no_more_comes_out_than_the_limit() -> None:
    assert read(gzip.compress(b"x" * 1000), "gzip") == b"x" * 1000
    for bomb in (gzip.compress(b"x" * 1001), gzip.compress(b"x" * 600) * 2, gzip.compress(b"x" * 10_000_000)):
        with pytest.raises(TooLong):
            read(bomb, "gzip")


@pytest.mark.parametrize("size", [5000, 200_000])
def test_answers_can_be_read_again(size: int) -> None:
    body = b"abc" * (size // 3)
    assert gzip.decompress(asyncio.run(encoded(body, "gzip"))) == body
    assert zlib.decompress(asyncio.run(encoded(body, "deflate"))) == body


WISHES = (
    ("gzip", "gzip"),
    ("deflate", "deflate"),
    ("GZIP, identity", "gzip"),
    ("", None),
    ("identity", None),
    ("br", None),
    ("x-gzip", None),
    ("gzip br", None),
    ("gzip:q=1", None),
    ('"gzip"', None),
    ("gzip, deflate", "gzip"),
    ("br, identity, deflate, gzip", "deflate"),
    ("gzip;q=0.5, deflate", "deflate"),
    ("br, gzip;q=0, deflate; q = 0.5 , identity;q=0", "deflate"),
    ("gzip ;q=0", None),
    ("gzip;q=0.5,identity;q=0.8", "gzip"),
    ("gzip;q=0, gzip;q=1, gzip;q=0", "gzip"),
    ("*", "gzip"),
    ("*;q=0", None),
    ("*, deflate", "deflate"),
    ("*, deflate;q=0.5", "gzip"),
    ("*, gzip;q=0.5", "deflate"),
    ("br;q=0.8,identity;q=0.5,*;q=0", None),
    # What is not allowed, as AWS takes it.
    ("deflate;q=0.5, gzip;q=31", "gzip"),
    ("gzip;q=31,deflate;q=51", "gzip"),
    ("deflate;q=0.5, gzip;q=1;q=0.2", "gzip"),
    ("deflate;q=0.5,gzip;q=0.", "deflate"),
    ("deflate;q=0.5,gzip;q=0.x", "gzip"),
    ("deflate;q=0.5,gzip;q=nan", "gzip"),
    ("deflate;q=-0.5,gzip;q=0.2", "gzip"),
    ("gzip;q= 0;q=1", None),
    ("gzip;q =0;q=1", "gzip"),
    ("gzip;nq=0;q=1", None),
    ("gzip" + ", dog" * 100, "gzip"),
)


@pytest.mark.parametrize(("accept_encoding", "coding"), WISHES)
def test_what_a_client_wishes_for(accept_encoding: str, coding: str | None) -> None:
    assert wished(accept_encoding) == coding


def test_members_without_number_are_refused() -> None:
    """Behind each, what is left is copied: a million empty ones would be hours."""
    empty = gzip.compress(b"", mtime=0)
    assert read(empty * 255 + gzip.compress(TEXT), "gzip") == TEXT
    with pytest.raises(Undecodable):
        read(empty * 800_000, "gzip")
