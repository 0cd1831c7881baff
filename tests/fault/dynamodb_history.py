"""Clients of DynamoDB that remember what they were told, and hold every later answer to it.

The items of a partition belong to one client: its label says which attempt wrote an item, and everything else follows from
that, so an item that was read is whole or it is not. Accounts, counters and names are everybody's; what was told of them
is noted in a ledger, for the end. An outcome that nobody was told of is unknown, and may be either.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fault.dynamodb_wire import Connection, Item, Refused
from tests.fault.kept_connection import NoAnswer
from tests.fault.s3_history import History

ACCOUNTS = 8
START = 1000
PARTITIONS = 2
ITEMS_PER_PARTITION = 6
COUNTERS = 3
AGAIN_SECONDS = 0.05
ANSWER_SECONDS_MAX = 30.0
Key = tuple[str, int]


@dataclass
class Ledger:
    """What was told, by all clients together, of what they share. Lists and dicts are only added to, one step at a time."""

    transfers: dict[str, tuple[int, int, int]] = field(
        default_factory=dict
    )  # id: from, to, amount; all that were tried
    transferred: set[str] = field(default_factory=set)  # acknowledged
    cancelled: set[str] = field(default_factory=set)
    counted: dict[str, list[int]] = field(default_factory=dict)  # acknowledged values, by counter
    maybe_counted: dict[str, list[int]] = field(default_factory=dict)  # and those of unknown outcome
    added: list[int] = field(default_factory=list)
    maybe_added: list[int] = field(default_factory=list)
    owners: dict[str, list[str]] = field(default_factory=dict)  # acknowledged creators, by name
    maybe_owners: dict[str, list[str]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # names that were refused to somebody


def key_of(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"N": str(key[1])}}


def item_of(key: Key, label: str) -> Item:
    """All that an attempt writes, from its name alone."""
    own = random.Random(label)
    item = {**key_of(key), "label": {"S": label}, "body": {"S": own.randbytes(own.choice([10, 300, 4000])).hex()}}
    # Without a rank it is in neither index by rank; with the same one again, it only changes in them.
    if own.random() < 0.8:
        item["rank"] = {"N": str(own.randint(0, 4))}
    if own.random() < 0.9:
        item["colour"] = {"S": f"{key[0]}-{own.randint(0, 2)}"}
    if own.random() < 0.4:
        item["flag"] = {"S": "up"}
    return item


def key_in(item: Item) -> Key:
    return item["pk"]["S"], int(item["sk"]["N"])


def label_in(item: Item) -> str:
    label: str = item["label"]["S"]
    assert item == item_of(key_in(item), label), f"{label} is not whole: {item}"
    return label


class Client(threading.Thread):
    """`failure` is the first thing that should not have been."""

    def __init__(self, number: int, connection: Connection, ledger: Ledger, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.number = number
        self.connection = connection
        self.call = connection.call
        self.ledger = ledger
        self.chance = random.Random(f"{seed}/{number}")
        self.histories = {
            (f"c{number}/p{partition}", n): History()
            for partition in range(PARTITIONS)
            for n in range(ITEMS_PER_PARTITION)
        }
        self.attempts = 0
        self.done: Counter[str] = Counter()
        self.unanswered = 0
        self.failure: str | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        steps = [self.put] * 3 + [self.update] * 3 + [self.delete, self.batch, self.write_two] * 2
        steps += [self.get, self.query, self.transfer, self.transfer, self.transfer_with_token, self.read_accounts]
        steps += [self.count, self.count, self.add, self.add, self.create]
        while not self.stopping.is_set() and self.failure is None:
            step = self.chance.choice(steps)
            try:
                step()
                self.done[step.__name__] += 1
            except NoAnswer:
                self.unanswered += 1
                time.sleep(0.02)
            except (AssertionError, Refused) as error:
                self.failure = f"{self.name}, {step.__name__}: {error!r}"
        self.connection.close()

    def _key(self) -> Key:
        return self.chance.choice(list(self.histories))

    def _label(self) -> str:
        self.attempts += 1
        return f"{self.number}#{self.attempts}"

    @contextmanager
    def _writing(self, values: dict[Key, str | None]) -> Iterator[None]:
        """From the first byte on they may hold it; once it is acknowledged, they do."""
        for key, value in values.items():
            self.histories[key].uncertain(value)
        yield
        for key, value in values.items():
            self.histories[key].acknowledged(value)

    def put(self) -> None:
        key, label = self._key(), self._label()
        possible = self.histories[key].possible
        with self._writing({key: label}):
            answer = self.call("PutItem", TableName="items", Item=item_of(key, label), ReturnValues="ALL_OLD")
        assert (label_in(answer["Attributes"]) if "Attributes" in answer else None) in possible

    def update(self) -> None:
        key, label = self._key(), self._label()
        wanted = {name: value for name, value in item_of(key, label).items() if name not in {"pk", "sk"}}
        absent = {"rank", "colour", "flag"} - set(wanted)
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in wanted)
        if absent:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in sorted(absent))
        with self._writing({key: label}):
            answer = self.call(
                "UpdateItem",
                TableName="items",
                Key=key_of(key),
                UpdateExpression=expression,
                ExpressionAttributeNames={f"#{name}": name for name in {*wanted, *absent}},
                ExpressionAttributeValues={f":{name}": value for name, value in wanted.items()},
                ReturnValues="ALL_NEW",
            )
        assert label_in(answer["Attributes"]) == label

    def delete(self) -> None:
        key = self._key()
        with self._writing({key: None}):
            self.call("DeleteItem", TableName="items", Key=key_of(key))

    def batch(self) -> None:
        written: dict[Key, str | None] = {}
        for key in self.chance.sample(list(self.histories), 4):
            written[key] = self._label() if self.chance.random() < 0.8 else None
        requests = [
            {"DeleteRequest": {"Key": key_of(key)}} if label is None else {"PutRequest": {"Item": item_of(key, label)}}
            for key, label in written.items()
        ]
        with self._writing(written):
            answer = self.call("BatchWriteItem", RequestItems={"items": requests})
            assert answer["UnprocessedItems"] == {}

    def write_two(self) -> None:
        """Both or neither: if nobody says, they are looked at together until somebody does."""
        written: dict[Key, str | None] = {key: self._label() for key in self.chance.sample(list(self.histories), 2)}
        try:
            with self._writing(written):
                self.call(
                    "TransactWriteItems",
                    TransactItems=[
                        {"Put": {"TableName": "items", "Item": item_of(key, str(label))}}
                        for key, label in written.items()
                    ],
                )
        except NoAnswer:
            self.unanswered += 1
            gets = [{"Get": {"TableName": "items", "Key": key_of(key)}} for key in written]
            found = self._until_answered("TransactGetItems", TransactItems=gets)["Responses"]
            labels = {key: _label_or_none(answer) for key, answer in zip(written, found, strict=True)}
            for key, label in labels.items():
                self.histories[key].seen(label)
            done = [labels[key] == written[key] for key in written]
            assert done in ([True, True], [False, False]), f"half of a transaction: {written}, {labels}"

    def _until_answered(self, operation: str, **members: Any) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                return self.call(operation, **members)
            except NoAnswer as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer to {operation} for {ANSWER_SECONDS_MAX} s") from error
                time.sleep(AGAIN_SECONDS)

    def get(self) -> None:
        key = self._key()
        answer = self.call("GetItem", TableName="items", Key=key_of(key), ConsistentRead=True)
        self.histories[key].seen(_label_or_none(answer))

    def query(self) -> None:
        """A partition, and after it what its indexes must then say: only this client changes any of it."""
        partition = self._key()[0]
        found = self._query(partition, "pk", ConsistentRead=True)
        there = {key_in(item): label_in(item) for item in found}
        assert list(there) == sorted(there)
        for key, history in self.histories.items():
            if key[0] == partition:
                history.seen(there.get(key))
        ranked = self._query(partition, "pk", ConsistentRead=True, IndexName="by-rank")
        assert by_key(ranked) == by_key([item for item in found if "rank" in item])
        assert [int(item["rank"]["N"]) for item in ranked] == sorted(int(item["rank"]["N"]) for item in ranked)
        colour = f"{partition}-1"
        coloured = self._query(colour, "colour", IndexName="by-colour")
        assert by_key(coloured) == by_key([i for i in found if i.get("colour", {}).get("S") == colour and "rank" in i])

    def _query(self, value: str, name: str, **members: Any) -> list[Item]:
        condition = {"KeyConditionExpression": f"{name} = :v", "ExpressionAttributeValues": {":v": {"S": value}}}
        return self.connection.pages("Query", TableName="items", **condition, **members)

    def transfer(self, token: str | None = None) -> None:
        """The money, and a row that says so, which can't be there yet."""
        label = self._label()
        source, target = self.chance.sample(range(ACCOUNTS), 2)
        amount = self.chance.randint(1, 50)
        self.ledger.transfers[label] = (source, target, amount)
        row = {"pk": {"S": label}, "amount": {"N": str(amount)}}
        put: dict[str, Any] = {"TableName": "transfers", "Item": row}
        members: dict[str, Any] = {"TransactItems": [{"Put": put}, _change(source, -amount), _change(target, amount)]}
        try:
            if token is not None:
                # Asked again it must not happen again, though nothing but the token would keep it from that.
                self._until_answered("TransactWriteItems", ClientRequestToken=token, **members)
                self._until_answered("TransactWriteItems", ClientRequestToken=token, **members)
            else:
                put["ConditionExpression"] = "attribute_not_exists(pk)"
                self.call("TransactWriteItems", **members)
        except Refused as error:
            error.must_be("TransactionCanceledException", "None", "ConditionalCheckFailed", "None")
            self.ledger.cancelled.add(label)
        else:
            self.ledger.transferred.add(label)

    def transfer_with_token(self) -> None:
        self.transfer(f"token-{self.number}-{self.attempts}")

    def read_accounts(self) -> None:
        gets = [{"Get": {"TableName": "accounts", "Key": {"pk": {"S": str(n)}}}} for n in range(ACCOUNTS)]
        found = self.call("TransactGetItems", TransactItems=gets)["Responses"]
        assert sum(int(answer["Item"]["balance"]["N"]) for answer in found) == ACCOUNTS * START, found

    def count(self) -> None:
        """Read, and raise by one if it is still that."""
        name = f"counter-{self.chance.randrange(COUNTERS)}"
        key = {"pk": {"S": name}}
        item = self.call("GetItem", TableName="counters", Key=key, ConsistentRead=True).get("Item", {"n": {"N": "0"}})
        old = int(item["n"]["N"])
        try:
            self.call(
                "UpdateItem",
                TableName="counters",
                Key=key,
                UpdateExpression="SET n = :new",
                ConditionExpression="n = :old" if old else "attribute_not_exists(n)",
                ExpressionAttributeValues={":new": {"N": str(old + 1)}, **({":old": item["n"]} if old else {})},
            )
        except Refused as error:
            error.must_be("ConditionalCheckFailedException")
        except NoAnswer:
            self.ledger.maybe_counted.setdefault(name, []).append(old + 1)
            raise
        else:
            self.ledger.counted.setdefault(name, []).append(old + 1)

    def add(self) -> None:
        try:
            answer = self.call(
                "UpdateItem",
                TableName="counters",
                Key={"pk": {"S": "added"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        except NoAnswer:
            self.ledger.maybe_added.append(1)
            raise
        self.ledger.added.append(int(answer["Attributes"]["n"]["N"]))

    def create(self) -> None:
        """One of a name, whoever it is that asks."""
        name, label = f"name-{self.chance.randrange(200)}", self._label()
        try:
            self.call(
                "PutItem",
                TableName="names",
                Item={"pk": {"S": name}, "owner": {"S": label}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except Refused as error:
            error.must_be("ConditionalCheckFailedException")
            self.ledger.taken.add(name)
        except NoAnswer:
            self.ledger.maybe_owners.setdefault(name, []).append(label)
            raise
        else:
            self.ledger.owners.setdefault(name, []).append(label)


def _change(account: int, amount: int) -> dict[str, Any]:
    update: dict[str, Any] = {
        "TableName": "accounts",
        "Key": {"pk": {"S": str(account)}},
        "UpdateExpression": "SET balance = balance + :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
    }
    if amount < 0:
        update["ConditionExpression"] = "balance >= :least"
        update["ExpressionAttributeValues"][":least"] = {"N": str(-amount)}
    return {"Update": update}


def _label_or_none(answer: dict[str, Any]) -> str | None:
    return label_in(answer["Item"]) if "Item" in answer else None


def by_key(items: list[Item]) -> dict[Key, Item]:
    found = {key_in(item): item for item in items}
    assert len(found) == len(items), "a key came twice"
    return found
