"""IAM as boto3 sees it: every operation once, and whether its policies bind in S3."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.identity import allow, document, refusal

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
EC2_TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


S3_ALL = document(allow("s3:*"))
NOUNS = {
    "user": ("create_user", "delete_user", "UserName"),
    "group": ("create_group", "delete_group", "GroupName"),
    "role": ("create_role", "delete_role", "RoleName"),
    "policy": ("create_policy", "delete_policy", "PolicyName"),
    "instance_profile": ("create_instance_profile", "delete_instance_profile", "InstanceProfileName"),
}


@pytest.fixture(scope="session")
def iam(cloud: CloudUnderTest) -> Any:
    return cloud.client("iam")


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def new(iam: Any, undo: ExitStack) -> Callable[..., str]:
    """Makes a user, group, role, policy or instance profile of a name of its own, and deletes it after the test."""

    def make(noun: str, **request: Any) -> str:
        name = f"t-{uuid.uuid4().hex[:16]}"
        create, delete, member = NOUNS[noun]
        if noun == "role":
            request.setdefault("AssumeRolePolicyDocument", document(EC2_TRUST))
        if noun == "policy":
            request.setdefault("PolicyDocument", S3_ALL)
        made = getattr(iam, create)(**{member: name}, **request)
        named = {"PolicyArn": made["Policy"]["Arn"]} if noun == "policy" else {member: name}
        undo.callback(gone, getattr(iam, delete), **named)
        return str(next(iter(named.values())))

    return make


def gone(delete: Callable[..., Any], **request: Any) -> None:
    try:
        delete(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise


def test_users(iam: Any, new: Callable[..., str]) -> None:
    name = new("user", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    user = iam.get_user(UserName=name)["User"]
    assert user["Arn"].endswith(f":user/team/{name}")
    assert user["Tags"] == [{"Key": "a", "Value": "b"}]
    assert abs(user["CreateDate"].timestamp() - time.time()) < 60
    assert name in [one["UserName"] for one in iam.get_paginator("list_users").paginate().search("Users")]
    iam.tag_user(UserName=name, Tags=[{"Key": "c", "Value": ""}])
    iam.untag_user(UserName=name, TagKeys=["a"])
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "c", "Value": ""}]
    iam.update_user(UserName=name, NewPath="/other/")
    assert iam.get_user(UserName=name)["User"]["Path"] == "/other/"
    iam.delete_user(UserName=name)
    error = refusal(iam.get_user, UserName=name)
    assert (error.code, error.status) == ("NoSuchEntity", 404)
    assert error.message == f"The user with name {name} cannot be found."


def test_lists_page(iam: Any, new: Callable[..., str]) -> None:
    path = f"/p{uuid.uuid4().hex[:8]}/"
    names = sorted(new("user", Path=path) for _ in range(5))
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    assert [page["IsTruncated"] for page in pages] == [True, True, False]


def test_access_keys(iam: Any, new: Callable[..., str], cloud: CloudUnderTest, undo: ExitStack) -> None:
    name = new("user")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    undo.callback(gone, iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    pair = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    sts = cloud.client("sts", **pair)
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{name}")
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    error = refusal(sts.get_caller_identity)
    assert (error.code, error.status) == ("InvalidClientTokenId", 403)
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Active")
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{name}")
    error = refusal(iam.delete_user, UserName=name)
    assert (error.code, error.status) == ("DeleteConflict", 409)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    assert refusal(sts.get_caller_identity).code == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("noun", "put", "get", "listed", "delete"),
    [
        ("user", "put_user_policy", "get_user_policy", "list_user_policies", "delete_user_policy"),
        ("group", "put_group_policy", "get_group_policy", "list_group_policies", "delete_group_policy"),
        ("role", "put_role_policy", "get_role_policy", "list_role_policies", "delete_role_policy"),
    ],
)
def test_inline_policies(
    iam: Any, new: Callable[..., str], noun: str, put: str, get: str, listed: str, delete: str
) -> None:
    who = {NOUNS[noun][2]: new(noun)}
    getattr(iam, put)(**who, PolicyName="p", PolicyDocument=S3_ALL)
    assert getattr(iam, listed)(**who)["PolicyNames"] == ["p"]
    assert getattr(iam, get)(**who, PolicyName="p")["PolicyDocument"] == json.loads(S3_ALL)
    conflict = refusal(getattr(iam, NOUNS[noun][1]), **who)
    assert (conflict.code, conflict.status) == ("DeleteConflict", 409)
    getattr(iam, delete)(**who, PolicyName="p")
    assert refusal(getattr(iam, get), **who, PolicyName="p").code == "NoSuchEntity"
    malformed = refusal(getattr(iam, put), **who, PolicyName="p", PolicyDocument="{}")
    assert (malformed.code, malformed.status) == ("MalformedPolicyDocument", 400)


@pytest.mark.parametrize(
    ("noun", "attach", "listed", "detach"),
    [
        ("user", "attach_user_policy", "list_attached_user_policies", "detach_user_policy"),
        ("group", "attach_group_policy", "list_attached_group_policies", "detach_group_policy"),
        ("role", "attach_role_policy", "list_attached_role_policies", "detach_role_policy"),
    ],
)
def test_attached_policies(iam: Any, new: Callable[..., str], noun: str, attach: str, listed: str, detach: str) -> None:
    who = {NOUNS[noun][2]: new(noun)}
    getattr(iam, attach)(**who, PolicyArn=READ_ONLY)
    told = [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    assert getattr(iam, listed)(**who)["AttachedPolicies"] == told
    getattr(iam, detach)(**who, PolicyArn=READ_ONLY)
    assert getattr(iam, listed)(**who)["AttachedPolicies"] == []
    assert refusal(getattr(iam, detach), **who, PolicyArn=READ_ONLY).code == "NoSuchEntity"


@pytest.mark.parametrize(
    ("noun", "put", "get", "delete"),
    [
        ("user", "put_user_permissions_boundary", "get_user", "delete_user_permissions_boundary"),
        ("role", "put_role_permissions_boundary", "get_role", "delete_role_permissions_boundary"),
    ],
)
def test_boundaries(iam: Any, new: Callable[..., str], noun: str, put: str, get: str, delete: str) -> None:
    who = {NOUNS[noun][2]: new(noun)}
    getattr(iam, put)(**who, PermissionsBoundary=READ_ONLY)
    told = getattr(iam, get)(**who)[noun.title()]["PermissionsBoundary"]
    assert told == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY}
    getattr(iam, delete)(**who)
    assert "PermissionsBoundary" not in getattr(iam, get)(**who)[noun.title()]


def test_groups(iam: Any, new: Callable[..., str]) -> None:
    group, user = new("group"), new("user")
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [one["UserName"] for one in iam.get_group(GroupName=group)["Users"]] == [user]
    assert [one["GroupName"] for one in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    assert group in [one["GroupName"] for one in iam.get_paginator("list_groups").paginate().search("Groups")]
    iam.update_group(GroupName=group, NewPath="/x/")
    assert iam.get_group(GroupName=group)["Group"]["Path"] == "/x/"
    iam.remove_user_from_group(GroupName=group, UserName=user)
    iam.delete_group(GroupName=group)
    assert refusal(iam.get_group, GroupName=group).code == "NoSuchEntity"


def test_roles(iam: Any, new: Callable[..., str]) -> None:
    name = new("role", Description="a role", MaxSessionDuration=7200)
    role = iam.get_role(RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(document(EC2_TRUST))
    assert (role["Description"], role["MaxSessionDuration"]) == ("a role", 7200)
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    assert iam.update_role_description(RoleName=name, Description="new")["Role"]["Description"] == "new"
    both = document({**EC2_TRUST, "Principal": {"Service": ["ec2.amazonaws.com", "ecs.amazonaws.com"]}})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=both)
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(both)
    iam.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_role(RoleName=name, TagKeys=["a"])
    assert name in [one["RoleName"] for one in iam.get_paginator("list_roles").paginate().search("Roles")]
    iam.delete_role(RoleName=name)
    assert refusal(iam.get_role, RoleName=name).message == f"The role with name {name} cannot be found."


def test_instance_profiles(iam: Any, new: Callable[..., str]) -> None:
    role, name = new("role"), new("instance_profile")
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert [one["RoleName"] for one in profile["Roles"]] == [role]
    found = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert [one["InstanceProfileName"] for one in found] == [name]
    listed = iam.get_paginator("list_instance_profiles").paginate().search("InstanceProfiles")
    assert name in [one["InstanceProfileName"] for one in listed]
    assert refusal(iam.delete_role, RoleName=role).code == "DeleteConflict"
    iam.tag_instance_profile(InstanceProfileName=name, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_instance_profile_tags(InstanceProfileName=name)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_instance_profile(InstanceProfileName=name, TagKeys=["a"])
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=name)
    assert refusal(iam.get_instance_profile, InstanceProfileName=name).code == "NoSuchEntity"


def test_managed_policies(iam: Any, new: Callable[..., str], undo: ExitStack) -> None:
    arn = new("policy", Description="all of S3")
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"], policy["Description"]) == ("v1", 0, "all of S3")
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("ec2:*")))
    assert version["PolicyVersion"]["VersionId"] == "v2"
    told = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert told["Document"] == json.loads(document(allow("ec2:*")))
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in listed] == [("v2", True), ("v1", False)]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    user = new("user")
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    assert [one["UserName"] for one in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == [user]
    assert refusal(iam.delete_policy, PolicyArn=arn).code == "DeleteConflict"
    iam.detach_user_policy(UserName=user, PolicyArn=arn)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert arn in [one["Arn"] for one in iam.get_paginator("list_policies").paginate(Scope="Local").search("Policies")]
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn).code == "NoSuchEntity"


def test_account_aliases(iam: Any) -> None:
    alias = f"t-{uuid.uuid4().hex[:16]}"
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    iam.delete_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_account_at_a_glance(iam: Any, new: Callable[..., str]) -> None:
    name = new("user")
    assert iam.get_account_summary()["SummaryMap"]["Users"] >= 1
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"])
    assert name in [user["UserName"] for user in pages.search("UserDetailList")]


def test_policies_are_simulated(iam: Any, new: Callable[..., str]) -> None:
    custom = iam.simulate_custom_policy(PolicyInputList=[S3_ALL], ActionNames=["s3:GetObject", "ec2:RunInstances"])
    told = {one["EvalActionName"]: one["EvalDecision"] for one in custom["EvaluationResults"]}
    assert told == {"s3:GetObject": "allowed", "ec2:RunInstances": "implicitDeny"}
    arn = iam.get_user(UserName=new("user"))["User"]["Arn"]
    own = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])
    assert [one["EvalDecision"] for one in own["EvaluationResults"]] == ["implicitDeny"]


def test_what_is_not_there_is_refused_as_not_implemented(iam: Any) -> None:
    error = refusal(iam.list_saml_providers)
    assert (error.code, error.status) == ("NotImplemented", 501)


# ------------------------------------------------------------------------------------------------------ does it bind?


@pytest.fixture
def ann(iam: Any, new: Callable[..., str], cloud: CloudUnderTest, undo: ExitStack) -> tuple[str, Any]:
    """A user without any policy, and S3 as it sees it."""
    name = new("user")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    undo.callback(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    pair = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return name, cloud.client("s3", **pair)


def test_a_user_may_do_in_s3_what_its_policies_say(
    iam: Any, s3: Any, ann: tuple[str, Any], bucket: str, undo: ExitStack
) -> None:
    name, her_s3 = ann
    s3.put_object(Bucket=bucket, Key=f"home/{name}/note", Body=b"hers")
    s3.put_object(Bucket=bucket, Key="home/other/note", Body=b"not hers")
    arn = iam.get_user(UserName=name)["User"]["Arn"]
    error = refusal(her_s3.get_object, Bucket=bucket, Key="home/other/note")
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == (
        f'User: {arn} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::{bucket}/home/other/note" '
        "because no identity-based policy allows the s3:GetObject action"
    )
    own = document(
        allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/home/${{aws:username}}/*"),
        allow(
            "s3:ListBucket",
            f"arn:aws:s3:::{bucket}",
            Condition={"StringLike": {"s3:prefix": "home/${aws:username}/*"}},
        ),
    )
    iam.put_user_policy(UserName=name, PolicyName="home", PolicyDocument=own)
    undo.callback(gone, iam.delete_user_policy, UserName=name, PolicyName="home")
    assert her_s3.get_object(Bucket=bucket, Key=f"home/{name}/note")["Body"].read() == b"hers"
    assert refusal(her_s3.get_object, Bucket=bucket, Key="home/other/note").code == "AccessDenied"
    listed = her_s3.list_objects_v2(Bucket=bucket, Prefix=f"home/{name}/")
    assert [one["Key"] for one in listed["Contents"]] == [f"home/{name}/note"]
    assert refusal(her_s3.list_objects_v2, Bucket=bucket).code == "AccessDenied"
    assert refusal(her_s3.delete_object, Bucket=bucket, Key=f"home/{name}/note").code == "AccessDenied"


def test_a_group_and_its_policies_bind_at_once(
    iam: Any, new: Callable[..., str], ann: tuple[str, Any], undo: ExitStack
) -> None:
    name, her_s3 = ann
    assert refusal(her_s3.list_buckets).code == "AccessDenied"
    group = new("group")
    iam.attach_group_policy(GroupName=group, PolicyArn=READ_ONLY)
    undo.callback(iam.detach_group_policy, GroupName=group, PolicyArn=READ_ONLY)
    iam.add_user_to_group(GroupName=group, UserName=name)
    assert "Buckets" in her_s3.list_buckets()
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert refusal(her_s3.list_buckets).code == "AccessDenied"


def test_a_user_may_not_raise_itself(iam: Any, cloud: CloudUnderTest, ann: tuple[str, Any]) -> None:
    name, her_s3 = ann
    credentials = her_s3._request_signer._credentials
    her_iam = cloud.client(
        "iam", aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key
    )
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    error = refusal(her_iam.attach_user_policy, UserName=name, PolicyArn=administrator)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == []
