"""ListParts, ListMultipartUploads and GetObjectAttributes, page by page."""

import asyncio
import os

import pytest
from tests.support import ACCOUNT, TestCloud

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import Identity
from atoll.services.s3 import attributes, buckets, completion, multipart, multipart_listing, objects  # noqa: F401
from atoll.services.s3.names import canonical_id
from atoll.services.s3.service import s3

MIB = 1024 * 1024
FIVE = os.urandom(5 * MIB)
OWNER = {"ID": canonical_id(ACCOUNT), "DisplayName": ACCOUNT}


def run(work):
    cloud = TestCloud(s3)

    async def whole():
        await cloud("CreateBucket", Bucket="open")
        await work(cloud)

    asyncio.run(whole())


async def code_of(awaitable):
    with pytest.raises(AwsError) as caught:
        await awaitable
    return caught.value.code


def sum_of(algorithm, data):
    return checksums.encode(checksums.compute(algorithm, data))


async def begin(cloud, key, **members):
    return (await cloud("CreateMultipartUpload", Bucket="open", Key=key, **members))["UploadId"]


def test_parts_are_listed_page_by_page():
    async def work(cloud):
        upload_id = await begin(cloud, "k", ChecksumAlgorithm="SHA1")
        where = {"Bucket": "open", "Key": "k", "UploadId": upload_id}
        for number in (2, 10, 9000):
            data = b"x" * number
            await cloud("UploadPart", PartNumber=number, Body=data, ChecksumSHA1=sum_of("SHA1", data), **where)
        whole = await cloud("ListParts", **where)
        entries = whole.pop("Parts")
        assert [(entry["PartNumber"], entry["Size"]) for entry in entries] == [(2, 2), (10, 10), (9000, 9000)]
        assert entries[0]["ChecksumSHA1"] == sum_of("SHA1", b"xx")
        assert entries[0]["ETag"] == '"9336ebf25087d91c818ee6e9ec29f8c1"'
        assert whole == {
            **where,
            "PartNumberMarker": 0,
            "NextPartNumberMarker": 9000,
            "MaxParts": 1000,
            "IsTruncated": False,
            "StorageClass": "STANDARD",
            "Owner": OWNER,
            "Initiator": OWNER,
            "ChecksumAlgorithm": "SHA1",
            "ChecksumType": "COMPOSITE",
        }
        page = await cloud("ListParts", MaxParts=2, **where)
        assert ([entry["PartNumber"] for entry in page["Parts"]], page["IsTruncated"]) == ([2, 10], True)
        page = await cloud("ListParts", PartNumberMarker=page["NextPartNumberMarker"], MaxParts=2, **where)
        assert ([entry["PartNumber"] for entry in page["Parts"]], page["IsTruncated"]) == ([9000], False)
        assert (await cloud("ListParts", MaxParts=0, **where))["Parts"] == []
        assert await code_of(cloud("ListParts", MaxParts=-1, **where)) == "InvalidArgument"
        assert await code_of(cloud("ListParts", PartNumberMarker=-1, **where)) == "InvalidArgument"
        assert await code_of(cloud("ListParts", **where | {"UploadId": "none"})) == "NoSuchUpload"

    run(work)


async def all_pages(cloud, most, **members):
    seen, markers = [], {}
    while True:
        page = await cloud("ListMultipartUploads", Bucket="open", MaxUploads=most, **members, **markers)
        assert len(page["Uploads"]) + len(page["CommonPrefixes"]) <= most
        seen += [(entry["Key"], entry["UploadId"]) for entry in page["Uploads"]]
        seen += [(entry["Prefix"], "") for entry in page["CommonPrefixes"]]
        if not page["IsTruncated"]:
            return sorted(seen)
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


@pytest.mark.parametrize("most", [1, 2, 3, 1000])
def test_uploads_are_listed_by_key_and_age(most):
    async def work(cloud):
        made = []
        for key in ("b/2", "a", "b/1", "ü", "b/1", "b//", "c"):
            cloud.time += 1
            made.append((key, await begin(cloud, key)))
        assert await all_pages(cloud, most) == sorted(made)
        assert [i for k, i in await all_pages(cloud, most) if k == "b/1"] == [made[2][1], made[4][1]]
        assert await all_pages(cloud, most, Prefix="b/") == sorted(made[i] for i in (0, 2, 4, 5))
        rolled = [("b/", ""), *(made[i] for i in (1, 3, 6))]
        assert await all_pages(cloud, most, Delimiter="/") == sorted(rolled)
        below = [("b//", ""), *(made[i] for i in (0, 2, 4))]
        assert await all_pages(cloud, most, Delimiter="/", Prefix="b/") == sorted(below)
        encoded = await cloud("ListMultipartUploads", Bucket="open", EncodingType="url", Prefix="ü")
        assert (encoded["Uploads"][0]["Key"], encoded["Prefix"]) == ("%C3%BC", "%C3%BC")

    run(work)


