"""The aws command line against DynamoDB, as in its own tutorials: create, wait, put, get, query, update, batch, transact, delete."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conformance.conftest import Program

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def dynamodb_cli(program: Callable[[str], Program]) -> Run:
    aws = program("aws")

    def run(operation: str, **options: Any) -> Any:
        words = [f"--{name.replace('_', '-')}" for name in options]
        texts = [value if isinstance(value, str) else json.dumps(value) for value in options.values()]
        said = [word for pair in zip(words, texts, strict=True) for word in pair if word != ""]
        done = aws.run("dynamodb", *operation.split(), *said, "--output", "json")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    return run


@pytest.fixture(scope="module")
def music(dynamodb_cli: Run) -> Iterator[str]:
    name = f"Music-{uuid.uuid4().hex}"
    dynamodb_cli(
        "create-table",
        table_name=name,
        attribute_definitions=[
            {"AttributeName": "Artist", "AttributeType": "S"},
            {"AttributeName": "Song", "AttributeType": "S"},
        ],
        key_schema=[{"AttributeName": "Artist", "KeyType": "HASH"}, {"AttributeName": "Song", "KeyType": "RANGE"}],
        provisioned_throughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 50},
    )
    dynamodb_cli("wait table-exists", table_name=name)
    yield name
    dynamodb_cli("delete-table", table_name=name)
    dynamodb_cli("wait table-not-exists", table_name=name)


def test_a_put_item_is_got_and_updated(dynamodb_cli: Run, music: str) -> None:
    item = {
        "Artist": {"S": "No One You Know"},
        "Song": {"S": "Call Me Today"},
        "Awards": {"N": "1"},
    }
    reply = dynamodb_cli("put-item", table_name=music, item=item, return_consumed_capacity="TOTAL")
    assert reply["ConsumedCapacity"] == {"TableName": music, "CapacityUnits": 1.0}
    key = {"Artist": item["Artist"], "Song": item["Song"]}
    assert dynamodb_cli("get-item", table_name=music, key=key)["Item"] == item
    updated = dynamodb_cli(
        "update-item",
        table_name=music,
        key=key,
        update_expression="SET Awards = Awards + :n",
        expression_attribute_values={":n": {"N": "41"}},
        return_values="ALL_NEW",
    )
    assert updated["Attributes"]["Awards"] == {"N": "42"}


def test_a_batch_is_found_again(dynamodb_cli: Run, music: str) -> None:
    puts = [{"PutRequest": {"Item": {"Artist": {"S": "Acme"}, "Song": {"S": f"Song {n}"}}}} for n in range(9)]
    assert dynamodb_cli("batch-write-item", request_items={music: puts}) == {"UnprocessedItems": {}}
    found = dynamodb_cli(
        "query",
        table_name=music,
        key_condition_expression="Artist = :a AND begins_with(Song, :s)",
        expression_attribute_values={":a": {"S": "Acme"}, ":s": {"S": "Song"}},
        page_size="2",
    )
    assert [item["Song"]["S"] for item in found["Items"]] == [f"Song {n}" for n in range(9)]
    assert dynamodb_cli("scan", table_name=music, select="COUNT")["Count"] >= 9
    statement = f"SELECT Song FROM \"{music}\" WHERE Artist = 'Acme' AND Song = 'Song 3'"
    assert dynamodb_cli("execute-statement", statement=statement)["Items"] == [{"Song": {"S": "Song 3"}}]


def test_what_goes_wrong_is_told(program: Callable[[str], Program], music: str) -> None:
    done = program("aws").run(
        "dynamodb", "get-item", "--table-name", music, "--key", '{"Artist": {"S": "x"}}', check=False
    )
    assert done.returncode != 0
    assert (
        "(ValidationException) when calling the GetItem operation: The provided key element does not match the schema"
        in done.stderr
    )
