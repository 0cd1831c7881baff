"""DeleteObjects: up to a thousand keys in one transaction, each with an outcome of its own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Permission, Reply
from atoll.services.s3 import buckets, documents, names, objects
from atoll.services.s3.refusals import not_implemented, refuse_unsupported
from atoll.services.s3.service import DELETE_ACTIONS, object_permission, s3

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

KEYS_PER_DELETE_MAX = 1000
Target = Mapping[str, Any]
"""One element of the request: Key, VersionId, ETag."""


@s3.stream("DeleteObjects")
async def delete_objects(call: Call, request: "types.DeleteObjectsRequest") -> Reply:
    refuse_unsupported("DeleteObjects", request)
    targets = request["Delete"].get("Objects") or []
    documents.check(call, required=True)
    _check(targets)
    # Asked before the transaction, which awaits nothing but its rows.
    denied = await _denied(call, request["Bucket"], targets)

    async def attempt(call: Call) -> list[tuple[Target, Reply | AwsError]]:
        bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
        outcomes: list[tuple[Target, Reply | AwsError]] = []
        for index, target in enumerate(targets):
            try:
                if index in denied:
                    raise denied[index]
                names.check_key(target["Key"])
                version_id = target.get("VersionId") or None
                removed = await objects.remove(call, bucket, target["Key"], version_id, target.get("ETag"))
            except AwsError as error:  # Of this key alone: a refused removal has written nothing.
                outcomes.append((target, error))
            else:
                outcomes.append((target, _deleted(target, removed.version_id, marker=removed.delete_marker)))
        return outcomes

    outcomes = await call.write(attempt)
    deleted = [outcome for _, outcome in outcomes if not isinstance(outcome, AwsError)]
    errors = [_error(target, outcome) for target, outcome in outcomes if isinstance(outcome, AwsError)]
    return {"Errors": errors} if request["Delete"].get("Quiet") else {"Deleted": deleted, "Errors": errors}


def _check(targets: Sequence[Target]) -> None:
    if not 1 <= len(targets) <= KEYS_PER_DELETE_MAX or not all(target.get("Key") for target in targets):
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        )
    # Conditions that AWS honours only on directory buckets.
    if any(target.keys() & {"LastModifiedTime", "Size"} for target in targets):
        raise not_implemented()


async def _denied(call: Call, bucket: str, targets: Sequence[Target]) -> dict[int, AwsError]:
    """The refused ones by their index. Most callers may delete all they name: that is asked in one go."""
    asked = [_permissions(bucket, target) for target in targets]
    try:
        await call.authorise(*(permission for permissions in asked for permission in permissions))
    except AwsError:
        pass
    else:
        return {}
    denied: dict[int, AwsError] = {}
    for index, permissions in enumerate(asked):
        try:
            await call.authorise(*permissions)
        except AwsError as error:
            denied[index] = error
    return denied


def _permissions(bucket: str, target: Target) -> list[Permission]:
    asked = {"VersionId": target["VersionId"]} if target.get("VersionId") else {}
    if target.get("ETag"):
        asked["IfMatch"] = target["ETag"]
    permissions = [object_permission(DELETE_ACTIONS, bucket, target["Key"], asked)]
    if asked.get("IfMatch", "*") != "*":
        # Who tries tags until one fits has read the tag.
        permissions.append(Permission("s3:GetObject", permissions[0].resource, permissions[0].context))
    return permissions


def _deleted(target: Target, version_id: str, *, marker: bool) -> Reply:
    deleted: Reply = {"Key": target["Key"]}
    if target.get("VersionId"):
        deleted["VersionId"] = target["VersionId"]
    if marker:
        deleted |= {"DeleteMarker": True, "DeleteMarkerVersionId": version_id}
    return deleted


def _error(target: Target, error: AwsError) -> Reply:
    told: Reply = {"Key": target["Key"], "Code": error.code, "Message": error.message}
    return told | {"VersionId": target["VersionId"]} if target.get("VersionId") else told
