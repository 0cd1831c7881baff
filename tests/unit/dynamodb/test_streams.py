"""DynamoDB Streams on a memory store: what is told, to whom, and for how long."""

import orjson
import pytest
from tests.support import NOW
from tests.unit.dynamodb.streaming import REGION, StreamingCloud

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import iterators, shards
from atoll.services.dynamodb.iterators import Position

HOUR = 3600.0


@pytest.fixture
def cloud():
    return StreamingCloud()


def shard_of(cloud: StreamingCloud, arn: str) -> str:
    """Of the only item that was written."""
    for shard in cloud.shards(arn):
        if cloud.stream("GetRecords", ShardIterator=cloud.iterator(arn, shard["ShardId"]))["Records"]:
            return str(shard["ShardId"])
    raise AssertionError("no shard has a record")


def told(cloud: StreamingCloud, arn: str) -> list:
    return orjson.loads(orjson.dumps(cloud.read(arn)))


def test_a_record_has_exactly_aws_members(cloud):
    arn = cloud.create()
    cloud.put("a", n={"N": "1"})
    cloud.later(1.5)
    cloud.put("a", n={"N": "22"})
    cloud.delete("a")
    insert, modify, remove = told(cloud, arn)
    assert len(insert.pop("eventID")) == 32
    number = insert["dynamodb"].pop("SequenceNumber")
    assert len(number) == 21
    assert insert == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": int(NOW),
            "Keys": {"p": {"S": "a"}},
            "NewImage": {"p": {"S": "a"}, "n": {"N": "1"}},
            "SizeBytes": 2 + 2 + 3,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    assert modify["eventName"] == "MODIFY"
    assert modify["dynamodb"]["OldImage"] == {"p": {"S": "a"}, "n": {"N": "1"}}
    assert modify["dynamodb"]["NewImage"] == {"p": {"S": "a"}, "n": {"N": "22"}}
    assert modify["dynamodb"]["ApproximateCreationDateTime"] == int(NOW + 1.5)
    assert remove["eventName"] == "REMOVE"
    assert "NewImage" not in remove["dynamodb"]
    assert remove["dynamodb"]["OldImage"] == {"p": {"S": "a"}, "n": {"N": "22"}}
    assert number < modify["dynamodb"]["SequenceNumber"] < remove["dynamodb"]["SequenceNumber"]


@pytest.mark.parametrize(
    ("view", "members", "size_bytes"),
    [
        ("KEYS_ONLY", set(), 2),
        ("NEW_IMAGE", {"NewImage"}, 2 + 2 + 3),
        ("OLD_IMAGE", {"OldImage"}, 2 + 2 + 3),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}, 2 + 2 * (2 + 3)),
    ],
)
def test_a_view_type_says_which_images_are_told(cloud, view, members, size_bytes):
    arn = cloud.create(view=view)
    cloud.put("a", n={"N": "1"})
    cloud.put("a", n={"N": "2"})
    record = cloud.read(arn)[1]["dynamodb"]
    assert record.keys() & {"NewImage", "OldImage"} == members
    assert (record["SizeBytes"], record["StreamViewType"]) == (size_bytes, view)


def test_what_changes_nothing_is_not_told(cloud):
    arn = cloud.create()
    cloud.put("a")
    cloud.put("a")
    cloud.delete("b")
    assert cloud.changes(arn) == [("INSERT", "a")]


def test_latest_tells_all_that_is_committed_after_the_call_and_nothing_before(cloud):
    arn = cloud.create()
    cloud.put("a")
    tokens = [cloud.iterator(arn, shard["ShardId"], "LATEST") for shard in cloud.shards(arn)]
    cloud.put("a", n={"N": "1"})
    found = [record for token in tokens for record in cloud.stream("GetRecords", ShardIterator=token)["Records"]]
    assert [record["eventName"] for record in found] == ["MODIFY"]


