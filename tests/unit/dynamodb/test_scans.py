"""Scan: everything once, in segments, from a key on."""

import pytest
from tests.unit.dynamodb.reading import Reading, number, text


@pytest.fixture
def table():
    return Reading()


def fill(table, count=40):
    return [table.put(f"p{i}", "c", n=number(i), x=text("x")) for i in range(count)]


def in_order(items):
    return sorted(items, key=lambda item: item["p"]["S"])


def test_a_scan_answers_every_item_once(table):
    items = fill(table)
    reply = table("Scan")
    assert (in_order(reply["Items"]), reply["Count"], reply["ScannedCount"]) == (in_order(items), 40, 40)


def test_pages_follow_one_another_without_a_gap(table):
    items = fill(table)
    found, pages = table.all_pages("Scan", Limit=7)
    assert (in_order(found), pages) == (in_order(items), 6)
    assert found == table("Scan")["Items"]


@pytest.mark.parametrize("total", [1, 2, 3, 17, 1_000_000])
def test_segments_share_a_table_among_themselves(table, total):
    items = fill(table)
    whole = table("Scan")["Items"]
    if total <= 17:
        parts = [table("Scan", Segment=segment, TotalSegments=total)["Items"] for segment in range(total)]
        assert [item for part in parts for item in part] == whole
    assert in_order(whole) == in_order(items)
    assert table("Scan", Segment=total - 1, TotalSegments=total)["Count"] <= 40


def test_a_segment_goes_on_after_its_own_keys_only(table):
    fill(table)
    first = table("Scan", Segment=0, TotalSegments=2, Limit=3)
    rest = table("Scan", Segment=0, TotalSegments=2, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert first["Items"] + rest["Items"] == table("Scan", Segment=0, TotalSegments=2)["Items"]
    told = table.invalid("Scan", Segment=1, TotalSegments=2, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert told == (
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
        "correct Segment. TotalSegments: 2 Segment: 1"
    )


def test_segment_and_total_come_together(table):
    assert table.invalid("Scan", Segment=0) == (
        "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"
    )
    assert table.invalid("Scan", TotalSegments=4) == (
        "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"
    )
    assert table.invalid("Scan", Segment=5, TotalSegments=5) == (
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
        "Segment: 5 is not less than TotalSegments: 5"
    )


def test_a_start_key_of_a_scan_is_the_tables_key(table):
    told = "The provided starting key is invalid: The provided key element does not match the schema"
    for start in (
        {},
        {"p": text("a")},
        {"p": text("a"), "c": number(1)},
        {"p": text("a"), "c": text("b"), "z": text("c")},
    ):
        assert table.invalid("Scan", ExclusiveStartKey=start) == told
    assert (
        table.invalid("Scan", IndexName="by-x", ExclusiveStartKey={"p": text("a"), "c": text("b")})
        == "The provided starting key is invalid"
    )


def test_an_index_is_scanned_for_the_items_that_are_in_it(table):
    items = fill(table, 5)
    table.put("without", "x")
    found, _ = table.all_pages("Scan", IndexName="by-x", Limit=2)
    assert in_order(found) == in_order(items)


def test_a_filter_of_a_scan_may_look_at_keys(table):
    items = fill(table)
    reply = table("Scan", FilterExpression="p = :p", ExpressionAttributeValues={":p": text("p7")})
    assert (reply["Items"], reply["Count"], reply["ScannedCount"]) == ([items[7]], 1, 40)


def test_a_scan_of_an_index_does_not_find_by_what_the_index_does_not_keep(table):
    table.put("a", "b", x=text("x"), v=text("v"))
    reply = table("Scan", IndexName="few-x", FilterExpression="attribute_exists(v)")
    assert (reply["Count"], reply["ScannedCount"]) == (0, 1)


def test_a_count_has_no_items(table):
    fill(table, 3)
    assert table("Scan", Select="COUNT") == {"Count": 3, "ScannedCount": 3}


def test_a_scan_of_an_on_demand_table_pays_for_each_of_its_four_partitions(table):
    table.put("a", "b")
    for consistent, units in ((False, 2.0), (True, 4.0)):
        reply = table("Scan", ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert reply["ConsumedCapacity"] == {"TableName": "music", "CapacityUnits": units}


def test_a_scan_of_a_provisioned_table_pays_for_one():
    table = Reading(
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        GlobalSecondaryIndexes=None,
        LocalSecondaryIndexes=None,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pc"],
    )
    assert table("Scan", ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]["CapacityUnits"] == 0.5
