"""Backups of tables, and tables restored from them, through boto3."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refusal
from tests.conformance.waiting import active, items_of, until

NOWHERE = "arn:aws:dynamodb:us-east-1:123456789012:table/table-name/backup/01623095754481-2cfcd6f9"


@pytest.fixture
def back_up(dynamodb: Any) -> Iterator[Callable[..., str]]:
    """Makes a backup and waits for it; it is deleted after the test."""
    made: list[str] = []

    def make(table: str, name: str = "a-backup") -> str:
        arn: str = dynamodb.create_backup(TableName=table, BackupName=name)["BackupDetails"]["BackupArn"]
        made.append(arn)
        until(lambda: status(dynamodb, arn), lambda told: told == "AVAILABLE")
        return arn

    yield make
    for arn in made:
        with suppress(ClientError):
            dynamodb.delete_backup(BackupArn=arn)


def status(dynamodb: Any, arn: str) -> str:
    told: str = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"]
    return told


def put(dynamodb: Any, table: str, count: int, **more: Any) -> None:
    for number in range(count):
        dynamodb.put_item(TableName=table, Item={"p": {"S": f"{number}"}, "n": {"N": f"{number}"}, **more})


def test_a_backup_tells_of_its_table(dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str]) -> None:
    table = new_table()
    put(dynamodb, table, 5)
    told = dynamodb.describe_table(TableName=table)["Table"]
    before = datetime.now(UTC) - timedelta(seconds=5)
    arn = back_up(table)
    description = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
    details = description["BackupDetails"]
    assert before < details.pop("BackupCreationDateTime") < before + timedelta(minutes=1)
    assert details == {
        "BackupArn": arn,
        "BackupName": "a-backup",
        "BackupSizeBytes": told["TableSizeBytes"],
        "BackupStatus": "AVAILABLE",
        "BackupType": "USER",
    }
    assert description["SourceTableDetails"] == {
        "TableName": table,
        "TableId": told["TableId"],
        "TableArn": told["TableArn"],
        "TableSizeBytes": told["TableSizeBytes"],
        "KeySchema": told["KeySchema"],
        "TableCreationDateTime": told["CreationDateTime"],
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "ItemCount": 5,
        "BillingMode": "PAY_PER_REQUEST",
    }
    assert description["SourceTableFeatureDetails"] == {}


def test_a_restored_table_is_the_backup_and_nothing_later(
    dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str], target: str
) -> None:
    table = new_table()
    put(dynamodb, table, 120, filler={"S": "x" * 3000})
    before = items_of(dynamodb, table)
    arn = back_up(table)
    put(dynamodb, table, 30, later={"BOOL": True})
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "119"}})
    told = dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)["TableDescription"]
    assert told["TableStatus"] == "CREATING"
    assert told["RestoreSummary"].pop("RestoreDateTime") <= datetime.now(UTC)
    source_arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    assert told["RestoreSummary"] == {"SourceBackupArn": arn, "SourceTableArn": source_arn, "RestoreInProgress": True}
    told = active(dynamodb, target)
    assert (told["ItemCount"], told["RestoreSummary"]["RestoreInProgress"]) == (120, False)
    assert items_of(dynamodb, target) == before
    dynamodb.put_item(TableName=target, Item={"p": {"S": "mine"}})
    assert "mine" not in items_of(dynamodb, table)


def test_a_backup_under_load_holds_a_state_that_was(
    dynamodb: Any, cloud: Any, new_table: Callable[..., str], back_up: Callable[..., str], target: str
) -> None:
    """Two items are always written together: a copy that shows one without the other is of no moment."""
    table = new_table()
    put(dynamodb, table, 60, filler={"S": "x" * 20_000})
    stop = threading.Event()

    def write() -> None:
        mine, number = cloud.client("dynamodb"), 0
        while not stop.is_set():
            number += 1
            pairs = [{"Put": {"TableName": table, "Item": twin(side, number)}} for side in ("left", "right")]
            mine.transact_write_items(TransactItems=pairs)

    def twin(side: str, number: int) -> dict[str, Any]:
        return {"p": {"S": side}, "n": {"N": str(number)}}

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: "right" in items_of(dynamodb, table), bool)
        arn = back_up(table)
    finally:
        stop.set()
        writer.join()
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    active(dynamodb, target)
    found = items_of(dynamodb, target)
    assert len(found) == 62
    assert found["left"]["n"] == found["right"]["n"]


def test_a_restore_may_leave_indexes_and_change_what_is_paid(
    dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str], target: str
) -> None:
    index = {
        "IndexName": "by-n",
        "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    kinds = [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}]
    table = new_table(AttributeDefinitions=kinds, GlobalSecondaryIndexes=[index])
    put(dynamodb, table, 3)
    arn = back_up(table)
    features = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["SourceTableFeatureDetails"]
    assert [one["IndexName"] for one in features["GlobalSecondaryIndexes"]] == ["by-n"]
    dynamodb.restore_table_from_backup(
        TargetTableName=target,
        BackupArn=arn,
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8},
        GlobalSecondaryIndexOverride=[],
    )
    told = active(dynamodb, target)
    assert told["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    assert "GlobalSecondaryIndexes" not in told
    dynamodb.delete_table(TableName=target)
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    active(dynamodb, target)
    found = dynamodb.query(
        TableName=target,
        IndexName="by-n",
        KeyConditionExpression="n = :n",
        ExpressionAttributeValues={":n": {"N": "2"}},
    )
    assert found["Items"] == [{"p": {"S": "2"}, "n": {"N": "2"}}]


def test_backups_are_listed_by_table_and_time_page_by_page(
    dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str]
) -> None:
    table, other = new_table(), new_table()
    arns = [back_up(table, f"backup-{number}") for number in range(3)]
    foreign = back_up(other)
    listed = dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == arns
    assert {one["TableName"] for one in listed} == {table}
    first = dynamodb.list_backups(TableName=table, Limit=2)
    assert first["LastEvaluatedBackupArn"] == arns[1]
    rest = dynamodb.list_backups(TableName=table, Limit=2, ExclusiveStartBackupArn=arns[1])
    assert [one["BackupArn"] for one in rest["BackupSummaries"]] == arns[2:]
    assert "LastEvaluatedBackupArn" not in rest
    everywhere = {one["BackupArn"] for one in dynamodb.list_backups(BackupType="ALL")["BackupSummaries"]}
    assert {*arns, foreign} <= everywhere
    assert dynamodb.list_backups(TableName=table, BackupType="SYSTEM")["BackupSummaries"] == []
    later = dynamodb.list_backups(TableName=table, TimeRangeLowerBound=datetime.now(UTC) + timedelta(hours=1))
    assert later["BackupSummaries"] == []
    assert dynamodb.list_backups(TableName="no-such-table")["BackupSummaries"] == []


def test_a_deleted_backup_is_gone(dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str]) -> None:
    table = new_table()
    arn = back_up(table)
    told = dynamodb.delete_backup(BackupArn=arn)["BackupDescription"]
    assert told["BackupDetails"]["BackupStatus"] == "DELETED"
    assert dynamodb.list_backups(TableName=table)["BackupSummaries"] == []
    gone = ("BackupNotFoundException", f"Backup not found: {arn}")
    assert refusal(dynamodb.describe_backup, BackupArn=arn) == gone
    assert refusal(dynamodb.delete_backup, BackupArn=arn) == gone
    assert refusal(dynamodb.restore_table_from_backup, TargetTableName="a-target", BackupArn=arn) == gone


def test_what_is_not_there_is_refused(
    dynamodb: Any, new_table: Callable[..., str], back_up: Callable[..., str]
) -> None:
    asked = {"TableName": "no-such-table", "BackupName": "a-backup"}
    assert refusal(dynamodb.create_backup, **asked) == (
        "TableNotFoundException",
        "Table not found: no-such-table",
    )
    not_found = ("BackupNotFoundException", f"Backup not found: {NOWHERE}")
    assert refusal(dynamodb.describe_backup, BackupArn=NOWHERE) == not_found
    table = new_table()
    arn = back_up(table)
    assert refusal(dynamodb.restore_table_from_backup, TargetTableName=table, BackupArn=arn) == (
        "TableAlreadyExistsException",
        f"Table already exists: {table}",
    )


def test_a_backup_outlives_its_table_and_the_server(
    dynamodb: Any, cloud: Any, new_table: Callable[..., str], back_up: Callable[..., str], target: str
) -> None:
    table = new_table()
    put(dynamodb, table, 50, filler={"S": "x" * 10_000})
    before = items_of(dynamodb, table)
    arn = back_up(table)
    dynamodb.delete_table(TableName=table)
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    cloud.kill()
    cloud.restart()
    active(dynamodb, target)
    assert items_of(dynamodb, target) == before
