"""DynamoDB Streams: which streams there are, and what shards they have. `stream_records` reads them."""

import heapq
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from atoll.aws import constraints
from atoll.aws.constraints import Constraint
from atoll.operation import Call
from atoll.services.dynamodb import describe, names, records, shards
from atoll.services.dynamodb.names import Address
from atoll.services.dynamodb.records import Stream, Table
from atoll.services.dynamodb.refusals import not_found, validation
from atoll.services.dynamodb.service import dynamodbstreams
from atoll.services.dynamodb.shards import Shard
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import dynamodbstreams as types

SHARDS_PER_PAGE_MAX = 100
STREAMS_PER_PAGE_MAX = 100
_TABLES_PER_SCAN = 100


def parse_arn(arn: str) -> tuple[Address, str]:
    """The table's address, and the stream's label. Raises AwsError.

    Read as who may read it was judged: an ARN of another form is of nobody's table.
    """
    address = names.read_arn(arn)
    label = None if address is None else address.within("stream")
    if address is None or label is None:
        raise validation("Invalid StreamArn")
    return address, label


def check_limit(limit: int | None, most: int) -> int:
    if limit is None:
        return most
    constraints.hold(limit, "limit", Constraint(most=most, is_number=True))
    return limit


async def find(call: Call, arn: str) -> tuple[Table, Stream]:
    """Of a table that is there, or of one dropped less than a day ago. Raises AwsError."""
    address, label = parse_arn(arn)
    if address.region == call.region:
        for row in await call.tx.get_many(
            [
                (records.tables_shelf(address.account, address.region), records.table_key(address.name)),
                (records.streams_shelf(address.account, address.region), keys.pack(address.name, label)),
            ]
        ):
            table = None if row is None else records.decode_table(row)
            for stream in table.streams if table is not None else ():
                if table is not None and stream.label == label and shards.is_kept(stream, call.now):
                    return table, stream
    raise not_found(f"Stream: {arn}")


@dynamodbstreams.read("DescribeStream")
async def describe_stream(call: Call, request: "types.DescribeStreamInput") -> "types.DescribeStreamOutput":
    limit = check_limit(request.get("Limit"), SHARDS_PER_PAGE_MAX)
    parent_id = _parent_asked_for(request)
    table, stream = await find(call, request["StreamArn"])
    after = request.get("ExclusiveStartShardId", "")
    found = [shard for shard in shards.listed(stream, call.now) if shard.id > after]
    if parent_id is not None:
        found = [shard for shard in found if shard.parent_id == parent_id]
    page = found[:limit]
    description: dict[str, Any] = {
        "StreamArn": table.stream_arn(stream.label),
        "StreamLabel": stream.label,
        "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
        "StreamViewType": stream.view,
        "CreationRequestDateTime": stream.created,
        "TableName": table.name,
        "KeySchema": describe.table_key_schema(table),
        "Shards": [_describe(shard) for shard in page],
    }
    if len(page) < len(found):
        description["LastEvaluatedShardId"] = page[-1].id
    return {"StreamDescription": description}  # type: ignore[typeddict-item]


def _parent_asked_for(request: "types.DescribeStreamInput") -> str | None:
    chosen = request.get("ShardFilter")
    if chosen is None:
        return None
    if "Type" not in chosen:
        raise validation("ShardFilter.Type must be specified when ShardFilter is provided")
    if "ShardId" not in chosen:
        raise validation(f"ShardFilter.ShardId must be specified for type {chosen['Type']}")
    return chosen["ShardId"]


def _describe(shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": shards.sequence_number(shard.start)}
    if shard.closed:
        numbers["EndingSequenceNumber"] = shards.sequence_number(shard.end - 1)
    described: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent_id is not None:
        described["ParentShardId"] = shard.parent_id
    return described


@dynamodbstreams.read("ListStreams")
async def list_streams(call: Call, request: "types.ListStreamsInput") -> "types.ListStreamsOutput":
    limit = check_limit(request.get("Limit"), STREAMS_PER_PAGE_MAX)
    name = request.get("TableName")
    after = ("", "")
    if "ExclusiveStartStreamArn" in request:
        address, label = parse_arn(request["ExclusiveStartStreamArn"])
        after = address.name, label
    found: list[tuple[str, str, str]] = []
    # The streams of live tables and of dropped ones are two lists, each in the order of names and labels.
    sources = (_tables(call, shelf, name, after[0]) for shelf in (_live_shelf(call), _dropped_shelf(call)))
    lists = [[entry async for entry in _streams(call, tables, after, limit + 1)] for tables in sources]
    found = list(heapq.merge(*lists))
    page = found[:limit]
    reply: types.ListStreamsOutput = {
        "Streams": [{"StreamArn": arn, "TableName": table, "StreamLabel": label} for table, label, arn in page]
    }
    if len(page) < len(found):
        reply["LastEvaluatedStreamArn"] = page[-1][2]
    return reply


def _live_shelf(call: Call) -> bytes:
    return records.tables_shelf(call.account, call.region)


def _dropped_shelf(call: Call) -> bytes:
    return records.streams_shelf(call.account, call.region)


async def _tables(call: Call, shelf: bytes, name: str | None, first: str) -> AsyncIterator[Table]:
    lo, hi = keys.pack(first), None
    if name is not None:
        lo, hi = keys.pack(name), keys.after(keys.pack(name))
    while rows := await call.tx.scan(shelf, lo, hi, _TABLES_PER_SCAN):
        for _, row in rows:
            yield records.decode_table(row)
        lo = rows[-1][0] + b"\x00"


async def _streams(
    call: Call, tables: AsyncIterator[Table], after: tuple[str, str], limit: int
) -> AsyncIterator[tuple[str, str, str]]:
    """(table name, label, ARN), at most `limit` of them."""
    async for table in tables:
        for stream in sorted(table.streams, key=lambda stream: stream.label):
            if (table.name, stream.label) > after and shards.is_kept(stream, call.now):
                yield table.name, stream.label, table.stream_arn(stream.label)
                limit -= 1
                if not limit:
                    return
