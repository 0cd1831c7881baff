"""What must be true of the tables when the storm is over."""

from collections import Counter
from typing import Any

from tests.fault.dynamodb_history import ACCOUNTS, START, Client, Item, Key, Ledger, by_key, key_in, label_in
from tests.fault.dynamodb_wire import Connection

_STREAMS = "DynamoDBStreams_20120810"


def check_items(connection: Connection, clients: list[Client]) -> dict[Key, Item]:
    """Every item is one that its client may believe in. Answers them all."""
    found = by_key(connection.pages("Scan", TableName="items", ConsistentRead=True))
    histories = {key: history for client in clients for key, history in client.histories.items()}
    assert set(found) <= set(histories)
    for key, history in histories.items():
        try:
            history.seen(label_in(found[key]) if key in found else None)
        except AssertionError as error:
            raise AssertionError(f"{key}: {error}") from None
    return found


def check_indexes(connection: Connection, items: dict[Key, Item]) -> None:
    """They hold what they would if they were made now; and so do the counts."""
    every = list(items.values())
    expected = {
        "by-colour": [item for item in every if "colour" in item and "rank" in item],
        "by-rank": [item for item in every if "rank" in item],
        "flagged": [{name: item[name] for name in ("pk", "sk", "flag")} for item in every if "flag" in item],
    }
    for name, entries in expected.items():
        assert by_key(connection.pages("Scan", TableName="items", IndexName=name)) == by_key(entries), name
    table = connection.call("DescribeTable", TableName="items")["Table"]
    assert table["ItemCount"] == len(every)
    indexes = [*table["GlobalSecondaryIndexes"], *table["LocalSecondaryIndexes"]]
    told = {index["IndexName"]: index["ItemCount"] for index in indexes}
    assert told == {name: len(entries) for name, entries in expected.items()}


def check_stream(connection: Connection, items: dict[Key, Item]) -> int:
    """Each change follows on what the last one left, and the last ones leave the table. Answers how many there were."""
    arn = connection.call("DescribeTable", TableName="items")["Table"]["LatestStreamArn"]
    shards = connection.call("DescribeStream", target=_STREAMS, StreamArn=arn)["StreamDescription"]["Shards"]
    replayed: dict[Key, Item] = {}
    count = 0
    for shard in shards:
        last = ""
        for record in _records(connection, arn, shard["ShardId"]):
            change = record["dynamodb"]
            assert change["SequenceNumber"] > last
            last = change["SequenceNumber"]
            key = (change["Keys"]["pk"]["S"], int(change["Keys"]["sk"]["N"]))
            old, new = change.get("OldImage"), change.get("NewImage")
            assert replayed.get(key) == old, f"{key}: a change of {old}, though the stream left {replayed.get(key)}"
            assert record["eventName"] == ("INSERT" if old is None else "REMOVE" if new is None else "MODIFY")
            assert old != new, f"{key}: a record of no change"
            if new is None:
                del replayed[key]
            else:
                assert key_in(new) == key
                replayed[key] = new
            count += 1
    assert replayed == items
    return count


def _records(connection: Connection, arn: str, shard: str) -> list[dict[str, Any]]:
    position = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = connection.call("GetShardIterator", target=_STREAMS, **position)["ShardIterator"]
    records: list[dict[str, Any]] = []
    while iterator is not None:
        page = connection.call("GetRecords", target=_STREAMS, ShardIterator=iterator, Limit=1000)
        records += page["Records"]
        iterator = page.get("NextShardIterator") if page["Records"] else None
    return records


def check_accounts(connection: Connection, ledger: Ledger) -> int:
    """Every balance is what the transfers that are there make of it, and those are the ones they can be."""
    there = {item["pk"]["S"] for item in connection.pages("Scan", TableName="transfers", ConsistentRead=True)}
    assert ledger.transferred <= there, f"lost: {sorted(ledger.transferred - there)[:5]}"
    assert there <= set(ledger.transfers)
    assert not there & ledger.cancelled, f"cancelled, and there: {sorted(there & ledger.cancelled)[:5]}"
    expected = {str(n): START for n in range(ACCOUNTS)}
    for label in there:
        source, target, amount = ledger.transfers[label]
        expected[str(source)] -= amount
        expected[str(target)] += amount
    found = connection.pages("Scan", TableName="accounts", ConsistentRead=True)
    assert {item["pk"]["S"]: int(item["balance"]["N"]) for item in found} == expected
    return len(there)


def check_counters(connection: Connection, ledger: Ledger) -> None:
    """Every value up to the last was counted by one of those who may have, and by no two who were told so."""
    found = connection.pages("Scan", TableName="counters", ConsistentRead=True)
    values = {item["pk"]["S"]: int(item["n"]["N"]) for item in found}
    added, maybe = ledger.added, len(ledger.maybe_added)
    assert len(set(added)) == len(added), "two were told the same sum"
    assert max(added) <= values.pop("added") <= len(added) + maybe
    for name, value in values.items():
        counted, maybe_counted = ledger.counted[name], ledger.maybe_counted.get(name, [])
        doubled = [n for n, times in Counter(counted).items() if times > 1]
        assert not doubled, f"{name}: {doubled} were each counted twice"
        assert max(counted) <= value
        lost = set(range(1, value + 1)) - set(counted) - set(maybe_counted)
        assert not lost, f"{name} is {value}, though nobody counted {sorted(lost)[:5]}"


def check_names(connection: Connection, ledger: Ledger) -> None:
    found = connection.pages("Scan", TableName="names", ConsistentRead=True)
    owners = {item["pk"]["S"]: item["owner"]["S"] for item in found}
    for name, told in ledger.owners.items():
        assert told == [owners.get(name)], f"{name} was given to {told}, and is {owners.get(name)}'s"
    for name in set(owners) - set(ledger.owners):
        assert owners[name] in ledger.maybe_owners[name]
    assert ledger.taken <= set(owners), "refused as taken, and not there"
