"""GetObjectAttributes: what is asked for, and nothing else."""

import hashlib
import os
from typing import Any

from tests.conformance.refusals import refused

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def test_a_plain_object_has_size_etag_class_and_checksum(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert answer["ETag"] == hashlib.md5(b"hello").hexdigest()  # Without quotes: so does AWS.
    assert (answer["ObjectSize"], answer["StorageClass"]) == (5, "STANDARD")
    assert answer["Checksum"] == {
        "ChecksumSHA256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        "ChecksumType": "FULL_OBJECT",
    }
    assert "ObjectParts" not in answer
    assert answer["LastModified"] == s3.head_object(Bucket=bucket, Key="k")["LastModified"]


def test_only_what_was_asked_for_is_told(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert set(answer) == {"ResponseMetadata", "LastModified", "ObjectSize"}


def test_parts_are_told_in_pages(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32C")["UploadId"]
    sizes = [5 * 2**20, 5 * 2**20 + 1, 3]
    parts = []
    for number, size in enumerate(sizes, 1):
        part = s3.upload_part(
            Bucket=bucket,
            Key="k",
            UploadId=upload,
            PartNumber=number,
            Body=os.urandom(size),
            ChecksumAlgorithm="CRC32C",
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32C": part["ChecksumCRC32C"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    wanted = [
        {"PartNumber": part["PartNumber"], "Size": size, "ChecksumCRC32C": part["ChecksumCRC32C"]}
        for part, size in zip(parts, sizes, strict=True)
    ]
    assert (told["TotalPartsCount"], told["IsTruncated"], told["Parts"]) == (3, False, wanted)
    page = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=1
    )["ObjectParts"]
    assert (page["Parts"], page["IsTruncated"], page["NextPartNumberMarker"]) == (wanted[1:2], True, 2)


def test_attributes_of_one_version(s3: Any, versioned_bucket: str) -> None:
    first = s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"22")
    answer = s3.get_object_attributes(
        Bucket=versioned_bucket, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"]
    )
    assert (answer["VersionId"], answer["ObjectSize"]) == (first, 1)


def test_what_cannot_be_asked_is_refused(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404, "The specified key does not exist."):
        s3.get_object_attributes(Bucket=bucket, Key="missing", ObjectAttributes=ALL)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("InvalidArgument", 400, "Invalid attribute name specified."):
        s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Colour"])
