"""The table of S3's operations, and what each asks of IAM before it runs.

What only shows inside an operation is asked there: a copy's source, each key of DeleteObjects, ListBucket for a missing key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from atoll.operation import Call, Permission, Request, Service
from atoll.services.s3.names import bucket_arn, object_arn

_BUCKET_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}
DELETE_ACTIONS = ("DeleteObject", "DeleteObjectVersion")
# Operations on one object. With a version id the action is asked for under a name of its own, where IAM has one.
_OBJECT_ACTIONS = {
    "GetObject": ("GetObject", "GetObjectVersion"),
    "HeadObject": ("GetObject", "GetObjectVersion"),
    "PutObject": ("PutObject", "PutObject"),
    "CopyObject": ("PutObject", "PutObject"),
    "DeleteObject": DELETE_ACTIONS,
    "CreateMultipartUpload": ("PutObject", "PutObject"),
    "UploadPart": ("PutObject", "PutObject"),
    "UploadPartCopy": ("PutObject", "PutObject"),
    "CompleteMultipartUpload": ("PutObject", "PutObject"),
    "AbortMultipartUpload": ("AbortMultipartUpload", "AbortMultipartUpload"),
    "ListParts": ("ListMultipartUploadParts", "ListMultipartUploadParts"),
    "GetObjectTagging": ("GetObjectTagging", "GetObjectVersionTagging"),
    "PutObjectTagging": ("PutObjectTagging", "PutObjectVersionTagging"),
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObjectAttributes": ("GetObjectAttributes", "GetObjectVersionAttributes"),
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
}
# Which members a policy's conditions may ask about, and how they call them.
_CONDITION_KEYS = (
    ("Prefix", "s3:prefix"),
    ("Delimiter", "s3:delimiter"),
    ("MaxKeys", "s3:max-keys"),
    ("VersionId", "s3:VersionId"),
    ("ACL", "s3:x-amz-acl"),
    ("GrantFullControl", "s3:x-amz-grant-full-control"),
    ("GrantRead", "s3:x-amz-grant-read"),
    ("GrantReadACP", "s3:x-amz-grant-read-acp"),
    ("GrantWrite", "s3:x-amz-grant-write"),
    ("GrantWriteACP", "s3:x-amz-grant-write-acp"),
    ("ObjectOwnership", "s3:x-amz-object-ownership"),
    ("StorageClass", "s3:x-amz-storage-class"),
    ("MetadataDirective", "s3:x-amz-metadata-directive"),
    ("CopySource", "s3:x-amz-copy-source"),
    ("IfMatch", "s3:if-match"),
    ("IfNoneMatch", "s3:if-none-match"),
    ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
    ("SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("SSECustomerAlgorithm", "s3:x-amz-server-side-encryption-customer-algorithm"),
)
_TAGGING_OPERATIONS = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_ACL_MEMBERS = frozenset({"ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"})


@dataclass(frozen=True, slots=True)
class OnNewBucket(Permission):
    """On a bucket that is only being made: one that is there under its name has no say."""


@dataclass(frozen=True, slots=True)
class AlongPut(Permission):
    """To say the ACL of an object as it is put: a bucket that lets a caller put lets it do that too, unless it denies it."""


def condition_context(request: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {name: str(request[member]) for member, name in _CONDITION_KEYS if member in request}
    if "Tagging" in request:
        context |= _tags_context(request["Tagging"])
    return context


def _tags_context(tagging: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(tagging, str):
        pairs = parse_qsl(tagging, keep_blank_values=True)
    else:
        pairs = [(tag.get("Key", ""), tag.get("Value", "")) for tag in tagging.get("TagSet") or []]
    tags = {f"s3:RequestObjectTag/{key}": value for key, value in pairs}
    return {**tags, "s3:RequestObjectTagKeys": [key for key, _ in pairs]}


def object_permission(actions: tuple[str, str], bucket: str, key: str, request: Mapping[str, Any]) -> Permission:
    """`actions` without and with a version id."""
    action = actions[1] if request.get("VersionId") is not None else actions[0]
    return Permission(f"s3:{action}", object_arn(bucket, key), condition_context(request))


def permits(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    if operation == "ListBuckets":
        return (Permission("s3:ListAllMyBuckets", "*"),)
    if operation == "DeleteObjects":
        return ()  # Asked for key by key: one refused key is one error in the answer.
    bucket = request["Bucket"]
    actions = _OBJECT_ACTIONS.get(operation)
    if actions is None:
        if operation == "CreateBucket":
            return _new_bucket(request)
        action = _BUCKET_ACTIONS.get(operation, operation)
        return (Permission(f"s3:{action}", bucket_arn(bucket), condition_context(request)),)
    key = request["Key"]
    asked = [object_permission(actions, bucket, key, request)]
    if operation == "GetObjectAttributes":
        asked.append(object_permission(_OBJECT_ACTIONS["GetObject"], bucket, key, request))
    if operation == "DeleteObject" and request.get("IfMatch", "*") != "*":
        # Who tries tags until one fits has read the tag.
        asked.append(object_permission(_OBJECT_ACTIONS["GetObject"], bucket, key, request))
    if operation in _TAGGING_OPERATIONS and request.get("Tagging"):
        asked.append(Permission("s3:PutObjectTagging", object_arn(bucket, key), asked[0].context))
    if operation in _TAGGING_OPERATIONS and not _ACL_MEMBERS.isdisjoint(request):
        asked.append(AlongPut("s3:PutObjectAcl", object_arn(bucket, key), asked[0].context))
    return asked


def _new_bucket(request: Mapping[str, Any]) -> Sequence[Permission]:
    actions = ["s3:CreateBucket"]
    if (request.get("CreateBucketConfiguration") or {}).get("Tags"):
        actions.append("s3:TagResource")
    if request.get("ACL", "private") != "private" or not (_ACL_MEMBERS - {"ACL"}).isdisjoint(request):
        actions.append("s3:PutBucketAcl")
    if "ObjectOwnership" in request:
        actions.append("s3:PutBucketOwnershipControls")
    context = condition_context(request)
    return [OnNewBucket(action, bucket_arn(request["Bucket"]), context) for action in actions]


s3 = Service("s3", permits)
