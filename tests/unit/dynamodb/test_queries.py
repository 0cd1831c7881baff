"""Query: spans, pages, start keys, indexes, Select."""

import pytest
from tests.unit.dynamodb.reading import Reading, number, sort_keys, text


@pytest.fixture
def table():
    return Reading()


def fill(table, count=5):
    return [table.put("a", f"{i:02}", n=number(i % 3), x=text("x"), v=number(i), kept=text("k")) for i in range(count)]


def test_a_query_answers_a_partition_in_the_order_of_its_sort_key(table):
    items = fill(table)
    table.put("b", "00")
    assert table.query() == {"Items": items, "Count": 5, "ScannedCount": 5}


def test_a_query_backward_answers_the_same_in_reverse(table):
    items = fill(table)
    assert table.query(ScanIndexForward=False)["Items"] == items[::-1]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("c = :v", ["02"]),
        ("c < :v", ["00", "01"]),
        ("c <= :v", ["00", "01", "02"]),
        ("c > :v", ["03", "04"]),
        ("c >= :v", ["02", "03", "04"]),
        ("c BETWEEN :v AND :w", ["02", "03"]),
        ("begins_with(c, :zero)", ["00", "01", "02", "03", "04"]),
        ("begins_with(c, :v)", ["02"]),
    ],
)
def test_a_condition_on_the_sort_key_bounds_what_is_read(table, condition, expected):
    fill(table)
    given = {":v": text("02"), ":w": text("03"), ":zero": text("0")}
    reply = table.query(f"p = :p AND {condition}", values={k: v for k, v in given.items() if k in condition})
    assert (sort_keys(reply), reply["ScannedCount"]) == (expected, len(expected))


def test_begins_with_finds_what_goes_on_with_a_null_byte(table):
    for c in ("a", "a\x00", "a\x00b", "b"):
        table.put("a", c)
    assert sort_keys(table.query("p = :p AND begins_with(c, :v)", values={":v": text("a")})) == ["a", "a\x00", "a\x00b"]
    assert sort_keys(table.query("p = :p AND c = :v", values={":v": text("a")})) == ["a"]


def test_a_limit_counts_items_looked_at_and_not_items_that_match(table):
    fill(table)
    reply = table.query(filtered="v > :v", values={":v": number(1)}, Limit=3)
    assert (sort_keys(reply), reply["ScannedCount"]) == (["02"], 3)
    assert reply["LastEvaluatedKey"] == {"p": text("a"), "c": text("02")}


def test_a_full_page_has_a_last_key_though_nothing_follows(table):
    fill(table)
    last = table.query(Limit=5)["LastEvaluatedKey"]
    assert last == {"p": text("a"), "c": text("04")}
    assert table.query(ExclusiveStartKey=last) == {"Items": [], "Count": 0, "ScannedCount": 0}


def test_a_query_goes_on_after_a_key_that_is_not_there(table):
    fill(table)
    start = {"p": text("a"), "c": text("02x")}
    assert sort_keys(table.query(ExclusiveStartKey=start)) == ["03", "04"]
    assert sort_keys(table.query(ExclusiveStartKey=start, ScanIndexForward=False)) == ["02", "01", "00"]


def test_a_page_ends_with_the_item_that_brings_it_to_a_megabyte(table):
    for i in range(4):
        table.put("a", f"{i}", v=text("v" * 350_000))
    reply = table.query(ProjectionExpression="c")
    assert (sort_keys(reply), reply["LastEvaluatedKey"]["c"]) == (["0", "1", "2"], text("2"))
    assert sort_keys(table.query(ProjectionExpression="c", ExclusiveStartKey=reply["LastEvaluatedKey"])) == ["3"]


def test_a_page_of_exactly_a_megabyte_is_cut_and_one_of_a_byte_less_is_not(table):
    # p, a, c, one digit and v are five bytes: four items of 262,144 bytes.
    for i in range(4):
        table.put("a", f"{i}", v=text("v" * (262_144 - 5)))
    assert table.query(Select="COUNT")["LastEvaluatedKey"] == {"p": text("a"), "c": text("3")}
    table.put("a", "3", v=text("v" * (262_144 - 6)))
    assert table.query(Select="COUNT") == {"Count": 4, "ScannedCount": 4}


def test_a_megabyte_is_counted_before_the_filter(table):
    for i in range(4):
        table.put("a", f"{i}", v=text("v" * 350_000))
    reply = table.query(filtered="attribute_exists(w)")
    assert (reply["Items"], reply["ScannedCount"], reply["LastEvaluatedKey"]["c"]) == ([], 3, text("2"))


