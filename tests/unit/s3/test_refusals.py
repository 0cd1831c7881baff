"""Every member an S3 operation may be sent is honoured or refused."""

import botocore.session
import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3.refusals import HONOURED, RULES, refuse_unsupported

MODEL = botocore.session.get_session().get_service_model("s3")


@pytest.mark.parametrize("operation", sorted(HONOURED))
def test_every_member_of_the_model_is_honoured_or_has_a_rule(operation):
    shape = MODEL.operation_model(operation).input_shape
    members = set(shape.members) if shape else set()
    assert members - HONOURED[operation] - set(RULES) == set()
    assert HONOURED[operation] - members == set(), "claims members the model does not have"
    assert HONOURED[operation] & set(RULES) == set(), "a member is honoured or refused, not both"


def test_every_rule_is_for_a_member_that_exists():
    members = {
        member
        for name in HONOURED
        for member in (
            MODEL.operation_model(name).input_shape.members if MODEL.operation_model(name).input_shape else ()
        )
    }
    assert set(RULES) - members <= {"MFADelete"}


def code_of(operation, **members):
    with pytest.raises(AwsError) as caught:
        refuse_unsupported(operation, members)
    return caught.value.code


@pytest.mark.parametrize(
    ("operation", "member", "value", "code"),
    [
        ("PutObject", "ServerSideEncryption", "AES256", "NotImplemented"),
        ("PutObject", "StorageClass", "GLACIER", "NotImplemented"),
        ("PutObject", "StorageClass", "CHEAP", "InvalidStorageClass"),
        ("PutObject", "ACL", "public-read", "AccessControlListNotSupported"),
        ("PutObject", "ACL", "everyone", "InvalidArgument"),
        ("PutObject", "GrantRead", "id=abc", "AccessControlListNotSupported"),
        ("PutObject", "ObjectLockMode", "GOVERNANCE", "InvalidRequest"),
        ("PutObject", "WebsiteRedirectLocation", "/elsewhere", "NotImplemented"),
        ("PutObject", "WriteOffsetBytes", 0, "NotImplemented"),
        ("PutObject", "RequestPayer", "someone", "InvalidArgument"),
        ("PutObject", "SSECustomerAlgorithm", "AES256", "NotImplemented"),
        ("GetObject", "SSECustomerAlgorithm", "AES256", "InvalidRequest"),
        ("CreateBucket", "ACL", "public-read", "InvalidBucketAclWithObjectOwnership"),
        ("CreateBucket", "ObjectOwnership", "ObjectWriter", "NotImplemented"),
        ("CreateBucket", "ObjectLockEnabledForBucket", True, "NotImplemented"),
        ("DeleteObject", "MFA", "serial 123456", "NotImplemented"),
        ("DeleteObject", "IfMatchSize", 0, "NotImplemented"),
    ],
)
def test_refusal(operation, member, value, code):
    assert code_of(operation, **{member: value}) == code


def test_values_that_change_nothing_are_accepted():
    refuse_unsupported("PutObject", {"Bucket": "b", "Key": "k", "ACL": "bucket-owner-full-control"})
    refuse_unsupported(
        "PutObject", {"StorageClass": "STANDARD", "RequestPayer": "requester", "BucketKeyEnabled": False}
    )
    refuse_unsupported("CreateBucket", {"ACL": "private", "ObjectOwnership": "BucketOwnerEnforced"})
    refuse_unsupported("CreateBucket", {"ObjectLockEnabledForBucket": False, "BucketNamespace": "global"})
    refuse_unsupported("DeleteObject", {"BypassGovernanceRetention": True})
