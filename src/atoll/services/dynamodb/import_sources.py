"""What imports read: objects of a bucket, piece by piece, unpacked, and cut into records.

A record is what one item is made of: a JSON document, or a line of CSV as (column, text) pairs. One that can't be read is a Bad.
"""

import asyncio
import csv
import json
import os
import re
import sys
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import orjson

from atoll.aws.codecs.dynamodb_types import AttributeValue
from atoll.operation import BlobBody, Call
from atoll.services.dynamodb.records import Item

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BLANKS = re.compile(r"\s*")
_PIECE_BYTES = 4 * 1024 * 1024
_SLICE_BYTES = 16 * 1024  # What is left behind a member's end is copied: of tiny members, again and again.
_UNPACKED_BYTES = 128 * 1024  # What is split into records at a time, with others waiting: it may be all line ends.
_RECORD_BYTES_MAX = 16 * 1024 * 1024
_PAGE_OBJECTS = 1000


@dataclass(slots=True)
class Bad:
    reason: str


Record = Mapping[str, Any] | Bad


class Splitter(Protocol):
    def feed(self, data: bytes) -> Iterator[Record]: ...

    def end(self) -> Iterator[Record]: ...


async def objects(call: Call, source: Mapping[str, Any], after: str) -> list[tuple[str, int]]:
    """The next keys and their sizes, in the order of the keys. Raises AwsError."""
    request: dict[str, Any] = {"Bucket": source["S3Bucket"], "MaxKeys": _PAGE_OBJECTS, **_owner(source)}
    if source.get("S3KeyPrefix"):
        request["Prefix"] = source["S3KeyPrefix"]
    if after:
        request["StartAfter"] = after
    reply = await call.api("s3", "ListObjectsV2", request)
    return [(found["Key"], found["Size"]) for found in reply.get("Contents", ())]


async def pieces(call: Call, source: Mapping[str, Any], key: str, size_bytes: int) -> AsyncIterator[bytes]:
    """The object's bytes, read with the caller's permissions. Raises AwsError."""
    for start in range(0, size_bytes, _PIECE_BYTES):
        span = f"bytes={start}-{min(size_bytes, start + _PIECE_BYTES) - 1}"
        request = {"Bucket": source["S3Bucket"], "Key": key, "Range": span, **_owner(source)}
        reply = await call.api("s3", "GetObject", request)
        yield await asyncio.to_thread(_read, reply["Body"])


def _owner(source: Mapping[str, Any]) -> dict[str, Any]:
    return {"ExpectedBucketOwner": source["S3BucketOwner"]} if "S3BucketOwner" in source else {}


def _read(body: bytes | BlobBody) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        parts = []
        for number, segment in enumerate(body.segments):
            first = body.first if number == 0 else None
            descriptor = body.blobs.open(segment.blob_id) if first is None else first
            try:
                parts.append(os.pread(descriptor, segment.length, segment.offset))
            finally:
                os.close(descriptor)
        return b"".join(parts)
    finally:
        if body.close is not None:
            body.close()


_GZIP_WINDOW = 31  # 15 bits, and zlib's sign for gzip's header.
_ENGINES: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "GZIP": lambda: zlib.decompressobj(_GZIP_WINDOW),
    "ZSTD": zstd.ZstdDecompressor,
}


class Unpacker:
    """Undoes an object's compression. Raises ValueError for what is not so compressed, or ends too early."""

    def __init__(self, compression: str) -> None:
        self._new = _ENGINES[compression]
        self._engine: Any = self._new()
        self._whole = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out, in pieces: few bytes may be many, far more than there is memory."""
        if self._engine is None:
            yield from (data[start : start + _UNPACKED_BYTES] for start in range(0, len(data), _UNPACKED_BYTES))
            return
        try:
            for start in range(0, len(data), _SLICE_BYTES):
                yield from self._unpack(data[start : start + _SLICE_BYTES])
        except (zlib.error, zstd.ZstdError) as error:
            raise ValueError(str(error)) from error

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        more = bool(data)
        while more:
            engine = self._engine
            yield engine.decompress(data, _UNPACKED_BYTES)
            self._whole = engine.eof
            if engine.eof:  # Several members, one behind the other, are one stream.
                data, self._engine = engine.unused_data, self._new()
                more = bool(data)
            elif isinstance(engine, zstd.ZstdDecompressor):
                data, more = b"", not engine.needs_input
            else:
                data = engine.unconsumed_tail
                more = bool(data)

    def end(self) -> None:
        if not self._whole:
            raise ValueError("the compressed data ends before its end")


class JsonLines:
    """Documents, one a line or one behind the other on the same."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _documents(line)
        _check_length(len(self._rest))

    def end(self) -> Iterator[Record]:
        yield from _documents(self._rest)
        self._rest = b""


