"""Time to live through boto3: items go when their time has come, and streams tell who took them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.conftest import CloudUnderTest

WAIT_SECONDS_MAX = 15.0
SPECIFICATION = {"AttributeName": "expires", "Enabled": True}


def put(dynamodb: Any, table: str, p: str, expires: Any) -> None:
    dynamodb.put_item(TableName=table, Item={"p": {"S": p}, "expires": {"N": str(expires)}})


def items(dynamodb: Any, table: str, **more: Any) -> set[str]:
    found = dynamodb.scan(TableName=table, **{"ConsistentRead": True, **more})["Items"]
    return {item["p"]["S"] for item in found}


def wait_until_left(dynamodb: Any, table: str, left: set[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while items(dynamodb, table) != left and time.monotonic() < deadline:
        time.sleep(0.1)
    assert items(dynamodb, table) == left


def test_the_setting_is_told_and_changed_as_aws_does(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()

    def told() -> Any:
        return dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

    assert told() == {"TimeToLiveStatus": "DISABLED"}
    reply = dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=SPECIFICATION)
    assert reply["TimeToLiveSpecification"] == SPECIFICATION
    assert told() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    for specification, message in (
        (SPECIFICATION, "TimeToLive is already enabled"),
        (
            {"AttributeName": "other", "Enabled": True},
            "TimeToLive is active on a different AttributeName: current AttributeName is expires",
        ),
        (
            {**SPECIFICATION, "Enabled": False},
            "Time to live has been modified multiple times within a fixed interval",
        ),
    ):
        with pytest.raises(ClientError) as refused:
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
        assert refused.value.response["Error"] == {"Code": "ValidationException", "Message": message}


def test_items_go_when_their_time_has_come_and_others_stay(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table, now = new_table(), int(time.time())
    put(dynamodb, table, "there before", now - 60)
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=SPECIFICATION)
    put(dynamodb, table, "past", now - 60)
    put(dynamodb, table, "soon", now + 3)
    put(dynamodb, table, "fraction", f"{now - 60}.25")
    put(dynamodb, table, "later", now + 3600)
    put(dynamodb, table, "moved", now + 2)
    put(dynamodb, table, "moved", now + 3600)
    put(dynamodb, table, "five years ago", now - 6 * 365 * 86400)
    dynamodb.put_item(TableName=table, Item={"p": {"S": "text"}, "expires": {"S": str(now - 60)}})
    assert "soon" in items(dynamodb, table)
    wait_until_left(dynamodb, table, {"later", "moved", "five years ago", "text"})
    assert time.time() >= now + 3


def test_what_expires_leaves_the_indexes_and_the_count_too(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "index",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=SPECIFICATION)
    past = {"N": str(int(time.time()) - 60)}
    for number in range(60):
        dynamodb.put_item(TableName=table, Item={"p": {"S": str(number)}, "g": {"S": "g"}, "expires": past})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "stays"}, "g": {"S": "g"}})
    wait_until_left(dynamodb, table, {"stays"})
    assert items(dynamodb, table, IndexName="index", ConsistentRead=False) == {"stays"}
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 1


def test_the_stream_tells_that_nobody_deleted_it(
    cloud: CloudUnderTest, dynamodb: Any, new_table: Callable[..., str]
) -> None:
    streams = cloud.client("dynamodbstreams")
    table = new_table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"})
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=SPECIFICATION)
    put(dynamodb, table, "a", int(time.time()) - 60)
    wait_until_left(dynamodb, table, set())
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        token = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        records += streams.get_records(ShardIterator=token["ShardIterator"])["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "REMOVE"]
    assert records[1]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert records[1]["dynamodb"]["OldImage"]["p"] == {"S": "a"}


def test_contributor_insights_are_switched_as_aws_does(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    assert dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"] == "DISABLED"
    reply = dynamodb.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE")
    assert reply["ContributorInsightsStatus"] == "ENABLING"
    put(dynamodb, table, "a", 1)
    told = dynamodb.describe_contributor_insights(TableName=table)
    assert told["ContributorInsightsStatus"] == "ENABLED"
    assert [rule.split("-")[1] for rule in told["ContributorInsightsRuleList"]] == ["PKC", "PKT"]
    listed = dynamodb.list_contributor_insights(TableName=table)["ContributorInsightsSummaries"]
    assert listed == [
        {
            "TableName": table,
            "ContributorInsightsStatus": "ENABLED",
            "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS",
        }
    ]
