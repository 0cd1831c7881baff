"""Exports of tables to S3, through boto3: the files as AWS lays them out, and what is in them."""

import base64
import gzip
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.conformance.refusals import refusal
from tests.conformance.waiting import until

ON = {"PointInTimeRecoveryEnabled": True}


@pytest.fixture
def recoverable(dynamodb: Any, new_table: Callable[..., str]) -> str:
    """The ARN of a table that can be exported."""
    table = new_table()
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=ON)
    return str(dynamodb.describe_table(TableName=table)["Table"]["TableArn"])


def export(dynamodb: Any, **request: Any) -> Any:
    """What became of it."""
    arn = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]
    return until(
        lambda: dynamodb.describe_export(ExportArn=arn)["ExportDescription"],
        lambda told: told["ExportStatus"] != "IN_PROGRESS",
    )


def objects(s3: Any, bucket: str) -> dict[str, bytes]:
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def lines(files: dict[str, bytes]) -> list[Any]:
    packed = [data for key, data in files.items() if "/data/" in key]
    return [json.loads(line) for data in packed for line in gzip.decompress(data).splitlines()]


def name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def next_second() -> datetime:
    now = time.time()
    time.sleep(int(now) + 1.05 - now)
    return datetime.fromtimestamp(int(time.time()), UTC)


def test_an_export_is_laid_out_as_awss(dynamodb: Any, s3: Any, bucket: str, recoverable: str) -> None:
    table = name_of(recoverable)
    items: list[Any] = [{"p": {"S": f"{n}"}, "n": {"N": f"{n}"}, "b": {"B": b"\x00\xff"}} for n in range(30)]
    for item in items:
        dynamodb.put_item(TableName=table, Item=item)
    told = export(dynamodb, TableArn=recoverable, S3Bucket=bucket, S3Prefix="some/prefix")
    assert (told["ExportStatus"], told["ItemCount"], told["ExportFormat"]) == ("COMPLETED", 30, "DYNAMODB_JSON")
    files, export_id = objects(s3, bucket), name_of(told["ExportArn"])
    folder = f"some/prefix/AWSDynamoDB/{export_id}"
    assert told["ExportManifest"] == f"{folder}/manifest-summary.json"
    data = {key for key in files if key.startswith(f"{folder}/data/")}
    names = ("_started", "manifest-files.json", "manifest-files.md5", "manifest-summary.json", "manifest-summary.md5")
    assert set(files) == data | {f"{folder}/{name}" for name in names}
    for name in ("manifest-files", "manifest-summary"):
        digest = hashlib.md5(files[f"{folder}/{name}.json"]).digest()
        assert files[f"{folder}/{name}.md5"].decode() == base64.b64encode(digest).decode()
    manifest = [json.loads(line) for line in files[f"{folder}/manifest-files.json"].splitlines()]
    assert {one["dataFileS3Key"] for one in manifest} == data
    assert sum(one["itemCount"] for one in manifest) == 30
    for one in manifest:
        digest = hashlib.md5(files[one["dataFileS3Key"]]).digest()
        assert one["md5Checksum"] == base64.b64encode(digest).decode()
        assert one["etag"] == s3.head_object(Bucket=bucket, Key=one["dataFileS3Key"])["ETag"].strip('"')
    summary = json.loads(files[f"{folder}/manifest-summary.json"])
    assert summary["version"] == "2020-06-30"
    assert summary["exportArn"] == told["ExportArn"]
    assert (summary["tableArn"], summary["tableId"]) == (recoverable, told["TableId"])
    assert (summary["s3Bucket"], summary["s3Prefix"], summary["itemCount"]) == (bucket, "some/prefix", 30)
    assert summary["manifestFilesS3Key"] == f"{folder}/manifest-files.json"
    shown = [{**item, "b": {"B": "AP8="}} for item in items]
    found = sorted((line["Item"] for line in lines(files)), key=lambda item: int(item["p"]["S"]))
    assert found == shown
    assert all(line.keys() == {"Item"} for line in lines(files))