def _documents(line: bytes) -> Iterator[Record]:
    line = line.strip()
    if not line:
        return
    try:
        yield _document(orjson.loads(line))
        return
    except orjson.JSONDecodeError:
        pass
    decoder = json.JSONDecoder()
    try:
        text, at = line.decode(), 0
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            # Read again by who reads lines: Python takes what is no JSON, and text that is no Unicode.
            yield _document(orjson.loads(text[at:end]))
            at = _BLANKS.match(text, end).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError) as error:
        yield Bad(f"not JSON: {error}")


def _document(found: Any) -> Record:
    return found if isinstance(found, dict) else Bad("not a JSON object")


class CsvLines:
    """Lines, of which one may be several where a quoted text has line ends of its own."""

    def __init__(self, delimiter: str, header: list[str] | None) -> None:
        self._delimiter = delimiter
        self._header = header
        self._rest = b""
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._quoted = False  # The line ends so far were in a quotation that is still open.

    def feed(self, data: bytes) -> Iterator[Record]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._take(line + b"\n")
        _check_length(len(self._rest))

    def end(self) -> Iterator[Record]:
        yield from self._take(self._rest)
        if self._quoted:
            yield Bad("a quotation that does not end")
        self._rest = b""

    def _take(self, line: bytes) -> Iterator[Record]:
        self._line.append(line)
        self._line_bytes += len(line)
        _check_length(self._line_bytes)
        self._quoted ^= bool(line.count(b'"') % 2)
        if self._quoted:
            return
        line = b"".join(self._line).rstrip(b"\r\n")
        self._line, self._line_bytes = [], 0
        if not line:
            return
        try:
            (cells,) = csv.reader([line.decode("utf-8-sig")], delimiter=self._delimiter, strict=True)
        except (ValueError, csv.Error) as error:
            yield Bad(f"not CSV: {error}")
            return
        if self._header is None:
            self._header = cells
        elif len(cells) != len(self._header):
            yield Bad(f"{len(cells)} columns instead of {len(self._header)}")
        else:
            yield dict(zip(self._header, cells, strict=True))


def _check_length(size_bytes: int) -> None:
    if size_bytes > _RECORD_BYTES_MAX:
        raise ValueError(f"a line of more than {_RECORD_BYTES_MAX} bytes")


def splitter(asked: Mapping[str, Any]) -> Splitter:
    if asked["InputFormat"] != "CSV":
        return JsonLines()
    options = asked.get("InputFormatOptions", {}).get("Csv", {})
    return CsvLines(options.get("Delimiter", ","), options.get("HeaderList"))


def item_of_json(record: Mapping[str, Any]) -> Item | Bad:
    """Type-checked as a request is; its content is still to be taken."""
    if "Item" not in record:
        return Bad("no Item")
    try:
        return msgspec.convert(record["Item"], dict[str, AttributeValue])  # type: ignore[return-value]
    except (msgspec.ValidationError, RecursionError) as error:
        return Bad(str(error))


def item_of_csv(record: Mapping[str, str], attributes: Mapping[str, str]) -> Item | Bad:
    """Key attributes are of their types, all others are strings."""
    item: Item = {name: {attributes.get(name, "S"): text} for name, text in record.items()}
    for name, kind in attributes.items():
        if kind == "B" and name in item:
            try:
                b64decode(item[name]["B"], validate=True)
            except (ValueError, NotBase64):
                return Bad(f"{name} is not base64")
    return item
