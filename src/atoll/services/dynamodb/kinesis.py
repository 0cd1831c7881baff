"""Streaming of changes into Kinesis: there is no Kinesis here, so no table streams to any, and none can be made to."""

from typing import TYPE_CHECKING, Any

from atoll.operation import Call
from atoll.services.dynamodb import tables
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types


@dynamodb.read("DescribeKinesisStreamingDestination")
async def describe_kinesis_streaming_destination(
    call: Call, request: "types.DescribeKinesisStreamingDestinationInput"
) -> "types.DescribeKinesisStreamingDestinationOutput":
    table = await tables.find(call, request["TableName"], named=True)
    return {"TableName": table.name, "KinesisDataStreamDestinations": []}


@dynamodb.refusal("EnableKinesisStreamingDestination")
async def enable_kinesis_streaming_destination(call: Call, request: "types.KinesisStreamingDestinationInput") -> Any:
    await tables.find(call, request["TableName"], named=True)
    raise validation(f"There is no Kinesis data stream to stream to: {request['StreamArn']}")


@dynamodb.refusal("DisableKinesisStreamingDestination")
async def disable_kinesis_streaming_destination(call: Call, request: "types.KinesisStreamingDestinationInput") -> Any:
    await tables.find(call, request["TableName"], named=True)
    raise validation(
        "Table is not in a valid state to disable Kinesis Streaming Destination: "
        "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
    )


@dynamodb.refusal("UpdateKinesisStreamingDestination")
async def update_kinesis_streaming_destination(
    call: Call, request: "types.UpdateKinesisStreamingDestinationInput"
) -> Any:
    await tables.find(call, request["TableName"], named=True)
    raise validation(
        "Table is not in a valid state to update Kinesis Streaming Destination: "
        "KinesisStreamingDestination must be ACTIVE to perform UPDATE operation."
    )
