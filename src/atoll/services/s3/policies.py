"""Bucket policies: put, told, deleted. Only the bucket's own account may, whatever the policy itself says."""

from typing import TYPE_CHECKING

from atoll.aws.errors import AwsError
from atoll.facts import unique_id
from atoll.operation import Call, Reply
from atoll.services.s3 import bucket_policy, buckets, documents, grants
from atoll.services.s3.records import BUCKET_OWNER_ENFORCED, BUCKETS, Block, Bucket, Document, encode
from atoll.services.s3.refusals import not_implemented, refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types


@s3.stream("PutBucketPolicy")
async def put_bucket_policy(call: Call, request: "types.PutBucketPolicyRequest") -> Reply:
    refuse_unsupported("PutBucketPolicy", request)
    documents.check(call)
    if request.get("ConfirmRemoveSelfBucketAccess"):
        raise not_implemented()  # It would lock the account's root out for good.
    text = request["Policy"]
    await call.read(lambda call: _find_own(call, request["Bucket"], request.get("ExpectedBucketOwner")))
    bucket_policy.check(text, request["Bucket"])
    document = Document(text, await _known(call, text))

    async def attempt(call: Call) -> None:
        bucket = await _find_own(call, request["Bucket"], request.get("ExpectedBucketOwner"))
        if bucket.blocks(Block.BlockPublicPolicy) and bucket_policy.is_public(text):
            raise AwsError(
                "AccessDenied",
                f"User: {call.identity.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"arn:aws:s3:::{bucket.name}" because public policies are prevented by the BlockPublicPolicy setting in '
                "S3 Block Public Access.",
                403,
            )
        bucket.has_policy = True
        call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
        bucket_policy.put(call.tx, bucket, encode(document))

    await call.write(attempt)
    return {}


@s3.read("GetBucketPolicy")
async def get_bucket_policy(call: Call, request: "types.GetBucketPolicyRequest") -> Reply:
    refuse_unsupported("GetBucketPolicy", request)
    bucket = await _find_own(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    if not bucket.has_policy:
        raise _no_policy(bucket)
    return {"Policy": (await bucket_policy.load(call.tx, bucket)).text}


@s3.read("GetBucketPolicyStatus")
async def get_bucket_policy_status(call: Call, request: "types.GetBucketPolicyStatusRequest") -> Reply:
    refuse_unsupported("GetBucketPolicyStatus", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    by_acl = bucket.ownership != BUCKET_OWNER_ENFORCED and grants.is_public(bucket.acl)
    by_policy = bucket.has_policy and bucket_policy.is_public((await bucket_policy.load(call.tx, bucket)).text)
    return {"PolicyStatus": {"IsPublic": by_acl or by_policy}}


@s3.write("DeleteBucketPolicy")
async def delete_bucket_policy(call: Call, request: "types.DeleteBucketPolicyRequest") -> Reply:
    refuse_unsupported("DeleteBucketPolicy", request)
    bucket = await _find_own(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket_policy.drop(call.tx, bucket)
    bucket.has_policy = False
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}


async def _find_own(call: Call, name: str, expected_owner: str | None) -> Bucket:
    bucket = await buckets.find(call, name, expected_owner)
    if bucket.account != call.account or call.identity.kind == "anonymous":
        raise AwsError(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            405,
            Method=call.http.method,
            ResourceType="BUCKETPOLICY",
        )
    return bucket


async def _known(call: Call, text: str) -> dict[str, str]:
    """The unique ids of the users and roles a policy names. Raises MalformedPolicy when one does not exist."""
    known: dict[str, str] = {}
    for arn in sorted(bucket_policy.users_and_roles(text)):
        found = await unique_id(call, arn)
        if found is None:
            raise AwsError("MalformedPolicy", "Invalid principal in policy", 400, Detail=f'"AWS" : "{arn}"')
        known[arn] = found
    return known


def _no_policy(bucket: Bucket) -> AwsError:
    return AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404, BucketName=bucket.name)
