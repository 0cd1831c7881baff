"""DynamoDB Streams through boto3: what a consumer reads, whatever is done to the table meanwhile."""

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.conftest import CloudUnderTest

BOTH = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
WAIT_SECONDS_MAX = 10.0


@pytest.fixture(scope="session")
def streams(cloud: CloudUnderTest) -> Any:
    return cloud.client("dynamodbstreams")


class Reader:
    """A consumer of one stream, from the oldest record on or from now on."""

    def __init__(self, streams: Any, arn: str, kind: str = "TRIM_HORIZON") -> None:
        self.streams = streams
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self.tokens = [
            streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind)["ShardIterator"]
            for shard in shards
        ]
        self.records: list[dict[str, Any]] = []

    def poll(self) -> None:
        replies = [self.streams.get_records(ShardIterator=token) for token in self.tokens]
        self.tokens = [reply["NextShardIterator"] for reply in replies if "NextShardIterator" in reply]
        for reply in replies:
            self.records += reply["Records"]

    def until(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while len(self.records) < count and time.monotonic() < deadline:
            self.poll()
        assert len(self.records) >= count, self.records
        return self.records


def stream_of(dynamodb: Any, table: str) -> str:
    arn: str = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return arn


def put(dynamodb: Any, table: str, p: str, **attributes: Any) -> None:
    dynamodb.put_item(TableName=table, Item={"p": {"S": p}, **attributes})


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["eventName"] for record in records]


def test_every_kind_of_write_is_told_in_order(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    table = new_table(StreamSpecification=BOTH)
    put(dynamodb, table, "a", n={"N": "1"})
    dynamodb.update_item(
        TableName=table,
        Key={"p": {"S": "a"}},
        UpdateExpression="SET n = n + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": {"p": {"S": "a"}, "n": {"N": "3"}}}}]})
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": {"p": {"S": "a"}, "n": {"N": "4"}}}}]
    )
    dynamodb.execute_statement(Statement=f"UPDATE \"{table}\" SET n = 5 WHERE p = 'a'")
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "a"}})
    records = Reader(streams, stream_of(dynamodb, table)).until(6)
    assert names(records) == ["INSERT", *["MODIFY"] * 4, "REMOVE"]
    images = [(r["dynamodb"].get("OldImage", {}).get("n"), r["dynamodb"].get("NewImage", {}).get("n")) for r in records]
    numbers = [None, *({"N": str(n)} for n in range(1, 6)), None]
    assert images == list(pairwise(numbers))
    sequence = [r["dynamodb"]["SequenceNumber"] for r in records]
    assert sequence == sorted(sequence)
    assert len({r["eventID"] for r in records}) == 6


