"""Buckets: making, finding, listing and deleting them, and their versioning."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.blobs import references
from atoll.operation import Call, Reply
from atoll.services.s3 import access, bucket_policy, documents, grants, names, tag_sets
from atoll.services.s3.records import (
    BUCKET_OWNER_ENFORCED,
    BUCKETS,
    CORS_ROW,
    Bucket,
    decode_bucket,
    decode_part,
    encode,
)
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.services.s3.versions import ENABLED, SUSPENDED, modified_at
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

BUCKETS_PER_ACCOUNT_MAX = 10_000
PARTS_PER_TRANSACTION_MAX = 1000
OWNERSHIPS = frozenset({BUCKET_OWNER_ENFORCED, "BucketOwnerPreferred", "ObjectWriter"})
LEGACY_REGION = "us-east-1"  # Where making your own bucket again succeeds, and LocationConstraint stays unsaid.
# fmt: off
_REGIONS = frozenset({
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1",
    "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
    "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-2",
    "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
})
# fmt: on


@s3.write("CreateBucket")
async def create_bucket(call: Call, request: "types.CreateBucketRequest") -> "types.CreateBucketOutput":
    refuse_unsupported("CreateBucket", request)
    name = request["Bucket"]
    names.check_new_bucket(name)
    configuration = request.get("CreateBucketConfiguration") or {}
    region = _new_bucket_region(call, configuration.get("LocationConstraint"))
    tags = tag_sets.checked_for_bucket(configuration.get("Tags") or [])
    bucket = Bucket(name, ids.new_hex(16), call.account, region, call.now, tags=tags)
    _take_ownership(bucket, request)
    existing = await _load(call, name)
    if existing is None:
        await _put_new(call, bucket)
    elif existing.account != call.account:
        raise AwsError(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
            409,
            BucketName=name,
        )
    elif existing.region != region or region != LEGACY_REGION:
        raise AwsError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
            BucketName=name,
        )
    return {"Location": f"/{name}", "BucketArn": names.bucket_arn(name)}


@s3.read("HeadBucket")
async def head_bucket(call: Call, request: "types.HeadBucketRequest") -> "types.HeadBucketOutput":
    bucket = await find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    return {"BucketRegion": bucket.region, "BucketArn": names.bucket_arn(bucket.name), "AccessPointAlias": False}


@s3.read("GetBucketLocation")
async def get_bucket_location(call: Call, request: "types.GetBucketLocationRequest") -> "types.GetBucketLocationOutput":
    bucket = await find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    return {} if bucket.region == LEGACY_REGION else {"LocationConstraint": bucket.region}


@s3.stream("DeleteBucket")
async def delete_bucket(call: Call, request: "types.DeleteBucketRequest") -> Reply:
    # Unfinished uploads go with their bucket. Most have few parts, and all goes in one transaction; many parts take several.
    async def attempt(call: Call) -> bool:
        bucket = await find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
        if await call.tx.scan(bucket.shelf("o"), b"", None, 1):
            advice = ". You must delete all versions in the bucket." if bucket.versioning else ""
            message = f"The bucket you tried to delete is not empty{advice}"
            raise AwsError("BucketNotEmpty", message, 409, BucketName=bucket.name)
        return await _delete_uploads(call, bucket) and _delete(call, bucket)

    while not await call.write(attempt):
        pass
    return {}


@s3.read("ListBuckets")
async def list_buckets(call: Call, request: "types.ListBucketsRequest") -> Reply:
    most = request.get("MaxBuckets", BUCKETS_PER_ACCOUNT_MAX)
    if not 1 <= most <= BUCKETS_PER_ACCOUNT_MAX:
        raise AwsError("InvalidArgument", "MaxBuckets must be between 1 and 10000", 400, ArgumentName="max-buckets")
    prefix, region = request.get("Prefix") or "", request.get("BucketRegion")
    start = keys.open_text(prefix)
    first = max(start, keys.pack(request.get("ContinuationToken") or ""))
    rows = await call.tx.scan(_owned(call.account), first, keys.after(start), BUCKETS_PER_ACCOUNT_MAX)
    buckets = [bucket for bucket in (decode_bucket(row) for _, row in rows) if region in {None, bucket.region}]
    narrowed = request.keys() & {"MaxBuckets", "Prefix", "BucketRegion", "ContinuationToken"}
    reply: Reply = {
        "Owner": names.owner(call.account),
        "Buckets": [_listed(bucket, with_region=bool(narrowed)) for bucket in buckets[:most]],
    }
    if prefix:
        reply["Prefix"] = prefix
    if len(buckets) > most:
        reply["ContinuationToken"] = buckets[most].name
    return reply


@s3.write("PutBucketVersioning")
async def put_bucket_versioning(call: Call, request: "types.PutBucketVersioningRequest") -> Reply:
    refuse_unsupported("PutBucketVersioning", request)
    documents.check(call)
    wanted = request["VersioningConfiguration"]
    status = wanted.get("Status")
    if wanted.get("MFADelete") == "Enabled":
        raise AwsError("NotImplemented", "MFA delete is not implemented.", 501)
    if status is None:
        raise AwsError("IllegalVersioningConfigurationException", "The Versioning element must be specified", 400)
    if status not in {ENABLED, SUSPENDED}:
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        )
    bucket = await find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    bucket.versioning = status
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    return {}


@s3.read("GetBucketVersioning")
async def get_bucket_versioning(
    call: Call, request: "types.GetBucketVersioningRequest"
) -> "types.GetBucketVersioningOutput":
    bucket = await find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    return {"Status": bucket.versioning} if bucket.versioning else {}


async def find(call: Call, name: str, expected_owner: str | None = None) -> Bucket:
    """Raises NoSuchBucket, or AccessDenied when it is another account's, unless this call was let into this very bucket."""
    bucket = await _load(call, name)
    if bucket is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    if not access.admits(call, bucket) or expected_owner not in {None, bucket.account}:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


