"""Groups."""

from datetime import UTC, datetime

from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, document

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_a_group_is_told_with_its_members_in_pages():
    cloud = IamCloud()
    made = cloud("CreateGroup", GroupName="g", Path="/p/")["Group"]
    assert made.pop("GroupId").startswith("AGPA")
    assert made == {
        "Path": "/p/",
        "GroupName": "g",
        "Arn": f"arn:aws:iam::{ACCOUNT}:group/p/g",
        "CreateDate": datetime.fromtimestamp(NOW, UTC),
    }
    for name in ("ann", "bob", "cid"):
        cloud("CreateUser", UserName=name)
        cloud("AddUserToGroup", GroupName="g", UserName=name)
    first = cloud("GetGroup", GroupName="g", MaxItems=2)
    second = cloud("GetGroup", GroupName="g", MaxItems=2, Marker=first["Marker"])
    assert [[user["UserName"] for user in page["Users"]] for page in (first, second)] == [["ann", "bob"], ["cid"]]
    assert not second["IsTruncated"]


def test_adding_a_member_twice_changes_nothing_and_removing_one_twice_is_refused():
    cloud = IamCloud()
    cloud("CreateGroup", GroupName="g")
    cloud("CreateUser", UserName="ann")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    assert len(cloud("ListGroupsForUser", UserName="ann")["Groups"]) == 1
    cloud("RemoveUserFromGroup", GroupName="g", UserName="ann")
    assert cloud("ListGroupsForUser", UserName="ann")["Groups"] == []
    assert cloud.refused("RemoveUserFromGroup", GroupName="g", UserName="ann").code == "NoSuchEntity"


def test_a_user_is_in_ten_groups_at_most():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    for number in range(11):
        cloud("CreateGroup", GroupName=f"g{number}")
        if number < 10:
            cloud("AddUserToGroup", GroupName=f"g{number}", UserName="ann")
    assert cloud.refused("AddUserToGroup", GroupName="g10", UserName="ann").code == "LimitExceeded"


def test_members_follow_a_renamed_group():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud("CreateGroup", GroupName="g")
    cloud("PutGroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    cloud("AttachGroupPolicy", GroupName="g", PolicyArn=READ_ONLY)
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("UpdateGroup", GroupName="g", NewGroupName="h", NewPath="/x/")
    assert cloud.refused("GetGroup", GroupName="g").code == "NoSuchEntity"
    assert [user["UserName"] for user in cloud("GetGroup", GroupName="h")["Users"]] == ["ann"]
    assert cloud("ListGroupsForUser", UserName="ann")["Groups"][0]["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/x/h"
    assert cloud("ListEntitiesForPolicy", PolicyArn=READ_ONLY)["PolicyGroups"][0]["GroupName"] == "h"
    assert cloud.may(ann, "s3:PutObject", "arn:aws:s3:::b/k")


def test_a_group_goes_only_when_it_is_empty():
    cloud = IamCloud()
    cloud("CreateGroup", GroupName="g")
    cloud("CreateUser", UserName="ann")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("PutGroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    cloud("AttachGroupPolicy", GroupName="g", PolicyArn=READ_ONLY)
    undo = [
        ("remove users from group", "RemoveUserFromGroup", {"UserName": "ann"}),
        ("delete policies", "DeleteGroupPolicy", {"PolicyName": "p"}),
        ("detach all policies", "DetachGroupPolicy", {"PolicyArn": READ_ONLY}),
    ]
    for what, operation, members in undo:
        error = cloud.refused("DeleteGroup", GroupName="g")
        assert (error.code, error.message) == ("DeleteConflict", f"Cannot delete entity, must {what} first.")
        cloud(operation, GroupName="g", **members)
    cloud("DeleteGroup", GroupName="g")
    assert cloud("ListGroups") == {"Groups": [], "IsTruncated": False}
