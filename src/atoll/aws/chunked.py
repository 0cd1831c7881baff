"""The aws-chunked payload encoding, decoded as it arrives. Pure; data comes out as views of what went in, never copied.

    chunk    size in hex [;chunk-signature=64 hex] CRLF  data CRLF
    last     0 [;chunk-signature=64 hex] CRLF
    trailer  name:value CRLF ...  [x-amz-trailer-signature:64 hex CRLF]
    end      CRLF

Each chunk's signature covers the one before it, the first the request's own: none can be dropped, moved or repeated.
Data is handed out before its chunk's signature has been seen: nothing may be trusted until `finish` has returned.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and .../sigv4-streaming-trailers.html
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from atoll.aws.errors import AwsError
from atoll.aws.sigv4 import EMPTY_SHA256, SigningKey

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})

CHUNK_BYTES_MIN = 8 * 1024  # Of every chunk but the last one with data.
CHUNK_SIZE_DIGITS_MAX = 16
LINE_BYTES_MAX = 8 * 1024
TRAILERS_BYTES_MAX = 16 * 1024
TRAILERS_MAX = 32
TRAILER_SIGNATURE = "x-amz-trailer-signature"

_SIGNATURE_FIELD = b"chunk-signature="
_LINE_WINDOW_BYTES = 128  # A chunk's first line is shorter; only this much is copied to look for its end.


@dataclass(slots=True)
class SignatureChain:
    """The running signature of a chunked upload, from that of the request itself."""

    key: SigningKey
    timestamp: str
    scope: str
    previous: str

    def advance(self, content_hash: str) -> str:
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._before}\n{EMPTY_SHA256}\n{content_hash}")

    def advance_trailer(self, content_hash: str) -> str:
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self._before}\n{content_hash}")

    @property
    def _before(self) -> str:
        return f"{self.timestamp}\n{self.scope}\n{self.previous}"

    def _next(self, string_to_sign: str) -> str:
        self.previous = self.key.sign(string_to_sign.encode())
        return self.previous


class Decoder:
    """`chain` None: signatures are not checked (unsigned modes; a dev server that doesn't know the key)."""

    def __init__(
        self, mode: str, decoded_length: int, *, trailers: Sequence[str] = (), chain: SignatureChain | None = None
    ) -> None:
        assert mode in MODES
        self.trailers: dict[str, str] = {}
        self._signed = mode != UNSIGNED_TRAILER
        self._has_trailers = mode != SIGNED
        self._expected_trailers = frozenset(trailers)
        self._chain = chain if self._signed else None
        self._data_left = decoded_length
        self._chunk_left = 0
        self._chunk_number = 0
        self._chunk_bytes = 0
        self._chunk_signature = b""
        self._hash = sha256()
        self._state = self._read_size
        self._line = bytearray()  # The beginning of a line that the last feed broke off.
        self._trailers_bytes = 0
        self._trailer_signature = ""

    def feed(self, data: memoryview) -> list[memoryview]:
        """The decoded bytes in `data`. Raises AwsError at the first thing that is wrong."""
        decoded: list[memoryview] = []
        at, end = 0, len(data)
        while at < end:
            if self._chunk_left:
                piece = data[at : at + self._chunk_left]
                at += len(piece)
                self._chunk_left -= len(piece)
                if self._chain is not None:
                    self._hash.update(piece)
                decoded.append(piece)
            else:
                at = self._take_line(data, at)
        return decoded

    def finish(self) -> None:
        """To be called when the body has ended: refuses one that ended early."""
        if self._state != self._ended or self._line.strip(b"\r"):
            raise _incomplete()

    def _take_line(self, data: memoryview, at: int) -> int:
        window = bytes(data[at : at + _LINE_WINDOW_BYTES])
        feed = window.find(b"\n")
        if feed < 0:
            self._line += window
            if len(self._line) > LINE_BYTES_MAX:
                raise AwsError("InvalidRequest", "A line of the aws-chunked body is too long.", 400)
            return at + len(window)
        line = window[:feed]
        if self._line:
            line = bytes(self._line) + line
            self._line.clear()
        self._state(line.removesuffix(b"\r"))
        return at + feed + 1

    def _read_size(self, line: bytes) -> None:
        size_text, _, extension = line.partition(b";")
        size = _size(size_text)
        if self._signed:
            self._chunk_signature = _signature(extension)
        elif extension:
            raise AwsError("InvalidRequest", "A chunk of an unsigned payload carries an extension.", 400)
        if size == 0:
            self._end_data()
            return
        if self._chunk_number and self._chunk_bytes < CHUNK_BYTES_MIN:  # So the one before was not the last.
            raise AwsError(
                "InvalidChunkSizeError",
                "Only the last chunk is allowed to have a size less than 8192 bytes",
                403,
                Chunk=str(self._chunk_number),
                BadChunkSize=str(self._chunk_bytes),
            )
        if size > self._data_left:
            raise _incomplete()
        self._data_left -= size
        self._chunk_number += 1
        self._chunk_left = self._chunk_bytes = size
        self._state = self._end_chunk

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise AwsError("InvalidRequest", "A chunk is longer than its size says.", 400)
        self._check_chunk()
        self._state = self._read_size

    def _end_data(self) -> None:
        if self._data_left:
            raise _incomplete()
        self._check_chunk()
        self._state = self._read_trailer if self._has_trailers else self._read_end

    def _check_chunk(self) -> None:
        if self._chain is None:
            return
        expected = self._chain.advance(self._hash.hexdigest()).encode()
        if not hmac.compare_digest(expected, self._chunk_signature):
            raise _mismatch()
        self._hash = sha256()

    def _read_trailer(self, line: bytes) -> None:
        self._trailers_bytes += len(line)
        if self._trailers_bytes > TRAILERS_BYTES_MAX or len(self.trailers) > TRAILERS_MAX:
            raise _malformed_trailer()
        if not line:
            self._end_trailers()
            return
        name_bytes, colon, value_bytes = line.partition(b":")
        name, value = name_bytes.decode("latin-1").strip().lower(), value_bytes.decode("latin-1").strip()
        if not colon or not name or name in self.trailers:
            raise _malformed_trailer()
        if name == TRAILER_SIGNATURE and self._signed and not self._trailer_signature:
            self._trailer_signature = value
        elif name in self._expected_trailers and not self._trailer_signature:
            self.trailers[name] = value
        else:
            raise _malformed_trailer()

    def _end_trailers(self) -> None:
        if self._signed and not self._trailer_signature:
            # AWS's own example ends the last trailer's line twice before the signature's: this is not the end yet.
            if self._trailers_bytes:
                return
            raise _malformed_trailer()
        if self.trailers.keys() != self._expected_trailers:
            raise _malformed_trailer()
        if self._chain is not None:
            canonical = "".join(f"{name}:{self.trailers[name]}\n" for name in sorted(self.trailers))
            expected = self._chain.advance_trailer(sha256(canonical.encode("latin-1")).hexdigest())
            if not hmac.compare_digest(expected.encode(), self._trailer_signature.encode()):
                raise _mismatch()
        self._state = self._ended

    def _read_end(self, line: bytes) -> None:
        self._ended(line)
        self._state = self._ended

    def _ended(self, line: bytes) -> None:
        if line:
            raise AwsError("InvalidRequest", "The aws-chunked body goes on after its end.", 400)


def _size(text: bytes) -> int:
    # int() would take signs, underscores and spaces, which another reader of the same bytes might not.
    digits = text.strip(b" \t")
    if not 0 < len(digits) <= CHUNK_SIZE_DIGITS_MAX or digits.strip(b"0123456789abcdefABCDEF"):
        raise AwsError("InvalidRequest", "The size of a chunk is not a hexadecimal number.", 400)
    return int(digits, 16)


def _signature(extension: bytes) -> bytes:
    if not extension.startswith(_SIGNATURE_FIELD):
        raise AwsError("InvalidRequest", "A chunk of a signed payload has no chunk-signature.", 400)
    return extension[len(_SIGNATURE_FIELD) :]


def _incomplete() -> AwsError:
    return AwsError("IncompleteBody", "The request body terminated unexpectedly", 400)


def _mismatch() -> AwsError:
    return AwsError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        403,
    )


def _malformed_trailer() -> AwsError:
    text = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return AwsError("MalformedTrailerError", text, 400)
