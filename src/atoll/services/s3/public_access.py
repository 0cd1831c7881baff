"""The public access block: four switches against what would open a bucket to everyone. New buckets have them all on."""

from typing import TYPE_CHECKING

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, documents
from atoll.services.s3.records import BUCKETS, NOT_BLOCKED, Block, Bucket, encode
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types


@s3.write("PutPublicAccessBlock")
async def put_public_access_block(call: Call, request: "types.PutPublicAccessBlockRequest") -> Reply:
    refuse_unsupported("PutPublicAccessBlock", request)
    documents.check(call)
    wanted = request["PublicAccessBlockConfiguration"]
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket.blocked = sum(block.value for block in Block if wanted.get(str(block.name)))
    return _put(call, bucket)


@s3.read("GetPublicAccessBlock")
async def get_public_access_block(call: Call, request: "types.GetPublicAccessBlockRequest") -> Reply:
    refuse_unsupported("GetPublicAccessBlock", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if bucket.blocked == NOT_BLOCKED:
        raise AwsError(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
            404,
            BucketName=bucket.name,
        )
    return {"PublicAccessBlockConfiguration": {block.name: bucket.blocks(block) for block in Block}}


@s3.write("DeletePublicAccessBlock")
async def delete_public_access_block(call: Call, request: "types.DeletePublicAccessBlockRequest") -> Reply:
    refuse_unsupported("DeletePublicAccessBlock", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket.blocked = NOT_BLOCKED
    return _put(call, bucket)


def _put(call: Call, bucket: Bucket) -> Reply:
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}
