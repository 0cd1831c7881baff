"""The aws-chunked decoder: AWS's printed examples, every way to cut the stream, and every way to tamper with it."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws import chunked, sigv4
from atoll.aws.errors import AwsError

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TRAILER = "x-amz-checksum-crc32c"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
EXAMPLE = b"".join(
    [
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        b"a" * 65536,
        b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        b"a" * 1024,
        b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ]
)
TRAILER_EXAMPLE = b"".join(
    [
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
        b"a" * 65536,
        b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
        b"a" * 1024,
        b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n",
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    ]
)


def _chain(seed: str) -> chunked.SignatureChain:
    key = sigv4.signing_key(SECRET, "20130524", "us-east-1", "s3")
    return chunked.SignatureChain(key, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed)


def _signed(length: int = 66560) -> chunked.Decoder:
    return chunked.Decoder(chunked.SIGNED, length, chain=_chain(SEED))


def _signed_trailer(length: int = 66560) -> chunked.Decoder:
    return chunked.Decoder(chunked.SIGNED_TRAILER, length, trailers=[TRAILER], chain=_chain(TRAILER_SEED))


def _unsigned(length: int, trailers: Sequence[str] = (TRAILER,)) -> chunked.Decoder:
    return chunked.Decoder(chunked.UNSIGNED_TRAILER, length, trailers=trailers)


def _decode(decoder: chunked.Decoder, *feeds: bytes) -> bytes:
    data = b"".join(bytes(piece) for feed in feeds for piece in decoder.feed(memoryview(feed)))
    decoder.finish()
    return data


def _refusal(decoder: chunked.Decoder, body: bytes) -> tuple[str, int | None]:
    with pytest.raises(AwsError) as caught:
        _decode(decoder, body)
    return caught.value.code, caught.value.status


def test_the_examples_that_aws_prints_are_decoded() -> None:
    assert _decode(_signed(), EXAMPLE) == b"a" * 66560
    decoder = _signed_trailer()
    assert _decode(decoder, TRAILER_EXAMPLE) == b"a" * 66560
    assert decoder.trailers == {TRAILER: "sOO8/Q=="}


def test_a_blank_line_before_the_trailer_signature_is_not_the_end() -> None:
    decoder = _signed_trailer()
    body = TRAILER_EXAMPLE.replace(b"sOO8/Q==\r\n", b"sOO8/Q==\n\r\n")
    assert _decode(decoder, body) == b"a" * 66560
    assert decoder.trailers == {TRAILER: "sOO8/Q=="}


@given(st.lists(st.integers(0, len(TRAILER_EXAMPLE)), max_size=12))
def test_it_does_not_matter_how_the_stream_is_cut(cuts: list[int]) -> None:
    for body, decoder in ((EXAMPLE, _signed()), (TRAILER_EXAMPLE, _signed_trailer())):
        edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        assert _decode(decoder, *(body[a:b] for a, b in pairwise(edges))) == b"a" * 66560


def test_one_byte_at_a_time_will_do() -> None:
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:AAAA\r\n\r\n"
    decoder = _unsigned(3)
    assert _decode(decoder, *(body[i : i + 1] for i in range(len(body)))) == b"abc"
    assert decoder.trailers == {TRAILER: "AAAA"}


def test_data_is_handed_out_as_views_of_what_came_in() -> None:
    body = memoryview(b"2000\r\n" + bytes(8192) + b"\r\n1\r\nx\r\n0\r\n\r\n")
    pieces = _unsigned(8193, ()).feed(body)
    assert [len(piece) for piece in pieces] == [8192, 1]
    assert all(piece.obj is body.obj for piece in pieces)


@given(st.integers(0, len(TRAILER_EXAMPLE) - 3), st.integers(1, 255))
def test_no_changed_byte_gets_through(at: int, change: int) -> None:
    body = bytearray(TRAILER_EXAMPLE)
    body[at] ^= change
    decoder = _signed_trailer()
    try:
        data = _decode(decoder, bytes(body))
    except AwsError:
        return
    # What may differ is spelling alone: a digit's or a name's case, or white space.
    assert data == b"a" * 66560
    assert decoder.trailers == {TRAILER: "sOO8/Q=="}


@given(st.integers(0, len(EXAMPLE) - 1))
def test_a_stream_that_ends_early_is_incomplete(length: int) -> None:
    code, status = _refusal(_signed(), EXAMPLE[:length])
    assert (code, status) == ("IncompleteBody", 400)


def test_chunks_cannot_be_dropped_or_moved() -> None:
    first, second, last = EXAMPLE[:65626], EXAMPLE[65626:-86], EXAMPLE[-86:]
    assert first + second + last == EXAMPLE
    assert _refusal(_signed(65536), first + last) == ("SignatureDoesNotMatch", 403)
    assert _refusal(_signed(1024), second + last) == ("SignatureDoesNotMatch", 403)
    assert _refusal(_signed(66560), second + first + last)[0] == "SignatureDoesNotMatch"


def test_a_tampered_trailer_is_refused() -> None:
    body = TRAILER_EXAMPLE.replace(b"sOO8", b"sOO9")
    assert _refusal(_signed_trailer(), body) == ("SignatureDoesNotMatch", 403)


def test_a_decoded_length_that_is_not_kept_is_refused() -> None:
    assert _refusal(_signed(66559), EXAMPLE) == ("IncompleteBody", 400)
    assert _refusal(_signed(66561), EXAMPLE) == ("IncompleteBody", 400)


def test_only_the_last_chunk_may_be_small() -> None:
    body = b"2000\r\n" + bytes(8192) + b"\r\n1fff\r\n" + bytes(8191) + b"\r\n1\r\nx\r\n0\r\n\r\n"
    with pytest.raises(AwsError) as caught:
        _decode(_unsigned(16384, ()), body)
    assert (caught.value.code, caught.value.status) == ("InvalidChunkSizeError", 403)
    assert caught.value.message == "Only the last chunk is allowed to have a size less than 8192 bytes"
    assert caught.value.fields == {"Chunk": "2", "BadChunkSize": "8191"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\r\n", "InvalidRequest"),
        (b"zz\r\n", "InvalidRequest"),
        (b"-1\r\n", "InvalidRequest"),
        (b"+1\r\n", "InvalidRequest"),
        (b"0x1\r\n", "InvalidRequest"),
        (b"1_0\r\n", "InvalidRequest"),
        (b"00000000000000001\r\n", "InvalidRequest"),
        (b"1;chunk-signature=00\r\n", "InvalidRequest"),
        (b"f" * 9000, "InvalidRequest"),
        (b"1\r\nab\r\n", "InvalidRequest"),
        (b"0\r\n\r\n\r\nmore\r\n", "IncompleteBody"),
        (b"1\r\na\r\n0\r\n\r\n\r\nmore\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\nno colon\r\n\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\n:a\r\n\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\nx-other:a\r\n\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\nx-amz-trailer-signature:a\r\n\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\nx-amz-checksum-crc32c:a\r\nx-amz-checksum-crc32c:a\r\n\r\n", "MalformedTrailerError"),
        (b"1\r\na\r\n0\r\nx-amz-checksum-crc32c:" + b"a" * 9000, "InvalidRequest"),
        (b"1\r\na\r\n0\r\nx-amz-checksum-crc32c:a\r\n\r\nmore\r\n", "InvalidRequest"),
        (b"1\r\na\r\n0\r\nx-amz-checksum-crc32c:a\r\n\r\nmore", "IncompleteBody"),
    ],
)
def test_a_malformed_stream_is_refused(body: bytes, code: str) -> None:
    assert _refusal(_unsigned(1), body)[0] == code


def test_a_signed_chunk_needs_its_signature() -> None:
    assert _refusal(_signed(1), b"1\r\na\r\n0\r\n\r\n") == ("InvalidRequest", 400)
    body = TRAILER_EXAMPLE[: TRAILER_EXAMPLE.index(b"x-amz-trailer-signature")]
    assert _refusal(_signed_trailer(), body + b"\r\n") == ("IncompleteBody", 400)
    without = TRAILER_EXAMPLE[: TRAILER_EXAMPLE.index(TRAILER.encode())]
    assert _refusal(_signed_trailer(), without + b"\r\n") == ("MalformedTrailerError", 400)


def test_without_a_chain_signatures_are_read_but_not_checked() -> None:
    decoder = chunked.Decoder(chunked.SIGNED, 66560)
    assert _decode(decoder, EXAMPLE.replace(b"ad80c7", b"000000")) == b"a" * 66560


@given(st.binary(max_size=200), st.sampled_from(sorted(chunked.MODES)))
def test_garbage_never_raises_anything_else(garbage: bytes, mode: str) -> None:
    chain = _chain(sha256().hexdigest())
    for body in (garbage, b"1;chunk-signature=" + garbage, b"1\r\na\r\n0\r\n" + garbage):
        with pytest.raises(AwsError):
            _decode(chunked.Decoder(mode, 2, trailers=[TRAILER], chain=chain), body)
