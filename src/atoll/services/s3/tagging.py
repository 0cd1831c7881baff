"""Tags of objects and buckets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, documents, lookup, tag_sets, versions
from atoll.services.s3.records import BUCKETS, encode
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types


@s3.stream("PutObjectTagging")
async def put_object_tagging(call: Call, request: "types.PutObjectTaggingRequest") -> Reply:
    refuse_unsupported("PutObjectTagging", request)
    documents.check(call)
    return await _retag(call, request, tag_sets.checked_for_object(request["Tagging"]["TagSet"]))


@s3.stream("DeleteObjectTagging")
async def delete_object_tagging(call: Call, request: "types.DeleteObjectTaggingRequest") -> Reply:
    refuse_unsupported("DeleteObjectTagging", request)
    return await _retag(call, request, [])


@s3.stream("GetObjectTagging")
async def get_object_tagging(call: Call, request: "types.GetObjectTaggingRequest") -> Reply:
    refuse_unsupported("GetObjectTagging", request)
    meant = await lookup.veiled(call, request, call.read(lambda call: lookup.find(call, request)))
    return {"TagSet": tag_sets.told(meant.version.tags), **meant.version_member()}


@s3.write("PutBucketTagging")
async def put_bucket_tagging(call: Call, request: "types.PutBucketTaggingRequest") -> Reply:
    refuse_unsupported("PutBucketTagging", request)
    documents.check(call)
    tags = tag_sets.checked_for_bucket(request["Tagging"]["TagSet"])
    return await _retag_bucket(call, request, tags)


@s3.write("DeleteBucketTagging")
async def delete_bucket_tagging(call: Call, request: "types.DeleteBucketTaggingRequest") -> Reply:
    refuse_unsupported("DeleteBucketTagging", request)
    return await _retag_bucket(call, request, [])


@s3.read("GetBucketTagging")
async def get_bucket_tagging(call: Call, request: "types.GetBucketTaggingRequest") -> Reply:
    refuse_unsupported("GetBucketTagging", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if not bucket.tags:
        raise AwsError("NoSuchTagSet", "The TagSet does not exist", 404, BucketName=bucket.name)
    return {"TagSet": tag_sets.told(bucket.tags)}


async def _retag(call: Call, request: Mapping[str, Any], tags: tag_sets.Tags) -> Reply:
    async def attempt(call: Call) -> Reply:
        meant = await lookup.find(call, request)
        meant.version.tags = tags
        await versions.replace(call, meant.bucket, meant.key, meant.order, meant.version)
        return meant.version_member()

    return await lookup.veiled(call, request, call.write(attempt))


async def _retag_bucket(call: Call, request: Mapping[str, Any], tags: tag_sets.Tags) -> Reply:
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket.tags = tags
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}
