"""Query through boto3: order, conditions, pages, indexes, Select, capacity, refusals."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refusal

ATTRIBUTES = [{"AttributeName": name, "AttributeType": kind} for name, kind in (("p", "S"), ("c", "S"), ("n", "N"))]
BY_N = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]
KEYS_ONLY = {"ProjectionType": "KEYS_ONLY"}


@pytest.fixture
def table(new_table: Callable[..., str], dynamodb: Any) -> str:
    """Of twelve items: eight of partition a, four of b. Local index by-n and global index of-n keep only keys."""
    name = new_table(
        range=True,
        AttributeDefinitions=ATTRIBUTES,
        LocalSecondaryIndexes=[{"IndexName": "by-n", "KeySchema": BY_N, "Projection": KEYS_ONLY}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "of-n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": KEYS_ONLY,
            }
        ],
    )
    items = [item("a", number) for number in range(8)] + [item("b", number) for number in range(4)]
    requests = [{"PutRequest": {"Item": one}} for one in items]
    dynamodb.batch_write_item(RequestItems={name: requests})
    return name


def item(partition: str, number: int) -> dict[str, Any]:
    return {"p": {"S": partition}, "c": {"S": f"c{number}"}, "n": {"N": str(number % 3)}, "v": {"S": f"v{number}"}}


@pytest.fixture
def query(dynamodb: Any, table: str) -> Callable[..., Any]:
    def ask(condition: str = "p = :p", values: dict[str, Any] | None = None, **request: Any) -> Any:
        given = {":p": {"S": "a"}} if values is None else values
        return dynamodb.query(
            TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=given, **request
        )

    return ask


def sort_keys(reply: Any) -> list[str]:
    return [one["c"]["S"] for one in reply["Items"]]


def test_a_query_answers_one_partition_in_order_either_way(query: Any) -> None:
    reply = query(ConsistentRead=True)
    assert (reply["Items"], reply["Count"], reply["ScannedCount"]) == ([item("a", i) for i in range(8)], 8, 8)
    assert query(ScanIndexForward=False)["Items"] == reply["Items"][::-1]


def test_a_condition_on_the_sort_key_bounds_the_query(query: Any) -> None:
    values = {":p": {"S": "a"}, ":v": {"S": "c2"}, ":w": {"S": "c4"}}
    assert sort_keys(query("p = :p AND c BETWEEN :v AND :w", values)) == ["c2", "c3", "c4"]
    del values[":w"]
    assert sort_keys(query("p = :p AND c < :v", values)) == ["c0", "c1"]
    assert sort_keys(query("p = :p AND begins_with(c, :v)", values)) == ["c2"]


def test_key_conditions_of_old_do_the_same(dynamodb: Any, table: str) -> None:
    conditions = {
        "p": {"AttributeValueList": [{"S": "a"}], "ComparisonOperator": "EQ"},
        "c": {"AttributeValueList": [{"S": "c6"}], "ComparisonOperator": "GE"},
    }
    assert sort_keys(dynamodb.query(TableName=table, KeyConditions=conditions)) == ["c6", "c7"]


def test_the_paginator_sees_every_item_once(dynamodb: Any, table: str) -> None:
    for index in ({}, {"IndexName": "by-n"}):
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="p = :p",
            ExpressionAttributeValues={":p": {"S": "a"}},
            PaginationConfig={"PageSize": 3},
            **index,
        )
        found = [sort_keys(page) for page in pages]
        assert [len(page) for page in found] == [3, 3, 2]
        assert sorted(key for page in found for key in page) == [f"c{i}" for i in range(8)]


def test_a_last_key_of_an_index_has_all_keys(query: Any) -> None:
    reply = query("n = :n", {":n": {"N": "1"}}, IndexName="of-n", Limit=1)
    assert set(reply["LastEvaluatedKey"]) == {"n", "p", "c"}
    rest = query("n = :n", {":n": {"N": "1.0"}}, IndexName="of-n", ExclusiveStartKey=reply["LastEvaluatedKey"])
    assert len(rest["Items"]) == 3
    assert "v" not in rest["Items"][0]


def test_a_page_holds_a_megabyte(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(range=True)
    for number in range(5):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "c": {"S": str(number)}, "v": {"S": "v" * 300_000}})
    request = {
        "TableName": table,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
        "ReturnConsumedCapacity": "TOTAL",
    }
    first = dynamodb.query(**request)
    assert (first["Count"], first["LastEvaluatedKey"]["c"]["S"]) == (4, "3")
    assert first["ConsumedCapacity"]["CapacityUnits"] == 146.5
    second = dynamodb.query(**request, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (second["Count"], "LastEvaluatedKey" in second) == (1, False)


def test_a_filter_takes_away_after_the_limit(query: Any) -> None:
    values = {":p": {"S": "a"}, ":n": {"N": "1"}}
    reply = query(values=values, FilterExpression="n = :n", Limit=3)
    assert (sort_keys(reply), reply["Count"], reply["ScannedCount"]) == (["c1"], 1, 3)
    counted = query(values=values, FilterExpression="n = :n", Select="COUNT")
    assert (counted["Count"], counted["ScannedCount"], "Items" in counted) == (3, 8, False)


def test_a_local_index_gets_the_rest_from_the_table(query: Any) -> None:
    assert "v" not in query(IndexName="by-n")["Items"][0]
    reply = query(IndexName="by-n", Select="ALL_ATTRIBUTES", ReturnConsumedCapacity="INDEXES", ConsistentRead=True)
    assert reply["Items"][0] == item("a", 0)
    assert reply["ConsumedCapacity"]["Table"]["CapacityUnits"] == 8.0
    assert reply["ConsumedCapacity"]["LocalSecondaryIndexes"] == {"by-n": {"CapacityUnits": 1.0}}


def test_a_projection_answers_what_it_names(query: Any) -> None:
    reply = query(ProjectionExpression="#v, nil", ExpressionAttributeNames={"#v": "v"}, Limit=1)
    assert reply["Items"] == [{"v": {"S": "v0"}}]


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        (
            {"KeyConditionExpression": "c = :p"},
            "Query condition missed key schema element: p",
        ),
        (
            {"KeyConditionExpression": "p = :p", "FilterExpression": "c = :p"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: c",
        ),
        (
            {"KeyConditionExpression": "p = :p", "ExclusiveStartKey": {"p": {"S": "a"}}},
            "The provided starting key is invalid",
        ),
        (
            {"KeyConditionExpression": "p = :p", "ExclusiveStartKey": {"p": {"S": "b"}, "c": {"S": "c"}}},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {"KeyConditionExpression": "n = :p", "IndexName": "of-n", "ConsistentRead": True},
            "Consistent reads are not supported on global secondary indexes",
        ),
        (
            {"KeyConditionExpression": "p = :p", "IndexName": "nil"},
            "The table does not have the specified index: nil",
        ),
    ],
)
def test_queries_that_are_refused(dynamodb: Any, table: str, request_members: dict[str, Any], message: str) -> None:
    if request_members:
        request_members = {**request_members, "ExpressionAttributeValues": {":p": {"S": "a"}}}
    told = refusal(dynamodb.query, TableName=table, **request_members)
    assert told == ("ValidationException", message)


def test_a_query_of_no_table(dynamodb: Any) -> None:
    told = refusal(
        dynamodb.query,
        TableName="nothing-here",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
    )
    assert told == ("ResourceNotFoundException", "Requested resource not found")