def test_many_tiny_items_are_one_page(table):
    for i in range(700):
        table.put("a", f"{i:03}")
    reply = table.query()
    assert sort_keys(reply) == [f"{i:03}" for i in range(700)]
    assert "LastEvaluatedKey" not in reply


# Start keys


def test_a_start_key_must_be_what_a_last_key_looks_like(table):
    assert table_invalid(table, {}) == "The provided starting key is invalid"
    assert table_invalid(table, {"p": text("a")}) == "The provided starting key is invalid"
    assert table_invalid(table, {"p": text("a"), "z": text("a")}) == "The provided starting key is invalid"
    several = {"p": text("a"), "c": text("a"), "z": text("a")}
    assert table_invalid(table, several) == "The provided starting key is invalid"
    wrong = {"p": text("a"), "c": number(1)}
    assert table_invalid(table, wrong) == "The provided key element does not match the schema"


def table_invalid(table, start, **request):
    return table.invalid(
        "Query",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": text("a")},
        ExclusiveStartKey=start,
        **request,
    )


def test_a_start_key_lies_within_what_is_queried(table):
    outside = {"p": text("b"), "c": text("a")}
    assert (
        table_invalid(table, outside)
        == "The provided starting key is outside query boundaries based on provided conditions"
    )
    request = {
        "KeyConditionExpression": "p = :p AND c > :c",
        "ExpressionAttributeValues": {":p": text("a"), ":c": text("m")},
    }
    before = {"p": text("a"), "c": text("a")}
    assert (
        table.invalid("Query", **request, ExclusiveStartKey=before)
        == "The provided starting key does not match the range key predicate"
    )
    elsewhere = {"p": text("b"), "c": text("z")}
    assert (
        table.invalid("Query", **request, ExclusiveStartKey=elsewhere)
        == "The query can return at most one row and cannot be restarted"
    )


def test_a_table_without_a_sort_key_has_nothing_to_go_on_to():
    alone = Reading(
        TableName="alone",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        GlobalSecondaryIndexes=None,
        LocalSecondaryIndexes=None,
    )
    told = alone.invalid(
        "Query",
        TableName="alone",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": text("a")},
        ExclusiveStartKey={"p": text("a")},
    )
    assert told == "The provided exclusive start key is invalid: ExclusiveStartKey: {p=AttributeValue: {S:a}}"


# Indexes


def test_a_last_key_of_an_index_has_the_keys_of_index_and_table(table):
    items = fill(table)
    request = {"IndexName": "by-x", "condition": "x = :p", "values": {":p": text("x")}}
    first = table.query(**request, Limit=2)
    assert first["LastEvaluatedKey"] == {"x": text("x"), "p": text("a"), "c": text("01")}
    assert table.query(**request, ExclusiveStartKey=first["LastEvaluatedKey"])["Items"] == items[2:]


