"""Tables through boto3: made, described, changed, listed, deleted; and what is told of limits and endpoints."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused

MakeTable = Callable[..., str]
FIVE = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


def new_name() -> str:
    return f"t-{uuid.uuid4().hex[:20]}"


def keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def attributes(**kinds: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def test_a_table_lives_as_its_replies_tell(dynamodb: Any) -> None:
    name, before = new_name(), time.time()
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=keys("p", "c"),
        AttributeDefinitions=attributes(p="S", c="N"),
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    told = dynamodb.describe_table(TableName=name)["Table"]
    assert told == {**made, "TableStatus": "ACTIVE"}
    assert told["KeySchema"] == keys("p", "c")
    assert told["TableArn"].endswith(f":table/{name}")
    assert before - 1 < told["CreationDateTime"].timestamp() < time.time() + 1
    assert dynamodb.describe_table(TableName=told["TableArn"])["Table"] == told

    gone = dynamodb.delete_table(TableName=name)["TableDescription"]
    assert (gone["TableStatus"], gone["TableId"]) == ("DELETING", told["TableId"])
    dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    missing = f"Requested resource not found: Table: {name} not found"
    with refused("ResourceNotFoundException", 400, missing):
        dynamodb.delete_table(TableName=name)


def test_counts_follow_the_items_at_once(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    for text in ("one", "three"):
        dynamodb.put_item(TableName=table, Item={"p": {"S": text}})
    told = dynamodb.describe_table(TableName=table)["Table"]
    assert (told["ItemCount"], told["TableSizeBytes"]) == (2, 4 + 6)


def test_a_table_made_again_is_empty(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item={"p": {"S": "old"}})
    dynamodb.delete_table(TableName=table)
    new_table(TableName=table)
    assert dynamodb.scan(TableName=table)["Items"] == []
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 0


def test_a_name_is_taken_once(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    with refused("ResourceInUseException", 400, f"Table already exists: {table}"):
        new_table(TableName=table)


def test_tables_are_listed_in_pages(dynamodb: Any, new_table: MakeTable) -> None:
    made = sorted(new_table() for _ in range(3))
    pages = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    listed = [name for page in pages for name in page["TableNames"]]
    assert [name for name in listed if name in made] == made
    assert listed == sorted(listed)
    with refused("ValidationException", 400):
        dynamodb.list_tables(Limit=101)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"TableName": "ab"},
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3",
        ),
        (
            {"KeySchema": keys("p", "p")},
            "Invalid KeySchema: Some index key attribute have no definition",
        ),
        (
            {"AttributeDefinitions": attributes(p="Q")},
            "1 validation error detected: Value 'Q' at 'attributeDefinitions.1.member.attributeType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [B, N, S]",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified "
            "when BillingMode is PROVISIONED",
        ),
        (
            {"AttributeDefinitions": attributes(p="S", unused="S")},
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number "
            "of attributes defined in AttributeDefinitions",
        ),
        (
            {"SSESpecification": {"Enabled": True}},
            "One or more parameter values were invalid: Encryption with a key of KMS is not supported",
        ),
    ],
)
def test_a_bad_table_is_refused(dynamodb: Any, new_table: MakeTable, request_: dict[str, Any], message: str) -> None:
    with refused("ValidationException", 400, message):
        new_table(**request_)


def test_a_protected_table_is_deleted_only_after_its_protection_ended(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table(DeletionProtectionEnabled=True)
    message = (
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    )
    with refused("ValidationException", 400, message):
        dynamodb.delete_table(TableName=table)
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)


def test_throughput_and_billing_change(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table(BillingMode="PROVISIONED", ProvisionedThroughput=FIVE)
    ten = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
    assert dynamodb.update_table(TableName=table, ProvisionedThroughput=ten)["TableDescription"]["TableStatus"] == (
        "UPDATING"
    )
    told = dynamodb.describe_table(TableName=table)["Table"]
    assert told["TableStatus"] == "ACTIVE"
    assert told["ProvisionedThroughput"].items() > {**ten, "NumberOfDecreasesToday": 0}.items()
    with refused("ValidationException", 400):
        dynamodb.update_table(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=ten)
    dynamodb.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    told = dynamodb.describe_table(TableName=table)["Table"]
    assert told["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    dynamodb.update_table(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 40, "MaxWriteRequestUnits": 50})
    told = dynamodb.describe_table(TableName=table)["Table"]
    assert told["OnDemandThroughput"] == {"MaxReadRequestUnits": 40, "MaxWriteRequestUnits": 50}


def test_a_stream_is_turned_on_and_off(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    on = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    told = dynamodb.update_table(TableName=table, StreamSpecification=on)["TableDescription"]
    assert told["StreamSpecification"] == on
    assert told["LatestStreamArn"] == f"{told['TableArn']}/stream/{told['LatestStreamLabel']}"
    with refused("ValidationException", 400, f"Table already has an enabled stream: TableName: {table}"):
        dynamodb.update_table(TableName=table, StreamSpecification=on)
    told = dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})["TableDescription"]
    assert "StreamSpecification" not in told


def test_nothing_to_update_is_refused(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    with refused("ValidationException", 400):
        dynamodb.update_table(TableName=table)


def test_limits_and_endpoints_are_told(dynamodb: Any, cloud: CloudUnderTest) -> None:
    limits = dynamodb.describe_limits()
    assert limits["AccountMaxReadCapacityUnits"] >= limits["TableMaxReadCapacityUnits"] > 0
    assert limits["AccountMaxWriteCapacityUnits"] >= limits["TableMaxWriteCapacityUnits"] > 0
    [endpoint] = dynamodb.describe_endpoints()["Endpoints"]
    assert endpoint["CachePeriodInMinutes"] == 1440
    assert endpoint["Address"] in cloud.endpoint


def test_there_are_no_global_tables(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    assert dynamodb.list_global_tables()["GlobalTables"] == []
    missing = f"Global table not found: Global table with name: '{table}' does not exist."
    with refused("GlobalTableNotFoundException", 400, missing):
        dynamodb.describe_global_table(GlobalTableName=table)
    with refused("ValidationException", 400):
        dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])


def test_no_table_streams_to_kinesis(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table()
    told = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    assert (told["TableName"], told["KinesisDataStreamDestinations"]) == (table, [])
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    with refused("ValidationException", 400):
        dynamodb.enable_kinesis_streaming_destination(TableName=table, StreamArn=stream)
