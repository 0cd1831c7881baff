"""Which version a request means, by Key and VersionId; and what to say when there is none to work on."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from atoll.aws.errors import AwsError
from atoll.operation import Call, Permission, Reply
from atoll.services.s3 import access, buckets, conditions, names, versions
from atoll.services.s3.records import Bucket, Version

T = TypeVar("T")
_ABSENT_CODES = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})


@dataclass(frozen=True, slots=True)
class Meant:
    bucket: Bucket
    key: str
    order: int
    version: Version

    def version_member(self) -> Reply:
        """A bucket that never was versioned does not speak of versions."""
        return {"VersionId": self.version.version_id} if self.bucket.versioning else {}


async def find(call: Call, request: Mapping[str, Any]) -> Meant:
    """Raises NoSuchBucket, NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker asked for by its id."""
    key, version_id = request["Key"], request.get("VersionId")
    names.check_key(key)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    found = await (
        versions.current(call.tx, bucket, key)
        if version_id is None
        else versions.find(call.tx, bucket, key, version_id)
    )
    access.hold(call, bucket, key, found[1] if found else None)
    if found is None or found[1].delete_marker:
        raise _absent(call, request, found[1] if found else None)
    return Meant(bucket, key, *found)


async def veiled(call: Call, request: Mapping[str, Any], work: Awaitable[T]) -> T:
    """Awaits what uses `find`: who may not list a bucket may not learn which keys it lacks either.

    Permissions are rows of another service, so they are asked for outside the transaction.
    """
    try:
        return await work
    except AwsError as error:
        if error.code in _ABSENT_CODES:
            context = {"s3:prefix": request["Key"]}
            await call.authorise(Permission("s3:ListBucket", names.bucket_arn(request["Bucket"]), context))
        raise


def _absent(call: Call, request: Mapping[str, Any], marker: Version | None) -> AwsError:
    key, version_id = request["Key"], request.get("VersionId")
    headers = {}
    if marker is not None:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": marker.version_id}
    if version_id is None:
        return AwsError("NoSuchKey", "The specified key does not exist.", 404, headers, Key=key)
    if marker is None:
        return AwsError("NoSuchVersion", "The specified version does not exist.", 404, Key=key, VersionId=version_id)
    return AwsError(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        {**headers, "Allow": "DELETE", "Last-Modified": conditions.http_date(marker.modified)},
        Method=call.http.method,
        ResourceType="DeleteMarker",
    )