def test_a_record_is_told_as_aws_tells_it(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    table = new_table(range=True, StreamSpecification=BOTH)
    before = datetime.now(UTC).replace(microsecond=0)
    item = {"p": {"S": "a"}, "c": {"S": "b"}, "x": {"B": b"\x00\x01"}, "l": {"L": [{"N": "1.50"}]}}
    dynamodb.put_item(TableName=table, Item=item)
    (record,) = Reader(streams, stream_of(dynamodb, table)).until(1)
    when = record["dynamodb"].pop("ApproximateCreationDateTime")
    assert before <= when <= datetime.now(UTC)
    assert when.microsecond == 0
    number = record["dynamodb"].pop("SequenceNumber")
    assert number.isdecimal()
    assert 21 <= len(number) <= 40
    assert len(record.pop("eventID")) == 32
    assert record == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "Keys": {"p": {"S": "a"}, "c": {"S": "b"}},
            "NewImage": {**item, "l": {"L": [{"N": "1.5"}]}},
            # The keys' 4; and p 2, c 2, x 1 + 2, l 1 + 3 for a list + 1 for a member + 3 for 1.5 (its digits lie in pairs from the point).
            "SizeBytes": 19,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


@pytest.mark.parametrize(
    ("view", "members"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_view_types_choose_the_images(
    dynamodb: Any, streams: Any, new_table: Callable[..., str], view: str, members: set[str]
) -> None:
    table = new_table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    put(dynamodb, table, "a")
    put(dynamodb, table, "a", n={"N": "1"})
    record = Reader(streams, stream_of(dynamodb, table)).until(2)[1]["dynamodb"]
    assert record.keys() & {"NewImage", "OldImage"} == members


def test_latest_misses_nothing_that_many_writers_write(
    dynamodb: Any, streams: Any, new_table: Callable[..., str]
) -> None:
    table = new_table(StreamSpecification=BOTH)
    reader = Reader(streams, stream_of(dynamodb, table), "LATEST")
    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(put, dynamodb, table, str(number)) for number in range(300)]
        while not all(future.done() for future in written):
            reader.poll()
    assert [future.exception() for future in written] == [None] * 300
    keys = [record["dynamodb"]["Keys"]["p"]["S"] for record in reader.until(300)]
    assert sorted(keys, key=int) == [str(number) for number in range(300)]


def test_a_disabled_stream_stays_to_be_read_and_a_new_one_begins_anew(
    dynamodb: Any, streams: Any, new_table: Callable[..., str]
) -> None:
    table = new_table(StreamSpecification=BOTH)
    old = stream_of(dynamodb, table)
    put(dynamodb, table, "a")
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    put(dynamodb, table, "unheard")
    described = streams.describe_stream(StreamArn=old)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert all("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in described["Shards"])
    dynamodb.update_table(TableName=table, StreamSpecification=BOTH)
    new = stream_of(dynamodb, table)
    assert new != old
    put(dynamodb, table, "b")
    for arn, p in ((old, "a"), (new, "b")):
        reader = Reader(streams, arn)
        assert [r["dynamodb"]["Keys"]["p"]["S"] for r in reader.until(1)] == [p]
        reader.poll()
        assert len(reader.records) == 1
        assert len(reader.tokens) == (0 if arn == old else 4)
    listed = streams.list_streams(TableName=table)["Streams"]
    assert [stream["StreamArn"] for stream in listed] == [old, new]


def test_a_dropped_tables_stream_stays_to_be_read(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    table = new_table(StreamSpecification=BOTH)
    arn = stream_of(dynamodb, table)
    put(dynamodb, table, "a")
    dynamodb.delete_table(TableName=table)
    time.sleep(1)  # The sweeper of dropped tables has its turn.
    reader = Reader(streams, arn)
    assert names(reader.until(1)) == ["INSERT"]
    assert reader.tokens == []


def test_shards_are_paged_and_have_no_children_at_first(
    dynamodb: Any, streams: Any, new_table: Callable[..., str]
) -> None:
    arn = stream_of(dynamodb, new_table(StreamSpecification=BOTH))
    shards, more = [], {}
    while True:
        description = streams.describe_stream(StreamArn=arn, Limit=1, **more)["StreamDescription"]
        shards += [shard["ShardId"] for shard in description["Shards"]]
        if "LastEvaluatedShardId" not in description:
            break
        more = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}
    assert len(shards) == 4
    assert shards == sorted(set(shards))
    chosen = {"Type": "CHILD_SHARDS", "ShardId": shards[0]}
    assert streams.describe_stream(StreamArn=arn, ShardFilter=chosen)["StreamDescription"]["Shards"] == []


def test_streams_are_listed_page_by_page(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    arns = {stream_of(dynamodb, new_table(StreamSpecification=BOTH)) for _ in range(3)}
    seen: list[str] = []
    more: dict[str, str] = {}
    while True:
        reply = streams.list_streams(Limit=2, **more)
        seen += [stream["StreamArn"] for stream in reply["Streams"]]
        if "LastEvaluatedStreamArn" not in reply:
            break
        assert reply["LastEvaluatedStreamArn"] == seen[-1]
        more = {"ExclusiveStartStreamArn": reply["LastEvaluatedStreamArn"]}
    assert arns <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_reader_can_start_at_a_time(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    table = new_table(StreamSpecification=BOTH)
    arn = stream_of(dynamodb, table)
    put(dynamodb, table, "a")
    for since, found in ((timedelta(minutes=-5), ["INSERT"]), (timedelta(minutes=5), [])):
        records = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            token = streams.get_shard_iterator(
                StreamArn=arn,
                ShardId=shard["ShardId"],
                ShardIteratorType="AT_TIMESTAMP",
                Timestamp=datetime.now(UTC) + since,
            )["ShardIterator"]
            records += streams.get_records(ShardIterator=token)["Records"]
        assert names(records) == found


def test_what_is_not_there_is_refused_in_aws_words(dynamodb: Any, streams: Any, new_table: Callable[..., str]) -> None:
    arn = stream_of(dynamodb, new_table(StreamSpecification=BOTH))
    other = arn[:-1] + ("1" if arn[-1] != "1" else "2")
    with pytest.raises(ClientError) as missing:
        streams.describe_stream(StreamArn=other)
    assert missing.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": f"Requested resource not found: Stream: {other} not found",
    }
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid StreamArn"):
        streams.describe_stream(StreamArn="x" * 40)
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid ShardIterator"):
        streams.get_records(ShardIterator="x" * 40)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        streams.get_shard_iterator(StreamArn=arn, ShardId="x" * 40, ShardIteratorType="LATEST")


def test_another_account_reads_nothing(
    cloud: CloudUnderTest, dynamodb: Any, streams: Any, new_table: Callable[..., str]
) -> None:
    arn = stream_of(dynamodb, new_table(StreamSpecification=BOTH))
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    token = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    made = json.loads(cloud.server.command("account", "add", f"streams-{uuid.uuid4().hex[:8]}").stdout)
    other = cloud.client(
        "dynamodbstreams",
        aws_access_key_id=made["access_key_id"],
        aws_secret_access_key=made["secret_access_key"],
    )
    assert arn not in [stream["StreamArn"] for stream in other.list_streams()["Streams"]]
    for call in (
        lambda: other.describe_stream(StreamArn=arn),
        lambda: other.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST"),
        lambda: other.get_records(ShardIterator=token),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_streams_outlive_a_restart(
    cloud: CloudUnderTest, dynamodb: Any, streams: Any, new_table: Callable[..., str]
) -> None:
    table = new_table(StreamSpecification=BOTH)
    arn = stream_of(dynamodb, table)
    put(dynamodb, table, "a")
    reader = Reader(streams, arn)
    assert names(reader.until(1)) == ["INSERT"]
    cloud.restart()
    put(dynamodb, table, "a", n={"N": "1"})
    assert names(reader.until(2)) == ["INSERT", "MODIFY"]
