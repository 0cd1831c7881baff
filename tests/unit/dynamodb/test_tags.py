"""Tags; and the operations that have little to tell: limits, endpoints, global tables, Kinesis."""

import asyncio
import time

import pytest
from tests.support import ACCOUNT
from tests.unit.dynamodb.control import Control

from atoll.services.dynamodb import global_tables, kinesis, limits, tags  # noqa: F401

ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/music"
INVALID = "One or more parameter values were invalid: "


@pytest.fixture
def tables():
    control = Control()
    control.create(Tags=[{"Key": "first", "Value": "1"}])
    return control


def put(tables, **given):
    tables("TagResource", ResourceArn=ARN, Tags=[{"Key": key, "Value": value} for key, value in given.items()])


def told(tables):
    return {tag["Key"]: tag["Value"] for tag in tables("ListTagsOfResource", ResourceArn=ARN)["Tags"]}


def test_tags_are_put_replaced_and_taken_away(tables):
    put(tables, second="2", third="")
    put(tables, second="zwei")
    assert told(tables) == {"first": "1", "second": "zwei", "third": ""}
    tables("UntagResource", ResourceArn=ARN, TagKeys=["first", "never"])
    assert told(tables) == {"second": "zwei", "third": ""}


def test_tags_may_be_in_any_script(tables):
    put(tables, **{"законные буквы": "Ѯ ٣ a_.:/=+-@"})
    assert told(tables)["законные буквы"] == "Ѯ ٣ a_.:/=+-@"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        ([("k", "1"), ("k", "2")], "Duplicate Tag Keys provided as input: Duplicate Tag Key found k"),
        ([("aws:k", "1")], "Tag Key cannot be prefixed with aws:, Key: aws:k"),
        (
            [(str(number), "x") for number in range(50)],
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ),
        ([("k#", "v")], "The Tag Key provided is invalid, Key: k#"),
        ([("k", "#!")], "The Tag Value provided is invalid, Value: #!"),
    ],
)
def test_bad_tags_are_refused(tables, given, message):
    pairs = [{"Key": key, "Value": value} for key, value in given]
    assert tables.refused("TagResource", ResourceArn=ARN, Tags=pairs) == ("ValidationException", message)
    assert told(tables) == {"first": "1"}


def test_a_tag_to_take_away_must_be_named(tables):
    assert tables.refused("UntagResource", ResourceArn=ARN, TagKeys=[]) == (
        "ValidationException",
        "Atleast one Tag Key needs to be provided as Input.",
    )


@pytest.mark.parametrize(
    ("arn", "refusal"),
    [
        ("music", ("ValidationException", INVALID + "ARNs must start with 'arn:': music")),
        ("arn:no", ("ValidationException", "Invalid TableArn: Invalid ResourceArn provided as input arn:no")),
        (
            ARN + "/index/by",
            (
                "ValidationException",
                f"{INVALID}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: "
                f"{ARN}/index/by",
            ),
        ),
        (ARN + "x", ("ResourceNotFoundException", "Requested resource not found: Table: musicx not found")),
    ],
)
def test_tags_are_on_tables_named_by_arn(tables, arn, refusal):
    assert tables.refused("ListTagsOfResource", ResourceArn=arn) == refusal
    assert tables.refused("TagResource", ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}]) == refusal
    assert tables.refused("UntagResource", ResourceArn=arn, TagKeys=["k"]) == refusal


def test_limits_are_those_that_hold(tables):
    limit = tables("DescribeLimits")["TableMaxReadCapacityUnits"]
    too_much = {"ReadCapacityUnits": limit + 1, "WriteCapacityUnits": 1}
    assert tables.invalid(name="big", BillingMode="PROVISIONED", ProvisionedThroughput=too_much) == (
        f"{INVALID}Given value {limit + 1} for ReadCapacityUnits is out of bounds"
    )


def test_the_endpoint_is_the_one_that_was_asked(tables):
    reply = asyncio.run(tables.cloud("DescribeEndpoints", {"host": "here:8000"}))
    assert reply == {"Endpoints": [{"Address": "here:8000", "CachePeriodInMinutes": 1440}]}


def test_there_are_no_global_tables(tables):
    assert tables("ListGlobalTables") == {"GlobalTables": []}
    for operation in ("DescribeGlobalTable", "DescribeGlobalTableSettings"):
        assert tables.refused(operation, GlobalTableName="music") == (
            "GlobalTableNotFoundException",
            "Global table not found: Global table with name: 'music' does not exist.",
        )
    replicas = [{"RegionName": "eu-west-1"}]
    assert tables.refused("CreateGlobalTable", GlobalTableName="music", ReplicationGroup=replicas)[0] == (
        "ValidationException"
    )
    assert tables.refused("CreateGlobalTable", GlobalTableName="none", ReplicationGroup=replicas)[0] == (
        "TableNotFoundException"
    )


def test_nothing_streams_to_kinesis(tables):
    stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"
    assert tables("DescribeKinesisStreamingDestination", TableName="music") == {
        "TableName": "music",
        "KinesisDataStreamDestinations": [],
    }
    code, message = tables.refused("EnableKinesisStreamingDestination", TableName="music", StreamArn=stream)
    assert (code, stream in message) == ("ValidationException", True)


def test_tags_without_number_are_refused_in_little_time(tables):
    start = time.process_time()
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(100_000)]
    code, message = tables.refused("TagResource", ResourceArn=ARN, Tags=many)
    assert (code, message) == (
        "ValidationException",
        "Number of Tags exceed the current limit for the provided ResourceArn",
    )
    assert time.process_time() - start < 10
