"""Preconditions of reads, copies, writes and deletes, and who wins when several are given. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.s3.records import Version

_READ_MEMBERS = frozenset({"IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince"})
_COPY_SOURCE_MEMBERS = {
    "CopySourceIfMatch": "IfMatch",
    "CopySourceIfNoneMatch": "IfNoneMatch",
    "CopySourceIfModifiedSince": "IfModifiedSince",
    "CopySourceIfUnmodifiedSince": "IfUnmodifiedSince",
}


def check_read(request: Mapping[str, Any], version: Version) -> None:
    """Of GetObject and HeadObject. Raises PreconditionFailed (412) or NotModified (304)."""
    if _READ_MEMBERS.isdisjoint(request):
        return
    failed = _failed_guard(request, version)
    if failed:
        raise precondition_failed(failed)
    if _is_unchanged(request, version):
        headers = {"ETag": f'"{version.etag}"', "Last-Modified": http_date(version.modified)}
        raise AwsError("NotModified", "Not Modified", 304, headers)


def check_copy_source(request: Mapping[str, Any], version: Version) -> None:
    """Of CopyObject and UploadPartCopy. Raises PreconditionFailed."""
    asked = {name: request[member] for member, name in _COPY_SOURCE_MEMBERS.items() if member in request}
    if not asked:
        return
    failed = _failed_guard(asked, version)
    if not failed and _is_unchanged(asked, version):
        failed = "If-None-Match" if "IfNoneMatch" in asked else "If-Modified-Since"
    if failed:
        raise precondition_failed(f"x-amz-copy-source-{failed}")


def check_write_members(request: Mapping[str, Any]) -> None:
    """What writes may ask: If-None-Match only of any object at all. To be called before a body is read."""
    if request.get("IfNoneMatch", "*") != "*" or {"IfMatch", "IfNoneMatch"} <= request.keys():
        raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)


def check_write(request: Mapping[str, Any], version: Version | None) -> None:
    """Of PutObject, CopyObject and CompleteMultipartUpload, inside their transaction; `version` is the current one.

    Raises PreconditionFailed, or NoSuchKey when there is nothing that could match.
    """
    exists = version is not None and not version.delete_marker
    if "IfNoneMatch" in request and exists:
        raise precondition_failed("If-None-Match")
    if "IfMatch" in request:
        if version is None or version.delete_marker:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=request["Key"])
        if not etag_in(request["IfMatch"], version.etag):
            raise precondition_failed("If-Match")


def is_write_conditional(request: Mapping[str, Any]) -> bool:
    return "IfMatch" in request or "IfNoneMatch" in request


def etag_in(header: str, etag: str) -> bool:
    """Whether an If-Match list names the tag; S3 takes tags with and without quotes."""
    if header.strip() == "*":
        return True
    return any(_bare(tag) == etag for tag in header.split(","))


def precondition_failed(condition: str) -> AwsError:
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
        Condition=condition,
    )


def http_date(modified: str) -> str:
    return format_datetime(datetime.fromisoformat(modified), usegmt=True)


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def _failed_guard(asked: Mapping[str, Any], version: Version) -> str:
    # RFC 9110, 13.2.2: If-Match overrules If-Unmodified-Since.
    if "IfMatch" in asked:
        return "" if etag_in(asked["IfMatch"], version.etag) else "If-Match"
    if "IfUnmodifiedSince" in asked and _seconds(version.modified) > _whole(asked["IfUnmodifiedSince"]):
        return "If-Unmodified-Since"
    return ""


def _is_unchanged(asked: Mapping[str, Any], version: Version) -> bool:
    # RFC 9110, 13.2.2: If-None-Match overrules If-Modified-Since.
    if "IfNoneMatch" in asked:
        return etag_in(asked["IfNoneMatch"], version.etag)
    return "IfModifiedSince" in asked and _seconds(version.modified) <= _whole(asked["IfModifiedSince"])


def _seconds(modified: str) -> int:
    return int(datetime.fromisoformat(modified).timestamp())


def _whole(moment: datetime) -> int:
    """HTTP dates are in UTC, whether or not the value says so."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp())
