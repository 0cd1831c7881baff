"""Who may do what: users, groups, boundaries and sessions, judged as AWS does."""

import json

import pytest
from tests.unit.iam.cloud import ACCOUNT, IamCloud, allow, deny, document, trust

from atoll.aws.policy import compile_policy
from atoll.operation import HttpFacts, Identity
from atoll.services.iam import aws_managed

CAT = "arn:aws:s3:::photos/cat.jpg"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_a_new_user_may_do_nothing_and_is_told_so():
    cloud = IamCloud()
    assert cloud.refusal(cloud.user("ann"), "s3:GetObject", CAT) == (
        f'User: {ANN} is not authorized to perform: s3:GetObject on resource: "{CAT}" '
        "because no identity-based policy allows the s3:GetObject action"
    )


def test_an_explicit_denial_is_told_as_one():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("*"), deny("s3:GetObject", CAT))
    assert cloud.refusal(ann, "s3:GetObject", CAT) == (
        f'User: {ANN} is not authorized to perform: s3:GetObject on resource: "{CAT}" '
        "with an explicit deny in an identity-based policy"
    )
    assert cloud.may(ann, "s3:PutObject", CAT)


@pytest.mark.parametrize("way", ["inline", "attached", "group inline", "group attached", "managed"])
def test_a_user_has_its_own_and_its_groups_policies(way: str):
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud("CreateGroup", GroupName="readers")
    cloud("AddUserToGroup", GroupName="readers", UserName="ann")
    read = document(allow("s3:Get*"))
    assert not cloud.may(ann, "s3:GetObject", CAT)
    if way == "inline":
        cloud("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=read)
    elif way == "attached":
        cloud("AttachUserPolicy", UserName="ann", PolicyArn=READ_ONLY)
    elif way == "group inline":
        cloud("PutGroupPolicy", GroupName="readers", PolicyName="p", PolicyDocument=read)
    elif way == "group attached":
        cloud("AttachGroupPolicy", GroupName="readers", PolicyArn=READ_ONLY)
    else:
        arn = cloud("CreatePolicy", PolicyName="read", Path="/team/", PolicyDocument=read)["Policy"]["Arn"]
        cloud("AttachUserPolicy", UserName="ann", PolicyArn=arn)
    assert cloud.may(ann, "s3:GetObject", CAT)
    assert not cloud.may(ann, "s3:PutObject", CAT)


def test_a_changed_policy_binds_at_the_next_call():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("s3:*"))
    assert cloud.may(ann, "s3:GetObject", CAT)
    cloud.let("ann", allow("s3:Put*"))
    assert not cloud.may(ann, "s3:GetObject", CAT)
    cloud("DeleteUserPolicy", UserName="ann", PolicyName="own")
    assert not cloud.may(ann, "s3:PutObject", CAT)


