"""Imports of tables from S3, through boto3."""

import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refusal
from tests.conformance.waiting import items_of, until


def request(target: str, bucket: str, **more: Any) -> dict[str, Any]:
    parameters = {
        "TableName": target,
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return {
        "S3BucketSource": {"S3Bucket": bucket},
        "InputFormat": "DYNAMODB_JSON",
        "TableCreationParameters": parameters,
        **more,
    }


def ended(dynamodb: Any, asked: dict[str, Any]) -> Any:
    """What became of it."""
    arn = dynamodb.import_table(**asked)["ImportTableDescription"]["ImportArn"]
    return until(
        lambda: dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"],
        lambda told: told["ImportStatus"] != "IN_PROGRESS",
    )


def counts(told: Any) -> tuple[str, int, int, int]:
    return told["ImportStatus"], told["ProcessedItemCount"], told["ImportedItemCount"], told["ErrorCount"]


def line(key: str, **more: Any) -> str:
    return json.dumps({"Item": {"p": {"S": key}, **more}})


def test_every_object_under_the_prefix_is_imported(dynamodb: Any, s3: Any, bucket: str, target: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/one", Body="\n".join(line(f"a{n}", n={"N": f"{n}.0"}) for n in range(250)))
    s3.put_object(Bucket=bucket, Key="in/two", Body=line("b1") + line("b2") + "\n\n" + line("b3"))
    s3.put_object(Bucket=bucket, Key="out", Body=line("c"))
    asked = request(target, bucket, S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "in/"})
    told = ended(dynamodb, asked)
    assert counts(told) == ("COMPLETED", 253, 253, 0)
    size = sum(found["Size"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"])
    assert told["ProcessedSizeBytes"] == size
    found = items_of(dynamodb, target)
    assert set(found) == {f"a{n}" for n in range(250)} | {"b1", "b2", "b3"}
    assert found["a7"] == {"p": {"S": "a7"}, "n": {"N": "7"}}
    table = dynamodb.describe_table(TableName=target)["Table"]
    assert (table["TableStatus"], table["ItemCount"]) == ("ACTIVE", 253)
    assert told["TableArn"] == table["TableArn"]


def zstandard(data: bytes) -> bytes:
    # A frame of one raw block: what anybody's reader takes, without anybody's writer.
    header = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    return header + (len(data) << 3 | 1).to_bytes(3, "little") + data


@pytest.mark.parametrize(("compression", "pack"), [("GZIP", gzip.compress), ("ZSTD", zstandard)])
def test_compressed_objects_are_unpacked(
    dynamodb: Any, s3: Any, bucket: str, target: str, compression: str, pack: Callable[[bytes], bytes]
) -> None:
    s3.put_object(Bucket=bucket, Key="packed", Body=pack(line("one").encode()) + pack(f"\n{line('two')}".encode()))
    told = ended(dynamodb, request(target, bucket, InputCompressionType=compression))
    assert counts(told) == ("COMPLETED", 2, 2, 0)
    assert set(items_of(dynamodb, target)) == {"one", "two"}


def test_an_object_that_is_not_so_compressed_is_an_error(dynamodb: Any, s3: Any, bucket: str, target: str) -> None:
    s3.put_object(Bucket=bucket, Key="plain", Body=line("one"))
    told = ended(dynamodb, request(target, bucket, InputCompressionType="GZIP"))
    assert counts(told) == ("FAILED", 0, 0, 1)


def test_csv_has_keys_of_their_types_and_else_strings(dynamodb: Any, s3: Any, bucket: str, target: str) -> None:
    text = 'p,n,what\none,1.50,"a, b"\r\ntwo,2,"c\nd"\nthree,no number,e\nfour\n'
    s3.put_object(Bucket=bucket, Key="table.csv", Body=text)
    asked = request(target, bucket, InputFormat="CSV")
    parameters = asked["TableCreationParameters"]
    parameters["AttributeDefinitions"].append({"AttributeName": "n", "AttributeType": "N"})
    parameters["GlobalSecondaryIndexes"] = [
        {
            "IndexName": "by-n",
            "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    assert counts(ended(dynamodb, asked)) == ("FAILED", 4, 2, 2)
    assert items_of(dynamodb, target) == {
        "one": {"p": {"S": "one"}, "n": {"N": "1.5"}, "what": {"S": "a, b"}},
        "two": {"p": {"S": "two"}, "n": {"N": "2"}, "what": {"S": "c\nd"}},
    }


def test_csv_may_have_another_delimiter_and_no_header(dynamodb: Any, s3: Any, bucket: str, target: str) -> None:
    s3.put_object(Bucket=bucket, Key="table.csv", Body="one;x\ntwo;y\n")
    options = {"Csv": {"Delimiter": ";", "HeaderList": ["p", "v"]}}
    told = ended(dynamodb, request(target, bucket, InputFormat="CSV", InputFormatOptions=options))
    assert counts(told) == ("COMPLETED", 2, 2, 0)
    assert items_of(dynamodb, target)["two"] == {"p": {"S": "two"}, "v": {"S": "y"}}


def test_what_makes_no_item_is_counted_and_the_rest_is_there(dynamodb: Any, s3: Any, bucket: str, target: str) -> None:
    wrong = [
        json.dumps({"p": {"S": "no Item"}}),
        json.dumps({"Item": {"q": {"S": "no key"}}}),
        json.dumps({"Item": {"p": {"N": "1"}}}),
        json.dumps({"Item": {"p": {"S": 5}}}),
        json.dumps({"Item": {"p": {"S": ""}}}),
        "not JSON",
        "[]",
    ]
    s3.put_object(Bucket=bucket, Key="mixed", Body="\n".join([line("good"), *wrong, line("good too")]))
    told = ended(dynamodb, request(target, bucket))
    assert counts(told) == ("FAILED", 9, 2, 7)
    assert told["FailureCode"] == "ItemValidationError"
    assert set(items_of(dynamodb, target)) == {"good", "good too"}


def test_an_import_of_nothing_makes_an_empty_table(dynamodb: Any, bucket: str, target: str) -> None:
    told = ended(dynamodb, request(target, bucket))
    assert (counts(told), told["ProcessedSizeBytes"]) == (("COMPLETED", 0, 0, 0), 0)
    assert items_of(dynamodb, target) == {}


def test_an_import_from_a_bucket_that_is_not_there_leaves_no_table(dynamodb: Any, target: str) -> None:
    told = ended(dynamodb, request(target, f"no-such-{uuid.uuid4().hex[:12]}"))
    assert (told["ImportStatus"], told["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert "The specified bucket does not exist" in told["FailureMessage"]
    assert target not in dynamodb.list_tables()["TableNames"]


def test_what_can_not_be_imported_is_refused(
    dynamodb: Any, bucket: str, new_table: Callable[..., str], target: str
) -> None:
    asked = request(new_table(), bucket)
    code, _ = refusal(dynamodb.import_table, **asked)
    assert code == "ResourceInUseException"
    code, _ = refusal(dynamodb.import_table, **request(target, bucket, InputFormat="ION"))
    assert code == "ValidationException"
    asked = request(target, bucket)
    asked["TableCreationParameters"]["BillingMode"] = "PROVISIONED"
    assert refusal(dynamodb.import_table, **asked) == (
        "ValidationException",
        "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified "
        "when BillingMode is PROVISIONED",
    )
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{target}/import/01234567890123-a1b2c3d4"
    code, _ = refusal(dynamodb.describe_import, ImportArn=arn)
    assert code == "ImportNotFoundException"


def test_a_token_asks_once_and_imports_are_listed(dynamodb: Any, bucket: str, target: str) -> None:
    asked = request(target, bucket, ClientToken=uuid.uuid4().hex)
    told = ended(dynamodb, asked)
    again = dynamodb.import_table(**asked)["ImportTableDescription"]
    assert again["ImportArn"] == told["ImportArn"]
    (listed,) = dynamodb.list_imports(TableArn=told["TableArn"])["ImportSummaryList"]
    assert (listed["ImportArn"], listed["ImportStatus"]) == (told["ImportArn"], "COMPLETED")
    code, _ = refusal(dynamodb.import_table, **{**asked, "InputFormat": "CSV"})
    assert code == "ImportConflictException"
