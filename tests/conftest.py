"""The one option all suites share: which endpoint is under test."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--endpoint",
        default=None,
        help="Test this endpoint, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, instead of a server of our own.",
    )
