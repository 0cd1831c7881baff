"""GetShardIterator and GetRecords: a stream's records, read out of the table's log in the order of commits.

A snapshot that shows a stamp shows all below it (docs/design/0001), so a reader that goes on after the last record it has
seen passes none by, and LATEST is the place after the last one that can be seen.
"""

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import iterators, records, shards, streams, values
from atoll.services.dynamodb.iterators import Position
from atoll.services.dynamodb.records import Change, Stream, Table
from atoll.services.dynamodb.refusals import not_found, validation
from atoll.services.dynamodb.service import dynamodbstreams
from atoll.services.dynamodb.shards import Shard
from atoll.store import stamps

if TYPE_CHECKING:
    from atoll.aws.types import dynamodbstreams as types

RECORDS_PER_PAGE_MAX = 1000
PAGE_BYTES_MAX = 1024 * 1024
# Rows of the largest items are read few at a time; rows that are not of this stream are passed over, but not without end.
_ROWS_PER_SCAN = 50
_ROWS_EXAMINED_MAX = 5000
# No commit takes as long to be seen after it was stamped.
_UNSEEN_SECONDS_MAX = 3600.0

_TTL_IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@dynamodbstreams.read("GetShardIterator")
async def get_shard_iterator(call: Call, request: "types.GetShardIteratorInput") -> "types.GetShardIteratorOutput":
    streams.parse_arn(request["StreamArn"])
    _check_members(request)
    table, stream = await streams.find(call, request["StreamArn"])
    shard = shards.find(stream, request["ShardId"], call.now)
    if shard is None:
        raise not_found(f"Shard: {request['ShardId']} in Stream: {request['StreamArn']}")
    kind = request["ShardIteratorType"]
    if kind == "LATEST":
        stamp = await _after_last(call, table, shard)
    elif kind == "TRIM_HORIZON":
        stamp = shard.start
    elif kind == "AT_TIMESTAMP":
        stamp = max(shard.start, shards.moment(request["Timestamp"].timestamp()))
    else:
        stamp = _at_sequence(request, shard, call.now)
    from_horizon = kind in {"TRIM_HORIZON", "AT_TIMESTAMP"}
    position = Position(shard.range, shard.generation, stamp, call.now, from_horizon)
    return {"ShardIterator": iterators.seal(request["StreamArn"], position)}


def _check_members(request: "types.GetShardIteratorInput") -> None:
    kind = request["ShardIteratorType"]
    for member, wanted in (
        ("SequenceNumber", kind in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}),
        ("Timestamp", kind == "AT_TIMESTAMP"),
    ):
        if wanted and member not in request:
            raise validation(f"{member} must be specified for ShardIteratorType {kind}")
        if not wanted and member in request:
            raise validation(f"{member} must not be specified for ShardIteratorType {kind}")


async def _after_last(call: Call, table: Table, shard: Shard) -> int:
    rows = await call.tx.scan(records.log_shelf(table), shard.lo, shard.hi, 1, reverse=True)
    return _up_to_date(shards.stamp_of(rows[0][0]) + 1 if rows else shard.start, shard, call.now)


def _up_to_date(stamp: int, shard: Shard, now: float) -> int:
    """Where a reader waits who has seen all there is: not so far back that it is trimmed while nothing happens."""
    return min(max(stamp, shards.moment(now - _UNSEEN_SECONDS_MAX)), max(stamp, shard.end))


