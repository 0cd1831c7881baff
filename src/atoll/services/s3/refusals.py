"""What S3 operations accept in AWS's model and Atoll does not honour: each such member is refused, none is ignored.

Every input member of every operation served is either in HONOURED or has a rule in RULES; tests/unit/s3/test_refusals.py walks the
model and holds us to it. Where AWS has an answer for a bucket without the feature (no Object Lock), that is the answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws.errors import AwsError

Rule = Callable[[str, Any], None]
"""Takes the operation's name and the member's value; raises AwsError unless honouring the value changes nothing."""

_STORAGE_CLASSES_ELSEWHERE = frozenset(
    {
        "AWS_BACKUP_LOW_COST_WARM",
        "AWS_BACKUP_WARM",
        "DEEP_ARCHIVE",
        "EXPRESS_ONEZONE",
        "FSX_ONTAP",
        "FSX_OPENZFS",
        "GLACIER",
        "GLACIER_IR",
        "INTELLIGENT_TIERING",
        "ONEZONE_IA",
        "OUTPOSTS",
        "REDUCED_REDUNDANCY",
        "SNOW",
        "STANDARD_IA",
    }
)


def not_implemented() -> AwsError:
    return AwsError(
        "NotImplemented", "A header or query you provided implies functionality that is not implemented", 501
    )


def _refuse(_operation: str, value: Any) -> None:
    raise not_implemented()


def _refuse_unless(*harmless: Any) -> Rule:
    def rule(_operation: str, value: Any) -> None:
        if value not in harmless:
            raise not_implemented()

    return rule


def _storage_class(_operation: str, value: str) -> None:
    if value == "STANDARD":
        return
    if value in _STORAGE_CLASSES_ELSEWHERE:
        raise not_implemented()
    raise AwsError("InvalidStorageClass", "The storage class you specified is not valid", StorageClassRequested=value)


def _lock(_operation: str, value: Any) -> None:
    # No bucket has Object Lock, since CreateBucket refuses it; this is what AWS says of such a bucket.
    raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration")


def _unless_false(_operation: str, value: Any) -> None:
    if value is not False:
        raise not_implemented()


_READS = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "ListParts"})


def _customer_key(operation: str, value: str) -> None:
    if operation in _READS:
        raise AwsError("InvalidRequest", "The encryption parameters are not applicable to this object.")
    raise not_implemented()


def _request_payer(_operation: str, value: str) -> None:
    # On a bucket whose owner pays, which every bucket is, AWS takes the header and changes nothing.
    if value != "requester":
        raise AwsError(
            "InvalidArgument", "Invalid RequestPayer", ArgumentName="x-amz-request-payer", ArgumentValue=value
        )


def _bucket_configuration(_operation: str, value: Mapping[str, Any]) -> None:
    # What a directory bucket is made of.
    if value.keys() & {"Location", "Bucket"}:
        raise not_implemented()


RULES: dict[str, Rule] = {
    "CreateBucketConfiguration": _bucket_configuration,
    "ObjectLockEnabledForBucket": _unless_false,
    "ObjectLockMode": _lock,
    "ObjectLockRetainUntilDate": _lock,
    "ObjectLockLegalHoldStatus": _lock,
    "ObjectLockEventHold": _refuse,
    "ObjectLockEventHoldDurationDays": _refuse,
    "ObjectLockEventHoldDurationYears": _refuse,
    "ServerSideEncryption": _refuse,
    "SSEKMSKeyId": _refuse,
    "SSEKMSEncryptionContext": _refuse,
    "BucketKeyEnabled": _unless_false,
    "SSECustomerAlgorithm": _customer_key,
    "SSECustomerKey": _customer_key,
    "SSECustomerKeyMD5": _customer_key,
    "CopySourceSSECustomerAlgorithm": _refuse,
    "CopySourceSSECustomerKey": _refuse,
    "CopySourceSSECustomerKeyMD5": _refuse,
    "StorageClass": _storage_class,
    "WebsiteRedirectLocation": _refuse,
    "RequestPayer": _request_payer,
    "WriteOffsetBytes": _refuse,
    "MFA": _refuse,
    "BucketNamespace": _refuse_unless("global"),
    "AnnotationDirective": _refuse,
    "ChecksumSHA512": _refuse,
    "ChecksumMD5": _refuse,
    "ChecksumXXHASH64": _refuse,
    "ChecksumXXHASH3": _refuse,
    "ChecksumXXHASH128": _refuse,
    # Preconditions that AWS itself honours only on directory buckets.
    "IfMatchLastModifiedTime": _refuse,
    "IfMatchSize": _refuse,
    "IfMatchInitiatedTime": _refuse,
}
_RULED = frozenset(RULES)


def refuse_unsupported(operation: str, request: Mapping[str, Any]) -> None:
    """To be called first in every operation. Members of nested shapes are looked at where they are used."""
    for member in _RULED.intersection(request):
        RULES[member](operation, request[member])


_BUCKET = frozenset({"Bucket", "ExpectedBucketOwner"})
_OBJECT = _BUCKET | {"Key"}
_VERSION = _OBJECT | {"VersionId"}
_UPLOAD = _OBJECT | {"UploadId"}
_CHECKSUMS = frozenset({"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"})
_PAYLOAD = _CHECKSUMS | {"Body", "ContentLength", "ContentMD5", "ChecksumAlgorithm"}
_DOCUMENT = frozenset({"ContentMD5", "ChecksumAlgorithm"})
_HEADERS = frozenset(
    {"CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires", "Metadata"}
)
_CONDITIONS = frozenset({"IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince"})
_SOURCE = frozenset({"CopySource", "ExpectedSourceBucketOwner"}) | {f"CopySource{name}" for name in _CONDITIONS}
_OVERRIDES = frozenset(
    f"Response{name}"
    for name in (
        "CacheControl",
        "ContentDisposition",
        "ContentEncoding",
        "ContentLanguage",
        "ContentType",
        "Expires",
    )
)
_GET = _VERSION | _CONDITIONS | _OVERRIDES | {"Range", "PartNumber", "ChecksumMode"}
# OptionalObjectAttributes can only ask for RestoreStatus, which objects that were never archived do not have.
_LISTING = _BUCKET | {"Delimiter", "EncodingType", "MaxKeys", "Prefix", "OptionalObjectAttributes"}
_GRANTS = frozenset({"ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"})
_BUCKET_GRANTS = _GRANTS | {"GrantWrite"}
_WRITE_CONDITIONS = frozenset({"IfMatch", "IfNoneMatch"})
# Nothing is retained, as no bucket has Object Lock: there is nothing to bypass.
_BYPASS = frozenset({"BypassGovernanceRetention"})

# Of the shapes within requests. What is missing here is refused where the shape is used.
HONOURED_WITHIN: dict[str, frozenset[str]] = {
    "AccessControlPolicy": frozenset({"Grants", "Owner"}),
    "CORSConfiguration": frozenset({"CORSRules"}),
    "CORSRule": frozenset(
        {"ID", "AllowedHeaders", "AllowedMethods", "AllowedOrigins", "ExposeHeaders", "MaxAgeSeconds"}
    ),
    "CompletedMultipartUpload": frozenset({"Parts"}),
    "CompletedPart": _CHECKSUMS | {"ETag", "PartNumber"},
    "CreateBucketConfiguration": frozenset({"LocationConstraint", "Tags"}),
    "Delete": frozenset({"Objects", "Quiet"}),
    "Grant": frozenset({"Grantee", "Permission"}),
    "Grantee": frozenset({"DisplayName", "EmailAddress", "ID", "Type", "URI"}),
    "ObjectIdentifier": frozenset({"Key", "VersionId", "ETag"}),
    "Owner": frozenset({"DisplayName", "ID"}),
    "OwnershipControls": frozenset({"Rules"}),
    "OwnershipControlsRule": frozenset({"ObjectOwnership"}),
    "PublicAccessBlockConfiguration": frozenset(
        {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}
    ),
    "Tag": frozenset({"Key", "Value"}),
    "Tagging": frozenset({"TagSet"}),
    "VersioningConfiguration": frozenset({"Status"}),
}

HONOURED: dict[str, frozenset[str]] = {
    "AbortMultipartUpload": _UPLOAD,
    "CompleteMultipartUpload": _UPLOAD
    | _CHECKSUMS
    | _WRITE_CONDITIONS
    | {"MultipartUpload", "ChecksumType", "MpuObjectSize"},
    "CopyObject": _OBJECT
    | _SOURCE
    | _HEADERS
    | _GRANTS
    | _WRITE_CONDITIONS
    | {"ChecksumAlgorithm", "MetadataDirective", "TaggingDirective", "Tagging"},
    "CreateBucket": _BUCKET_GRANTS | {"Bucket", "ObjectOwnership"},
    "CreateMultipartUpload": _OBJECT | _HEADERS | _GRANTS | {"Tagging", "ChecksumAlgorithm", "ChecksumType"},
    "DeleteBucket": _BUCKET,
    "DeleteBucketOwnershipControls": _BUCKET,
    "DeleteBucketPolicy": _BUCKET,
    "DeleteBucketCors": _BUCKET,
    "DeleteBucketTagging": _BUCKET,
    "DeleteObject": _VERSION | _BYPASS | {"IfMatch"},
    "DeleteObjectTagging": _VERSION,
    "DeleteObjects": _BUCKET | _BYPASS | {"Delete", "ChecksumAlgorithm"},
    "DeletePublicAccessBlock": _BUCKET,
    "GetBucketAcl": _BUCKET,
    "GetBucketCors": _BUCKET,
    "GetBucketLocation": _BUCKET,
    "GetBucketOwnershipControls": _BUCKET,
    "GetBucketPolicy": _BUCKET,
    "GetBucketPolicyStatus": _BUCKET,
    "GetBucketTagging": _BUCKET,
    "GetBucketVersioning": _BUCKET,
    "GetObject": _GET,
    "GetObjectAcl": _VERSION,
    "GetObjectAttributes": _VERSION | {"MaxParts", "PartNumberMarker", "ObjectAttributes"},
    "GetObjectTagging": _VERSION,
    "GetPublicAccessBlock": _BUCKET,
    "HeadBucket": _BUCKET,
    "HeadObject": _GET,
    "ListBuckets": frozenset({"MaxBuckets", "ContinuationToken", "Prefix", "BucketRegion"}),
    "ListMultipartUploads": _BUCKET
    | {"Delimiter", "EncodingType", "KeyMarker", "MaxUploads", "Prefix", "UploadIdMarker"},
    "ListObjectVersions": _LISTING | {"KeyMarker", "VersionIdMarker"},
    "ListObjects": _LISTING | {"Marker"},
    "ListObjectsV2": _LISTING | {"ContinuationToken", "FetchOwner", "StartAfter"},
    "ListParts": _UPLOAD | {"MaxParts", "PartNumberMarker"},
    "PutBucketAcl": _BUCKET | _DOCUMENT | _BUCKET_GRANTS | {"AccessControlPolicy"},
    "PutBucketOwnershipControls": _BUCKET | _DOCUMENT | {"OwnershipControls"},
    "PutBucketPolicy": _BUCKET | _DOCUMENT | {"Policy", "ConfirmRemoveSelfBucketAccess"},
    "PutBucketCors": _BUCKET | _DOCUMENT | {"CORSConfiguration"},
    "PutBucketTagging": _BUCKET | _DOCUMENT | {"Tagging"},
    "PutBucketVersioning": _BUCKET | _DOCUMENT | {"VersioningConfiguration"},
    "PutObject": _OBJECT | _PAYLOAD | _HEADERS | _GRANTS | _WRITE_CONDITIONS | {"Tagging"},
    "PutObjectAcl": _VERSION | _DOCUMENT | _BUCKET_GRANTS | {"AccessControlPolicy"},
    "PutObjectTagging": _VERSION | _DOCUMENT | {"Tagging"},
    "PutPublicAccessBlock": _BUCKET | _DOCUMENT | {"PublicAccessBlockConfiguration"},
    "UploadPart": _UPLOAD | _PAYLOAD | {"PartNumber"},
    "UploadPartCopy": _UPLOAD | _SOURCE | {"CopySourceRange", "PartNumber"},
}
