"""Multipart uploads: parts in any order, one object at the end, or nothing."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.conformance.refusals import refused

LEAST = 5 * 2**20
NO_UPLOAD = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
BAD_PART = (
    "One or more of the specified parts could not be found.  "
    "The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
)


def start(s3: Any, bucket: str, key: str = "k", **settings: Any) -> dict[str, str]:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **settings)
    assert (upload["Bucket"], upload["Key"]) == (bucket, key)
    return {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}


def add(s3: Any, upload: dict[str, str], number: int, body: bytes) -> dict[str, Any]:
    etag = s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"'
    return {"PartNumber": number, "ETag": etag}


def complete(s3: Any, upload: dict[str, str], parts: list[dict[str, Any]]) -> Any:
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def composite_etag(bodies: list[bytes]) -> str:
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(bodies)}"'


def test_parts_sent_at_once_and_out_of_order_make_one_object(s3: Any, bucket: str) -> None:
    bodies = [os.urandom(LEAST + n) for n in range(4)] + [os.urandom(10)]
    upload = start(s3, bucket, Metadata={"a": "b"}, ContentType="text/x", CacheControl="no-cache", Tagging="t=1")
    with ThreadPoolExecutor(4) as pool:
        order = [5, 3, 1, 4, 2]
        sent = list(pool.map(lambda n: add(s3, upload, n * 10, bodies[n - 1]), order))
    answer = complete(s3, upload, sorted(sent, key=lambda p: p["PartNumber"]))
    assert answer["ETag"] == composite_etag(bodies)
    assert (answer["Bucket"], answer["Key"]) == (bucket, "k")
    assert answer["Location"].endswith(f"{bucket}/k")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(bodies)
    assert (got["ETag"], got["ContentType"], got["CacheControl"]) == (composite_etag(bodies), "text/x", "no-cache")
    assert (got["Metadata"], got["TagCount"]) == ({"a": "b"}, 1)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == sum(map(len, bodies))


def test_nothing_is_seen_before_completion(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    upload = start(s3, bucket)
    part = add(s3, upload, 1, b"after")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"
    complete(s3, upload, [part])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"after"


def test_a_part_sent_again_replaces_the_first(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    first = add(s3, upload, 1, b"first")
    second = add(s3, upload, 1, b"second")
    with refused("InvalidPart", 400, BAD_PART):
        complete(s3, upload, [first])
    complete(s3, upload, [second])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"


def test_parts_left_out_of_the_completion_are_left_out_of_the_object(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    large = os.urandom(LEAST)
    first, _, third = add(s3, upload, 1, large), add(s3, upload, 2, b"unwanted"), add(s3, upload, 3, b"end")
    complete(s3, upload, [first, third])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == large + b"end"


def test_an_aborted_upload_leaves_nothing(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    part = add(s3, upload, 1, b"x")
    assert s3.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchUpload", 404, NO_UPLOAD, UploadId=upload["UploadId"]):
        complete(s3, upload, [part])
    with refused("NoSuchUpload", 404, NO_UPLOAD):
        s3.upload_part(**upload, PartNumber=2, Body=b"y")
    with refused("NoSuchUpload", 404, NO_UPLOAD):
        s3.list_parts(**upload)
    with refused("NoSuchUpload", 404, NO_UPLOAD):
        s3.abort_multipart_upload(**upload)
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="k")


def test_completing_again_answers_as_the_first_time(s3: Any, bucket: str) -> None:
    # A client whose answer was lost sends the completion again.
    upload = start(s3, bucket)
    part = add(s3, upload, 1, b"x")
    first, second = complete(s3, upload, [part]), complete(s3, upload, [part])
    assert first["ETag"] == second["ETag"]
    with refused("NoSuchUpload", 404, NO_UPLOAD):
        s3.list_parts(**upload)


def test_two_completions_at_once_make_one_object(s3: Any, versioned_bucket: str) -> None:
    upload = start(s3, versioned_bucket)
    parts = [add(s3, upload, 1, b"x")]
    with ThreadPoolExecutor(4) as pool:
        etags = {answer["ETag"] for answer in pool.map(lambda _: complete(s3, upload, parts), range(4))}
    assert len(etags) == 1
    assert len(s3.list_object_versions(Bucket=versioned_bucket)["Versions"]) == 1


def test_too_small_a_part_before_the_last_is_refused(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    parts = [add(s3, upload, 1, os.urandom(LEAST - 1)), add(s3, upload, 2, b"x")]
    with refused(
        "EntityTooSmall",
        400,
        "Your proposed upload is smaller than the minimum allowed size",
        MinSizeAllowed=str(LEAST),
        PartNumber="1",
        ProposedSize=str(LEAST - 1),
    ):
        complete(s3, upload, parts)
    assert len(s3.list_parts(**upload)["Parts"]) == 2


def test_parts_out_of_order_are_refused(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    parts = [add(s3, upload, n, os.urandom(LEAST)) for n in (1, 2)]
    message = "The list of parts was not in ascending order. Parts must be ordered by part number."
    with refused("InvalidPartOrder", 400, message):
        complete(s3, upload, parts[::-1])
    with refused("InvalidPartOrder", 400, message):
        complete(s3, upload, [parts[0], parts[0]])


def test_parts_that_were_never_sent_are_refused(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    part = add(s3, upload, 1, b"x")
    with refused("InvalidPart", 400, BAD_PART):
        complete(s3, upload, [part, {"PartNumber": 2, "ETag": part["ETag"]}])
    with refused("InvalidPart", 400, BAD_PART):
        complete(s3, upload, [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}])
    with refused("MalformedXML", 400):
        complete(s3, upload, [])


@pytest.mark.parametrize("number", [0, 10_001])
def test_a_part_number_out_of_bounds_is_refused(s3: Any, bucket: str, number: int) -> None:
    upload = start(s3, bucket)
    with refused(
        "InvalidArgument",
        400,
        "Part number must be an integer between 1 and 10000, inclusive",
        ArgumentName="partNumber",
        ArgumentValue=str(number),
    ):
        s3.upload_part(**upload, PartNumber=number, Body=b"x")


def test_an_upload_belongs_to_its_key(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket, "k")
    with refused("NoSuchUpload", 404, NO_UPLOAD):
        s3.upload_part(**{**upload, "Key": "other"}, PartNumber=1, Body=b"x")


def test_parts_are_listed_in_pages(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    sent = [add(s3, upload, n, bytes(n)) for n in (1, 2, 5, 9, 10_000)]
    answer = s3.list_parts(**upload)
    assert [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in answer["Parts"]] == sent
    assert [p["Size"] for p in answer["Parts"]] == [1, 2, 5, 9, 10_000]
    assert (answer["IsTruncated"], answer["StorageClass"], answer["UploadId"]) == (
        False,
        "STANDARD",
        upload["UploadId"],
    )
    assert answer["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2})
    assert [[p["PartNumber"] for p in page["Parts"]] for page in pages] == [[1, 2], [5, 9], [10_000]]


def test_uploads_are_listed_in_pages_by_key_and_age(s3: Any, bucket: str) -> None:
    made = [start(s3, bucket, key) for key in ("a", "b", "b", "c/1", "c/2", "d")]
    wanted = [(u["Key"], u["UploadId"]) for u in made]
    answer = s3.list_multipart_uploads(Bucket=bucket)
    assert [(u["Key"], u["UploadId"]) for u in answer["Uploads"]] == wanted
    assert answer["IsTruncated"] is False
    for size in (1, 2, 5):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        assert [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])] == wanted
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [u["Key"] for u in grouped["Uploads"]] == ["a", "b", "b", "d"]
    assert [p["Prefix"] for p in grouped["CommonPrefixes"]] == ["c/"]
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket, Prefix="c")["Uploads"]] == ["c/1", "c/2"]


def test_a_part_is_copied_from_a_range_of_an_object(s3: Any, bucket: str) -> None:
    source = os.urandom(LEAST + 1000)
    s3.put_object(Bucket=bucket, Key="source", Body=source)
    upload = start(s3, bucket)
    where = {"Bucket": bucket, "Key": "source"}
    whole = s3.upload_part_copy(**upload, PartNumber=1, CopySource=where)["CopyPartResult"]
    assert whole["ETag"] == f'"{hashlib.md5(source).hexdigest()}"'
    some = s3.upload_part_copy(**upload, PartNumber=2, CopySource=where, CopySourceRange="bytes=10-509")
    parts = [
        {"PartNumber": 1, "ETag": whole["ETag"]},
        {"PartNumber": 2, "ETag": some["CopyPartResult"]["ETag"]},
    ]
    assert complete(s3, upload, parts)["ETag"] == composite_etag([source, source[10:510]])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == source + source[10:510]


def test_a_copied_range_outside_its_source_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload = start(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    for asked in ("bytes=0-10", "bytes=20-30"):
        with refused("InvalidRange", 416, "The requested range is not satisfiable"):
            s3.upload_part_copy(**upload, PartNumber=1, CopySource=source, CopySourceRange=asked)
    for nonsense in ("bytes=3-1", "bytes=-3", "0-3", "bytes=a-b", "bytes=0-1,3-4"):
        with refused("InvalidArgument", 400):
            s3.upload_part_copy(**upload, PartNumber=1, CopySource=source, CopySourceRange=nonsense)


def test_a_copied_part_survives_the_deletion_of_its_source(s3: Any, bucket: str) -> None:
    source = os.urandom(LEAST)
    s3.put_object(Bucket=bucket, Key="source", Body=source)
    upload = start(s3, bucket)
    where = {"Bucket": bucket, "Key": "source"}
    etag = s3.upload_part_copy(**upload, PartNumber=1, CopySource=where)["CopyPartResult"]["ETag"]
    s3.delete_object(Bucket=bucket, Key="source")
    complete(s3, upload, [{"PartNumber": 1, "ETag": etag}])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == source


def test_one_part_is_read_by_its_number(s3: Any, bucket: str) -> None:
    bodies = [os.urandom(LEAST), os.urandom(LEAST + 1), b"end"]
    upload = start(s3, bucket)
    complete(s3, upload, [add(s3, upload, n, body) for n, body in enumerate(bodies, 1)])
    for number, body in enumerate(bodies, 1):
        answer = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert (answer["PartsCount"], answer["ContentLength"]) == (3, len(body))
        assert answer["Body"].read() == body
        assert s3.head_object(Bucket=bucket, Key="k", PartNumber=number)["ContentLength"] == len(body)
    with refused("InvalidPartNumber", 416, "The requested partnumber is not satisfiable"):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=4)


def test_part_one_of_an_object_put_at_once_is_all_of_it(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    answer = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (answer["Body"].read(), "PartsCount" in answer) == (b"data", False)


def test_a_multipart_object_is_a_version_like_any_other(s3: Any, versioned_bucket: str) -> None:
    first = s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"1")["VersionId"]
    upload = start(s3, versioned_bucket)
    second = complete(s3, upload, [add(s3, upload, 1, b"2")])["VersionId"]
    versions = s3.list_object_versions(Bucket=versioned_bucket)["Versions"]
    assert [v["VersionId"] for v in versions] == [second, first]


def test_a_bucket_with_an_unfinished_upload_can_be_deleted(s3: Any, bucket: str) -> None:
    upload = start(s3, bucket)
    add(s3, upload, 1, b"x")
    s3.delete_bucket(Bucket=bucket)
    with refused("NoSuchBucket", 404):
        s3.list_parts(**upload)