def test_a_reader_goes_on_where_it_was(cloud):
    arn = cloud.create()
    for number in range(7):
        cloud.put("a", n={"N": str(number)})
    token, seen = cloud.iterator(arn, shard_of(cloud, arn)), []
    for _ in range(3):
        reply = cloud.stream("GetRecords", ShardIterator=token, Limit=3)
        seen.append(len(reply["Records"]))
        token = reply["NextShardIterator"]
    assert seen == [3, 3, 1]
    assert cloud.stream("GetRecords", ShardIterator=token)["Records"] == []
    cloud.put("a", n={"N": "7"})
    assert len(cloud.stream("GetRecords", ShardIterator=token)["Records"]) == 1


def test_an_answer_holds_a_megabyte(cloud):
    arn = cloud.create(view="NEW_IMAGE")
    for number in range(5):
        cloud.put("a", n={"N": str(number)}, blob={"S": "x" * 300_000})
    token = cloud.iterator(arn, shard_of(cloud, arn))
    first = cloud.stream("GetRecords", ShardIterator=token)
    assert len(first["Records"]) == 3
    assert len(cloud.stream("GetRecords", ShardIterator=first["NextShardIterator"])["Records"]) == 2


def test_sequence_numbers_lead_back_to_their_records(cloud):
    arn = cloud.create()
    for number in range(3):
        cloud.put("a", n={"N": str(number)})
    numbers = [record["dynamodb"]["SequenceNumber"] for record in cloud.read(arn)]
    shard = shard_of(cloud, arn)

    def read(kind: str) -> list[str]:
        token = cloud.iterator(arn, shard, kind, SequenceNumber=numbers[1])
        return [r["dynamodb"]["SequenceNumber"] for r in cloud.stream("GetRecords", ShardIterator=token)["Records"]]

    assert read("AT_SEQUENCE_NUMBER") == numbers[1:]
    assert read("AFTER_SEQUENCE_NUMBER") == numbers[2:]


