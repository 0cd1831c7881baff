"""PartiQL through boto3: statements, batches, transactions."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refusal


@pytest.fixture
def table(new_table: Callable[..., str]) -> str:
    return new_table(range=True)


@pytest.fixture
def execute(dynamodb: Any, table: str) -> Callable[..., Any]:
    """The statement's table is written as {}."""

    def run(statement: str, *parameters: Any, **request: Any) -> Any:
        if parameters:
            request["Parameters"] = list(parameters)
        return dynamodb.execute_statement(Statement=statement.replace("{}", f'"{table}"'), **request)

    return run


def fill(execute: Callable[..., Any], count: int = 4) -> None:
    for partition in "ab":
        for number in range(count):
            execute(
                "INSERT INTO {} VALUE {'p': ?, 'c': ?, 'n': ?}",
                {"S": partition},
                {"S": f"{number}"},
                {"N": f"{number}"},
            )


def places(reply: Any) -> list[str]:
    return [item["p"]["S"] + item["c"]["S"] for item in reply["Items"]]


def test_what_is_inserted_is_selected(execute: Any, dynamodb: Any, table: str) -> None:
    inserted = execute(
        "INSERT INTO {} VALUE {'p': 'a', 'c': '1', 'm': {'l': [1, 'x', true, null]}, 's': <<'y', 'z'>>, 'b': ?}",
        {"B": b"bytes"},
    )
    assert inserted["Items"] == []
    item = dynamodb.get_item(TableName=table, Key={"p": {"S": "a"}, "c": {"S": "1"}})["Item"]
    assert item["m"] == {"M": {"l": {"L": [{"N": "1"}, {"S": "x"}, {"BOOL": True}, {"NULL": True}]}}}
    assert (sorted(item["s"]["SS"]), item["b"]) == (["y", "z"], {"B": b"bytes"})
    assert execute("SELECT * FROM {} WHERE p = 'a' AND c = '1'")["Items"] == [item]
    assert execute("SELECT m.l[1], c FROM {} WHERE p = 'a'")["Items"] == [{"l": {"S": "x"}, "c": {"S": "1"}}]


def test_an_insert_of_what_is_there_is_a_duplicate(execute: Any) -> None:
    fill(execute, 1)
    with pytest.raises(ClientError) as caught:
        fill(execute, 1)
    assert caught.value.response["Error"] == {
        "Code": "DuplicateItemException",
        "Message": "Duplicate primary key exists in table",
    }


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("p = 'a' AND c BETWEEN '1' AND '2'", ["a1", "a2"]),
        ("p = 'a' AND n <> 1 AND begins_with(\"c\", '1')", []),
        ("p = 'a' AND (n = 1 OR n > 2)", ["a1", "a3"]),
        ("p IN ['a', 'b'] AND n IN [0] ORDER BY p DESC", ["b0", "a0"]),
        ("p = 'a' ORDER BY c DESC", ["a3", "a2", "a1", "a0"]),
        ("p = 'a' AND n IS MISSING", []),
        ("p = 'a' AND n IS NOT MISSING AND NOT n < 3", ["a3"]),
        ("p = 'a' AND attribute_type(n, 'N') AND size(p) = 1 AND contains(c, '2')", ["a2"]),
    ],
)
def test_conditions_of_a_select(execute: Any, where: str, expected: list[str]) -> None:
    fill(execute)
    assert places(execute(f"SELECT p, c FROM {{}} WHERE {where}")) == expected


def test_a_select_without_a_key_is_a_scan_in_pages(execute: Any) -> None:
    fill(execute)
    found, token = [], {}
    while True:
        reply = execute("SELECT * FROM {} WHERE n >= ?", {"N": "2"}, Limit=3, **token)
        found += places(reply)
        if "NextToken" not in reply:
            break
        token = {"NextToken": reply["NextToken"]}
    assert sorted(found) == ["a2", "a3", "b2", "b3"]


def test_an_update_and_a_delete_answer_what_they_return(execute: Any) -> None:
    fill(execute, 1)
    where = "WHERE p = 'a' AND c = '0'"
    assert execute(f"UPDATE {{}} SET n = n + 5 {where}")["Items"] == []
    updated = execute(f"UPDATE {{}} SET l = [1] REMOVE n {where} RETURNING MODIFIED OLD *")
    assert updated["Items"] == [{"n": {"N": "5"}}]
    whole = {"p": {"S": "a"}, "c": {"S": "0"}, "l": {"L": [{"N": "1"}]}}
    assert execute(f"DELETE FROM {{}} {where} RETURNING ALL OLD *")["Items"] == [whole]
    assert execute(f"DELETE FROM {{}} {where} RETURNING ALL OLD *")["Items"] == []


