"""The Range header."""

import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3 import ranges


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-5", 10, (2, 4)),
        ("bytes=2-", 10, (2, 8)),
        ("bytes=2-100", 10, (2, 8)),
        ("bytes=-3", 10, (7, 3)),
        ("bytes=-30", 10, (0, 10)),
        ("BYTES=0-9", 10, (0, 10)),
        ("bytes= 1 - 2 ", 10, (1, 2)),
    ],
)
def test_one_range_is_a_first_byte_and_a_length(header, size, span):
    assert ranges.resolve(header, size) == span


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes 0-1", "bytes=1-2-3"],
)
def test_what_is_not_one_range_means_the_whole_object(header):
    assert ranges.resolve(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=-5", 0), ("bytes=0-", 0)]
)
def test_a_range_that_means_no_byte_is_refused(header, size):
    with pytest.raises(AwsError) as caught:
        ranges.resolve(header, size)
    error = caught.value
    assert (error.code, error.status) == ("InvalidRange", 416)
    assert error.fields == {"RangeRequested": header, "ActualObjectSize": size}


def test_content_range_names_the_last_byte():
    assert ranges.content_range(2, 4, 10) == "bytes 2-5/10"
