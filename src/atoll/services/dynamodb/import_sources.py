"""What imports read: objects of a bucket, piece by piece, unpacked, and cut into records.

A record is what one item is made of: a JSON document, or a line of CSV as (column, text) pairs. One that can't be read is a Bad.
"""

import asyncio
import csv
import json
import os
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

_PIECE_BYTES = 4 * 1024 * 1024
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

    def feed(self, data: bytes) -> bytes:
        if self._engine is None:
            return data
        out = []
        while data:  # Several members, one behind the other, are one stream.
            try:
                out.append(self._engine.decompress(data))
            except (zlib.error, zstd.ZstdError) as error:
                raise ValueError(str(error)) from error
            data = self._engine.unused_data if self._engine.eof else b""
            self._whole = self._engine.eof
            if self._whole:
                self._engine = self._new()
        return b"".join(out)

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
        if len(self._rest) > _RECORD_BYTES_MAX:
            raise ValueError(f"a line of more than {_RECORD_BYTES_MAX} bytes")

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
            found, at = decoder.raw_decode(text, at)
            yield _document(found)
            at += len(text[at:]) - len(text[at:].lstrip())
    except ValueError as error:
        yield Bad(f"not JSON: {error}")


def _document(found: Any) -> Record:
    return found if isinstance(found, dict) else Bad("not a JSON object")


class CsvLines:
    """Lines, of which one may be several where a quoted text has line ends of its own."""

    def __init__(self, delimiter: str, header: list[str] | None) -> None:
        self._delimiter = delimiter
        self._header = header
        self._rest = b""
        self._line = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._take(line + b"\n")
        if len(self._rest) + len(self._line) > _RECORD_BYTES_MAX:
            raise ValueError(f"a line of more than {_RECORD_BYTES_MAX} bytes")

    def end(self) -> Iterator[Record]:
        yield from self._take(self._rest)
        if self._line:
            yield Bad("a quotation that does not end")
        self._rest = self._line = b""

    def _take(self, line: bytes) -> Iterator[Record]:
        self._line += line
        if self._line.count(b'"') % 2:
            return
        line, self._line = self._line.rstrip(b"\r\n"), b""
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
    except msgspec.ValidationError as error:
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
