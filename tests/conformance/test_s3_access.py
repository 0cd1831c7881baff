"""Who may do what to buckets and objects: owners, other accounts, users of IAM, and nobody known."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.identity import document
from tests.conformance.refusals import refused
from tests.conformance.test_cli import atoll

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@pytest.fixture(scope="module")
def other_account(cloud: CloudUnderTest) -> dict[str, str]:
    """Its id and its root's keys."""
    made: dict[str, str] = json.loads(atoll("account", "add", "other", data=cloud.server.data).stdout)
    return made


@pytest.fixture(scope="module")
def other(cloud: CloudUnderTest, other_account: dict[str, str]) -> Any:
    keys = {
        "aws_access_key_id": other_account["access_key_id"],
        "aws_secret_access_key": other_account["secret_access_key"],
    }
    return cloud.client("s3", **keys)


@pytest.fixture(scope="module")
def nobody(cloud: CloudUnderTest) -> Any:
    return cloud.client("s3", config=Config(signature_version=UNSIGNED))


@pytest.fixture
def user(cloud: CloudUnderTest) -> Iterator[tuple[Any, str]]:
    """A user of the bucket's own account without any policy: its client and its ARN."""
    iam, name = cloud.client("iam"), f"u-{uuid.uuid4().hex[:12]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = cloud.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    yield client, arn
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


