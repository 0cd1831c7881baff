"""Every member an S3 operation may be sent is honoured or refused."""

import botocore.session
import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3.refusals import HONOURED, HONOURED_WITHIN, RULES, refuse_unsupported

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
    assert set(RULES) - members == set()


# Each is refused where its shape is used; the tests of that operation hold it to that.
REFUSED_WITHIN = {
    "CompletedPart": {"ChecksumSHA512", "ChecksumMD5", "ChecksumXXHASH64", "ChecksumXXHASH3", "ChecksumXXHASH128"},
    "CreateBucketConfiguration": {"Location", "Bucket"},
    "ObjectIdentifier": {"LastModifiedTime", "Size"},
    "VersioningConfiguration": {"MFADelete"},
}


def shapes_within(shape, seen):
    for member in shape.members.values() if shape.type_name == "structure" else [shape.member]:
        if member.type_name == "structure" and member.name not in seen:
            seen[member.name] = set(member.members)
            shapes_within(member, seen)
        elif member.type_name == "list":
            shapes_within(member, seen)
    return seen


def test_every_member_within_a_request_is_honoured_or_refused():
    seen = {}
    for name in HONOURED:
        shape = MODEL.operation_model(name).input_shape
        if shape:
            shapes_within(shape, seen)
    for outer in REFUSED_WITHIN["CreateBucketConfiguration"]:
        del seen[f"{outer}Info"]  # Refused as a whole.
    assert {name: HONOURED_WITHIN[name] | REFUSED_WITHIN.get(name, set()) for name in seen} == seen


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
        ("PutObject", "ObjectLockMode", "GOVERNANCE", "InvalidRequest"),
        ("PutObject", "WebsiteRedirectLocation", "/elsewhere", "NotImplemented"),
        ("PutObject", "WriteOffsetBytes", 0, "NotImplemented"),
        ("PutObject", "RequestPayer", "someone", "InvalidArgument"),
        ("PutObject", "SSECustomerAlgorithm", "AES256", "NotImplemented"),
        ("GetObject", "SSECustomerAlgorithm", "AES256", "InvalidRequest"),
        ("CreateBucket", "CreateBucketConfiguration", {"Bucket": {"Type": "Directory"}}, "NotImplemented"),
        ("CreateBucket", "CreateBucketConfiguration", {"Location": {"Name": "use1-az4"}}, "NotImplemented"),
        ("CreateBucket", "ObjectLockEnabledForBucket", True, "NotImplemented"),
        ("DeleteObject", "MFA", "serial 123456", "NotImplemented"),
        ("DeleteObject", "IfMatchSize", 0, "NotImplemented"),
    ],
)
def test_refusal(operation, member, value, code):
    assert code_of(operation, **{member: value}) == code


def test_values_that_change_nothing_are_accepted():
    refuse_unsupported(
        "PutObject", {"StorageClass": "STANDARD", "RequestPayer": "requester", "BucketKeyEnabled": False}
    )
    refuse_unsupported("CreateBucket", {"ObjectLockEnabledForBucket": False, "BucketNamespace": "global"})
    refuse_unsupported("DeleteObject", {"BypassGovernanceRetention": True})
