"""Roles and instance profiles."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, document, trust

EC2 = trust({"Service": "ec2.amazonaws.com"})
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_a_role_is_told_whole():
    cloud = IamCloud()
    tags = [{"Key": "team", "Value": "blue"}]
    made = cloud(
        "CreateRole",
        RoleName="r",
        Path="/x/",
        AssumeRolePolicyDocument=EC2,
        Description="for instances",
        MaxSessionDuration=7200,
        Tags=tags,
        PermissionsBoundary=READ_ONLY,
    )["Role"]
    assert cloud("GetRole", RoleName="r")["Role"] == made
    assert made.pop("RoleId").startswith("AROA")
    assert json.loads(unquote(made.pop("AssumeRolePolicyDocument"))) == json.loads(EC2)
    assert made == {
        "Path": "/x/",
        "RoleName": "r",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/x/r",
        "CreateDate": datetime.fromtimestamp(NOW, UTC),
        "MaxSessionDuration": 7200,
        "Description": "for instances",
        "Tags": tags,
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY},
    }


def test_a_role_changes():
    cloud = IamCloud()
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=EC2)
    cloud("UpdateRole", RoleName="r", Description="new", MaxSessionDuration=43_200)
    cloud("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=trust({"AWS": ACCOUNT}))
    role = cloud("GetRole", RoleName="r")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 43_200)
    assert ACCOUNT in role["AssumeRolePolicyDocument"]
    assert cloud("UpdateRoleDescription", RoleName="r", Description="newer")["Role"]["Description"] == "newer"
    for seconds in (3599, 43_201):
        assert cloud.refused("UpdateRole", RoleName="r", MaxSessionDuration=seconds).code == "ValidationError"


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nothing"},
        {"AWS": "999988887777"},
    ],
)
def test_a_role_cannot_trust_who_is_not_there(principal: dict[str, str]):
    cloud = IamCloud()
    error = cloud.refused("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust(principal))
    name = principal["AWS"]
    assert (error.code, error.message) == ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')
    assert cloud("ListRoles")["Roles"] == []


def test_trust_policies_end_at_2048_characters():
    error = IamCloud().refused(
        "CreateRole",
        RoleName="r",
        AssumeRolePolicyDocument=trust({"Service": [f"service{n:030}.amazonaws.com" for n in range(50)]}),
    )
    assert (error.code, error.message) == ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


def test_roles_take_10240_characters_of_inline_policies():
    cloud = IamCloud()
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=EC2)
    cloud("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document(allow(["s3:Get" + "x" * 9000])))
    more = document(allow(["s3:Get" + "x" * 1500]))
    assert cloud.refused("PutRolePolicy", RoleName="r", PolicyName="q", PolicyDocument=more).message == (
        "Maximum policy size of 10240 bytes exceeded for role r"
    )


def test_a_profile_carries_one_role_and_both_go_only_apart():
    cloud = IamCloud()
    made = cloud("CreateInstanceProfile", InstanceProfileName="p", Tags=[{"Key": "a", "Value": "b"}])["InstanceProfile"]
    assert made["InstanceProfileId"].startswith("AIPA")
    assert (made["Arn"], made["Roles"]) == (f"arn:aws:iam::{ACCOUNT}:instance-profile/p", [])
    assert cloud("ListInstanceProfileTags", InstanceProfileName="p")["Tags"] == [{"Key": "a", "Value": "b"}]
    for name in ("r", "s"):
        cloud("CreateRole", RoleName=name, AssumeRolePolicyDocument=EC2)
    cloud("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    assert cloud.refused("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="s").code == "LimitExceeded"
    profile = cloud("GetInstanceProfile", InstanceProfileName="p")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["r"]
    assert cloud("ListInstanceProfilesForRole", RoleName="r")["InstanceProfiles"][0]["InstanceProfileName"] == "p"
    assert cloud("ListInstanceProfilesForRole", RoleName="s")["InstanceProfiles"] == []
    conflict = "Cannot delete entity, must remove roles from instance profile first."
    assert cloud.refused("DeleteRole", RoleName="r").message == conflict
    assert cloud.refused("DeleteInstanceProfile", InstanceProfileName="p").message == conflict
    assert cloud.refused("RemoveRoleFromInstanceProfile", InstanceProfileName="p", RoleName="s").code == "NoSuchEntity"
    cloud("RemoveRoleFromInstanceProfile", InstanceProfileName="p", RoleName="r")
    cloud("DeleteRole", RoleName="r")
    cloud("DeleteInstanceProfile", InstanceProfileName="p")
    assert cloud("ListInstanceProfiles") == {"InstanceProfiles": [], "IsTruncated": False}
    error = cloud.refused("GetInstanceProfile", InstanceProfileName="p")
    assert (error.code, error.message) == ("NoSuchEntity", "Instance Profile p cannot be found.")


def test_a_role_with_policies_does_not_go():
    cloud = IamCloud()
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=EC2)
    cloud("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    assert cloud.refused("DeleteRole", RoleName="r").message == "Cannot delete entity, must delete policies first."
    cloud("DeleteRolePolicy", RoleName="r", PolicyName="p")
    cloud("AttachRolePolicy", RoleName="r", PolicyArn=READ_ONLY)
    assert cloud.refused("DeleteRole", RoleName="r").message == "Cannot delete entity, must detach all policies first."
    cloud("DetachRolePolicy", RoleName="r", PolicyArn=READ_ONLY)
    cloud("DeleteRole", RoleName="r")
    assert cloud.refused("GetRole", RoleName="r").message == "The role with name r cannot be found."
