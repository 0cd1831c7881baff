"""Managed policies."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, document, trust

from atoll.services.iam import aws_managed

ARN = f"arn:aws:iam::{ACCOUNT}:policy/p"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
TEXT = document(allow("s3:*"))


def test_a_policy_is_told_whole():
    cloud = IamCloud()
    made = cloud(
        "CreatePolicy",
        PolicyName="p",
        Path="/x/",
        PolicyDocument=TEXT,
        Description="all of s3",
        Tags=[{"Key": "a", "Value": "b"}],
    )["Policy"]
    told = cloud("GetPolicy", PolicyArn=made["Arn"])["Policy"]
    assert told.pop("PolicyId").startswith("ANPA")
    when = datetime.fromtimestamp(NOW, UTC)
    assert told == {
        "PolicyName": "p",
        "Arn": f"arn:aws:iam::{ACCOUNT}:policy/x/p",
        "Path": "/x/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": when,
        "UpdateDate": when,
        "Description": "all of s3",
        "Tags": [{"Key": "a", "Value": "b"}],
    }


def test_policies_are_found_by_their_whole_arn():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", Path="/x/", PolicyDocument=TEXT)
    error = cloud.refused("GetPolicy", PolicyArn=ARN)
    assert (error.code, error.status, error.message) == ("NoSuchEntity", 404, f"Policy {ARN} was not found.")
    assert cloud.refused("GetPolicy", PolicyArn="arn:aws:iam::somewhere").code == "ValidationError"
    error = cloud.refused("CreatePolicy", PolicyName="P", PolicyDocument=TEXT)
    assert (error.code, error.message) == (
        "EntityAlreadyExists",
        "A policy called P already exists. Duplicate names are not allowed.",
    )


def test_a_policy_has_five_versions_at_most_and_the_default_stays():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    for number in range(2, 6):
        version = cloud("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=TEXT, SetAsDefault=number == 3)
        assert version["PolicyVersion"]["VersionId"] == f"v{number}"
    error = cloud.refused("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=TEXT)
    assert (error.code, error.status) == ("LimitExceeded", 409)
    error = cloud.refused("DeletePolicyVersion", PolicyArn=ARN, VersionId="v3")
    assert (error.code, error.message) == ("DeleteConflict", "Cannot delete the default version of a policy.")
    cloud("DeletePolicyVersion", PolicyArn=ARN, VersionId="v1")
    cloud("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=TEXT)
    listed = cloud("ListPolicyVersions", PolicyArn=ARN)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in listed] == [
        ("v6", False),
        ("v5", False),
        ("v4", False),
        ("v3", True),
        ("v2", False),
    ]
    first = cloud("ListPolicyVersions", PolicyArn=ARN, MaxItems=3)
    rest = cloud("ListPolicyVersions", PolicyArn=ARN, Marker=first["Marker"])["Versions"]
    assert [one["VersionId"] for one in rest] == ["v3", "v2"]


def test_versions_are_told_with_their_documents():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    cloud("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document(allow("ec2:*")))
    version = cloud("GetPolicyVersion", PolicyArn=ARN, VersionId="v2")["PolicyVersion"]
    assert not version["IsDefaultVersion"]
    assert json.loads(unquote(version["Document"])) == json.loads(document(allow("ec2:*")))
    assert cloud.refused("GetPolicyVersion", PolicyArn=ARN, VersionId="v3").code == "NoSuchEntity"
    for bad in ("3", "v0", "v", "v" + "9" * 40):
        assert cloud.refused("GetPolicyVersion", PolicyArn=ARN, VersionId=bad).code == "ValidationError"


def test_a_policy_goes_only_when_nobody_has_it_and_its_versions_are_gone():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    cloud("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=TEXT)
    cloud("CreateUser", UserName="ann", PermissionsBoundary=ARN)
    cloud("AttachUserPolicy", UserName="ann", PolicyArn=ARN)
    in_use = "Cannot delete a policy attached to entities."
    assert cloud.refused("DeletePolicy", PolicyArn=ARN).message == in_use
    cloud("DetachUserPolicy", UserName="ann", PolicyArn=ARN)
    assert cloud.refused("DeletePolicy", PolicyArn=ARN).message == in_use
    cloud("DeleteUserPermissionsBoundary", UserName="ann")
    assert cloud.refused("DeletePolicy", PolicyArn=ARN).message.startswith("This policy has more than one version.")
    cloud("DeletePolicyVersion", PolicyArn=ARN, VersionId="v2")
    cloud("DeletePolicy", PolicyArn=ARN)
    assert cloud.refused("GetPolicy", PolicyArn=ARN).code == "NoSuchEntity"
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    assert len(cloud("ListPolicyVersions", PolicyArn=ARN)["Versions"]) == 1


def test_the_holders_of_a_policy_are_told():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    cloud("CreateUser", UserName="ann")
    cloud("CreateUser", UserName="bob", PermissionsBoundary=ARN)
    cloud("CreateGroup", GroupName="g")
    cloud("CreateRole", RoleName="r", Path="/x/", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    for noun, name in (("User", "ann"), ("Group", "g"), ("Role", "r")):
        cloud(f"Attach{noun}Policy", **{f"{noun}Name": name}, PolicyArn=ARN)

    def holders(**members: object) -> list[str]:
        reply = cloud("ListEntitiesForPolicy", PolicyArn=ARN, **members)
        return [one[f"{n}Name"] for n in ("User", "Group", "Role") for one in reply[f"Policy{n}s"]]

    assert holders() == ["ann", "bob", "g", "r"]
    assert holders(EntityFilter="Role") == ["r"]
    assert holders(PathPrefix="/x/") == ["r"]
    assert holders(PolicyUsageFilter="PermissionsBoundary") == ["bob"]
    assert holders(PolicyUsageFilter="PermissionsPolicy") == ["ann", "g", "r"]
    assert cloud("GetPolicy", PolicyArn=ARN)["Policy"]["AttachmentCount"] == 3
    page = cloud("ListEntitiesForPolicy", PolicyArn=ARN, MaxItems=2)
    assert page["IsTruncated"]
    assert holders(Marker=page["Marker"]) == ["ann", "bob"]


def test_policies_are_listed_by_scope_and_use():
    cloud = IamCloud()
    cloud("CreatePolicy", PolicyName="p", PolicyDocument=TEXT)
    cloud("CreateUser", UserName="ann")
    cloud("AttachUserPolicy", UserName="ann", PolicyArn=READ_ONLY)

    def arns(**members: object) -> list[str]:
        return [policy["Arn"] for policy in cloud("ListPolicies", **members)["Policies"]]

    assert arns(Scope="Local") == [ARN]
    assert arns(Scope="AWS") == sorted(aws_managed.DOCUMENTS)
    assert arns() == sorted([ARN, *aws_managed.DOCUMENTS])
    assert arns(OnlyAttached=True) == [READ_ONLY]
    assert arns(PathPrefix="/nowhere/") == []
    assert cloud.refused("ListPolicies", Scope="Ours").code == "ValidationError"


def test_aws_policies_can_be_read_and_not_changed():
    cloud = IamCloud()
    policy = cloud("GetPolicy", PolicyArn=READ_ONLY)["Policy"]
    assert (policy["PolicyName"], policy["Path"]) == ("AmazonS3ReadOnlyAccess", "/")
    version = cloud("GetPolicyVersion", PolicyArn=READ_ONLY, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert "s3:List*" in unquote(version["Document"])
    assert cloud.refused("DeletePolicy", PolicyArn=READ_ONLY).code == "AccessDenied"
    missing = "arn:aws:iam::aws:policy/ReadTeaLeaves"
    assert cloud.refused("GetPolicy", PolicyArn=missing).code == "NoSuchEntity"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:iam::aws:policy/ReadTeaLeaves", "NoSuchEntity"),
        (ARN, "NoSuchEntity"),
        ("arn:aws:iam::444455556666:policy/p", "NoSuchEntity"),
        ("not an arn but long enough", "ValidationError"),
    ],
)
def test_only_policies_that_are_there_can_be_attached(arn: str, code: str):
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    assert cloud.refused("AttachUserPolicy", UserName="ann", PolicyArn=arn).code == code
    assert cloud("ListAttachedUserPolicies", UserName="ann")["AttachedPolicies"] == []


def test_managed_policies_end_at_6144_characters():
    large = document(allow(["s3:Get" + "x" * 6200]))
    error = IamCloud().refused("CreatePolicy", PolicyName="p", PolicyDocument=large)
    assert (error.code, error.message) == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")


def test_policy_paths_are_stricter_than_others():
    assert IamCloud().refused("CreatePolicy", PolicyName="p", Path="/a!b/", PolicyDocument=TEXT).code == (
        "ValidationError"
    )