def test_a_new_default_version_binds_and_another_version_does_not():
    cloud = IamCloud()
    ann = cloud.user("ann")
    arn = cloud("CreatePolicy", PolicyName="p", PolicyDocument=document(allow("s3:Get*")))["Policy"]["Arn"]
    cloud("AttachUserPolicy", UserName="ann", PolicyArn=arn)
    cloud("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document(allow("s3:Put*")))
    assert cloud.may(ann, "s3:GetObject", CAT)
    cloud("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert not cloud.may(ann, "s3:GetObject", CAT)
    assert cloud.may(ann, "s3:PutObject", CAT)


def test_a_boundary_narrows_and_grants_nothing():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud("PutUserPermissionsBoundary", UserName="ann", PermissionsBoundary=READ_ONLY)
    assert not cloud.may(ann, "s3:GetObject", CAT)
    cloud.let("ann", allow("s3:*"))
    assert cloud.may(ann, "s3:GetObject", CAT)
    assert cloud.refusal(ann, "s3:PutObject", CAT) == (
        f'User: {ANN} is not authorized to perform: s3:PutObject on resource: "{CAT}" '
        "because no permissions boundary allows the s3:PutObject action"
    )
    cloud("DeleteUserPermissionsBoundary", UserName="ann")
    assert cloud.may(ann, "s3:PutObject", CAT)


def test_a_deleted_users_identity_may_do_nothing_even_when_its_name_lives_on():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("*"))
    cloud("DeleteUserPolicy", UserName="ann", PolicyName="own")
    cloud("DeleteAccessKey", UserName="ann", AccessKeyId=ann.access_key_id)
    cloud("DeleteUser", UserName="ann")
    other = cloud.user("ann")
    cloud.let("ann", allow("*"))
    assert cloud.may(other, "s3:GetObject", CAT)
    assert not cloud.may(ann, "s3:GetObject", CAT)


def test_a_granted_permission_needs_no_policy_of_a_users_own_but_bows_to_a_denial():
    cloud = IamCloud()
    ann = cloud.user("ann")
    assert cloud.may(ann, "s3:GetObject", CAT, granted=True)
    cloud.let("ann", deny("s3:GetObject"))
    assert not cloud.may(ann, "s3:GetObject", CAT, granted=True)


def test_the_anonymous_may_do_what_was_granted_to_all_and_nothing_else():
    cloud = IamCloud()
    anonymous = Identity("", "", "", "", "anonymous")
    assert cloud.refusal(anonymous, "s3:GetObject", CAT) == "Access Denied"
    assert cloud.may(anonymous, "s3:GetObject", CAT, granted=True)


# ------------------------------------------------------------------------------------------------------ conditions


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringLike": {"aws:UserAgent": "Boto3/*"}}, True),
        ({"StringEquals": {"aws:Referer": "https://example.com"}}, False),
        ({"StringEquals": {"aws:username": "ann"}}, True),
        ({"StringLike": {"aws:userid": "AIDA*"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:PrincipalType": "User"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/ann"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/Team": "blue"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "red"}}, False),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"Null": {"aws:TokenIssueTime": "true"}}, True),
        ({"Bool": {"aws:ViaAWSService": "false"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-09-21T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-09-21T00:00:00Z"}}, False),
        ({"NumericEquals": {"aws:EpochTime": "1790000000"}}, True),
        ({"StringLike": {"s3:prefix": "home/${aws:username}/*"}}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, True),
        ({"StringEquals": {"no:such": "key"}}, False),
    ],
)
def test_conditions_ask_about_the_call(condition: dict[str, dict[str, str]], expected: bool):
    cloud = IamCloud()
    ann = cloud.user("ann", Tags=[{"Key": "team", "Value": "blue"}])
    cloud.let("ann", allow("s3:ListBucket", Condition=condition))
    http = HttpFacts(headers={"user-agent": "Boto3/1.40"}, source_ip="10.1.2.3", secure=True)
    context = {"s3:Prefix": "home/ann/x", "s3:max-keys": 10, "aws:TagKeys": ["a"]}
    assert cloud.may(ann, "s3:ListBucket", "arn:aws:s3:::photos", context=context, http=http) is expected


# ------------------------------------------------------------------------------------------------------ IAM's own calls


def test_iams_operations_ask_for_themselves_on_the_entity_with_its_path():
    cloud = IamCloud()
    cloud("CreateUser", UserName="bob", Path="/team/")
    ann = cloud.user("ann")
    cloud.let("ann", allow(["iam:GetUser", "iam:TagUser"], f"arn:aws:iam::{ACCOUNT}:user/team/*"))
    assert cloud("GetUser", ann, UserName="bob")["User"]["UserName"] == "bob"
    error = cloud.refused("GetUser", ann, UserName="ann")
    assert error.message == (
        f"User: {ANN} is not authorized to perform: iam:GetUser on resource: {ANN} "
        "because no identity-based policy allows the iam:GetUser action"
    )
    # Who is not there is asked about without a path.
    assert cloud.refused("GetUser", ann, UserName="eve").code == "AccessDenied"


def test_a_user_may_be_let_manage_its_own_keys():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.user("bob")
    cloud.let("ann", allow("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    assert cloud("CreateAccessKey", ann)["AccessKey"]["UserName"] == "ann"
    assert len(cloud("ListAccessKeys", ann)["AccessKeyMetadata"]) == 2
    assert cloud.refused("CreateAccessKey", ann, UserName="bob").code == "AccessDenied"


def test_a_new_user_is_asked_about_with_the_path_it_is_to_have():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/team/*"))
    assert cloud("CreateUser", ann, UserName="bob", Path="/team/")["User"]["Path"] == "/team/"
    assert cloud.refused("CreateUser", ann, UserName="eve").code == "AccessDenied"


def test_moving_a_user_needs_leave_for_both_places():
    cloud = IamCloud()
    cloud("CreateUser", UserName="bob", Path="/team/")
    ann = cloud.user("ann")
    cloud.let("ann", allow("iam:UpdateUser", f"arn:aws:iam::{ACCOUNT}:user/team/*"))
    assert cloud.refused("UpdateUser", ann, UserName="bob", NewPath="/admins/").code == "AccessDenied"
    assert cloud("UpdateUser", ann, UserName="bob", NewPath="/team/blue/") == {}


def test_attaching_can_be_held_to_certain_policies():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": READ_ONLY}}))
    cloud("AttachUserPolicy", ann, UserName="ann", PolicyArn=READ_ONLY)
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert cloud.refused("AttachUserPolicy", ann, UserName="ann", PolicyArn=administrator).code == "AccessDenied"


def test_tags_of_requests_and_of_entities_can_be_asked_about():
    cloud = IamCloud()
    ann = cloud.user("ann", Tags=[{"Key": "team", "Value": "blue"}])
    same_team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    blue_only = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    cloud.let("ann", allow("iam:GetUser", Condition=same_team), allow("iam:CreateUser", Condition=blue_only))
    cloud("CreateUser", ann, UserName="bob", Tags=[{"Key": "team", "Value": "blue"}])
    assert cloud.refused("CreateUser", ann, UserName="eve").code == "AccessDenied"
    cloud("CreateUser", UserName="red", Tags=[{"Key": "team", "Value": "red"}])
    assert cloud("GetUser", ann, UserName="bob")["User"]["UserName"] == "bob"
    assert cloud.refused("GetUser", ann, UserName="red").code == "AccessDenied"


def test_putting_a_role_in_a_profile_needs_leave_to_pass_it():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("iam:AddRoleToInstanceProfile"))
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    cloud("CreateInstanceProfile", InstanceProfileName="p")
    error = cloud.refused("AddRoleToInstanceProfile", ann, InstanceProfileName="p", RoleName="r")
    assert "iam:PassRole" in error.message
    cloud.let("ann", allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/r"), name="pass")
    cloud("AddRoleToInstanceProfile", ann, InstanceProfileName="p", RoleName="r")


def test_entities_of_other_accounts_are_not_there():
    cloud = IamCloud()
    cloud.user("ann")
    other = cloud.account("444455556666")
    assert cloud.refused("GetUser", other, UserName="ann").code == "NoSuchEntity"
    assert cloud("ListUsers", other)["Users"] == []


# ------------------------------------------------------------------------------------------------------ sessions


def assumed(cloud: IamCloud, *statements: dict[str, object], **request: object) -> Identity:
    ann = cloud.user("ann")
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ann.arn}))
    cloud("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document(*statements))
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    return cloud.session("AssumeRole", ann, RoleArn=role, RoleSessionName="work", **request)


def test_a_session_has_its_roles_policies():
    cloud = IamCloud()
    session = assumed(cloud, allow("s3:Get*"))
    assert cloud.may(session, "s3:GetObject", CAT)
    assert not cloud.may(session, "s3:PutObject", CAT)


def test_a_session_policy_narrows_and_grants_nothing():
    cloud = IamCloud()
    session = assumed(cloud, allow("s3:Get*"), Policy=document(allow(["s3:GetObject", "s3:PutObject"])))
    assert cloud.may(session, "s3:GetObject", CAT)
    assert not cloud.may(session, "s3:PutObject", CAT)
    assert cloud.refusal(session, "s3:GetBucketTagging", CAT) == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/work is not authorized to perform: s3:GetBucketTagging "
        f'on resource: "{CAT}" because no session policy allows the s3:GetBucketTagging action'
    )


def test_managed_policies_narrow_a_session_too():
    cloud = IamCloud()
    session = assumed(cloud, allow("*"), PolicyArns=[{"arn": READ_ONLY}])
    assert cloud.may(session, "s3:GetObject", CAT)
    assert not cloud.may(session, "s3:PutObject", CAT)


def test_a_denial_in_a_session_policy_is_told_as_one():
    cloud = IamCloud()
    session = assumed(cloud, allow("*"), Policy=document(allow("*"), deny("s3:*")))
    message = cloud.refusal(session, "s3:GetObject", CAT)
    assert message is not None
    assert message.endswith("with an explicit deny in a session policy")


def test_a_grant_to_a_role_does_not_widen_its_session():
    cloud = IamCloud()
    session = assumed(cloud, allow("iam:*"), Policy=document(allow("s3:Get*")))
    assert cloud.may(session, "s3:GetObject", CAT, granted=True)
    assert not cloud.may(session, "s3:PutObject", CAT, granted=True)


def test_a_sessions_role_is_its_principal_arn():
    cloud = IamCloud()
    condition = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/r"}}
    session = assumed(cloud, allow("s3:*", Condition=condition))
    assert cloud.may(session, "s3:GetObject", CAT)


def test_a_deleted_roles_sessions_may_do_nothing():
    cloud = IamCloud()
    session = assumed(cloud, allow("*"))
    cloud("DeleteRolePolicy", RoleName="r", PolicyName="p")
    cloud("DeleteRole", RoleName="r")
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
    cloud("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document(allow("*")))
    assert not cloud.may(session, "s3:GetObject", CAT)


def test_every_aws_managed_policy_compiles():
    for text in aws_managed.DOCUMENTS.values():
        assert compile_policy(text).allows
        assert json.loads(text)["Version"] == "2012-10-17"


def test_a_power_user_may_do_all_but_identity():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud("AttachUserPolicy", UserName="ann", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    assert cloud.may(ann, "s3:PutObject", CAT)
    assert not cloud.may(ann, "iam:CreateUser", ANN)
    assert cloud.may(ann, "iam:ListRoles", f"arn:aws:iam::{ACCOUNT}:role/")
