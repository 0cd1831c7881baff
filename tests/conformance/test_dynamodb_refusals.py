"""What one region without Kinesis can't have is refused in DynamoDB's own words, whichever way it is asked for."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refused

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


def test_a_table_is_made_global_in_no_way(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    with refused("ValidationException", 400):
        dynamodb.create_global_table(GlobalTableName=table, ReplicationGroup=[{"RegionName": "eu-west-1"}])
    with refused("TableNotFoundException", 400):
        dynamodb.create_global_table(GlobalTableName="no-such", ReplicationGroup=[{"RegionName": "eu-west-1"}])
    with refused("ValidationException", 400):
        dynamodb.describe_table_replica_auto_scaling(TableName=table)
    with refused("ValidationException", 400):
        dynamodb.update_table_replica_auto_scaling(TableName=table)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("describe_global_table_settings", {}),
        ("update_global_table", {"ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]}),
        ("update_global_table_settings", {"GlobalTableBillingMode": "PAY_PER_REQUEST"}),
    ],
)
def test_no_global_table_is_found(
    dynamodb: Any, new_table: Callable[..., str], operation: str, more: dict[str, Any]
) -> None:
    with refused("GlobalTableNotFoundException", 400):
        getattr(dynamodb, operation)(GlobalTableName=new_table(), **more)


@pytest.mark.parametrize("operation", ["disable_kinesis_streaming_destination", "update_kinesis_streaming_destination"])
def test_what_streams_to_no_kinesis_can_neither_be_stopped_nor_changed(
    dynamodb: Any, new_table: Callable[..., str], operation: str
) -> None:
    with refused("ValidationException", 400):
        getattr(dynamodb, operation)(TableName=new_table(), StreamArn=STREAM)
    with refused("ResourceNotFoundException", 400):
        getattr(dynamodb, operation)(TableName="no-such", StreamArn=STREAM)
