"""The AWS SDK for JavaScript, version 3: it types every answer and checks every checksum."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.conftest import Program

SUITE = Path(__file__).parent / "javascript" / "suite.cjs"
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


@pytest.fixture(scope="module")
def node(program: Callable[[str], Program]) -> Program:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atoll" / "javascript"
    assert (cache / "node_modules").is_dir(), "the JavaScript SDK is not installed: run tools/install_test_tools.sh"
    found = program("node")
    found.env["ATOLL_NODE_PACKAGES"] = str(cache)
    return found


def test_every_check_of_the_suite_is_run(node: Program) -> None:
    assert node.run(SUITE, "--names").stdout.split() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_sdk_is_content(node: Program, bucket: str, name: str) -> None:
    node.run(SUITE, name, bucket)
