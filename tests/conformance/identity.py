"""What the tests of IAM and STS share: policy documents, and refusals as values."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Refusal:
    code: str
    status: int
    message: str


def refusal(call: Callable[..., Any], **request: Any) -> Refusal:
    """The error the call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer: dict[str, Any] = caught.value.response
    return Refusal(answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"])


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}