def _at_sequence(request: "types.GetShardIteratorInput", shard: Shard, now: float) -> int:
    try:
        stamp = shards.stamp_of_sequence(request["SequenceNumber"])
    except ValueError:
        raise validation("Invalid SequenceNumber") from None
    if not shard.start <= stamp < shard.end:
        raise validation("Invalid SequenceNumber: it is not one of this shard")
    _check_not_trimmed(stamp, now)
    return stamp + 1 if request["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" else stamp


def _check_not_trimmed(stamp: int, now: float) -> None:
    if stamp < shards.horizon(now):
        raise AwsError("TrimmedDataAccessException", "The data you are trying to access has been trimmed")


@dynamodbstreams.read("GetRecords")
async def get_records(call: Call, request: "types.GetRecordsInput") -> "types.GetRecordsOutput":
    limit = streams.check_limit(request.get("Limit"), RECORDS_PER_PAGE_MAX)
    arn, position = iterators.open_token(request["ShardIterator"], call.now)
    table, stream = await streams.find(call, arn)
    shard = shards.get(stream, position.range, position.generation, call.now)
    stamp = position.stamp
    if position.from_horizon:
        stamp = max(stamp, shards.horizon(call.now))
    else:
        _check_not_trimmed(stamp, call.now)
    page = _Page(table, stream, limit)
    ended = await _read(call, shard, stamp, page)
    reply: dict[str, Any] = {"Records": page.told}
    if not (ended and shard.closed):
        following = page.next or stamp
        following = _up_to_date(following, shard, call.now) if ended else following
        reply["NextShardIterator"] = iterators.seal(
            arn, Position(position.range, position.generation, following, call.now)
        )
    return reply  # type: ignore[return-value]


async def _read(call: Call, shard: Shard, stamp: int, page: "_Page") -> bool:
    """Whether it came to the end of what can be seen."""
    shelf, examined = records.log_shelf(page.table), 0
    while examined < _ROWS_EXAMINED_MAX and stamp < shard.end:
        wanted = min(_ROWS_PER_SCAN, page.room + 1)
        rows = await call.tx.scan(shelf, shard.key(stamp), shard.hi, wanted)
        for key, row in rows:
            if not page.take(key, records.decode_change(row)):
                return False
        if len(rows) < wanted:
            return True
        stamp = shards.stamp_of(rows[-1][0]) + 1
        examined += len(rows)
    return stamp >= shard.end


class _Page:
    """The records of one answer, as long as there is room."""

    def __init__(self, table: Table, stream: Stream, limit: int) -> None:
        self.table = table
        self.stream = stream
        self.told: list[dict[str, Any]] = []
        self.next: int | None = None  # the stamp after the last change looked at
        self.room = limit
        self._room_bytes = PAGE_BYTES_MAX

    def take(self, key: bytes, change: Change) -> bool:
        """False: it has no room for it."""
        if change.stream == self.stream.created:
            record = _record(self.table, self.stream, key, change)
            size_bytes: int = record["dynamodb"]["SizeBytes"]
            if not self.room or (self.told and size_bytes > self._room_bytes):
                return False
            self.told.append(record)
            self.room -= 1
            self._room_bytes -= size_bytes
        self.next = shards.stamp_of(key) + 1
        return True


def _record(table: Table, stream: Stream, key: bytes, change: Change) -> dict[str, Any]:
    either = change.new or change.old
    assert either is not None, "a change of nothing into nothing"
    item = records.decode_item(either)
    item_key = {name: item[name] for name in table.key_names}
    size_bytes = values.item_size(item_key)
    stamp = shards.stamp_of(key)
    told: dict[str, Any] = {
        "ApproximateCreationDateTime": int(stamps.time_of(stamps.pack(stamp))),
        "Keys": item_key,
    }
    for member, row, views in (
        ("NewImage", change.new, ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")),
        ("OldImage", change.old, ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")),
    ):
        if row is not None and stream.view in views:
            told[member] = orjson.Fragment(records.item_json(row))
            size_bytes += records.item_size(row)
    told |= {
        "SequenceNumber": shards.sequence_number(stamp),
        "SizeBytes": size_bytes,
        "StreamViewType": stream.view,
    }
    record = {
        "eventID": hashlib.blake2b(table.uid.encode() + key, digest_size=16).hexdigest(),
        "eventName": "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": table.region,
        "dynamodb": told,
    }
    return record | {"userIdentity": _TTL_IDENTITY} if change.by_ttl else record
