"""Secondary indexes through boto3: made with a table, and made and dropped while it lives."""

import time
from collections.abc import Callable
from typing import Any

from tests.conformance.refusals import refused

MakeTable = Callable[..., str]
WAIT_SECONDS_MAX = 20.0


def attributes(**kinds: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def index(name: str, hashes: str, ranges: str = "") -> dict[str, Any]:
    """Of attributes with names of one letter."""
    schema = [{"AttributeName": one, "KeyType": "HASH"} for one in hashes]
    schema += [{"AttributeName": one, "KeyType": "RANGE"} for one in ranges]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}


def indexes(dynamodb: Any, table: str) -> dict[str, Any]:
    told = dynamodb.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    return {one["IndexName"]: one for one in told}


def until_settled(dynamodb: Any, table: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
        assert time.monotonic() < deadline, "the index is still not made, or not gone"
        time.sleep(0.1)


def found(dynamodb: Any, table: str, name: str) -> list[str]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, IndexName=name)
    return sorted(item["p"]["S"] for page in pages for item in page["Items"])


def test_an_index_made_later_holds_what_was_there_and_what_comes(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    for number in range(30):
        dynamodb.put_item(TableName=table, Item={"p": {"S": f"{number:02}"}, "x": {"S": "x"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "other"}, "x": {"N": "1"}})
    told = dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=attributes(x="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by-x", "x")}],
    )["TableDescription"]
    assert told["TableStatus"] == "UPDATING"
    assert told["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    dynamodb.put_item(TableName=table, Item={"p": {"S": "new"}, "x": {"S": "x"}})
    until_settled(dynamodb, table)
    assert found(dynamodb, table, "by-x") == [*(f"{number:02}" for number in range(30)), "new"]
    assert (indexes(dynamodb, table)["by-x"]["IndexStatus"], indexes(dynamodb, table)["by-x"]["ItemCount"]) == (
        "ACTIVE",
        31,
    )


def test_a_dropped_index_is_gone_and_so_is_what_it_asked_of_items(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table(AttributeDefinitions=attributes(p="S", x="S"), GlobalSecondaryIndexes=[index("by-x", "x")])
    with refused("ValidationException", 400):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "x": {"N": "1"}})
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-x"}}])
    until_settled(dynamodb, table)
    assert indexes(dynamodb, table) == {}
    assert dynamodb.describe_table(TableName=table)["Table"]["AttributeDefinitions"] == attributes(p="S")
    dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "x": {"N": "1"}})
    with refused("ValidationException", 400, "The table does not have the specified index: by-x"):
        dynamodb.scan(TableName=table, IndexName="by-x")


def test_one_index_is_made_at_a_time(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    message = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
    with refused("LimitExceededException", 400, message):
        dynamodb.update_table(
            TableName=table,
            AttributeDefinitions=attributes(x="S"),
            GlobalSecondaryIndexUpdates=[{"Create": index(name, "x")} for name in ("one", "two")],
        )


def test_keys_of_an_index_may_have_many_attributes(dynamodb: Any, new_table: MakeTable) -> None:
    by = index("by-x", "ab", "cd")
    table = new_table(AttributeDefinitions=attributes(p="S", a="S", b="N", c="S", d="N"), GlobalSecondaryIndexes=[by])
    assert indexes(dynamodb, table)["by-x"]["KeySchema"] == by["KeySchema"]
    too_many = index("big", "abcde")
    with refused("ValidationException", 400):
        new_table(
            AttributeDefinitions=attributes(p="S", a="S", b="S", c="S", d="S", e="S"),
            GlobalSecondaryIndexes=[too_many],
        )


def test_a_local_index_comes_with_its_table(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table(
        range=True, AttributeDefinitions=attributes(p="S", c="S", x="N"), LocalSecondaryIndexes=[index("loc", "p", "x")]
    )
    dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "c": {"S": "b"}, "x": {"N": "1"}})
    [told] = dynamodb.describe_table(TableName=table)["Table"]["LocalSecondaryIndexes"]
    assert told["KeySchema"] == index("loc", "p", "x")["KeySchema"]
    assert (told["ItemCount"], told["IndexSizeBytes"]) == (1, 2 + 2 + 3)
    message = (
        "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when "
        "specifying a LocalSecondaryIndex"
    )
    with refused("ValidationException", 400, message):
        new_table(AttributeDefinitions=attributes(p="S", x="N"), LocalSecondaryIndexes=[index("loc", "p", "x")])


def test_a_partition_key_too_long_to_sort_by_is_refused_where_an_index_sorts_by_it(
    dynamodb: Any, new_table: MakeTable
) -> None:
    table = new_table(AttributeDefinitions=attributes(p="S", x="S"), GlobalSecondaryIndexes=[index("by-x", "x", "p")])
    message = (
        "One or more parameter values were invalid: "
        "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    )
    key, values = {"p": {"S": "p" * 1025}}, {":x": {"S": "x"}}
    with refused("ValidationException", 400, message):
        dynamodb.put_item(TableName=table, Item={**key, "x": {"S": "x"}})
    with refused("ValidationException", 400, message):
        dynamodb.update_item(TableName=table, Key=key, UpdateExpression="SET x = :x", ExpressionAttributeValues=values)
    key["p"]["S"] = "p" * 1024
    dynamodb.update_item(TableName=table, Key=key, UpdateExpression="SET x = :x", ExpressionAttributeValues=values)
    assert found(dynamodb, table, "by-x") == [key["p"]["S"]]
