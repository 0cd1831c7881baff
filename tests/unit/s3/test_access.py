"""What weighing a call rests on, and what the operation is held to."""

import asyncio

import pytest
from tests.support import ROOT
from tests.unit.s3.cloud import OTHER, S3

from atoll.operation import Identity, Permission
from atoll.services.s3.records import Document, encode
from atoll.services.s3.service import s3 as service
from atoll.store import Conflict

NOBODY = Identity("", "", "", "", "anonymous")
USER = Identity(ROOT.account, f"arn:aws:iam::{ROOT.account}:user/u", "AIDAU", "k", "user")


def weighed(s3, identity, action="s3:GetObject", key="k"):
    call = s3.cloud.call(identity=identity)
    permission = Permission(action, f"arn:aws:s3:::bucket/{key}")
    return call, asyncio.run(service.weigh(call, [permission]))[0]


def acl_bucket():
    s3 = S3()
    s3("PutBucketOwnershipControls", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3("DeletePublicAccessBlock")
    return s3


def test_in_a_plain_bucket_the_accounts_own_iam_policies_decide():
    s3 = S3()
    s3.put("k", b"x")
    permission = Permission("s3:GetObject", "arn:aws:s3:::bucket/k")
    call = s3.cloud.call()
    assert asyncio.run(service.weigh(call, [permission])) == [permission]
    assert call.premises == {}


def test_who_is_refused_is_let_into_no_bucket():
    s3 = S3()
    s3.put("k", b"x")
    for identity in (OTHER, NOBODY):
        for operation in ("GetObject", "HeadObject", "DeleteObject", "GetObjectAcl", "GetObjectTagging"):
            assert s3.code(operation, Key="k", identity=identity) == "AccessDenied"
        for operation in ("ListObjectsV2", "GetBucketAcl", "GetBucketPolicy", "DeleteBucket", "DeleteBucketPolicy"):
            assert s3.code(operation, identity=identity) == "AccessDenied"
    assert s3.read("k") == b"x"


def test_an_object_replaced_after_it_was_judged_is_not_read_by_that_judgement():
    s3 = acl_bucket()
    s3.put("k", b"open", ACL="public-read")
    assert s3.read("k", identity=NOBODY) == b"open"
    asked = s3.cloud.cloud.authorise

    async def replace_meanwhile(call, permissions):
        await asked(call, permissions)
        if call.identity is NOBODY:
            await s3.cloud("PutObject", Bucket="bucket", Key="k", Body=b"secret")

    s3.cloud.cloud.authorise = replace_meanwhile
    with pytest.raises(Conflict):
        s3("GetObject", Key="k", identity=NOBODY)


def test_a_bucket_made_anew_by_another_is_not_the_one_that_was_judged():
    s3 = S3()
    s3.publish("s3:ListBucket")
    assert s3.keys(identity=NOBODY) == []
    asked = s3.cloud.cloud.authorise

    async def replace_meanwhile(call, permissions):
        await asked(call, permissions)
        if call.identity is NOBODY:
            await s3.cloud("DeleteBucket", Bucket="bucket")
            await s3.cloud("CreateBucket", Bucket="bucket")

    s3.cloud.cloud.authorise = replace_meanwhile
    assert s3.code("ListObjectsV2", identity=NOBODY) == "AccessDenied"


def test_a_policy_goes_with_its_bucket():
    s3 = S3()
    s3.publish()
    (row,) = s3.rows("a").values()
    assert b"s3:GetObject" in row
    shelf = next(p for p, _ in s3.cloud.store.rows if b"/s3/a/" in p)
    s3("DeleteBucket")
    assert not [place for place in s3.cloud.store.rows if place[0] == shelf]


def test_tags_of_an_object_are_told_to_iam_too():
    s3 = S3()
    s3.put("k", b"x", Tagging="secret=yes")
    call, permission = weighed(s3, USER)
    assert permission.context == {"s3:ExistingObjectTag/secret": "yes"}
    assert not permission.granted
    assert list(call.premises.values()) == [{"k": (ROOT.account, None, [("secret", "yes")], False)}]


def test_what_is_missing_is_told_to_who_may_list():
    s3 = acl_bucket()
    assert s3.code("GetObject", Key="k", identity=NOBODY) == "AccessDenied"
    s3("PutBucketAcl", ACL="public-read")
    assert s3.code("GetObject", Key="k", identity=NOBODY) == "NoSuchKey"
    s3.put("k", b"x")
    assert s3.code("GetObject", Key="k", identity=NOBODY) == "AccessDenied"


def test_a_name_made_anew_is_not_the_one_a_policy_meant():
    s3 = S3()
    s3.publish()
    bucket_rows = [place for place in s3.cloud.store.rows if b"/s3/a/" in place[0]]
    text = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",'
        f'"Principal":{{"AWS":"{USER.arn}"}}}}]}}'
    )
    s3.put("k", b"x")
    s3.cloud.store.rows[bucket_rows[0]] = encode(Document(text, {USER.arn: USER.user_id}))
    assert weighed(s3, USER)[1].granted
    s3.cloud.store.rows[bucket_rows[0]] = encode(Document(text, {USER.arn: "AIDAFORMER"}))
    assert not weighed(s3, USER)[1].granted


def test_a_user_of_the_account_needs_no_policy_where_everyone_is_let_in():
    s3 = acl_bucket()
    s3.put("k", b"x")
    assert not weighed(s3, USER)[1].granted
    s3("PutObjectAcl", Key="k", ACL="public-read")
    assert weighed(s3, USER)[1].granted
    s3("PutObjectAcl", Key="k", ACL="private")
    assert not weighed(s3, USER)[1].granted


def test_nobody_learns_of_a_bucket_that_is_not_there_more_than_that():
    s3 = S3()
    assert s3.code("ListObjectsV2", Bucket="nowhere", identity=NOBODY) == "NoSuchBucket"
