"""An account at a glance."""

import json
from urllib.parse import unquote

from tests.unit.iam.cloud import IamCloud, allow, document, trust

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def filled() -> IamCloud:
    cloud = IamCloud()
    cloud.user("ann", Tags=[{"Key": "a", "Value": "b"}])
    cloud.let("ann", allow("s3:*"))
    cloud("CreateGroup", GroupName="g")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("AttachGroupPolicy", GroupName="g", PolicyArn=READ_ONLY)
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    cloud("CreateInstanceProfile", InstanceProfileName="p")
    cloud("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    cloud("CreatePolicy", PolicyName="own", PolicyDocument=document(allow("ec2:*")), Description="mine")
    return cloud


def test_the_summary_counts_what_is_there_and_tells_the_quotas():
    told = filled()("GetAccountSummary")["SummaryMap"]
    counted = {name: told[name] for name in ("Users", "Groups", "Roles", "Policies", "InstanceProfiles")}
    assert counted == dict.fromkeys(counted, 1)
    assert (told["AccountAccessKeysPresent"], told["AccountMFAEnabled"]) == (1, 0)
    assert (told["UserPolicySizeQuota"], told["PolicySizeQuota"], told["VersionsPerPolicyQuota"]) == (2048, 6144, 5)


def test_the_details_tell_everything():
    cloud = filled()
    told = cloud("GetAccountAuthorizationDetails")
    assert not told["IsTruncated"]
    (user,), (group,), (role,) = told["UserDetailList"], told["GroupDetailList"], told["RoleDetailList"]
    assert user["GroupList"] == ["g"]
    assert user["Tags"] == [{"Key": "a", "Value": "b"}]
    assert [one["PolicyName"] for one in user["UserPolicyList"]] == ["own"]
    assert json.loads(unquote(user["UserPolicyList"][0]["PolicyDocument"])) == json.loads(document(allow("s3:*")))
    assert group["AttachedManagedPolicies"] == [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    assert [one["InstanceProfileName"] for one in role["InstanceProfileList"]] == ["p"]
    policies = {one["PolicyName"]: one for one in told["Policies"]}
    assert policies.keys() == {"own", "AmazonS3ReadOnlyAccess"}
    assert policies["own"]["Description"] == "mine"
    assert [one["VersionId"] for one in policies["own"]["PolicyVersionList"]] == ["v1"]


def test_details_can_be_filtered_and_page():
    cloud = filled()
    only = cloud("GetAccountAuthorizationDetails", Filter=["Role"])
    assert (len(only["RoleDetailList"]), only["UserDetailList"], only["Policies"]) == (1, [], [])
    seen, marker = 0, {}
    for _ in range(10):
        page = cloud("GetAccountAuthorizationDetails", MaxItems=2, **marker)
        seen += sum(len(page[name]) for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"))
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == 5
    assert cloud.refused("GetAccountAuthorizationDetails", Filter=["Robot"]).code == "ValidationError"
