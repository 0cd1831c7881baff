"""Scan through boto3: all of it, in pages, in segments, through indexes and filters."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refusal

COUNT = 30


@pytest.fixture
def table(new_table: Callable[..., str], dynamodb: Any) -> str:
    name = new_table(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "x")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-x",
                "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for start in (0, 15):
        requests = [{"PutRequest": {"Item": item(number)}} for number in range(start, start + 15)]
        dynamodb.batch_write_item(RequestItems={name: requests})
    return name


def item(number: int) -> dict[str, Any]:
    indexed = {"x": {"S": "x"}} if number % 2 else {}
    return {"p": {"S": f"{number:02}"}, "n": {"N": str(number)}, **indexed}


def in_order(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda one: str(one["p"]["S"]))


def test_a_scan_answers_everything(dynamodb: Any, table: str) -> None:
    reply = dynamodb.scan(TableName=table, ConsistentRead=True)
    assert in_order(reply["Items"]) == [item(number) for number in range(COUNT)]
    assert (reply["Count"], reply["ScannedCount"], "LastEvaluatedKey" in reply) == (COUNT, COUNT, False)


@pytest.mark.parametrize("size", [1, 7, 30])
def test_the_paginator_sees_every_item_once(dynamodb: Any, table: str, size: int) -> None:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, PaginationConfig={"PageSize": size})
    found = [one for page in pages for one in page["Items"]]
    assert in_order(found) == [item(number) for number in range(COUNT)]


@pytest.mark.parametrize("total", [1, 3, 16])
def test_segments_share_the_table(dynamodb: Any, table: str, total: int) -> None:
    found = []
    for segment in range(total):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=total, PaginationConfig={"PageSize": 4}
        )
        found += [one for page in pages for one in page["Items"]]
    assert in_order(found) == [item(number) for number in range(COUNT)]


def test_an_index_has_the_items_that_have_its_key(dynamodb: Any, table: str) -> None:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, IndexName="by-x", PaginationConfig={"PageSize": 4})
    found = [one for page in pages for one in page["Items"]]
    assert in_order(found) == [item(number) for number in range(1, COUNT, 2)]


def test_a_filter_takes_away_after_looking(dynamodb: Any, table: str) -> None:
    reply = dynamodb.scan(
        TableName=table,
        FilterExpression="n >= :n AND begins_with(p, :p)",
        ExpressionAttributeValues={":n": {"N": "28"}, ":p": {"S": "2"}},
        ProjectionExpression="n",
    )
    numbers = sorted(one["n"]["N"] for one in reply["Items"])
    assert (numbers, reply["Count"], reply["ScannedCount"]) == (["28", "29"], 2, COUNT)


def test_a_scan_filter_of_old_does_the_same(dynamodb: Any, table: str) -> None:
    filters = {"n": {"AttributeValueList": [{"N": "28"}], "ComparisonOperator": "GE"}}
    reply = dynamodb.scan(TableName=table, ScanFilter=filters, AttributesToGet=["p"])
    assert in_order(reply["Items"]) == [{"p": {"S": "28"}}, {"p": {"S": "29"}}]


def test_a_count_answers_numbers_only(dynamodb: Any, table: str) -> None:
    reply = dynamodb.scan(TableName=table, Select="COUNT")
    assert (reply["Count"], reply["ScannedCount"], "Items" in reply) == (COUNT, COUNT, False)


def test_a_page_holds_a_megabyte(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    for number in range(5):
        dynamodb.put_item(TableName=table, Item={"p": {"S": str(number)}, "v": {"S": "v" * 350_000}})
    first = dynamodb.scan(TableName=table)
    assert (first["Count"], "LastEvaluatedKey" in first) == (3, True)
    second = dynamodb.scan(TableName=table, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (second["Count"], "LastEvaluatedKey" in second) == (2, False)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Segment": 0},
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present",
        ),
        (
            {"TotalSegments": 4},
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present",
        ),
        (
            {"Segment": 5, "TotalSegments": 5},
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            "Segment: 5 is not less than TotalSegments: 5",
        ),
        (
            {"ExclusiveStartKey": {"q": {"S": "a"}}},
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
    ],
)
def test_scans_that_are_refused(dynamodb: Any, table: str, members: dict[str, Any], message: str) -> None:
    assert refusal(dynamodb.scan, TableName=table, **members) == ("ValidationException", message)
