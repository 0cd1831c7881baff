"""Whose the objects in a bucket are. Where the bucket's owner is enforced, which is how buckets are made, no ACL counts."""

from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, documents, grants, names
from atoll.services.s3.records import BUCKET_OWNER_ENFORCED, BUCKETS, Bucket, encode
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types


@s3.write("PutBucketOwnershipControls")
async def put_bucket_ownership_controls(call: Call, request: "types.PutBucketOwnershipControlsRequest") -> Reply:
    refuse_unsupported("PutBucketOwnershipControls", request)
    documents.check(call)
    rules = request["OwnershipControls"].get("Rules") or []
    wanted = rules[0].get("ObjectOwnership") if len(rules) == 1 else None
    if wanted not in buckets.OWNERSHIPS:
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        )
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if wanted == BUCKET_OWNER_ENFORCED and _shared(bucket):
        raise buckets.acl_against_ownership()
    bucket.ownership = wanted
    return _put(call, bucket)


@s3.read("GetBucketOwnershipControls")
async def get_bucket_ownership_controls(call: Call, request: "types.GetBucketOwnershipControlsRequest") -> Reply:
    refuse_unsupported("GetBucketOwnershipControls", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if not bucket.ownership:
        raise AwsError(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
            404,
            BucketName=bucket.name,
        )
    rules: list[dict[str, Any]] = [{"ObjectOwnership": bucket.ownership}]
    return {"OwnershipControls": {"Rules": rules}}


@s3.write("DeleteBucketOwnershipControls")
async def delete_bucket_ownership_controls(call: Call, request: "types.DeleteBucketOwnershipControlsRequest") -> Reply:
    refuse_unsupported("DeleteBucketOwnershipControls", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket.ownership = ""
    return _put(call, bucket)


def _shared(bucket: Bucket) -> bool:
    """Whether the bucket's ACL gives anything to others than its owner: that has to become a policy first."""
    owner = names.canonical_id(bucket.account)
    return any(who != owner for who, _ in grants.effective(bucket.acl, bucket.account))


def _put(call: Call, bucket: Bucket) -> Reply:
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}