def test_an_export_is_of_the_moment_that_was_asked_for(dynamodb: Any, s3: Any, bucket: str, recoverable: str) -> None:
    table = name_of(recoverable)
    next_second()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "kept"}, "v": {"S": "old"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "deleted"}})
    then = next_second()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "kept"}, "v": {"S": "new"}})
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "deleted"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "later"}})
    told = export(dynamodb, TableArn=recoverable, S3Bucket=bucket, ExportTime=then)
    assert told["ExportTime"] == then
    found = {line["Item"]["p"]["S"]: line["Item"] for line in lines(objects(s3, bucket))}
    assert found == {"kept": {"p": {"S": "kept"}, "v": {"S": "old"}}, "deleted": {"p": {"S": "deleted"}}}


def test_an_empty_table_makes_an_empty_file(dynamodb: Any, s3: Any, bucket: str, recoverable: str) -> None:
    told = export(dynamodb, TableArn=recoverable, S3Bucket=bucket)
    assert (told["ExportStatus"], told["ItemCount"], told["BilledSizeBytes"]) == ("COMPLETED", 0, 0)
    files = objects(s3, bucket)
    assert [gzip.decompress(data) for key, data in files.items() if "/data/" in key] == [b""]


def test_an_incremental_export_tells_what_became_of_each_item(
    dynamodb: Any, s3: Any, bucket: str, recoverable: str
) -> None:
    table = name_of(recoverable)
    next_second()
    for name in ("changed", "deleted", "same"):
        dynamodb.put_item(TableName=table, Item={"p": {"S": name}, "v": {"N": "1"}})
    since = next_second()
    for value in ("2", "3"):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "changed"}, "v": {"N": value}})
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "deleted"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "inserted"}, "v": {"N": "1"}})
    dynamodb.put_item(TableName=table, Item={"p": {"S": "passing"}})
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "passing"}})
    until_then = next_second()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "too late"}})
    span = {"ExportFromTime": since, "ExportToTime": until_then}
    asked: dict[str, Any] = {"TableArn": recoverable, "S3Bucket": bucket, "ExportType": "INCREMENTAL_EXPORT"}
    told = export(dynamodb, **asked, IncrementalExportSpecification=span)
    assert (told["ExportStatus"], told["ItemCount"]) == ("COMPLETED", 3)
    files = objects(s3, bucket)
    assert all(key.startswith("AWSDynamoDB/data/") for key in files if "/data/" in key)
    summary = json.loads(files[told["ExportManifest"]])
    assert (summary["version"], summary["outputView"]) == ("2023-08-01", "NEW_AND_OLD_IMAGES")
    found = {line["Keys"]["p"]["S"]: line for line in lines(files)}
    for line in found.values():
        micros = int(line.pop("Metadata")["WriteTimestampMicros"]["N"])
        assert since.timestamp() <= micros / 1e6 < until_then.timestamp()
    assert found == {
        "changed": {
            "Keys": {"p": {"S": "changed"}},
            "OldImage": {"p": {"S": "changed"}, "v": {"N": "1"}},
            "NewImage": {"p": {"S": "changed"}, "v": {"N": "3"}},
        },
        "deleted": {"Keys": {"p": {"S": "deleted"}}, "OldImage": {"p": {"S": "deleted"}, "v": {"N": "1"}}},
        "inserted": {"Keys": {"p": {"S": "inserted"}}, "NewImage": {"p": {"S": "inserted"}, "v": {"N": "1"}}},
    }
    new_only = {**span, "ExportViewType": "NEW_IMAGE"}
    export(dynamodb, **asked, S3Prefix="new", IncrementalExportSpecification=new_only)
    files = {key: data for key, data in objects(s3, bucket).items() if key.startswith("new/")}
    assert {line["Keys"]["p"]["S"]: set(line) - {"Metadata", "Keys"} for line in lines(files)} == {
        "changed": {"NewImage"},
        "deleted": set(),
        "inserted": {"NewImage"},
    }


