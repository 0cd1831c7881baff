"""Users."""

from datetime import UTC, datetime

import pytest
from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, document

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_a_user_is_told_whole():
    cloud = IamCloud()
    tags = [{"Key": "team", "Value": "blue"}]
    made = cloud("CreateUser", UserName="ann", Path="/a/b/", Tags=tags, PermissionsBoundary=READ_ONLY)["User"]
    assert made.pop("UserId").startswith("AIDA")
    assert made == {
        "Path": "/a/b/",
        "UserName": "ann",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/a/b/ann",
        "CreateDate": datetime.fromtimestamp(NOW, UTC),
        "Tags": tags,
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY},
    }
    listed = cloud("ListUsers")["Users"][0]
    assert {"Tags", "PermissionsBoundary"}.isdisjoint(listed)


def test_names_differ_by_more_than_case():
    cloud = IamCloud()
    cloud("CreateUser", UserName="Ann")
    error = cloud.refused("CreateUser", UserName="ann")
    assert (error.code, error.status) == ("EntityAlreadyExists", 409)
    assert error.message == "User with name ann already exists."
    assert cloud("GetUser", UserName="ANN")["User"]["UserName"] == "Ann"


def test_who_is_not_there_cannot_be_found():
    error = IamCloud().refused("GetUser", UserName="ann")
    assert (error.code, error.status, error.message) == (
        "NoSuchEntity",
        404,
        "The user with name ann cannot be found.",
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"UserName": "a b"}, "The specified value for userName is invalid. It must contain only alphanumeric"),
        ({"UserName": ""}, "Member must have length greater than or equal to 1"),
        ({"UserName": "a" * 65}, "Member must have length less than or equal to 64"),
        ({"UserName": "é"}, "The specified value for userName is invalid."),
        ({"UserName": "ann", "Path": "x"}, "The specified value for path is invalid."),
        ({"UserName": "ann", "Path": "/x"}, "The specified value for path is invalid."),
        ({"UserName": "ann", "Path": "/" + "x" * 511 + "/"}, "less than or equal to 512"),
        ({"UserName": "ann", "Tags": [{"Key": "", "Value": ""}]}, "'tags.1.member.key'"),
        ({"UserName": "ann", "Tags": [{"Key": "k", "Value": "v" * 257}]}, "'tags.1.member.value'"),
        ({"UserName": "ann", "Tags": [{"Key": "aws:k", "Value": "v"}]}, "'tags.1.member.key'"),
        ({"UserName": "ann", "PermissionsBoundary": "nonsense-that-is-long"}, "is not valid"),
    ],
)
def test_what_is_not_valid_is_a_validation_error(members: dict[str, object], message: str):
    error = IamCloud().refused("CreateUser", **members)
    assert (error.code, error.status) == ("ValidationError", 400)
    assert message in error.message


def test_a_refused_user_is_not_made():
    cloud = IamCloud()
    error = cloud.refused("CreateUser", UserName="ann", PermissionsBoundary="arn:aws:iam::aws:policy/NoSuchPolicy")
    assert error.code == "NoSuchEntity"
    assert cloud("ListUsers")["Users"] == []


