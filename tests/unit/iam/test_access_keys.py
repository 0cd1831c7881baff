"""Access keys."""

import asyncio

import pytest
from tests.unit.iam.cloud import IamCloud

from atoll.aws.errors import AwsError
from atoll.services.iam import access_keys


def found(cloud: IamCloud, access_key_id: str):
    return asyncio.run(access_keys.find_credential(cloud.store, access_key_id))


def test_an_inactive_key_is_no_credential_until_it_is_active_again():
    cloud = IamCloud()
    key = cloud.user("ann").access_key_id
    cloud("UpdateAccessKey", UserName="ann", AccessKeyId=key, Status="Inactive")
    assert found(cloud, key) is None
    assert cloud("ListAccessKeys", UserName="ann")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    cloud("UpdateAccessKey", UserName="ann", AccessKeyId=key, Status="Active")
    assert found(cloud, key).identity.arn.endswith(":user/ann")


def test_a_user_has_at_most_two_keys():
    cloud = IamCloud()
    cloud.user("ann")
    cloud("CreateAccessKey", UserName="ann")
    with pytest.raises(AwsError) as caught:
        cloud("CreateAccessKey", UserName="ann")
    assert (caught.value.code, caught.value.status) == ("LimitExceeded", 409)
    assert caught.value.message == "Cannot exceed quota for AccessKeysPerUser: 2"


def test_a_deleted_key_is_gone_and_cannot_be_deleted_again():
    cloud = IamCloud()
    key = cloud.user("ann").access_key_id
    cloud("DeleteAccessKey", UserName="ann", AccessKeyId=key)
    assert found(cloud, key) is None
    assert cloud("ListAccessKeys", UserName="ann") == {"AccessKeyMetadata": [], "IsTruncated": False}
    with pytest.raises(AwsError, match=f"The Access Key with id {key} cannot be found."):
        cloud("DeleteAccessKey", UserName="ann", AccessKeyId=key)


def test_a_users_key_is_not_found_under_another_user():
    cloud = IamCloud()
    key = cloud.user("ann").access_key_id
    cloud.user("bob")
    with pytest.raises(AwsError) as caught:
        cloud("DeleteAccessKey", UserName="bob", AccessKeyId=key)
    assert caught.value.code == "NoSuchEntity"


def test_keys_follow_a_renamed_user():
    cloud = IamCloud()
    key = cloud.user("ann").access_key_id
    cloud("UpdateUser", UserName="ann", NewUserName="anna", NewPath="/team/")
    assert found(cloud, key).identity.arn == "arn:aws:iam::111122223333:user/team/anna"
    assert [one["AccessKeyId"] for one in cloud("ListAccessKeys", UserName="anna")["AccessKeyMetadata"]] == [key]
    with pytest.raises(AwsError, match=r"The user with name ann cannot be found\."):
        cloud("ListAccessKeys", UserName="ann")


def test_without_a_user_name_the_keys_are_the_callers():
    cloud = IamCloud()
    key = cloud("CreateAccessKey")["AccessKey"]
    assert "UserName" not in key
    assert cloud.identity(key["AccessKeyId"]).is_root
    assert len(cloud("ListAccessKeys")["AccessKeyMetadata"]) == 2


def test_keys_page():
    cloud = IamCloud()
    first = cloud.user("ann").access_key_id
    second = cloud("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"]
    page = cloud("ListAccessKeys", UserName="ann", MaxItems=1)
    assert page["IsTruncated"]
    rest = cloud("ListAccessKeys", UserName="ann", MaxItems=1, Marker=page["Marker"])
    assert not rest["IsTruncated"]
    listed = [one["AccessKeyId"] for one in page["AccessKeyMetadata"] + rest["AccessKeyMetadata"]]
    assert listed == sorted([first, second])
