"""ExecuteTransaction: all statements or none."""

import pytest
from tests.unit.dynamodb.reading import Reading, number


@pytest.fixture
def table():
    return Reading()


def transact(table, *statements, **request):
    return table("ExecuteTransaction", TransactStatements=[{"Statement": one} for one in statements], **request)


def cancelled(table, *statements):
    error = table.refused("ExecuteTransaction", TransactStatements=[{"Statement": one} for one in statements])
    assert error.code == "TransactionCanceledException"
    return [(reason["Code"], reason.get("Message")) for reason in error.fields["CancellationReasons"]]


def test_a_transaction_writes_all_or_nothing(table):
    table.put("a", "1")
    insert = "INSERT INTO music VALUE {'p': 'a', 'c': '2'}"
    reasons = cancelled(table, insert, "INSERT INTO music VALUE {'p': 'a', 'c': '1'}")
    assert reasons == [("None", None), ("DuplicateItem", "Duplicate primary key exists in table")]
    assert table.get("a", "2") is None
    assert transact(table, insert, "DELETE FROM music WHERE p = 'a' AND c = '1'") == {"Responses": [{}, {}]}
    assert (table.get("a", "1"), table.get("a", "2") is None) == (None, False)


def test_a_transaction_reads_at_one_moment(table):
    table.put("a", "1", n=number(1))
    reply = transact(
        table,
        "SELECT n FROM music WHERE p = 'a' AND c = '1'",
        "SELECT * FROM music WHERE p = 'a' AND c = 'nil'",
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["Responses"] == [{"Item": {"n": number(1)}}, {}]
    assert reply["ConsumedCapacity"][0]["CapacityUnits"] == 4.0


def test_exists_is_a_condition_on_another_item(table):
    table.put("a", "1", n=number(1))
    insert = "INSERT INTO music VALUE {'p': 'a', 'c': '2'}"
    check = "EXISTS(SELECT * FROM music WHERE p = 'a' AND c = '1' AND n = 2)"
    assert cancelled(table, check, insert) == [
        ("ConditionalCheckFailed", "The conditional request failed"),
        ("None", None),
    ]
    transact(table, check.replace("n = 2", "n = 1"), insert)
    assert table.get("a", "2") is not None


def test_a_transaction_sent_twice_happens_once(table):
    insert = "INSERT INTO music VALUE {'p': 'a', 'c': '2'}"
    assert transact(table, insert, ClientRequestToken="once") == transact(table, insert, ClientRequestToken="once")
    other = {"Statement": "DELETE FROM music WHERE p = 'a' AND c = '2'"}
    error = table.refused("ExecuteTransaction", TransactStatements=[other], ClientRequestToken="once")
    assert error.code == "IdempotentParameterMismatchException"


def test_reasons_of_statements_that_fit_no_table(table):
    reasons = cancelled(
        table,
        "INSERT INTO nil VALUE {'p': 'a'}",
        "DELETE FROM music WHERE p = 'a'",
        "INSERT INTO music VALUE {'p': 'a'}",
    )
    assert reasons == [
        ("ResourceNotFound", "Requested resource not found"),
        ("ValidationError", "The provided key element does not match the schema"),
        ("ValidationError", "One or more parameter values were invalid: Missing the key c in the item"),
    ]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            ["SELECT * FROM music WHERE p = 'a' AND c = '1'", "DELETE FROM music WHERE p = 'a' AND c = '2'"],
            "ExecuteTransaction API does not support both read and write operations in the same request.",
        ),
        (
            ["DELETE FROM music WHERE p = 'a' AND c = '1'", "DELETE FROM music WHERE p = 'a' AND c = '1'"],
            "Transaction request cannot include multiple operations on one item",
        ),
        (
            ["DELETE FROM music WHERE p = 'a' AND c = '1' RETURNING ALL OLD *"],
            "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction.",
        ),
        (
            ["SELECT * FROM music.\"by-x\" WHERE x = 'x'"],
            "Validation failed in TransactStatements[0]: Reads on indices are not supported within transactions.",
        ),
        (
            ["SELECT * FROM music WHERE p = 'a'"],
            "Validation failed in TransactStatements[0]: Select statements within ExecuteTransaction must specify "
            "the primary key in the where clause.",
        ),
        (
            ["EXISTS(SELECT * FROM music WHERE p = 'a' AND c = '1')"],
            "Validation failed in TransactStatements[0]: EXISTS() must contain a single item read with "
            "additional condition",
        ),
    ],
)
def test_transactions_that_are_refused(table, statements, message):
    error = table.refused("ExecuteTransaction", TransactStatements=[{"Statement": one} for one in statements])
    assert (error.code, error.message) == ("ValidationException", message)
