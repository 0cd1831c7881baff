"""A token makes a transaction happen once in ten minutes, and then it is gone."""

import asyncio
from typing import Any

import pytest
from tests.support import ACCOUNT, TestCloud

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import items, records, tables, tokens, transactions  # noqa: F401 - operations
from atoll.services.dynamodb.records import TOKENS
from atoll.services.dynamodb.service import dynamodb


def _cloud() -> TestCloud:
    cloud = TestCloud(dynamodb)
    _run(
        cloud,
        "CreateTable",
        TableName="table",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return cloud


def _run(cloud: TestCloud, operation: str, **request: Any) -> dict[str, Any]:
    return asyncio.run(cloud(operation, **request))


def _add(cloud: TestCloud, number: str, token: str) -> dict[str, Any]:
    update = {
        "TableName": "table",
        "Key": {"p": {"S": "a"}},
        "UpdateExpression": "ADD n :n",
        "ExpressionAttributeValues": {":n": {"N": number}},
    }
    return _run(cloud, "TransactWriteItems", TransactItems=[{"Update": update}], ClientRequestToken=token)


def _count(cloud: TestCloud) -> int:
    reply = _run(cloud, "GetItem", TableName="table", Key={"p": {"S": "a"}}, ProjectionExpression="n")
    return int(reply["Item"]["n"]["N"])


def _tokens(cloud: TestCloud) -> list[tuple[bytes, bytes]]:
    shelf = records.shelf(ACCOUNT, "us-east-1", "tokens")
    return [key for key in cloud.store.rows if key[0] in (shelf, TOKENS)]


def test_a_token_is_good_for_ten_minutes() -> None:
    cloud = _cloud()
    _add(cloud, "1", "token")
    cloud.time += tokens.KEPT_SECONDS - 1
    _add(cloud, "1", "token")
    assert _count(cloud) == 1
    cloud.time += 1
    _add(cloud, "1", "token")
    assert _count(cloud) == 2


def test_a_token_stands_for_what_it_first_stood_for() -> None:
    cloud = _cloud()
    _add(cloud, "1", "token")
    with pytest.raises(AwsError) as caught:
        _add(cloud, "2", "token")
    assert caught.value.code == "IdempotentParameterMismatchException"
    _add(cloud, "1.00", "token")
    assert _count(cloud) == 1


def test_tokens_that_are_over_are_swept() -> None:
    cloud = _cloud()
    _add(cloud, "1", "old")
    cloud.time += tokens.KEPT_SECONDS - 100
    _add(cloud, "1", "new")
    asyncio.run(tokens.sweep(cloud.store, cloud.time))
    assert len(_tokens(cloud)) == 4
    cloud.time += 101
    asyncio.run(tokens.sweep(cloud.store, cloud.time))
    assert len(_tokens(cloud)) == 2
    _add(cloud, "1", "new")
    assert _count(cloud) == 2


def test_a_token_used_again_outlives_the_sweep_of_its_first_use() -> None:
    cloud = _cloud()
    _add(cloud, "1", "token")
    cloud.time += tokens.KEPT_SECONDS
    _add(cloud, "1", "token")
    cloud.time += 2
    asyncio.run(tokens.sweep(cloud.store, cloud.time))
    _add(cloud, "1", "token")
    assert _count(cloud) == 2
