"""Exports and imports that are broken off after any step, and taken up again."""

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support import ACCOUNT, bytes_of
from tests.unit.dynamodb.past import REGION, Past, Unhurried

from atoll.operation import Call, perform
from atoll.services.dynamodb import export_jobs, import_jobs, import_sources, jobs, moments, records
from atoll.services.s3 import buckets, listing, objects
from atoll.services.s3.service import s3
from atoll.store import keys

BUCKET = "a-bucket"
CRASHES_MAX = 1000
S3_OPERATIONS = (buckets, listing, objects)  # Importing them is what makes them known.


class Beside(Past):
    """With a bucket."""

    def __init__(self) -> None:
        super().__init__()
        services: Any = self.cloud.cloud.services
        services["s3"] = s3
        self.s3("CreateBucket", Bucket=BUCKET)

    def s3(self, operation: str, **request: Any) -> Any:
        return self.run(perform(Call(self.cloud.cloud, s3, self.cloud.identity), operation, request))

    def objects(self) -> dict[str, bytes]:
        found = [one["Key"] for one in self.s3("ListObjectsV2", Bucket=BUCKET).get("Contents", ())]
        return {key: bytes_of(self.s3("GetObject", Bucket=BUCKET, Key=key)["Body"]) for key in found}


@pytest.fixture
def past() -> Beside:
    return Beside()


def crashing(monkeypatch: pytest.MonkeyPatch, steps: int) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[int]]:
    """Runs work that crashes after so many steps, until it is through. Answers how often it crashed."""
    step, left = jobs.step, 0

    async def limited(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionAbortedError
        await step(*arguments)

    async def run(work: Callable[[], Awaitable[None]]) -> int:
        nonlocal left
        for crashes in range(CRASHES_MAX):
            left = steps
            try:
                await work()
            except ConnectionAbortedError:
                continue
            return crashes
        raise AssertionError("it does not get on between crashes")

    monkeypatch.setattr(jobs, "step", limited)
    return run


def on(past: Past) -> None:
    spec = {"PointInTimeRecoveryEnabled": True}
    past("UpdateContinuousBackups", TableName="source", PointInTimeRecoverySpecification=spec)


def lines(files: dict[str, bytes]) -> list[Any]:
    packed = [data for key, data in files.items() if "/data/" in key]
    return [json.loads(line) for data in packed for line in gzip.decompress(data).splitlines()]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_an_export_that_crashes_is_the_moment_all_the_same(
    past: Beside, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    past.make()
    past.run(past.disturb(150))
    on(past)
    past.run(past.disturb(30))
    contents = past.run(past.contents())
    arn = past.run(past.table()).arn
    asked = past("ExportTableToPointInTime", TableArn=arn, S3Bucket=BUCKET)["ExportDescription"]
    past.run(past.disturb(60))
    past.disturbed(monkeypatch)
    monkeypatch.setattr(export_jobs, "Pace", Unhurried)
    monkeypatch.setattr(export_jobs, "_FILE_BYTES", 200)
    run = crashing(monkeypatch, steps)
    crashes = past.run(run(lambda: export_jobs.export_all(past.cloud.cloud)))
    assert crashes
    told = past("DescribeExport", ExportArn=asked["ExportArn"])["ExportDescription"]
    assert (told["ExportStatus"], told["ItemCount"]) == ("COMPLETED", len(contents))
    files = past.objects()
    found = [(line["Item"]["k"]["S"], line["Item"]["v"]["N"]) for line in lines(files)]
    assert len(found) == len(contents)
    assert dict(found) == contents
    (manifest,) = (data for key, data in files.items() if key.endswith("manifest-files.json"))
    listed = [json.loads(line) for line in manifest.splitlines()]
    assert {one["dataFileS3Key"] for one in listed} == {key for key in files if "/data/" in key}
    assert sum(one["itemCount"] for one in listed) == len(contents)


def test_an_incremental_export_that_crashes_tells_the_difference(past: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    past.make()
    on(past)
    past.cloud.time += 2
    past.run(past.disturb(80))
    past.cloud.time += 1
    before, since = past.run(past.contents()), past.cloud.time
    past.run(past.disturb(80))
    past.cloud.time += 1
    after, until = past.run(past.contents()), past.cloud.time
    past.run(past.disturb(80))
    past(
        "ExportTableToPointInTime",
        TableArn=past.run(past.table()).arn,
        S3Bucket=BUCKET,
        ExportType="INCREMENTAL_EXPORT",
        IncrementalExportSpecification={"ExportFromTime": since, "ExportToTime": until},
    )
    past.disturbed(monkeypatch)
    monkeypatch.setattr(export_jobs, "Pace", Unhurried)
    monkeypatch.setattr(export_jobs, "_NET_ROWS", 7)
    run = crashing(monkeypatch, 2)
    assert past.run(run(lambda: export_jobs.export_all(past.cloud.cloud))) > 1
    told = {line["Keys"]["k"]["S"]: line for line in lines(past.objects())}
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert differing <= told.keys()
    for key, line in told.items():  # One that was changed and changed back is told of as well.
        assert line.get("OldImage", {}).get("v", {}).get("N") == before.get(key)
        assert line.get("NewImage", {}).get("v", {}).get("N") == after.get(key)


@pytest.mark.parametrize("steps", [1, 3])
def test_an_import_that_crashes_imports_everything_once(
    past: Beside, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    for name in ("one", "two", "three"):
        good = [json.dumps({"Item": {"k": {"S": f"{name}{n}"}, "v": {"N": f"{n}"}}}) for n in range(250)]
        past.s3("PutObject", Bucket=BUCKET, Key=name, Body="\n".join([*good, "bad"]).encode())
    monkeypatch.setattr(import_sources, "_PIECE_BYTES", 1000)
    arn = past(
        "ImportTable",
        S3BucketSource={"S3Bucket": BUCKET},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters={
            "TableName": "target",
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]["ImportArn"]
    run = crashing(monkeypatch, steps)
    assert past.run(run(lambda: import_jobs.import_all(past.cloud.cloud))) > 1
    told = past("DescribeImport", ImportArn=arn)["ImportTableDescription"]
    counts = [told[name] for name in ("ProcessedItemCount", "ImportedItemCount", "ErrorCount")]
    assert counts == [753, 750, 3]
    assert past("DescribeTable", TableName="target")["Table"]["ItemCount"] == 750
    assert past.run(past.contents("target")) == {
        f"{name}{n}": f"{n}" for name in ("one", "two", "three") for n in range(250)
    }


def test_nothing_is_left_of_an_export(past: Beside) -> None:
    past.make()
    past.run(past.disturb(20))
    on(past)
    past("ExportTableToPointInTime", TableArn=past.run(past.table()).arn, S3Bucket=BUCKET)
    past.run(past.disturb(20))
    past.run(export_jobs.export_all(past.cloud.cloud))
    past.run(past.work())
    table = past.run(past.table())
    assert table.copies == []
    shelves = {p for p, _ in past.cloud.store.rows}
    assert not any(b"/dynamodb/u/" in p or b"/dynamodb/f/" in p for p in shelves)
    assert records.JOBS not in shelves
    marks = [k for p, k in past.cloud.store.rows if p == moments.marks_shelf(ACCOUNT, REGION)]
    assert [keys.unpack_text(k)[0].decode() for k in marks] == [f"recovery {table.uid}"]
