"""Tags of objects and buckets."""

import asyncio

import pytest
from tests.support import TestCloud

from atoll.aws.errors import AwsError
from atoll.services.s3 import buckets, objects, tagging  # noqa: F401
from atoll.services.s3.service import s3
from atoll.services.s3.tag_sets import given


def run(work):
    cloud = TestCloud(s3)

    async def whole():
        await cloud("CreateBucket", Bucket="tagged")
        return await work(cloud)

    return asyncio.run(whole())


def tag_set(*pairs):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}


async def code_of(awaitable):
    with pytest.raises(AwsError) as caught:
        await awaitable
    return caught.value.code


def test_tags_of_an_object_are_kept_by_key_and_removed():
    async def work(cloud):
        where = {"Bucket": "tagged", "Key": "k"}
        await cloud("PutObject", Body=b"x", Tagging="b=1&a=two%20words&c", **where)
        assert await cloud("GetObjectTagging", **where) == tag_set(("a", "two words"), ("b", "1"), ("c", ""))
        assert await cloud("PutObjectTagging", Tagging=tag_set(("z", "9"), ("y", "")), **where) == {}
        assert await cloud("GetObjectTagging", **where) == tag_set(("y", ""), ("z", "9"))
        assert (await cloud("HeadObject", **where))["TagCount"] == 2
        assert await cloud("DeleteObjectTagging", **where) == {}
        assert await cloud("GetObjectTagging", **where) == tag_set()
        assert (await cloud("GetObject", **where))["Body"] == b"x"

    run(work)


def test_tags_belong_to_one_version():
    async def work(cloud):
        where = {"Bucket": "tagged", "Key": "k"}
        await cloud("PutBucketVersioning", Bucket="tagged", VersioningConfiguration={"Status": "Enabled"})
        first = (await cloud("PutObject", Body=b"1", Tagging="n=1", **where))["VersionId"]
        second = (await cloud("PutObject", Body=b"2", Tagging="n=2", **where))["VersionId"]
        answer = await cloud("PutObjectTagging", VersionId=first, Tagging=tag_set(("n", "one")), **where)
        assert answer == {"VersionId": first}
        assert await cloud("GetObjectTagging", VersionId=first, **where) == tag_set(("n", "one")) | {"VersionId": first}
        assert await cloud("GetObjectTagging", **where) == tag_set(("n", "2")) | {"VersionId": second}
        marker = (await cloud("DeleteObject", **where))["VersionId"]
        assert await code_of(cloud("GetObjectTagging", **where)) == "NoSuchKey"
        assert (
            await code_of(cloud("PutObjectTagging", Tagging=tag_set(), VersionId=marker, **where)) == "MethodNotAllowed"
        )
        await cloud("DeleteObject", VersionId=first, **where)
        assert await code_of(cloud("GetObjectTagging", VersionId=first, **where)) == "NoSuchVersion"

    run(work)


def test_tags_of_a_bucket():
    async def work(cloud):
        assert await code_of(cloud("GetBucketTagging", Bucket="tagged")) == "NoSuchTagSet"
        await cloud("PutBucketTagging", Bucket="tagged", Tagging=tag_set(("team", "sea"), ("cost", "1")))
        assert await cloud("GetBucketTagging", Bucket="tagged") == tag_set(("cost", "1"), ("team", "sea"))
        await cloud("DeleteBucketTagging", Bucket="tagged")
        assert await code_of(cloud("GetBucketTagging", Bucket="tagged")) == "NoSuchTagSet"
        made = {"Tags": [{"Key": "born", "Value": "with"}]}
        await cloud("CreateBucket", Bucket="made-tagged", CreateBucketConfiguration=made)
        assert await cloud("GetBucketTagging", Bucket="made-tagged") == tag_set(("born", "with"))
        many = tag_set(*((f"k{n}", "") for n in range(51)))
        assert await code_of(cloud("PutBucketTagging", Bucket="tagged", Tagging=many)) == "BadRequest"

    run(work)


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([(f"k{n}", "") for n in range(11)], "BadRequest"),
        ([("k" * 129, "")], "InvalidTag"),
        ([("", "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("k", "\U0001f600" * 129)], "InvalidTag"),
        ([("aws:mine", "")], "InvalidTag"),
        ([("k", "1"), ("k", "2")], "InvalidTag"),
        ([("k", "semi;colon")], "InvalidTag"),
        ([("new\nline", "")], "InvalidTag"),
    ],
)
def test_tags_that_are_refused(pairs, code):
    async def work(cloud):
        where = {"Bucket": "tagged", "Key": "k"}
        await cloud("PutObject", Body=b"", **where)
        assert await code_of(cloud("PutObjectTagging", Tagging=tag_set(*pairs), **where)) == code
        assert await cloud("GetObjectTagging", **where) == tag_set()

    run(work)


def test_tags_at_the_limits_are_taken():
    pairs = [(f"{n}" + "k" * 127, "é" * 256) for n in range(10)]

    async def work(cloud):
        where = {"Bucket": "tagged", "Key": "k"}
        await cloud("PutObject", Body=b"", **where)
        await cloud("PutObjectTagging", Tagging=tag_set(*pairs), **where)
        assert await cloud("GetObjectTagging", **where) == tag_set(*pairs)

    run(work)


@pytest.mark.parametrize("header", ["a=1&a=2", "a=%ff", "%c3=x"])
def test_a_tagging_header_that_is_no_query_string_is_refused(header):
    with pytest.raises(AwsError) as caught:
        given({"Tagging": header})
    assert caught.value.code == "InvalidArgument"


def test_a_tagging_header_is_decoded():
    assert given({"Tagging": "k%3D=v+%2B=w&%C3%A9=&x"}) == [("k=", "v +=w"), ("x", ""), ("é", "")]
    assert given({}) == []
    assert given({"Tagging": ""}) == []
