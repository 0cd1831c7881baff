"""Which policies S3 takes for a bucket, which of them are public, and which ACLs it takes."""

import json

import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3 import bucket_policy, grants, names
from atoll.services.s3.grants import ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Parties

OWNER, OTHER = "000000000001", "000000000002"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b-1/*"}


def policy(**changes):
    statement = {name: value for name, value in (ALLOW | changes).items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refusal(text):
    with pytest.raises(AwsError) as caught:
        bucket_policy.check(text, "b-1")
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Resource": "*"},
        {"Resource": "arn:aws:s3:::b-*/x"},
        {"Resource": "arn:aws:s3:::*"},
        {"Action": "s3:*", "Resource": "arn:aws:s3:::b-1"},
        {"Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::b-1", "arn:aws:s3:::b-1/*"]},
        {"Action": "s3:GetBucketObjectLockConfiguration", "Resource": "arn:aws:s3:::b-1"},
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": OWNER}},
        {"Principal": {"CanonicalUser": names.canonical_id(OTHER)}},
        {"Resource": "arn:aws:s3:::b-1/${aws:username}/*"},
    ],
)
def test_a_policy_of_the_bucket(changes):
    bucket_policy.check(policy(**changes), "b-1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Effect": None}, "Missing required field Effect"),
        ({"Principal": None}, "Missing required field Principal"),
        ({"Action": None}, "Missing required field Action"),
        ({"Resource": None}, "Missing required field Resource"),
        ({"Effect": "Maybe"}, "Invalid effect: Maybe"),
        ({"Recource": "x"}, "Unknown field Recource"),
        ({"Action": "iam:GetUser"}, "Policy has invalid action"),
        ({"Action": [1]}, "Policy has invalid action"),
        ({"Resource": "arn:aws:s3:::b-2/*"}, "Policy has invalid resource"),
        ({"Resource": "b-1/*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::b-1"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Principal": {"AWS": "arn:aws:iam::someone:root"}}, "Invalid principal in policy"),
        ({"Principal": None, "NotPrincipal": {"AWS": OWNER}}, "Allow with NotPrincipal is not allowed."),
    ],
)
def test_no_policy_of_the_bucket(changes, message):
    assert refusal(policy(**changes)) == ("MalformedPolicy", message)


def test_a_policy_has_a_greatest_size_but_its_white_space_is_free():
    text = policy(Sid="x" * 20_000)
    bucket_policy.check(text + " " * 20_000, "b-1")
    assert refusal(policy(Sid="x" * 20_480))[0] == "PolicyTooLarge"


def condition(operator, key, value):
    return {"Condition": {operator: {key: value}}}


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": ["*"]}}, True),
        ({"Principal": {"AWS": OTHER}}, False),
        ({"Effect": "Deny"}, False),
        (condition("StringEquals", "aws:SourceVpc", "vpc-1"), False),
        (condition("StringLike", "aws:SourceVpc", "vpc-*"), True),
        (condition("StringEqualsIfExists", "aws:SourceVpc", "vpc-1"), True),
        (condition("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1"), True),
        (condition("StringNotEquals", "aws:SourceVpc", "vpc-1"), True),
        (condition("StringEquals", "aws:Referer", "here"), True),
        (condition("StringEquals", "aws:PrincipalOrgID", "${aws:x}"), True),
        (condition("IpAddress", "aws:SourceIp", "10.0.0.0/8"), False),
        (condition("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "0.0.0.0/1"]), True),
        (condition("IpAddress", "aws:SourceIp", "::/0"), True),
    ],
)
def test_what_is_public(changes, public):
    assert bucket_policy.is_public(policy(**changes)) is public


def test_canned_acls():
    me, them = names.canonical_id(OWNER), names.canonical_id(OTHER)

    def canned(name, parties):
        return grants.by_header({"ACL": name}, parties)

    own = Parties(OWNER, OWNER)
    assert canned("private", own) is None
    assert canned("public-read", own) == [(me, "FULL_CONTROL"), (ALL_USERS, "READ")]
    assert canned("public-read-write", own) == [(me, "FULL_CONTROL"), (ALL_USERS, "READ"), (ALL_USERS, "WRITE")]
    assert canned("authenticated-read", own) == [(me, "FULL_CONTROL"), (AUTHENTICATED_USERS, "READ")]
    assert canned("bucket-owner-read", own) is None
    assert canned("bucket-owner-read", Parties(OWNER, OTHER)) == [(me, "FULL_CONTROL"), (them, "READ")]
    assert canned("bucket-owner-full-control", Parties(OWNER, OTHER)) == [(me, "FULL_CONTROL"), (them, "FULL_CONTROL")]
    assert canned("log-delivery-write", Parties(OWNER))[1:] == [(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"ACL": "everyone"}, "InvalidArgument"),
        ({"ACL": "log-delivery-write"}, "InvalidArgument"),
        ({"ACL": "aws-exec-read"}, "NotImplemented"),
        ({"ACL": "private", "GrantRead": f"uri={ALL_USERS}"}, "InvalidRequest"),
        ({"GrantRead": "id=me"}, "InvalidArgument"),
        ({"GrantRead": "uri=http://example.com/all"}, "InvalidArgument"),
        ({"GrantRead": "everyone"}, "InvalidArgument"),
        ({"GrantRead": "name=x"}, "InvalidArgument"),
        ({"GrantRead": 'emailAddress="a@b.example"'}, "UnresolvableGrantByEmailAddress"),
        ({"GrantRead": ",".join([f"uri={ALL_USERS}"] * 101)}, "MalformedACLError"),
    ],
)
def test_acls_that_are_refused(request_, code):
    with pytest.raises(AwsError) as caught:
        grants.by_header(request_, Parties(OWNER, OWNER))
    assert caught.value.code == code


def test_grants_by_header():
    me = names.canonical_id(OWNER)
    request = {"GrantRead": f'uri="{ALL_USERS}", id={me}', "GrantFullControl": f'id="{me}"'}
    assert grants.by_header(request, Parties(OWNER, OWNER)) == [(me, "FULL_CONTROL"), (ALL_USERS, "READ"), (me, "READ")]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "MalformedACLError"),
        ({"Owner": {"ID": "x"}}, "AccessDenied"),
        ({"Grants": [{"Grantee": {"Type": "Group"}, "Permission": "READ"}]}, "MalformedACLError"),
        ({"Grants": [{"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "ALL"}]}, "MalformedACLError"),
        ({"Grants": [{"Permission": "READ"}]}, "MalformedACLError"),
    ],
)
def test_documents_that_are_refused(document, code):
    if "Grants" in document:
        document = {**document, "Owner": {"ID": names.canonical_id(OWNER)}}
    with pytest.raises(AwsError) as caught:
        grants.by_document(document, OWNER)
    assert caught.value.code == code


def test_an_acl_may_leave_its_owner_nothing():
    assert grants.by_document({"Owner": {"ID": names.canonical_id(OWNER)}}, OWNER) == []
    assert grants.told([], OWNER) == {"Owner": names.owner(OWNER), "Grants": []}