def test_an_index_of_several_attributes_is_queried_from_left_to_right(table):
    for i in range(6):
        table.put("a", f"{i}", x=text("x"), y=text("y" if i % 2 else "z"), n=number(i // 2))
    request = {"IndexName": "many", "values": {":p": text("x"), ":y": text("y"), ":n": number(1)}}
    assert sort_keys(table.query("x = :p AND y = :y AND n >= :n", **request)) == ["3", "5"]
    assert sort_keys(table.query("x = :p AND y = :y AND n < :n", **request)) == ["1"]
    request["values"][":c"] = text("3")
    assert sort_keys(table.query("x = :p AND y = :y AND n = :n AND c >= :c", **request)) == ["3"]
    assert sort_keys(table.query("x = :p AND y = :y AND n = :n AND c < :c", **request)) == []


def test_a_global_index_is_not_read_consistently(table):
    told = table.invalid(
        "Query",
        IndexName="by-x",
        KeyConditionExpression="x = :p",
        ExpressionAttributeValues={":p": text("a")},
        ConsistentRead=True,
    )
    assert told == "Consistent reads are not supported on global secondary indexes"
    assert (
        table.query("p = :p AND n = :n", values={":n": number(1)}, IndexName="by-n", ConsistentRead=True)["Count"] == 0
    )


def test_an_unknown_index_is_named(table):
    told = table.invalid(
        "Query", IndexName="nil", KeyConditionExpression="x = :p", ExpressionAttributeValues={":p": text("a")}
    )
    assert told == "The table does not have the specified index: nil"


def test_a_local_index_fetches_what_it_does_not_keep(table):
    fill(table, 2)
    request = {"IndexName": "few-n", "ReturnConsumedCapacity": "INDEXES"}
    assert "v" not in table.query(**request)["Items"][0]
    whole = table.query(**request, Select="ALL_ATTRIBUTES")
    assert whole["Items"][0]["v"] == number(0)
    assert whole["ConsumedCapacity"]["Table"] == {"CapacityUnits": 1.0}
    assert whole["ConsumedCapacity"]["LocalSecondaryIndexes"] == {"few-n": {"CapacityUnits": 0.5}}
    assert table.query(**request, ProjectionExpression="v")["Items"] == [{"v": number(0)}, {"v": number(1)}]
    kept = table.query(**request, ProjectionExpression="kept")
    assert kept["ConsumedCapacity"]["Table"] == {"CapacityUnits": 0.0}


def test_a_local_index_that_fetches_ends_its_pages_by_the_items_it_fetches(table):
    for i in range(4):
        table.put("a", f"{i}", n=number(i), v=text("v" * 350_000))
    reply = table.query(IndexName="few-n", Select="ALL_ATTRIBUTES")
    assert sort_keys(reply) == ["0", "1", "2"]
    assert reply["LastEvaluatedKey"] == {"p": text("a"), "n": number(2), "c": text("2")}


def test_a_global_index_refuses_what_it_does_not_keep(table):
    request = {
        "IndexName": "few-x",
        "KeyConditionExpression": "x = :p",
        "ExpressionAttributeValues": {":p": text("a")},
    }
    start = "One or more parameter values were invalid: "
    assert (
        table.invalid("Query", **request, ProjectionExpression="w, v, kept")
        == f"{start}Global secondary index few-x does not project [v, w]"
    )
    assert (
        table.invalid("Query", **request, Select="ALL_ATTRIBUTES")
        == f"{start}Select type ALL_ATTRIBUTES is not supported for global secondary index few-x "
        "because its projection type is not ALL"
    )
    assert (
        table.invalid("Query", **request, FilterExpression="attribute_exists(v)")
        == f"{start}Secondary index few-x does not project one or more filter attributes: [v]"
    )


# Select, filters, capacity


def test_select_and_projection_have_to_agree(table):
    request = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": text("a")}}
    told = "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
    assert table.invalid("Query", **request, Select="SPECIFIC_ATTRIBUTES") == f"1 validation error detected: {told}"
    assert table.invalid("Scan", Select="SPECIFIC_ATTRIBUTES") == told
    assert (
        table.invalid("Query", **request, Select="COUNT", ProjectionExpression="c")
        == "Cannot specify the ProjectionExpression when choosing to get only the Count"
    )
    assert (
        table.invalid("Scan", Select="ALL_ATTRIBUTES", AttributesToGet=["c"])
        == "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES"
    )
    assert (
        table.invalid("Scan", Select="ALL_PROJECTED_ATTRIBUTES")
        == "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    )


def test_a_filter_can_not_look_at_the_key_that_is_queried(table):
    request = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": text("a")}}
    assert (
        table.invalid("Query", **request, FilterExpression="c = :p")
        == "Filter Expression can only contain non-primary key attributes: Primary key attribute: c"
    )
    equal = {"AttributeValueList": [text("a")], "ComparisonOperator": "EQ"}
    assert (
        table.invalid("Query", KeyConditions={"p": equal}, QueryFilter={"p": equal})
        == "QueryFilter can only contain non-primary key attributes: Primary key attribute: p"
    )
    fill(table)
    reply = table.query("x = :p", "c = :c", {":p": text("x"), ":c": text("03")}, IndexName="by-x")
    assert sort_keys(reply) == ["03"]


def test_a_query_needs_a_condition(table):
    assert (
        table.invalid("Query")
        == "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
    )


def test_an_attribute_is_asked_for_once(table):
    assert (
        table.invalid("Scan", AttributesToGet=["a", "b", "a"])
        == "One or more parameter values were invalid: Duplicate value in attribute name: a"
    )


def test_a_query_pays_for_what_it_looks_at_together(table):
    for i in range(3):
        table.put("a", f"{i}", v=text("v" * 3000))
    reply = table.query(filtered="attribute_exists(w)", ReturnConsumedCapacity="TOTAL")
    assert reply["ConsumedCapacity"] == {"TableName": "music", "CapacityUnits": 1.5}
    reply = table.query(ReturnConsumedCapacity="INDEXES", ConsistentRead=True)
    assert reply["ConsumedCapacity"] == {"TableName": "music", "CapacityUnits": 3.0, "Table": {"CapacityUnits": 3.0}}