async def _load(call: Call, name: str) -> Bucket | None:
    row = await call.tx.get(BUCKETS, keys.pack(name))
    return None if row is None else decode_bucket(row)


def acl_against_ownership() -> AwsError:
    return AwsError(
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        400,
    )


def _take_ownership(bucket: Bucket, request: Mapping[str, Any]) -> None:
    bucket.ownership = request.get("ObjectOwnership", BUCKET_OWNER_ENFORCED)
    if bucket.ownership not in OWNERSHIPS:
        raise AwsError(
            "InvalidArgument",
            "Invalid x-amz-object-ownership header: " + bucket.ownership,
            400,
            ArgumentName="x-amz-object-ownership",
        )
    bucket.acl = grants.by_header(request, grants.Parties(bucket.account))
    if bucket.acl is not None and bucket.ownership == BUCKET_OWNER_ENFORCED:
        raise acl_against_ownership()
    if grants.is_public(bucket.acl):
        raise AwsError(
            "InvalidBucketAclWithBlockPublicAccessError",
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
            400,
        )


async def _put_new(call: Call, bucket: Bucket) -> None:
    owned = await call.tx.scan(_owned(call.account), b"", None, BUCKETS_PER_ACCOUNT_MAX)
    if len(owned) >= BUCKETS_PER_ACCOUNT_MAX:
        raise AwsError("TooManyBuckets", "You have attempted to create more buckets than allowed", 400)
    call.tx.put(BUCKETS, keys.pack(bucket.name), encode(bucket))
    call.tx.put(_owned(call.account), keys.pack(bucket.name), encode(bucket))


def _delete(call: Call, bucket: Bucket) -> bool:
    call.tx.delete(BUCKETS, keys.pack(bucket.name))
    call.tx.delete(_owned(bucket.account), keys.pack(bucket.name))
    call.tx.delete(bucket.shelf("c"), CORS_ROW)
    bucket_policy.drop(call.tx, bucket)
    return True


async def _delete_uploads(call: Call, bucket: Bucket) -> bool:
    """Answers whether that was all of them."""
    parts = await call.tx.scan(bucket.shelf("p"), b"", None, PARTS_PER_TRANSACTION_MAX)
    for row_key, row in parts:
        part = decode_part(row)
        if part.ref:
            references.drop(call.tx, sorted({piece.blob_id for piece in part.pieces}), part.ref, call.now)
        call.tx.delete(bucket.shelf("p"), row_key)
    uploads = await call.tx.scan(bucket.shelf("u"), b"", None, PARTS_PER_TRANSACTION_MAX)
    for row_key, _ in uploads:
        call.tx.delete(bucket.shelf("u"), row_key)
    return len(parts) < PARTS_PER_TRANSACTION_MAX and len(uploads) < PARTS_PER_TRANSACTION_MAX


def _owned(account: str) -> bytes:
    return f"{account}/global/s3/owned".encode()


def _listed(bucket: Bucket, *, with_region: bool) -> dict[str, str]:
    listed = {
        "Name": bucket.name,
        "CreationDate": modified_at(bucket.created),
        "BucketArn": names.bucket_arn(bucket.name),
    }
    return listed | {"BucketRegion": bucket.region} if with_region else listed


def _new_bucket_region(call: Call, wanted: str | None) -> str:
    """us-east-1 is S3's global endpoint and makes buckets anywhere; every other region makes its own only."""
    if wanted == "EU":
        wanted = "eu-west-1"
    known = wanted is None or (wanted in _REGIONS | {call.cloud.region} and wanted != LEGACY_REGION)
    if not known:
        raise AwsError(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            400,
            LocationConstraint=wanted,
        )
    here = call.region
    if here not in {LEGACY_REGION, wanted}:
        raise AwsError(
            "IllegalLocationConstraintException",
            f"The {wanted or 'unspecified'} location constraint is incompatible for the region specific endpoint "
            "this request was sent to.",
            400,
        )
    return wanted or LEGACY_REGION
