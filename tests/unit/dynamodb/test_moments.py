"""A table as it was at one moment, whatever is written while it is read: through backups, recovery and restores."""

from typing import Any

import pytest
from tests.support import ACCOUNT
from tests.unit.dynamodb.past import REGION, Past

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import backfill, jobs, log_trim, records
from atoll.store import keys


@pytest.fixture
def past() -> Past:
    found = Past()
    found.make()
    found.run(found.disturb(200))
    return found


def leftovers(past: Past) -> set[str]:
    """Shelves of work that should be over."""
    shelves = {p.decode().removeprefix(f"{ACCOUNT}/{REGION}/dynamodb/") for p, _ in past.cloud.store.rows}
    return {name for name in shelves if name.startswith(("u/", "kept"))} | ({"jobs"} & shelves)


def test_a_backup_holds_what_was_there_when_it_was_asked_for(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    before = past.run(past.contents())
    arn = past("CreateBackup", TableName="source", BackupName="one")["BackupDetails"]["BackupArn"]
    past.run(past.disturb(100))
    past.disturbed(monkeypatch)
    past.run(past.work())
    assert past("DescribeBackup", BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    past("RestoreTableFromBackup", TargetTableName="target", BackupArn=arn)
    past.run(past.work())
    assert past.run(past.contents("target")) == before
    assert past.run(past.contents()) != before
    assert leftovers(past) == set()


def test_a_table_that_only_a_backup_made_log_ends_without_a_log(past: Past) -> None:
    past("CreateBackup", TableName="source", BackupName="one")
    past.run(past.disturb(50))
    past.run(log_trim.trim(past.cloud.store, past.cloud.time + 100 * 86400))
    table = past.run(past.table())
    log = records.log_shelf(table)
    assert sum(p == log for p, _ in past.cloud.store.rows) >= 20  # Some writes change nothing.
    past.run(past.work())
    past.run(log_trim.trim(past.cloud.store, past.cloud.time))
    assert not any(p == log for p, _ in past.cloud.store.rows)


def test_a_table_is_restored_to_any_moment_while_it_goes_on_changing(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    past.cloud.time += 2
    known = {}
    for _ in range(5):
        past.run(past.disturb(40))
        known[past.cloud.time] = past.run(past.contents())
        past.cloud.time += 1
    past.disturbed(monkeypatch)
    for number, (moment, contents) in enumerate(known.items()):
        past("RestoreTableToPointInTime", **between(f"target{number}", RestoreDateTime=moment + 0.5))
        past.run(past.work())
        assert past.run(past.contents(f"target{number}")) == contents
    assert leftovers(past) == set()


def test_the_latest_moment_is_that_of_the_request(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    past.run(past.disturb(40))
    contents = past.run(past.contents())
    past("RestoreTableToPointInTime", **between("target", UseLatestRestorableTime=True))
    past.disturbed(monkeypatch)
    past.run(past.work())
    assert past.run(past.contents("target")) == contents


def test_a_moment_before_recovery_or_ahead_of_us_is_refused(past: Past) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    for moment in (past.cloud.time - 1, past.cloud.time + 60):
        with pytest.raises(AwsError) as caught:
            past("RestoreTableToPointInTime", **between("target", RestoreDateTime=moment))
        assert caught.value.code == "InvalidRestoreTimeException"


def test_recovery_that_was_off_for_a_while_goes_back_only_to_when_it_came_on_again(past: Past) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    past.cloud.time += 100
    off = {"PointInTimeRecoveryEnabled": False}
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=off)
    past.cloud.time += 100
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    told = past("DescribeContinuousBackups", TableName="source")["ContinuousBackupsDescription"]
    assert told["PointInTimeRecoveryDescription"]["EarliestRestorableDateTime"] >= past.cloud.time


def test_a_target_is_not_there_until_it_is_whole(past: Past) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    reply = past("RestoreTableToPointInTime", **between("target", UseLatestRestorableTime=True))
    told = reply["TableDescription"]
    assert (told["TableStatus"], told["RestoreSummary"]["RestoreInProgress"]) == ("CREATING", True)
    with pytest.raises(AwsError) as caught:
        past("DeleteTable", TableName="target")
    assert caught.value.code == "ResourceInUseException"
    past.run(past.work())
    told = past("DescribeTable", TableName="target")["Table"]
    assert (told["TableStatus"], told["RestoreSummary"]["RestoreInProgress"]) == ("ACTIVE", False)
    assert told["ItemCount"] == len(past.run(past.contents()))


def test_a_deleted_table_with_recovery_leaves_a_system_backup(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=on())
    contents = past.run(past.contents())
    source = past.run(past.table())
    past("DeleteTable", TableName="source")
    past.make()  # The name is free; what is written under it now is another table's.
    past.run(past.disturb(20))
    past.run(backfill.sweep(past.cloud.store))
    past.disturbed(monkeypatch)
    past.run(past.work())
    (backup,) = past("ListBackups", BackupType="SYSTEM")["BackupSummaries"]
    assert (backup["BackupName"], backup["BackupStatus"]) == ("source$DeletedTableBackup", "AVAILABLE")
    past("RestoreTableFromBackup", TargetTableName="target", BackupArn=backup["BackupArn"])
    past.run(past.work())
    assert past.run(past.contents("target")) == contents
    past.run(backfill.sweep(past.cloud.store))
    past.run(log_trim.trim(past.cloud.store, past.cloud.time))
    gone = {records.items_shelf(source), records.log_shelf(source)}
    assert not any(p in gone for p, _ in past.cloud.store.rows)
    assert leftovers(past) == set()


def test_a_job_taken_up_again_after_a_crash_ends_the_same(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = past("CreateBackup", TableName="source", BackupName="one")["BackupDetails"]["BackupArn"]
    contents = past.run(past.contents())
    past.disturbed(monkeypatch)
    step, left = jobs.step, 0

    async def crashing(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionAbortedError
        await step(*arguments)

    monkeypatch.setattr(jobs, "step", crashing)

    def worked() -> bool:
        nonlocal left
        left = 3
        try:
            past.run(past.work())
        except ConnectionAbortedError:
            return False
        return True

    assert any(worked() for _ in range(1000)), "it does not get on between crashes"
    past("RestoreTableFromBackup", TargetTableName="target", BackupArn=arn)
    assert any(worked() for _ in range(1000)), "it does not get on between crashes"
    assert past.run(past.contents("target")) == contents


def test_the_counters_of_a_restored_table_and_its_indexes_are_true(past: Past) -> None:
    schema = [{"AttributeName": "v", "KeyType": "HASH"}]
    index = {"IndexName": "by-v", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
    past.make("indexed", GlobalSecondaryIndexes=[index])
    past.run(past.disturb(50, "indexed"))
    arn = past("CreateBackup", TableName="indexed", BackupName="one")["BackupDetails"]["BackupArn"]
    past.run(past.work())
    past("RestoreTableFromBackup", TargetTableName="target", BackupArn=arn)
    past("RestoreTableFromBackup", TargetTableName="bare", BackupArn=arn, GlobalSecondaryIndexOverride=[])
    past.run(past.work())
    told, source = (past("DescribeTable", TableName=name)["Table"] for name in ("target", "indexed"))
    assert told["ItemCount"] == source["ItemCount"]
    restored, original = told["GlobalSecondaryIndexes"][0], source["GlobalSecondaryIndexes"][0]
    assert (restored["ItemCount"], restored["IndexSizeBytes"]) == (original["ItemCount"], original["IndexSizeBytes"])
    assert "GlobalSecondaryIndexes" not in past("DescribeTable", TableName="bare")["Table"]


def test_a_deleted_backup_gives_its_blobs_back(past: Past) -> None:
    arn = past("CreateBackup", TableName="source", BackupName="one")["BackupDetails"]["BackupArn"]
    with pytest.raises(AwsError) as caught:
        past("DeleteBackup", BackupArn=arn)
    assert caught.value.code == "BackupInUseException"
    past.run(past.work())
    assert past("DeleteBackup", BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
    past.run(past.work())
    shelf = f"{ACCOUNT}/{REGION}/dynamodb/b/".encode()
    assert not any(p.startswith(shelf) for p, _ in past.cloud.store.rows)
    assert not any(k.startswith(keys.pack("backup")) for p, k in past.cloud.store.rows if p == records.JOBS)


def on() -> dict[str, Any]:
    return {"PointInTimeRecoveryEnabled": True}


def between(target: str, **more: Any) -> dict[str, Any]:
    return {"SourceTableName": "source", "TargetTableName": target, **more}
