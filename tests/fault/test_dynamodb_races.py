"""Many clients at once at two workers: everything happens as if one after the other, and nothing is left of what is gone."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.fault.dynamodb_requests import Request, n, s, table
from tests.fault.dynamodb_wire import Connection, Refused
from tests.server import Server

from atoll.store.sqlite_rows import Rows

CLIENTS = 8
WAIT_SECONDS_MAX = 30.0
LATER = int(time.time()) + 10**6


class Racers:
    """A server of two workers, and a connection for each client."""

    def __init__(self, place: Path) -> None:
        self.server = Server(place / "data", place / "log", workers=2)
        self.server.start()
        self.cloud = CloudUnderTest(self.server.endpoint, self.server.exports, self.server)
        self.connections = [Connection(self.cloud) for _ in range(CLIENTS)]
        self.first = self.connections[0]

    def new_table(self, **more: Any) -> str:
        request = {**table(f"t-{uuid.uuid4().hex[:12]}"), "StreamSpecification": {"StreamEnabled": False}, **more}
        self.first.call("CreateTable", **request)
        return str(request["TableName"])

    def race(self, work: Callable[[int, Connection], Any]) -> list[Any]:
        """`work` by all clients, which start at once."""
        barrier = threading.Barrier(CLIENTS)

        def run(number: int) -> Any:
            barrier.wait()
            return work(number, self.connections[number])

        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(run, range(CLIENTS)))

    def until(self, holds: Callable[[], Any]) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not holds():
            assert time.monotonic() < end, "it does not come to be"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def racers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racers]:
    racers = Racers(tmp_path_factory.mktemp("server"))
    yield racers
    for connection in racers.connections:
        connection.close()
    racers.server.kill()


def key(number: int) -> Request:
    return {"p": s(f"p{number % 7}"), "c": n(number)}


def succeeds(connection: Connection, operation: str, *codes: str, **request: Any) -> bool:
    """Whether it is done. Only these refusals may be."""
    try:
        connection.call(operation, **request)
    except Refused as refused:
        if refused.code not in codes:
            raise
        return False
    return True


def test_of_all_who_create_an_item_one_does(racers: Racers) -> None:
    name, keys = racers.new_table(), [key(number) for number in range(60)]

    def create(number: int, connection: Connection) -> list[bool]:
        new = {"ConditionExpression": "attribute_not_exists(p)"}
        statement = f"INSERT INTO \"{name}\" VALUE {{'p': ?, 'c': ?}}"
        found = []
        for each in keys:
            item = {**each, "by": n(number)}
            if number % 3 == 0:
                parameters = [each["p"], each["c"]]
                done = succeeds(
                    connection, "ExecuteStatement", "DuplicateItemException", Statement=statement, Parameters=parameters
                )
            elif number % 3 == 1:
                put = {"Put": {"TableName": name, "Item": item, **new}}
                done = succeeds(connection, "TransactWriteItems", "TransactionCanceledException", TransactItems=[put])
            else:
                code = "ConditionalCheckFailedException"
                done = succeeds(connection, "PutItem", code, TableName=name, Item=item, **new)
            found.append(done)
        return found

    winners = list(zip(*racers.race(create), strict=True))
    assert [sum(of_one) for of_one in winners] == [1] * len(keys)


def test_no_addition_is_lost(racers: Racers) -> None:
    name = racers.new_table()
    one = {":one": n(1)}
    update = {"TableName": name, "Key": key(1), "ExpressionAttributeValues": one}

    def count(number: int, connection: Connection) -> None:
        for turn in range(50):
            if (number + turn) % 2:
                connection.call("UpdateItem", **update, UpdateExpression="ADD x :one")
            else:
                item = {**update, "UpdateExpression": "SET x = if_not_exists(x, :zero) + :one"}
                item["ExpressionAttributeValues"] = {**one, ":zero": n(0)}
                connection.call("TransactWriteItems", TransactItems=[{"Update": item}])

    racers.race(count)
    assert racers.first.call("GetItem", TableName=name, Key=key(1))["Item"]["x"] == n(CLIENTS * 50)
    assert racers.first.pages("Scan", TableName=name, IndexName="narrow") == [{**key(1), "x": n(CLIENTS * 50)}]


def test_a_transaction_sent_by_all_at_once_with_one_token_happens_once(racers: Racers) -> None:
    name = racers.new_table()
    adds = [
        {
            "Update": {
                "TableName": name,
                "Key": key(number),
                "UpdateExpression": "ADD x :one",
                "ExpressionAttributeValues": {":one": n(1)},
            }
        }
        for number in range(3)
    ]

    def repeat(_: int, connection: Connection) -> None:
        for turn in range(20):
            connection.call("TransactWriteItems", TransactItems=adds, ClientRequestToken=f"{name}-{turn}")

    racers.race(repeat)
    found = racers.first.pages("Scan", TableName=name)
    assert [item["x"] for item in found] == [n(20)] * 3


def writes(name: str, stop: threading.Event, *allowed: str) -> Callable[[int, Connection], int]:
    """Puts, updates and deletes of a few items, until told to stop. Answers how many."""

    def write(number: int, connection: Connection) -> int:
        chance, done = random.Random(number), 0
        while not stop.is_set():
            at = {"TableName": name, "Key": key(chance.randrange(200))}
            x = n(chance.randrange(5))
            match chance.randrange(4):
                case 0:
                    request = ("DeleteItem", at)
                case 1:
                    values = {":x": x, ":t": s(f"t{chance.randrange(3)}")}
                    change = {"UpdateExpression": "SET x = :x, t = :t", "ExpressionAttributeValues": values}
                    request = ("UpdateItem", {**at, **change})
                case 2:
                    item = {**at["Key"], "x": x, "m": s("m"), "t": s("t"), "ttl": n(LATER)}
                    request = ("PutItem", {"TableName": name, "Item": item})
                case _:
                    remove = {"UpdateExpression": "REMOVE x SET m = :m", "ExpressionAttributeValues": {":m": s("n")}}
                    request = ("UpdateItem", {**at, **remove})
            if not succeeds(connection, request[0], *allowed, **request[1]):
                return done
            done += 1
        return done

    return write


def test_an_index_made_and_dropped_while_all_write_is_what_it_would_be_if_made_now(racers: Racers) -> None:
    name, stop = racers.new_table(), threading.Event()
    late = {
        "IndexName": "late",
        "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}, {"AttributeName": "t", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    definitions = [{"AttributeName": "x", "AttributeType": "N"}, {"AttributeName": "t", "AttributeType": "S"}]
    other = Connection(racers.cloud)

    def told() -> Any:
        return other.call("DescribeTable", TableName=name)["Table"]

    def update(**what: Any) -> None:
        other.call("UpdateTable", TableName=name, AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[what])

    def change() -> None:
        for last in (False, False, True):
            update(Create=late)
            racers.until(lambda: all(index["IndexStatus"] == "ACTIVE" for index in told()["GlobalSecondaryIndexes"]))
            if not last:
                update(Delete={"IndexName": "late"})
                racers.until(lambda: "late" not in str(told()["GlobalSecondaryIndexes"]))

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        changing.add_done_callback(lambda _: stop.set())
        written = racers.race(writes(name, stop))
        changing.result()
    assert min(written) > 0
    items = racers.first.pages("Scan", TableName=name)
    expected = {
        "late": [item for item in items if "x" in item and "t" in item],
        "global": [item for item in items if "t" in item],
        "narrow": [
            {part: item[part] for part in ("p", "c", "x", "m") if part in item} for item in items if "x" in item
        ],
        "local": [{part: item[part] for part in ("p", "c", "x")} for item in items if "x" in item],
    }
    for index, entries in expected.items():
        found = racers.first.pages("Scan", TableName=name, IndexName=index)
        assert sorted(map(str, map(sorted_item, found))) == sorted(map(str, map(sorted_item, entries))), index
    table_now = told()
    indexes = [*table_now["GlobalSecondaryIndexes"], *table_now["LocalSecondaryIndexes"]]
    assert {index["IndexName"]: index["ItemCount"] for index in indexes} == {i: len(e) for i, e in expected.items()}
    assert table_now["ItemCount"] == len(items)
    other.close()


def sorted_item(item: Request) -> list[tuple[str, Any]]:
    return sorted(item.items())


def test_a_time_to_live_that_is_put_off_is_heeded(racers: Racers) -> None:
    name, past = racers.new_table(), n(int(time.time()) - 100)
    ttl = {"Enabled": True, "AttributeName": "ttl"}
    racers.first.call("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=ttl)

    def put_off(number: int, connection: Connection) -> list[tuple[int, bool]]:
        found = []
        for turn in range(60):
            at = number * 1000 + turn
            connection.call("PutItem", TableName=name, Item={**key(at), "ttl": past})
            time.sleep(0.02 * (turn % 3))
            found.append(
                (
                    at,
                    succeeds(
                        connection,
                        "UpdateItem",
                        "ConditionalCheckFailedException",
                        TableName=name,
                        Key=key(at),
                        ConditionExpression="attribute_exists(p)",
                        UpdateExpression="SET #t = :later",
                        ExpressionAttributeNames={"#t": "ttl"},
                        ExpressionAttributeValues={":later": n(LATER)},
                    ),
                )
            )
        return found

    outcomes = dict(outcome for outcomes in racers.race(put_off) for outcome in outcomes)
    time.sleep(1.5)  # Three rounds of the sweeper.
    left = {int(item["c"]["N"]) for item in racers.first.pages("Scan", TableName=name)}
    assert left == {at for at, was_there in outcomes.items() if was_there}
    assert 0 < len(left) < len(outcomes), "nothing raced"


def test_nothing_is_left_of_tables_that_were_dropped_while_all_wrote(racers: Racers) -> None:
    account = racers.cloud.client("sts").get_caller_identity()["Account"]
    tokens = {"global/dynamodb/tokens", f"{account}/us-east-1/dynamodb/tokens"}
    for _ in range(3):
        name = racers.new_table()
        ttl = {"Enabled": True, "AttributeName": "ttl"}
        racers.first.call("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=ttl)

        def drop(name: str = name) -> None:
            time.sleep(0.5)
            other = Connection(racers.cloud)
            other.call("DeleteTable", TableName=name)
            other.close()

        with ThreadPoolExecutor(1) as pool:
            dropping = pool.submit(drop)
            written = racers.race(writes(name, threading.Event(), "ResourceNotFoundException"))
            dropping.result()
        assert min(written) > 0
    for left in racers.first.call("ListTables")["TableNames"]:
        racers.first.call("DeleteTable", TableName=left)
    store = str(racers.server.data / "store.db")
    # A transaction's token is good for ten minutes, with or without its table.
    racers.until(lambda: {shelf for shelf in shelves_of(store) if "/dynamodb/" in shelf} <= tokens)


def shelves_of(store: str) -> set[str]:
    rows = Rows(store)
    try:
        return {shelf.decode() for (shelf,) in rows.connection.execute("SELECT DISTINCT p FROM kv")}
    finally:
        rows.close()