def test_a_filter_chooses_items_and_attributes(dynamodb: Any, s3: Any, bucket: str, recoverable: str) -> None:
    table = name_of(recoverable)
    for number in range(10):
        item = {"p": {"S": f"{number}"}, "n": {"N": f"{number}"}, "secret": {"S": "x"}}
        dynamodb.put_item(TableName=table, Item=item)
    wanted = {
        "FilterExpression": "#n >= :least",
        "ProjectionExpression": "p, #n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":least": {"N": "8"}},
    }
    told = export(dynamodb, TableArn=recoverable, S3Bucket=bucket, FilterSpecification=wanted)
    assert told["ItemCount"] == 2
    found = sorted((line["Item"] for line in lines(objects(s3, bucket))), key=lambda item: str(item["p"]["S"]))
    assert found == [{"p": {"S": "8"}, "n": {"N": "8"}}, {"p": {"S": "9"}, "n": {"N": "9"}}]


def test_an_export_into_a_bucket_that_is_not_there_fails(dynamodb: Any, recoverable: str) -> None:
    told = export(dynamodb, TableArn=recoverable, S3Bucket=f"no-such-{uuid.uuid4().hex[:12]}")
    assert (told["ExportStatus"], told["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert "The specified bucket does not exist" in told["FailureMessage"]


def test_what_can_not_be_exported_is_refused(
    dynamodb: Any, bucket: str, new_table: Callable[..., str], recoverable: str
) -> None:
    table = new_table()
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    ask = dynamodb.export_table_to_point_in_time
    assert refusal(ask, TableArn=arn, S3Bucket=bucket) == (
        "PointInTimeRecoveryUnavailableException",
        f"Point in time recovery is not enabled for table '{table}'",
    )
    missing = arn + "-not"
    assert refusal(ask, TableArn=missing, S3Bucket=bucket) == ("TableNotFoundException", f"Table not found: {missing}")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    code, _ = refusal(ask, TableArn=recoverable, S3Bucket=bucket, ExportTime=yesterday)
    assert code == "InvalidExportTimeException"
    code, _ = refusal(ask, TableArn=recoverable, S3Bucket=bucket, ExportFormat="ION")
    assert code == "ValidationException"
    nowhere = f"{recoverable}/export/01234567890123-a1b2c3d4"
    code, _ = refusal(dynamodb.describe_export, ExportArn=nowhere)
    assert code == "ExportNotFoundException"


def test_a_token_asks_once(dynamodb: Any, bucket: str, recoverable: str) -> None:
    token = uuid.uuid4().hex
    asked = {"TableArn": recoverable, "S3Bucket": bucket, "ClientToken": token}
    first, second = (dynamodb.export_table_to_point_in_time(**asked)["ExportDescription"] for _ in range(2))
    assert first["ExportArn"] == second["ExportArn"]
    code, _ = refusal(dynamodb.export_table_to_point_in_time, **asked, S3Prefix="other")
    assert code == "ExportConflictException"


def test_exports_are_listed_newest_first(dynamodb: Any, bucket: str, recoverable: str) -> None:
    arns = [export(dynamodb, TableArn=recoverable, S3Bucket=bucket)["ExportArn"] for _ in range(3)]
    page = dynamodb.list_exports(TableArn=recoverable, MaxResults=2)
    assert [one["ExportArn"] for one in page["ExportSummaries"]] == arns[:0:-1]
    rest = dynamodb.list_exports(TableArn=recoverable, MaxResults=2, NextToken=page["NextToken"])
    assert rest["ExportSummaries"] == [{"ExportArn": arns[0], "ExportStatus": "COMPLETED", "ExportType": "FULL_EXPORT"}]
    assert "NextToken" not in rest