@pytest.fixture
def open_bucket(s3: Any, new_bucket: Callable[..., str]) -> str:
    """As buckets were before 2023: ACLs count, and nothing is blocked."""
    name = new_bucket(ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    return name


def say(effect: str, principal: Any, action: Any, *resources: str, **more: Any) -> dict[str, Any]:
    arns = [f"arn:aws:s3:::{resource}" for resource in resources]
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": arns, **more}


def grantees(reply: dict[str, Any]) -> list[tuple[str, str]]:
    return [(g["Grantee"].get("URI") or g["Grantee"]["ID"], g["Permission"]) for g in reply["Grants"]]


def test_a_new_bucket_is_its_owners_alone(s3: Any, bucket: str, other: Any, nobody: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(BLOCK, True)
    owner = s3.list_buckets()["Owner"]["ID"]
    for reply in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert reply["Owner"]["ID"] == owner
        assert grantees(reply) == [(owner, "FULL_CONTROL")]
        assert reply["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    for stranger in (other, nobody):
        with refused("AccessDenied", 403):
            stranger.list_objects_v2(Bucket=bucket)
        with refused("AccessDenied", 403):
            stranger.get_object(Bucket=bucket, Key="k")
        with refused("AccessDenied", 403):
            stranger.put_object(Bucket=bucket, Key="k", Body=b"y")
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)


def test_where_the_owner_is_enforced_acls_are_refused(s3: Any, bucket: str, new_bucket: Callable[..., str]) -> None:
    s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    # What it would be anyway may be said in any way; clients that copy ACLs along do.
    told = s3.get_object_acl(Bucket=bucket, Key="k")
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy={name: told[name] for name in ("Owner", "Grants")})
    s3.put_object(Bucket=bucket, Key="k", ACL="private")  # AWS refuses it; rclone says it with every upload.
    with refused("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"):
        s3.put_object(Bucket=bucket, Key="k", ACL="public-read")
    for acl in ("private", "public-read"):
        with refused("AccessControlListNotSupported", 400):
            s3.put_bucket_acl(Bucket=bucket, ACL=acl)
        with refused("AccessControlListNotSupported", 400):
            s3.put_object_acl(Bucket=bucket, Key="k", ACL=acl)
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        new_bucket(ACL="public-read")
    with refused("InvalidBucketAclWithBlockPublicAccessError", 400):
        new_bucket(ACL="public-read", ObjectOwnership="ObjectWriter")


def test_ownership_controls_come_and_go(s3: Any, new_bucket: Callable[..., str]) -> None:
    bucket = new_bucket(ObjectOwnership="BucketOwnerPreferred")
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerPreferred"}]
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with refused("OwnershipControlsNotFoundError", 404):
        s3.get_bucket_ownership_controls(Bucket=bucket)


def test_canned_acls_of_a_bucket_let_in_whom_they_name(s3: Any, open_bucket: str, other: Any, nobody: Any) -> None:
    with refused("AccessDenied", 403):
        nobody.list_objects_v2(Bucket=open_bucket)
    s3.put_bucket_acl(Bucket=open_bucket, ACL="authenticated-read")
    assert other.list_objects_v2(Bucket=open_bucket)["KeyCount"] == 0
    with refused("AccessDenied", 403):
        nobody.list_objects_v2(Bucket=open_bucket)
    s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read")
    assert nobody.list_objects_v2(Bucket=open_bucket)["KeyCount"] == 0
    with refused("AccessDenied", 403):
        nobody.put_object(Bucket=open_bucket, Key="k")
    s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read-write")
    nobody.put_object(Bucket=open_bucket, Key="k", Body=b"x")
    nobody.delete_object(Bucket=open_bucket, Key="k")
    with refused("AccessDenied", 403):
        nobody.get_bucket_acl(Bucket=open_bucket)


def test_objects_are_their_writers(s3: Any, open_bucket: str, other: Any) -> None:
    s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read-write")
    other.put_object(Bucket=open_bucket, Key="theirs", Body=b"x")
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=open_bucket, Key="theirs")
    assert other.get_object(Bucket=open_bucket, Key="theirs")["Body"].read() == b"x"
    other.put_object_acl(Bucket=open_bucket, Key="theirs", ACL="bucket-owner-read")
    assert s3.get_object(Bucket=open_bucket, Key="theirs")["Body"].read() == b"x"
    s3.put_bucket_acl(Bucket=open_bucket, ACL="private")
    s3.put_bucket_ownership_controls(
        Bucket=open_bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    owner = s3.list_buckets()["Owner"]["ID"]
    assert s3.get_object_acl(Bucket=open_bucket, Key="theirs")["Owner"]["ID"] == owner
    assert s3.list_objects(Bucket=open_bucket)["Contents"][0]["Owner"]["ID"] == owner
    with refused("AccessDenied", 403):
        other.get_object(Bucket=open_bucket, Key="theirs")


def test_acls_are_given_by_document_and_by_header(s3: Any, open_bucket: str, other: Any, nobody: Any) -> None:
    owner, them = s3.list_buckets()["Owner"], other.list_buckets()["Owner"]["ID"]
    s3.put_object(Bucket=open_bucket, Key="k", Body=b"x", GrantRead=f'id="{them}"', GrantReadACP=f"id={them}")
    assert grantees(other.get_object_acl(Bucket=open_bucket, Key="k")) == [(them, "READ"), (them, "READ_ACP")]
    policy = {
        "Owner": owner,
        "Grants": [
            {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"},
            {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"},
        ],
    }
    s3.put_object_acl(Bucket=open_bucket, Key="k", AccessControlPolicy=policy)
    assert nobody.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        other.get_object_acl(Bucket=open_bucket, Key="k")
    with refused("AccessDenied", 403):  # Ownership is not given away.
        s3.put_object_acl(Bucket=open_bucket, Key="k", AccessControlPolicy={**policy, "Owner": {"ID": them}})
    with refused("InvalidArgument", 400):
        s3.put_object_acl(Bucket=open_bucket, Key="k", GrantRead='id="nobody"')
    with refused("InvalidRequest", 400):
        s3.put_object_acl(Bucket=open_bucket, Key="k", GrantRead=f'id="{them}"', ACL="private")


def test_public_acls_are_ignored_or_refused_where_they_are_blocked(s3: Any, open_bucket: str, nobody: Any) -> None:
    s3.put_object(Bucket=open_bucket, Key="k", ACL="public-read")
    nobody.get_object(Bucket=open_bucket, Key="k")
    s3.put_public_access_block(Bucket=open_bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=open_bucket, Key="k")
    s3.put_public_access_block(Bucket=open_bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    nobody.get_object(Bucket=open_bucket, Key="k")
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=open_bucket, Key="k", ACL="public-read")
    with refused("AccessDenied", 403):
        s3.put_bucket_acl(Bucket=open_bucket, ACL="authenticated-read")
    s3.delete_public_access_block(Bucket=open_bucket)
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        s3.get_public_access_block(Bucket=open_bucket)


def test_a_policy_opens_a_bucket_unless_it_is_blocked(s3: Any, bucket: str, nobody: Any) -> None:
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut", Body=b"x")
    policy = document(say("Allow", "*", "s3:GetObject", f"{bucket}/open/*"))
    with refused("AccessDenied", 403):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={})
    assert s3.put_bucket_policy(Bucket=bucket, Policy=policy)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    assert nobody.get_object(Bucket=bucket, Key="open/k")["Body"].read() == b"x"
    for key in ("shut", "open/missing"):  # Who may not list may not learn what is missing.
        with refused("AccessDenied", 403):
            nobody.get_object(Bucket=bucket, Key=key)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="open/k")
    s3.delete_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)


