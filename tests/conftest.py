"""What all suites share: which endpoint is under test, and that no test leaves a blob open."""

from collections.abc import Iterator

import pytest
from tests.support import open_blobs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--endpoint",
        default=None,
        help="Test this endpoint, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, instead of a server of our own.",
    )


@pytest.fixture(autouse=True)
def no_blob_is_left_open() -> Iterator[None]:
    before = open_blobs()
    yield
    assert open_blobs() == before
