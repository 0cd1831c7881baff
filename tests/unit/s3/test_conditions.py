"""Preconditions, and which wins."""

from datetime import UTC, datetime, timedelta

import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3 import conditions
from atoll.services.s3.records import Version

ETAG = "5d41402abc4b2a76b9719d911017c592"
VERSION = Version("null", "2026-11-22T14:35:36.000Z", etag=ETAG)
MADE = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)
EARLIER, LATER = MADE - timedelta(seconds=1), MADE + timedelta(seconds=1)
QUOTED = f'"{ETAG}"'


def outcome(check, *arguments):
    try:
        check(*arguments)
    except AwsError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"IfMatch": QUOTED}, 200),
        ({"IfMatch": ETAG}, 200),
        ({"IfMatch": "*"}, 200),
        ({"IfMatch": f'"x", W/{QUOTED}'}, 200),
        ({"IfMatch": '"x"'}, 412),
        ({"IfMatch": ""}, 412),
        ({"IfNoneMatch": '"x"'}, 200),
        ({"IfNoneMatch": QUOTED}, 304),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfModifiedSince": EARLIER}, 200),
        ({"IfModifiedSince": MADE}, 304),
        ({"IfModifiedSince": LATER}, 304),
        ({"IfUnmodifiedSince": EARLIER}, 412),
        ({"IfUnmodifiedSince": MADE}, 200),
        ({"IfUnmodifiedSince": MADE.replace(tzinfo=None)}, 200),
        # Tags overrule dates, and a failed guard overrules "unchanged".
        ({"IfMatch": QUOTED, "IfUnmodifiedSince": EARLIER}, 200),
        ({"IfMatch": '"x"', "IfUnmodifiedSince": LATER}, 412),
        ({"IfNoneMatch": '"x"', "IfModifiedSince": LATER}, 200),
        ({"IfNoneMatch": QUOTED, "IfModifiedSince": EARLIER}, 304),
        ({"IfMatch": '"x"', "IfNoneMatch": QUOTED}, 412),
        ({"IfMatch": QUOTED, "IfNoneMatch": QUOTED}, 304),
    ],
)
def test_of_a_read(asked, status):
    assert outcome(conditions.check_read, asked, VERSION) == status


def test_not_modified_tells_what_a_cache_needs():
    with pytest.raises(AwsError) as caught:
        conditions.check_read({"IfNoneMatch": QUOTED}, VERSION)
    assert caught.value.code == "NotModified"
    assert caught.value.headers == {"ETag": QUOTED, "Last-Modified": "Sun, 22 Nov 2026 14:35:36 GMT"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"CopySourceIfMatch": QUOTED, "CopySourceIfUnmodifiedSince": EARLIER}, 200),
        ({"CopySourceIfMatch": '"x"'}, 412),
        ({"CopySourceIfNoneMatch": QUOTED}, 412),
        ({"CopySourceIfNoneMatch": '"x"', "CopySourceIfModifiedSince": LATER}, 200),
        ({"CopySourceIfModifiedSince": LATER}, 412),
        ({"CopySourceIfUnmodifiedSince": EARLIER}, 412),
        ({"IfMatch": '"x"'}, 200),
    ],
)
def test_of_a_copys_source(asked, status):
    assert outcome(conditions.check_copy_source, asked, VERSION) == status


@pytest.mark.parametrize(
    ("asked", "existing", "status"),
    [
        ({"IfNoneMatch": "*"}, None, 200),
        ({"IfNoneMatch": "*"}, Version("v", "", delete_marker=True), 200),
        ({"IfNoneMatch": "*"}, VERSION, 412),
        ({"IfMatch": QUOTED}, VERSION, 200),
        ({"IfMatch": '"x"'}, VERSION, 412),
        ({"IfMatch": QUOTED}, None, 404),
        ({"IfMatch": QUOTED}, Version("v", "", delete_marker=True), 404),
    ],
)
def test_of_a_write(asked, existing, status):
    assert outcome(conditions.check_write, {"Key": "k", **asked}, existing) == status


@pytest.mark.parametrize("asked", [{"IfNoneMatch": QUOTED}, {"IfNoneMatch": "*", "IfMatch": QUOTED}])
def test_writes_ask_no_more_than_s3_offers(asked):
    assert outcome(conditions.check_write_members, asked) == 501
