"""How a test says that a call must be refused, and exactly how."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, status: int, message: str | None = None, **members: str) -> Iterator[None]:
    """The body must raise this error: its code, its status, its message and its further members, letter by letter."""
    with pytest.raises(ClientError) as caught:
        yield
    answer: dict[str, Any] = caught.value.response
    error = answer["Error"]
    seen = (error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
    assert seen == (code, status), f"refused with {seen}, {error.get('Message')!r}"
    if message is not None:
        assert error["Message"] == message
    assert {name: error.get(name) for name in members} == members


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """The code and the message with which a call is refused, for tests that go through many."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
