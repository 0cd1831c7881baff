"""The access control lists of buckets and objects: set, told, and given to what is new.

Where a bucket's owner is enforced (see ownership) lists are told as the owner's alone, and can be set to nothing else.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, documents, grants, lookup, versions
from atoll.services.s3.grants import Parties
from atoll.services.s3.records import BUCKET_OWNER_ENFORCED, BUCKETS, Block, Bucket, Grants, Upload, Version, encode
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

# All that an enforced bucket takes on an object, for it changes nothing there.
_WITHOUT_EFFECT = "bucket-owner-full-control"


@s3.write("PutBucketAcl")
async def put_bucket_acl(call: Call, request: "types.PutBucketAclRequest") -> Reply:
    refuse_unsupported("PutBucketAcl", request)
    documents.check(call)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if bucket.ownership == BUCKET_OWNER_ENFORCED:
        _check_without_effect(bucket, request)
        return {}
    bucket.acl = _unblocked(bucket, _wanted(request, Parties(bucket.account)))
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}


@s3.read("GetBucketAcl")
async def get_bucket_acl(call: Call, request: "types.GetBucketAclRequest") -> Reply:
    refuse_unsupported("GetBucketAcl", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    return grants.told(bucket.acl, bucket.account)


@s3.stream("PutObjectAcl")
async def put_object_acl(call: Call, request: "types.PutObjectAclRequest") -> Reply:
    refuse_unsupported("PutObjectAcl", request)
    documents.check(call)

    async def attempt(call: Call) -> None:
        meant = await lookup.find(call, request)
        if meant.bucket.ownership == BUCKET_OWNER_ENFORCED:
            _check_without_effect(meant.bucket, request)
            return
        parties = Parties(meant.version.owner, meant.bucket.account)
        meant.version.acl = _unblocked(meant.bucket, _wanted(request, parties))
        await versions.replace(call, meant.bucket, meant.key, meant.order, meant.version)

    await lookup.veiled(call, request, call.write(attempt))
    return {}


@s3.stream("GetObjectAcl")
async def get_object_acl(call: Call, request: "types.GetObjectAclRequest") -> Reply:
    refuse_unsupported("GetObjectAcl", request)
    meant = await lookup.veiled(call, request, call.read(lambda call: lookup.find(call, request)))
    if meant.bucket.ownership == BUCKET_OWNER_ENFORCED:
        return grants.told(None, meant.bucket.account)
    return grants.told(meant.version.acl, meant.version.owner, meant.bucket.account)


def give(call: Call, bucket: Bucket, request: Mapping[str, Any], new: Version | Upload) -> None:
    """Inside a transaction: an object to be made gets its owner and its list, as the bucket's ownership has it."""
    if bucket.ownership == BUCKET_OWNER_ENFORCED:
        new.owner = bucket.account
        # From the owner, "private" is what the object has anyway. AWS refuses even that; rclone says it with every upload.
        own_private = request.get("ACL") == "private" and _writer(call) == bucket.account
        if grants.asked(request) and not own_private:
            _check_without_effect(bucket, request)
        return
    theirs = bucket.ownership == "BucketOwnerPreferred" and request.get("ACL") == _WITHOUT_EFFECT
    new.owner = bucket.account if theirs else _writer(call)
    new.acl = _unblocked(bucket, grants.by_header(request, Parties(new.owner, bucket.account)))


def _check_without_effect(bucket: Bucket, request: Mapping[str, Any]) -> None:
    """Raises AccessControlListNotSupported unless the list is what an enforced bucket's are anyway, said in any way."""
    wanted = _wanted(request, Parties(bucket.account, bucket.account))
    if request.get("ACL", _WITHOUT_EFFECT) != _WITHOUT_EFFECT or wanted not in (
        None,
        grants.effective(None, bucket.account),
    ):
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)


def _writer(call: Call) -> str:
    return "" if call.identity.kind == "anonymous" else call.account


def _wanted(request: Mapping[str, Any], parties: Parties) -> Grants | None:
    document, by_header = request.get("AccessControlPolicy"), grants.asked(request)
    if document and by_header:
        raise AwsError("UnexpectedContent", "This request does not support content", 400)
    if by_header:
        return grants.by_header(request, parties)
    if not document:
        raise AwsError("MissingSecurityHeader", "Your request was missing a required header", 400)
    return grants.by_document(document, parties.owner)


def _unblocked(bucket: Bucket, acl: Grants | None) -> Grants | None:
    if grants.is_public(acl) and bucket.blocks(Block.BlockPublicAcls):
        raise AwsError("AccessDenied", "Access Denied", 403)
    return acl
