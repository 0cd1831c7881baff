"""Point-in-time recovery through boto3."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refusal, refused
from tests.conformance.waiting import active, items_of, until

ON = {"PointInTimeRecoveryEnabled": True}


@pytest.fixture
def target(dynamodb: Any) -> Iterator[str]:
    name = f"recovered-{uuid.uuid4().hex[:12]}"
    yield name
    with suppress(ClientError):
        dynamodb.delete_table(TableName=name)


def enable(dynamodb: Any, table: str, **more: Any) -> Any:
    reply = dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={**ON, **more})
    return reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]


def next_second() -> datetime:
    """A whole second that has just begun: boto3 sends no fractions."""
    now = time.time()
    time.sleep(int(now) + 1.05 - now)
    return datetime.fromtimestamp(int(time.time()), UTC)


def test_recovery_is_enabled_described_and_disabled(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    off = {"PointInTimeRecoveryStatus": "DISABLED"}
    told = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert told["PointInTimeRecoveryDescription"] == off
    enabled = enable(dynamodb, table)
    assert (enabled["PointInTimeRecoveryStatus"], enabled["RecoveryPeriodInDays"]) == ("ENABLED", 35)
    earliest, latest = enabled["EarliestRestorableDateTime"], enabled["LatestRestorableDateTime"]
    assert datetime.now(UTC) - timedelta(seconds=10) < earliest <= latest < datetime.now(UTC) + timedelta(seconds=2)
    shorter = enable(dynamodb, table, RecoveryPeriodInDays=10)
    assert (shorter["RecoveryPeriodInDays"], shorter["EarliestRestorableDateTime"]) == (10, earliest)
    told = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert told["ContinuousBackupsStatus"] == "ENABLED"
    assert told["PointInTimeRecoveryDescription"]["EarliestRestorableDateTime"] == earliest
    with refused(
        "ValidationException",
        400,
        "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery.",
    ):
        enable(dynamodb, table, PointInTimeRecoveryEnabled=False, RecoveryPeriodInDays=10)
    told = dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    assert told["ContinuousBackupsDescription"] == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": off,
    }


def test_a_table_is_had_again_as_it_was_at_each_second(
    dynamodb: Any, new_table: Callable[..., str], target: str
) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "before"}})
    enable(dynamodb, table)
    next_second()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "one"}, "v": {"S": "first"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "two"}})
    then, contents = next_second(), items_of(dynamodb, table)
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "two"}})
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "before"}})
    for number in range(50):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "one"}, "v": {"S": f"{number}"}})
        dynamodb.put_item(TableName=table, Item={"p": {"S": f"new-{number}"}})
    told = dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, RestoreDateTime=then)[
        "TableDescription"
    ]
    summary = {"RestoreDateTime": then, "RestoreInProgress": True}
    source = dynamodb.describe_table(TableName=table)["Table"]
    assert told["RestoreSummary"] == {**summary, "SourceTableArn": source["TableArn"]}
    assert active(dynamodb, target)["ItemCount"] == 3
    assert items_of(dynamodb, target) == contents
    assert set(contents) == {"before", "one", "two"}


def test_the_latest_state_is_that_of_the_request(dynamodb: Any, new_table: Callable[..., str], target: str) -> None:
    table = new_table()
    enable(dynamodb, table)
    for number in range(20):
        dynamodb.put_item(TableName=table, Item={"p": {"S": f"{number}"}})
    before = items_of(dynamodb, table)
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.restore_table_to_point_in_time(SourceTableArn=arn, TargetTableName=target, UseLatestRestorableTime=True)
    dynamodb.put_item(TableName=table, Item={"p": {"S": "too late"}})
    active(dynamodb, target)
    assert items_of(dynamodb, target) == before


def test_what_can_not_be_recovered_is_refused(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    restore = dynamodb.restore_table_to_point_in_time
    to = {"SourceTableName": table, "TargetTableName": "a-target"}
    assert refusal(restore, **to, UseLatestRestorableTime=True) == (
        "PointInTimeRecoveryUnavailableException",
        f"Point in time recovery is not enabled for table '{table}'",
    )
    enable(dynamodb, table)
    code, _ = refusal(restore, **to, RestoreDateTime=datetime.now(UTC) - timedelta(days=1))
    assert code == "InvalidRestoreTimeException"
    code, _ = refusal(restore, **to, RestoreDateTime=datetime.now(UTC) + timedelta(days=1))
    assert code == "InvalidRestoreTimeException"
    assert refusal(restore, **{**to, "TargetTableName": table}, UseLatestRestorableTime=True) == (
        "TableAlreadyExistsException",
        f"Table already exists: {table}",
    )
    for call, more in (
        (dynamodb.describe_continuous_backups, {}),
        (dynamodb.update_continuous_backups, {"PointInTimeRecoverySpecification": ON}),
    ):
        missing = ("TableNotFoundException", "Table not found: no-such-table")
        assert refusal(call, TableName="no-such-table", **more) == missing


def test_a_deleted_table_leaves_a_system_backup(dynamodb: Any, new_table: Callable[..., str], target: str) -> None:
    table = new_table()
    enable(dynamodb, table)
    dynamodb.put_item(TableName=table, Item={"p": {"S": "kept"}})
    before = items_of(dynamodb, table)
    dynamodb.delete_table(TableName=table)

    def backups() -> Any:
        return dynamodb.list_backups(TableName=table, BackupType="SYSTEM")["BackupSummaries"]

    (backup,) = until(backups, lambda found: found and found[0]["BackupStatus"] == "AVAILABLE")
    assert backup["BackupName"] == f"{table}$DeletedTableBackup"
    assert backup["BackupExpiryDateTime"] - backup["BackupCreationDateTime"] == timedelta(days=35)
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=backup["BackupArn"])
    active(dynamodb, target)
    assert items_of(dynamodb, target) == before
    dynamodb.delete_backup(BackupArn=backup["BackupArn"])