def test_without_a_name_a_user_asks_about_itself():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("iam:GetUser", ann.arn))
    assert cloud("GetUser", ann)["User"]["Arn"] == ann.arn
    root = cloud("GetUser")["User"]
    assert (root["UserId"], root["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def test_users_are_listed_by_path_and_in_pages():
    cloud = IamCloud()
    for number in range(7):
        cloud("CreateUser", UserName=f"user{number}", Path="/even/" if number % 2 == 0 else "/odd/")
    assert [user["UserName"] for user in cloud("ListUsers", PathPrefix="/odd/")["Users"]] == ["user1", "user3", "user5"]
    names, marker, pages = [], {}, 0
    for _ in range(10):
        page = cloud("ListUsers", MaxItems=3, **marker)
        names += [user["UserName"] for user in page["Users"]]
        pages += 1
        if not page["IsTruncated"]:
            assert "Marker" not in page
            break
        marker = {"Marker": page["Marker"]}
    assert (names, pages) == ([f"user{number}" for number in range(7)], 3)
    exactly = cloud("ListUsers", MaxItems=4, PathPrefix="/even/")
    assert (len(exactly["Users"]), exactly["IsTruncated"]) == (4, False)


@pytest.mark.parametrize("members", [{"MaxItems": 0}, {"MaxItems": 1001}, {"Marker": "é"}, {"Marker": "abc"}])
def test_bad_pages_are_validation_errors(members: dict[str, object]):
    assert IamCloud().refused("ListUsers", **members).code == "ValidationError"


def test_a_user_moves_with_all_it_has():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud("CreateGroup", GroupName="g")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("AttachUserPolicy", UserName="ann", PolicyArn=READ_ONLY)
    cloud("PutUserPermissionsBoundary", UserName="ann", PermissionsBoundary=READ_ONLY)
    cloud("UpdateUser", UserName="ann", NewUserName="Anna")
    assert cloud.refused("GetUser", UserName="ann").code == "NoSuchEntity"
    assert [user["UserName"] for user in cloud("GetGroup", GroupName="g")["Users"]] == ["Anna"]
    entities = cloud("ListEntitiesForPolicy", PolicyArn=READ_ONLY)
    assert entities["PolicyUsers"] == [{"UserName": "Anna", "UserId": ann.user_id}]
    assert cloud("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    moved = cloud.identity(ann.access_key_id)
    assert cloud.may(moved, "s3:GetObject", "arn:aws:s3:::b/k")


def test_a_user_cannot_take_anothers_name_but_may_change_its_own_case():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    cloud("CreateUser", UserName="bob")
    assert cloud.refused("UpdateUser", UserName="ann", NewUserName="Bob").code == "EntityAlreadyExists"
    cloud("UpdateUser", UserName="ann", NewUserName="ANN")
    assert cloud("GetUser", UserName="ann")["User"]["UserName"] == "ANN"


def test_a_user_goes_only_when_it_has_nothing():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("s3:*"))
    cloud("AttachUserPolicy", UserName="ann", PolicyArn=READ_ONLY)
    cloud("CreateGroup", GroupName="g")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    cloud("PutUserPermissionsBoundary", UserName="ann", PermissionsBoundary=READ_ONLY)
    undo = [
        ("delete access keys", "DeleteAccessKey", {"AccessKeyId": ann.access_key_id}),
        ("delete policies", "DeleteUserPolicy", {"PolicyName": "own"}),
        ("detach all policies", "DetachUserPolicy", {"PolicyArn": READ_ONLY}),
        ("remove users from group", "RemoveUserFromGroup", {"GroupName": "g"}),
    ]
    for what, operation, members in undo:
        error = cloud.refused("DeleteUser", UserName="ann")
        assert (error.code, error.status, error.message) == (
            "DeleteConflict",
            409,
            f"Cannot delete entity, must {what} first.",
        )
        cloud(operation, UserName="ann", **members)
    cloud("DeleteUser", UserName="ann")
    assert cloud("ListUsers")["Users"] == []
    assert cloud("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 0


def test_tags_are_put_replaced_and_taken_away_without_regard_to_case():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann", Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "a", "Value": "1"}])
    cloud("TagUser", UserName="ann", Tags=[{"Key": "team", "Value": "red"}])
    assert cloud("ListUserTags", UserName="ann") == {
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "team", "Value": "red"}],
        "IsTruncated": False,
    }
    cloud("UntagUser", UserName="ann", TagKeys=["TEAM", "none"])
    assert cloud("ListUserTags", UserName="ann")["Tags"] == [{"Key": "a", "Value": "1"}]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}]
    assert cloud.refused("TagUser", UserName="ann", Tags=twice).code == "InvalidInput"
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert cloud.refused("TagUser", UserName="ann", Tags=many).code == "LimitExceeded"


def test_inline_policies_are_kept_as_they_were_written():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    text = ' {"Version": "2012-10-17",\n "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
    cloud("PutUserPolicy", UserName="ann", PolicyName="b", PolicyDocument=text)
    cloud("PutUserPolicy", UserName="ann", PolicyName="a", PolicyDocument=text)
    assert cloud("ListUserPolicies", UserName="ann")["PolicyNames"] == ["a", "b"]
    page = cloud("ListUserPolicies", UserName="ann", MaxItems=1)
    assert cloud("ListUserPolicies", UserName="ann", Marker=page["Marker"])["PolicyNames"] == ["b"]
    reply = cloud("GetUserPolicy", UserName="ann", PolicyName="b")
    assert reply["PolicyDocument"].startswith("%20%7B%22Version%22%3A")
    error = cloud.refused("GetUserPolicy", UserName="ann", PolicyName="c")
    assert error.message == "The user policy with name c cannot be found."
    assert cloud.refused("DeleteUserPolicy", UserName="ann", PolicyName="c").code == "NoSuchEntity"


def test_inline_policies_of_a_user_share_2048_characters_and_white_space_is_free():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    large = document(allow([f"s3:Get{n:030}" for n in range(30)]))
    cloud("PutUserPolicy", UserName="ann", PolicyName="a", PolicyDocument=large + " " * 5000)
    error = cloud.refused("PutUserPolicy", UserName="ann", PolicyName="b", PolicyDocument=large)
    assert (error.code, error.status, error.message) == (
        "LimitExceeded",
        409,
        "Maximum policy size of 2048 bytes exceeded for user ann",
    )
    cloud("PutUserPolicy", UserName="ann", PolicyName="a", PolicyDocument=large)
    assert cloud("ListUserPolicies", UserName="ann")["PolicyNames"] == ["a"]


def test_malformed_policies_are_not_kept():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    assert cloud.refused("PutUserPolicy", UserName="ann", PolicyName="a", PolicyDocument="{}").code == (
        "MalformedPolicyDocument"
    )
    assert cloud("ListUserPolicies", UserName="ann")["PolicyNames"] == []


def test_ten_managed_policies_are_the_most():
    cloud = IamCloud()
    cloud("CreateUser", UserName="ann")
    for number in range(11):
        arn = cloud("CreatePolicy", PolicyName=f"p{number}", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
        if number < 10:
            cloud("AttachUserPolicy", UserName="ann", PolicyArn=arn)
    error = cloud.refused("AttachUserPolicy", UserName="ann", PolicyArn=arn)
    assert (error.code, error.message) == ("LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10")
    listed = cloud("ListAttachedUserPolicies", UserName="ann", MaxItems=9)
    assert len(listed["AttachedPolicies"]) == 9
    assert listed["IsTruncated"]