def test_an_items_changes_go_from_shard_to_child(cloud):
    arn = cloud.create()
    cloud.put("a")
    first = shard_of(cloud, arn)
    cloud.later(4 * HOUR + 20)
    cloud.put("a", n={"N": "1"})
    children = cloud.shards(arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": first})
    assert [child["ParentShardId"] for child in children] == [first]
    parent = cloud.stream("GetRecords", ShardIterator=cloud.iterator(arn, first))
    assert ([r["eventName"] for r in parent["Records"]], "NextShardIterator" in parent) == (["INSERT"], False)
    child = cloud.stream("GetRecords", ShardIterator=cloud.iterator(arn, children[0]["ShardId"]))
    assert ([r["eventName"] for r in child["Records"]], "NextShardIterator" in child) == (["MODIFY"], True)


def test_a_shards_end_is_told_with_its_last_record_however_it_is_cut(cloud):
    arn = cloud.create()
    for number in range(2):
        cloud.put("a", n={"N": str(number)})
    shard = shard_of(cloud, arn)
    cloud.disable_stream()
    reply = cloud.stream("GetRecords", ShardIterator=cloud.iterator(arn, shard), Limit=1)
    reply = cloud.stream("GetRecords", ShardIterator=reply["NextShardIterator"], Limit=1)
    assert (len(reply["Records"]), "NextShardIterator" in reply) == (1, False)


def test_a_disabled_stream_can_be_read_for_a_day_and_a_new_one_knows_nothing_of_it(cloud):
    arn = cloud.create()
    cloud.put("a")
    cloud.disable_stream()
    cloud.put("unheard")
    cloud.later(0.001)
    new_arn = cloud.enable_stream("new")
    cloud.put("b")
    assert cloud.changes(arn) == [("INSERT", "a")]
    assert cloud.changes(new_arn) == [("INSERT", "b")]
    told = cloud.stream("DescribeStream", StreamArn=arn)["StreamDescription"]
    assert told["StreamStatus"] == "DISABLED"
    assert all("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in told["Shards"])
    cloud.later(24 * HOUR + 1)
    assert cloud.refused("DescribeStream", StreamArn=arn)[0] == "ResourceNotFoundException"
    assert [s["StreamArn"] for s in cloud.stream("ListStreams")["Streams"]] == [new_arn]


def test_what_recovery_logs_without_a_stream_is_in_no_stream(cloud):
    cloud.create(view=None)
    cloud.change(recovery_since=NOW)
    cloud.put("before")
    arn = cloud.enable_stream("late")
    cloud.put("a")
    assert cloud.changes(arn) == [("INSERT", "a")]


def test_a_dropped_tables_stream_can_be_read_for_another_day_even_beside_its_successor(cloud):
    arn = cloud.create()
    cloud.put("a")
    cloud.later(1)
    cloud("DeleteTable", TableName="table")
    new_arn = cloud.create()
    cloud.put("b")
    assert cloud.changes(arn) == [("INSERT", "a")]
    assert cloud.changes(new_arn) == [("INSERT", "b")]
    assert cloud.stream("DescribeStream", StreamArn=arn)["StreamDescription"]["StreamStatus"] == "DISABLED"
    assert [s["StreamArn"] for s in cloud.stream("ListStreams", TableName="table")["Streams"]] == [arn, new_arn]


def test_listing_goes_page_by_page_in_one_order(cloud):
    arns = sorted(cloud.create(name) for name in ("one", "two", "three"))
    cloud.create("none", view=None)
    cloud("DeleteTable", TableName="two")
    seen, more = [], {}
    for _ in range(10):
        reply = cloud.stream("ListStreams", Limit=1, **more)
        seen += [stream["StreamArn"] for stream in reply["Streams"]]
        if "LastEvaluatedStreamArn" not in reply:
            break
        more = {"ExclusiveStartStreamArn": reply["LastEvaluatedStreamArn"]}
    assert seen == arns


def test_a_streams_description_is_whole(cloud):
    arn = cloud.create(view="KEYS_ONLY")
    first = cloud.stream("DescribeStream", StreamArn=arn, Limit=3)["StreamDescription"]
    shown = [shard["ShardId"] for shard in first.pop("Shards")]
    assert first == {
        "StreamArn": arn,
        "StreamLabel": arn.rsplit("/", 1)[1],
        "StreamStatus": "ENABLED",
        "StreamViewType": "KEYS_ONLY",
        "CreationRequestDateTime": NOW,
        "TableName": "table",
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "LastEvaluatedShardId": shown[-1],
    }
    rest = cloud.stream("DescribeStream", StreamArn=arn, ExclusiveStartShardId=shown[-1])["StreamDescription"]
    assert len(rest["Shards"]) == 1
    assert rest["Shards"][0]["SequenceNumberRange"] == {
        "StartingSequenceNumber": shards.sequence_number(shards.moment(NOW))
    }
    assert "LastEvaluatedShardId" not in rest


def test_iterators_expire_after_a_quarter_of_an_hour(cloud):
    arn = cloud.create()
    token = cloud.iterator(arn, cloud.shards(arn)[0]["ShardId"])
    cloud.later(900)
    token_new = cloud.stream("GetRecords", ShardIterator=token)["NextShardIterator"]
    cloud.later(1)
    assert cloud.refused("GetRecords", ShardIterator=token)[0] == "ExpiredIteratorException"
    assert cloud.stream("GetRecords", ShardIterator=token_new)["Records"] == []


def test_a_reader_of_a_quiet_stream_is_never_told_that_it_is_late(cloud):
    arn = cloud.create()
    cloud.put("a")
    tokens = [cloud.iterator(arn, shard["ShardId"], "LATEST") for shard in cloud.shards(arn)]
    for _ in range(15 * 4):  # longer than a generation
        cloud.later(800)
        replies = [cloud.stream("GetRecords", ShardIterator=token) for token in tokens]
        tokens = [reply["NextShardIterator"] for reply in replies if "NextShardIterator" in reply]
    assert tokens == []
    latest = [cloud.iterator(arn, shard["ShardId"], "LATEST") for shard in cloud.shards(arn)]
    assert [cloud.stream("GetRecords", ShardIterator=token)["Records"] for token in latest] == [[]] * len(latest)


def test_what_is_older_than_a_day_is_trimmed(cloud):
    arn = cloud.create()
    cloud.put("a")
    shard = shard_of(cloud, arn)
    number = cloud.read(arn)[0]["dynamodb"]["SequenceNumber"]
    cloud.later(24 * HOUR + 1)
    assert cloud.refused(
        "GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=number
    ) == ("TrimmedDataAccessException", "The data you are trying to access has been trimmed")
    assert cloud.read(arn) == []


@pytest.mark.parametrize(
    "token", ["nonsense", "arn|1|nonsense", "arn|1|", "arn|2|AAAA", "a|b|c|d", "arn|1|" + "A" * 400, "||", "arn|1|é"]
)
def test_damaged_iterators_are_refused(cloud, token):
    assert cloud.refused("GetRecords", ShardIterator=token) == ("ValidationException", "Invalid ShardIterator")


@pytest.mark.parametrize(
    "position",
    [(-1, 0, 0), (4, 0, 0), (256, 0, 0), (2**64 - 1, 0, 0), (0, -1, 0), (0, 0, -1), ("0", 0, 0), (0.5, 0, 0), (0, 0)],
)
def test_a_forged_iterator_is_refused(cloud, position):
    arn = cloud.create()
    token = iterators.seal(arn, (*position, cloud.now))
    assert cloud.refused("GetRecords", ShardIterator=token) == ("ValidationException", "Invalid ShardIterator")


@pytest.mark.parametrize(
    ("generation", "stamp", "issued"),
    [
        (2**64 - 1, 2**64 - 1, 0.0),
        (0, 2**64 - 1, 1e308),
        (2**64 - 1, 2**64 - 1, float("inf")),
        (0, 2**64 - 1, float("nan")),
    ],
)
def test_a_forged_iterator_to_nowhere_reads_nothing(cloud, generation, stamp, issued):
    arn = cloud.create()
    cloud.put("a")
    token = iterators.seal(arn, Position(0, generation, stamp, issued or cloud.now, from_horizon=True))
    reply = cloud.stream("GetRecords", ShardIterator=token)
    assert reply["Records"] == []
    if "NextShardIterator" in reply:
        assert cloud.stream("GetRecords", ShardIterator=reply["NextShardIterator"])["Records"] == []


def test_an_iterator_is_bound_to_its_stream():
    token = iterators.seal("arn:one", Position(0, 0, 5, NOW))
    assert iterators.open_token(token, NOW) == ("arn:one", Position(0, 0, 5, NOW))
    with pytest.raises(AwsError):
        iterators.open_token(token.replace("arn:one", "arn:two"), NOW)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "ValidationException"),
        ({"ShardIteratorType": "LATEST", "SequenceNumber": "1" * 21}, "ValidationException"),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 40}, "ValidationException"),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "1" + "0" * 20}, "ValidationException"),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "ValidationException"),
        (
            {"ShardIteratorType": "LATEST", "ShardId": "shardId-00000000000000000000-00000000"},
            "ResourceNotFoundException",
        ),
        ({"ShardIteratorType": "LATEST", "StreamArn": "x" * 40}, "ValidationException"),
    ],
)
def test_iterators_are_asked_for_as_aws_wants_it(cloud, more, code):
    arn = cloud.create()
    request = {"StreamArn": arn, "ShardId": cloud.shards(arn)[0]["ShardId"], **more}
    assert cloud.refused("GetShardIterator", **request)[0] == code


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "AWS", ""])
def test_an_arn_of_another_partition_is_none_of_ours(cloud, partition):
    """Who may read it is judged by the ARN: one that the judge does not take for a table's must lead to none."""
    arn = cloud.create().replace("arn:aws:", f"arn:{partition}:")
    assert cloud.refused("DescribeStream", StreamArn=arn) == ("ValidationException", "Invalid StreamArn")


def test_limits_are_aws(cloud):
    arn = cloud.create()
    token = cloud.iterator(arn, cloud.shards(arn)[0]["ShardId"])
    for operation, request, most in (
        ("GetRecords", {"ShardIterator": token}, 1000),
        ("ListStreams", {}, 100),
        ("DescribeStream", {"StreamArn": arn}, 100),
    ):
        cloud.stream(operation, **request, Limit=most)
        assert cloud.refused(operation, **request, Limit=most + 1) == (
            "ValidationException",
            f"1 validation error detected: Value '{most + 1}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}",
        )
