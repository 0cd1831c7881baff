"""BatchExecuteStatement: each statement on its own."""

import pytest
from tests.unit.dynamodb.reading import Reading, number, text


@pytest.fixture
def table():
    return Reading()


def batch(table, *statements, **request):
    return table("BatchExecuteStatement", Statements=[{"Statement": one} for one in statements], **request)


def test_a_batch_answers_each_statement_in_its_place(table):
    item = table.put("a", "1", n=number(1))
    reply = batch(
        table,
        "SELECT * FROM music WHERE p = 'a' AND c = '1'",
        "SELECT n FROM music WHERE p = 'a' AND c = 'nil'",
        "SELECT n FROM music WHERE p = 'a'",
        "SELECT n FROM nil WHERE p = 'a'",
        "SELECT",
        ReturnConsumedCapacity="TOTAL",
    )
    no_key = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    assert reply["Responses"] == [
        {"TableName": "music", "Item": item},
        {"TableName": "music"},
        {"Error": {"Code": "ValidationError", "Message": no_key}},
        {"Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}, "TableName": "nil"},
        {
            "Error": {
                "Code": "ValidationError",
                "Message": "Statement wasn't well formed, can't be processed: Unexpected end of statement",
            }
        },
    ]
    assert reply["ConsumedCapacity"] == [{"TableName": "music", "CapacityUnits": 1.0}]


def test_what_fails_in_a_batch_of_writes_does_not_keep_the_rest(table):
    table.put("a", "1", n=number(1))
    reply = batch(
        table,
        "INSERT INTO music VALUE {'p': 'a', 'c': '1'}",
        "INSERT INTO music VALUE {'p': 'a', 'c': '2'}",
        "UPDATE music SET n = 2 WHERE p = 'a' AND c = '3'",
    )
    assert [response.get("Error", {}).get("Code") for response in reply["Responses"]] == [
        "DuplicateItem",
        None,
        "ConditionalCheckFailed",
    ]
    assert table.get("a", "2") == {"p": text("a"), "c": text("2")}


def test_a_batch_in_which_all_fails_costs_nothing_to_tell(table):
    reply = batch(table, "UPDATE music SET n = 2 WHERE p = 'a' AND c = '3'", ReturnConsumedCapacity="TOTAL")
    assert "ConsumedCapacity" not in reply


def test_a_batch_reads_or_writes_and_each_item_once(table):
    mixed = ["SELECT n FROM music WHERE p = 'a' AND c = '1'", "DELETE FROM music WHERE p = 'a' AND c = '2'"]
    error = table.refused("BatchExecuteStatement", Statements=[{"Statement": one} for one in mixed])
    assert error.message == "Read and write requests together in the same batch is not supported."
    twice = ["DELETE FROM music WHERE p = 'a' AND c = '2'"] * 2
    error = table.refused("BatchExecuteStatement", Statements=[{"Statement": one} for one in twice])
    assert error.message == "Provided list of item keys contains duplicates"


def test_a_parameter_that_is_no_base64_fails_the_whole_batch(table):
    good = {"Statement": "SELECT * FROM music WHERE p = 'a' AND c = '1'"}
    bad = {"Statement": "SELECT * FROM music WHERE p = 'a' AND c = ?", "Parameters": [{"B": "A"}]}
    error = table.refused("BatchExecuteStatement", Statements=[good, bad])
    assert (error.code, error.message) == (
        "SerializationException",
        "Base64 encoded length is expected a multiple of 4 bytes but found: 1",
    )
