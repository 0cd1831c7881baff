"""The AWS SDK for JavaScript, version 3: it types every answer and checks every checksum."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.conftest import CloudUnderTest, Program

SUITES = Path(__file__).parent / "javascript"
SUITE = SUITES / "suite.cjs"
DYNAMODB_SUITE = SUITES / "dynamodb.cjs"
NAMES = [
    "round_trip",
    "stream_with_trailing_checksum",
    "upload_in_parts",
    "listing",
    "bulk_delete",
    "errors_are_typed",
    "versions_and_copies",
    "presigned",
    "presigned_headers",
    "identity",
]
DYNAMODB_NAMES = [
    "every_type_comes_back",
    "conditions_and_counters",
    "pages_of_a_query",
    "transactions_tell_why",
    "partiql",
    "stream_of_changes",
    "errors_are_typed",
]


@pytest.fixture(scope="module")
def node(program: Callable[[str], Program]) -> Program:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atoll" / "javascript"
    assert (cache / "node_modules").is_dir(), "the JavaScript SDK is not installed: run tools/install_test_tools.sh"
    found = program("node")
    found.env["ATOLL_NODE_PACKAGES"] = str(cache)
    return found


def test_every_check_of_the_suite_is_run(node: Program) -> None:
    assert node.run(SUITE, "--names").stdout.split() == NAMES
    assert node.run(DYNAMODB_SUITE, "--names").stdout.split() == DYNAMODB_NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_sdk_is_content(node: Program, bucket: str, name: str) -> None:
    node.run(SUITE, name, bucket)


@pytest.fixture(scope="module")
def table_with_stream(cloud: CloudUnderTest) -> Iterator[str]:
    client = cloud.client("dynamodb")
    name = f"js-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "c", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.get_waiter("table_exists").wait(TableName=name)
    yield name
    client.delete_table(TableName=name)


@pytest.mark.parametrize("name", DYNAMODB_NAMES)
def test_the_dynamodb_sdk_is_content(node: Program, table_with_stream: str, name: str) -> None:
    node.run(DYNAMODB_SUITE, name, table_with_stream)