def test_a_policy_lets_another_account_in(
    s3: Any, bucket: str, other: Any, other_account: dict[str, str], nobody: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="a/k", Body=b"x")
    account = {"AWS": other_account["account_id"]}
    narrow = {"Condition": {"StringLike": {"s3:prefix": "a/*"}}}
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=document(
            say("Allow", account, ["s3:GetObject", "s3:PutObject"], f"{bucket}/*"),
            say("Allow", account, "s3:ListBucket", bucket, **narrow),
        ),
    )
    assert other.get_object(Bucket=bucket, Key="a/k")["Body"].read() == b"x"
    assert other.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    with refused("AccessDenied", 403):
        other.list_objects_v2(Bucket=bucket)
    other.put_object(Bucket=bucket, Key="theirs", Body=b"y")
    assert s3.get_object(Bucket=bucket, Key="theirs")["Body"].read() == b"y"
    with refused("AccessDenied", 403):
        other.delete_object(Bucket=bucket, Key="theirs")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="a/k")
    with refused("AccessDenied", 403):
        other.get_bucket_policy(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document(say("Allow", account, "s3:*", bucket, f"{bucket}/*")))
    with refused("MethodNotAllowed", 405):  # Policies are the owner's alone.
        other.get_bucket_policy(Bucket=bucket)


def test_a_user_without_policies_is_let_in_by_name(s3: Any, bucket: str, user: tuple[Any, str]) -> None:
    client, arn = user
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(say("Allow", {"AWS": arn}, "s3:GetObject", f"{bucket}/*")))
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with refused("MalformedPolicy", 400, "Invalid principal in policy"):
        absent = {"AWS": f"{arn}-who-does-not-exist"}
        s3.put_bucket_policy(Bucket=bucket, Policy=document(say("Allow", absent, "s3:GetObject", f"{bucket}/*")))


def test_a_denial_binds_the_owner_too_but_never_takes_the_policy_from_its_root(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(say("Deny", "*", "s3:*", bucket, f"{bucket}/*")))
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        s3.list_objects_v2(Bucket=bucket)
    with refused("AccessDenied", 403):
        s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_tags_of_objects_and_requests_decide(s3: Any, bucket: str, other: Any, other_account: dict[str, str]) -> None:
    account = {"AWS": other_account["account_id"]}
    tagged = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}}
    asked = {"Condition": {"StringEquals": {"s3:RequestObjectTag/project": "p"}}}
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=document(
            say("Allow", account, "s3:GetObject", f"{bucket}/*", **tagged),
            say("Allow", account, ["s3:PutObject", "s3:PutObjectTagging"], f"{bucket}/in/*", **asked),
        ),
    )
    s3.put_object(Bucket=bucket, Key="yes", Body=b"x", Tagging="open=yes")
    s3.put_object(Bucket=bucket, Key="no", Body=b"x", Tagging="open=no")
    assert other.get_object(Bucket=bucket, Key="yes")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        other.get_object(Bucket=bucket, Key="no")
    other.put_object(Bucket=bucket, Key="in/k", Tagging="project=p")
    with refused("AccessDenied", 403):
        other.put_object(Bucket=bucket, Key="in/k", Tagging="project=q")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        ("[]", "Policies must be valid JSON and the first byte must be '{'"),
        ("{}", "Missing required field Statement"),
        (document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}), "Missing required field Principal"),
        (document(say("Allow", "*", "s3:GetObject", "another-bucket/*")), "Policy has invalid resource"),
        (document(say("Allow", "*", "iam:GetUser", "BUCKET")), "Policy has invalid action"),
        (
            document(say("Allow", "*", "s3:GetObject", "BUCKET")),
            "Action does not apply to any resource(s) in statement",
        ),
    ],
)
def test_what_is_no_policy_of_this_bucket_is_refused(s3: Any, bucket: str, text: str, message: str) -> None:
    with refused("MalformedPolicy", 400, message):
        s3.put_bucket_policy(Bucket=bucket, Policy=text.replace("BUCKET", bucket) or " ")


def test_deletion_of_many_keys_is_judged_key_by_key(
    s3: Any, bucket: str, other: Any, other_account: dict[str, str]
) -> None:
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key)
    account = {"AWS": other_account["account_id"]}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(say("Allow", account, "s3:DeleteObject", f"{bucket}/a")))
    reply = other.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert [deleted["Key"] for deleted in reply["Deleted"]] == ["a"]
    assert [(error["Key"], error["Code"]) for error in reply["Errors"]] == [("b", "AccessDenied")]