def test_an_upload_is_told_whole():
    async def work(cloud):
        user = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDA", "AKIA", "user")
        reply = await cloud("CreateMultipartUpload", identity=user, Bucket="open", Key="k", ChecksumAlgorithm="CRC32C")
        assert reply == {
            "Bucket": "open",
            "Key": "k",
            "UploadId": reply["UploadId"],
            "ChecksumAlgorithm": "CRC32C",
            "ChecksumType": "COMPOSITE",
        }
        page = await cloud("ListMultipartUploads", Bucket="open", UploadIdMarker="zzz")
        assert page == {
            "Bucket": "open",
            "KeyMarker": "",
            "UploadIdMarker": "",
            "Prefix": "",
            "MaxUploads": 1000,
            "IsTruncated": False,
            "CommonPrefixes": [],
            "Uploads": [
                {
                    "UploadId": reply["UploadId"],
                    "Key": "k",
                    "Initiated": "2027-01-15T08:00:00.000Z",
                    "StorageClass": "STANDARD",
                    "Owner": OWNER,
                    "Initiator": {"ID": user.arn, "DisplayName": "ann"},
                    "ChecksumAlgorithm": "CRC32C",
                    "ChecksumType": "COMPOSITE",
                }
            ],
        }
        assert await code_of(cloud("ListMultipartUploads", Bucket="open", MaxUploads=-1)) == "InvalidArgument"
        empty = await cloud("ListMultipartUploads", Bucket="open", MaxUploads=0)
        assert (empty["Uploads"], empty["IsTruncated"]) == ([], False)

    run(work)


ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def test_attributes_of_a_multipart_object():
    async def work(cloud):
        where = {"Bucket": "open", "Key": "k"}
        upload = {**where, "UploadId": await begin(cloud, "k", ChecksumAlgorithm="SHA256")}
        listed = []
        for number, data in ((1, FIVE), (4, FIVE), (5, b"end")):
            value = sum_of("SHA256", data)
            reply = await cloud("UploadPart", PartNumber=number, Body=data, ChecksumSHA256=value, **upload)
            listed.append({"PartNumber": number, "ETag": reply["ETag"], "ChecksumSHA256": value})
        done = await cloud("CompleteMultipartUpload", MultipartUpload={"Parts": listed}, **upload)
        reply = await cloud("GetObjectAttributes", ObjectAttributes=ALL, **where)
        entries = [
            {"PartNumber": part["PartNumber"], "Size": size, "ChecksumSHA256": part["ChecksumSHA256"]}
            for part, size in zip(listed, (5 * MIB, 5 * MIB, 3), strict=True)
        ]
        assert reply == {
            "LastModified": "2027-01-15T08:00:00.000Z",
            "ETag": done["ETag"].strip('"'),
            "Checksum": {"ChecksumSHA256": done["ChecksumSHA256"], "ChecksumType": "COMPOSITE"},
            "ObjectParts": {
                "TotalPartsCount": 3,
                "PartNumberMarker": 0,
                "NextPartNumberMarker": 5,
                "MaxParts": 1000,
                "IsTruncated": False,
                "Parts": entries,
            },
            "StorageClass": "STANDARD",
            "ObjectSize": 10 * MIB + 3,
        }
        asked = {"ObjectAttributes": ["ObjectParts"], **where}
        page = (await cloud("GetObjectAttributes", MaxParts=1, PartNumberMarker=1, **asked))["ObjectParts"]
        assert (page["Parts"], page["IsTruncated"], page["NextPartNumberMarker"]) == (entries[1:2], True, 4)

    run(work)


def test_attributes_that_were_not_asked_for_are_not_told():
    async def work(cloud):
        where = {"Bucket": "open", "Key": "k"}
        await cloud("PutObject", Body=b"abc", **where)
        reply = await cloud("GetObjectAttributes", ObjectAttributes=["ObjectSize", "ObjectParts"], **where)
        assert reply == {"LastModified": "2027-01-15T08:00:00.000Z", "ObjectSize": 3}
        assert await code_of(cloud("GetObjectAttributes", ObjectAttributes=["Size"], **where)) == "InvalidArgument"
        assert await code_of(cloud("GetObjectAttributes", ObjectAttributes=[], **where)) == "InvalidRequest"
        assert await code_of(cloud("GetObjectAttributes", ObjectAttributes=ALL, **where | {"Key": "x"})) == "NoSuchKey"

    run(work)


def test_attributes_of_versions_and_delete_markers():
    async def work(cloud):
        where = {"Bucket": "open", "Key": "k"}
        await cloud("PutBucketVersioning", Bucket="open", VersioningConfiguration={"Status": "Enabled"})
        version_id = (await cloud("PutObject", Body=b"abc", **where))["VersionId"]
        marker = (await cloud("DeleteObject", **where))["VersionId"]
        reply = await cloud("GetObjectAttributes", ObjectAttributes=["ObjectSize"], VersionId=version_id, **where)
        assert reply == {"LastModified": "2027-01-15T08:00:00.000Z", "VersionId": version_id, "ObjectSize": 3}
        with pytest.raises(AwsError) as caught:
            await cloud("GetObjectAttributes", ObjectAttributes=ALL, **where)
        assert (caught.value.code, caught.value.headers["x-amz-delete-marker"]) == ("NoSuchKey", "true")
        asked = {"ObjectAttributes": ALL, "VersionId": marker, **where}
        assert await code_of(cloud("GetObjectAttributes", **asked)) == "MethodNotAllowed"

    run(work)
