"""For what a cloud does in its own time: asks until the answer is the one that is waited for."""

import time
from collections.abc import Callable
from typing import Any

SECONDS_MAX = 60.0
_EVERY_SECONDS = 0.1


def until(ask: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """The first answer that is `done`. Fails when none has come for a minute."""
    end = time.monotonic() + SECONDS_MAX
    while not done(answer := ask()):
        assert time.monotonic() < end, f"still waiting: {answer}"
        time.sleep(_EVERY_SECONDS)
    return answer


def items_of(dynamodb: Any, table: str) -> dict[str, Any]:
    """Everything in a table of boto3's tests, by partition key."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return {item["p"]["S"]: item for page in pages for item in page["Items"]}


def active(dynamodb: Any, table: str) -> Any:
    return until(
        lambda: dynamodb.describe_table(TableName=table)["Table"], lambda told: told["TableStatus"] == "ACTIVE"
    )
