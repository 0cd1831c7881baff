"""The table of S3's operations, and what each asks of IAM before it runs.

What only shows inside an operation is asked there: a copy's source, each key of DeleteObjects, ListBucket for a missing key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
    ("StorageClass", "s3:x-amz-storage-class"),
    ("MetadataDirective", "s3:x-amz-metadata-directive"),
    ("CopySource", "s3:x-amz-copy-source"),
    ("IfMatch", "s3:if-match"),
    ("IfNoneMatch", "s3:if-none-match"),
    ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
)
_TAGGING_OPERATIONS = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})


def condition_context(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(request[member]) for member, name in _CONDITION_KEYS if member in request}


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
        action = _BUCKET_ACTIONS.get(operation, operation)
        bucket_asked = [Permission(f"s3:{action}", bucket_arn(bucket), condition_context(request))]
        if operation == "CreateBucket" and (request.get("CreateBucketConfiguration") or {}).get("Tags"):
            bucket_asked.append(Permission("s3:TagResource", bucket_arn(bucket)))
        return bucket_asked
    key = request["Key"]
    asked = [object_permission(actions, bucket, key, request)]
    if operation == "GetObjectAttributes":
        asked.append(object_permission(_OBJECT_ACTIONS["GetObject"], bucket, key, request))
    if operation == "DeleteObject" and request.get("IfMatch", "*") != "*":
        # Who tries tags until one fits has read the tag.
        asked.append(object_permission(_OBJECT_ACTIONS["GetObject"], bucket, key, request))
    if operation in _TAGGING_OPERATIONS and request.get("Tagging"):
        asked.append(Permission("s3:PutObjectTagging", object_arn(bucket, key), asked[0].context))
    return asked


s3 = Service("s3", permits)