def test_a_condition_that_fails_is_told_with_the_item(execute: Any) -> None:
    fill(execute, 1)
    with pytest.raises(ClientError) as caught:
        execute(
            "UPDATE {} SET n = 9 WHERE p = 'a' AND c = '0' AND n = 5", ReturnValuesOnConditionCheckFailure="ALL_OLD"
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response["Item"] == {"p": {"S": "a"}, "c": {"S": "0"}, "n": {"N": "0"}}


def test_capacity_is_told(execute: Any, table: str) -> None:
    fill(execute, 1)
    reply = execute("SELECT * FROM {} WHERE p = 'a'", ConsistentRead=True, ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"] == {
        "TableName": table,
        "CapacityUnits": 1.0,
        "Table": {"CapacityUnits": 1.0},
    }


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECTT * FROM {}", "Statement wasn't well formed, can't be processed: Expected data manipulation"),
        ("SELECT * FROM {} WHERE p = ?", "Number of parameters in request and statement don't match."),
        ("SELECT * FROM {}.nil", "The table does not have the specified index"),
        ("DELETE FROM {}", "Where clause does not contain a mandatory equality on all key attributes"),
        ("SELECT * FROM {} ORDER BY c", "Must have WHERE clause in the statement when using ORDER BY clause."),
        (
            "SELECT * FROM {} WHERE p = 1",
            "Key attribute's data type should match its data type in table's schema: Key p",
        ),
    ],
)
def test_statements_that_are_refused(dynamodb: Any, table: str, statement: str, message: str) -> None:
    told = refusal(dynamodb.execute_statement, Statement=statement.replace("{}", f'"{table}"'))
    assert told == ("ValidationException", message)


def test_a_statement_of_no_table(dynamodb: Any) -> None:
    told = refusal(dynamodb.execute_statement, Statement="SELECT * FROM nothing WHERE p = 'a'")
    assert told == ("ResourceNotFoundException", "Requested resource not found")


def test_a_batch_answers_each_statement_by_itself(dynamodb: Any, execute: Any, table: str) -> None:
    fill(execute, 1)
    statements = [
        f"UPDATE \"{table}\" SET n = 7 WHERE p = 'a' AND c = '0' RETURNING MODIFIED NEW *",
        f"INSERT INTO \"{table}\" VALUE {{'p': 'b', 'c': '0'}}",
        "DELETE FROM nothing WHERE p = 'a'",
    ]
    reply = dynamodb.batch_execute_statement(Statements=[{"Statement": one} for one in statements])
    assert reply["Responses"] == [
        {"TableName": table, "Item": {"n": {"N": "7"}}},
        {
            "TableName": table,
            "Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"},
        },
        {
            "TableName": "nothing",
            "Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"},
        },
    ]


def test_a_transaction_is_all_or_nothing(dynamodb: Any, execute: Any, table: str) -> None:
    fill(execute, 1)
    insert = {"Statement": f"INSERT INTO \"{table}\" VALUE {{'p': 'c', 'c': ?}}", "Parameters": [{"S": "0"}]}
    check = {"Statement": f"EXISTS(SELECT * FROM \"{table}\" WHERE p = 'a' AND c = '0' AND n = ?)"}
    with pytest.raises(ClientError) as caught:
        dynamodb.execute_transaction(TransactStatements=[insert, {**check, "Parameters": [{"N": "1"}]}])
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == [
        "None",
        "ConditionalCheckFailed",
    ]
    select = f"SELECT p FROM \"{table}\" WHERE p = 'c' AND c = '0'"
    assert dynamodb.execute_transaction(TransactStatements=[{"Statement": select}])["Responses"] == [{}]
    dynamodb.execute_transaction(TransactStatements=[insert, {**check, "Parameters": [{"N": "0"}]}])
    reply = dynamodb.execute_transaction(TransactStatements=[{"Statement": select}])
    assert reply["Responses"] == [{"Item": {"p": {"S": "c"}}}]
