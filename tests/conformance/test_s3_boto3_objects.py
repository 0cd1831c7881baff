"""Objects: their bytes, their headers, their metadata, and their end."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused

# Sizes around every border inside: nothing, inline records, the body buffer, the sendfile path.
SIZES = [0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 1024 * 1024, 1024 * 1024 + 1, 5 * 1024 * 1024 + 3]


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_what_is_got(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    assert s3.put_object(Bucket=bucket, Key="k", Body=data)["ETag"] == etag(data)
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["Body"].read() == data
    assert (answer["ContentLength"], answer["ETag"], answer["AcceptRanges"]) == (size, etag(data), "bytes")
    assert abs(answer["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (size, etag(data), answer["LastModified"])


def test_an_overwritten_object_is_the_new_one_at_once(s3: Any, bucket: str) -> None:
    for size in (10, 100_000, 3, 2_000_000, 0):
        data = os.urandom(size)
        s3.put_object(Bucket=bucket, Key="k", Body=data)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_headers_and_metadata_come_back(s3: Any, bucket: str) -> None:
    sent = {
        "CacheControl": "max-age=60, public",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de-DE, en-CA",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"colour": "blue", "empty": "", "spaced": "a  b", "number-1": "1"},
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", Expires=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), **sent)
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in sent} == sent
        assert answer["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Wed, 02 Jan 2030 03:04:05 GMT"


def test_the_type_is_octets_unless_said_otherwise(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_an_overwrite_forgets_the_old_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"a": "1"}, CacheControl="no-store")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {}
    assert "CacheControl" not in head


def test_metadata_above_2_kib_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2047})
    with refused("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048})


def test_the_reader_may_override_the_headers_of_an_answer(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentType="text/plain")
    answer = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseContentType="application/json",
        ResponseCacheControl="no-cache",
        ResponseContentDisposition="inline; filename=x",
        ResponseContentEncoding="identity",
        ResponseContentLanguage="fr",
    )
    assert answer["ContentType"] == "application/json"
    assert answer["CacheControl"] == "no-cache"
    assert answer["ContentDisposition"] == "inline; filename=x"
    assert answer["ContentEncoding"] == "identity"
    assert answer["ContentLanguage"] == "fr"


def test_a_missing_object_is_refused_by_name(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="missing/ä key"):
        s3.get_object(Bucket=bucket, Key="missing/ä key")
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="missing/ä key")


def test_deleting_is_repeatable(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        answer = s3.delete_object(Bucket=bucket, Key="k")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert "DeleteMarker" not in answer
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")


def test_a_thousand_keys_are_deleted_in_one_call(s3: Any, bucket: str) -> None:
    names = [f"k/{i:04}" for i in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=bucket, Key=k, Body=b""), names))
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in names]})
    assert sorted(d["Key"] for d in answer["Deleted"]) == names
    assert answer.get("Errors", []) == []
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_quiet_delete_tells_only_of_errors(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "missing"}], "Quiet": True})
    assert "Deleted" not in answer
    assert "Errors" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_delete_of_more_than_a_thousand_keys_is_refused(s3: Any, bucket: str) -> None:
    with refused(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})


def test_one_key_written_by_many_at_once_is_one_of_theirs(s3: Any, bucket: str) -> None:
    bodies = [bytes([i]) * 50_000 for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: s3.put_object(Bucket=bucket, Key="k", Body=body), bodies))
    answer = s3.get_object(Bucket=bucket, Key="k")
    data = answer["Body"].read()
    assert data in bodies
    assert answer["ETag"] == etag(data)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == etag(data)


def test_there_is_one_storage_class_and_others_are_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="k")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD"
    # What is kept on the same disk at the same price is not a colder class: better refused than pretended.
    with refused("NotImplemented", 501, "A header or query you provided implies functionality that is not implemented"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    with refused("InvalidStorageClass", 400, "The storage class you specified is not valid"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="SHELF")


def test_the_transfer_manager_moves_a_file_of_many_parts(s3: Any, bucket: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(os.urandom(21 * 1024 * 1024 + 5))
    config = TransferConfig(multipart_threshold=6 * 2**20, multipart_chunksize=5 * 2**20, max_concurrency=4)
    s3.upload_file(str(source), bucket, "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ETag"][-3:], head["Metadata"]) == ('-5"', {"a": "b"})
    s3.download_file(bucket, "big", str(target), Config=config)
    assert target.read_bytes() == source.read_bytes()


def test_a_stream_of_unknown_length_is_uploaded(s3: Any, bucket: str) -> None:
    data = os.urandom(9_000_000)
    s3.upload_fileobj(io.BytesIO(data), bucket, "k")
    sink = io.BytesIO()
    s3.download_fileobj(bucket, "k", sink)
    assert sink.getvalue() == data


def test_a_reader_that_goes_away_disturbs_nobody(s3: Any, bucket: str) -> None:
    data = os.urandom(8_000_000)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for _ in range(5):
        body = s3.get_object(Bucket=bucket, Key="k")["Body"]
        body.read(1000)
        body.close()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_a_reader_sees_one_version_to_the_end_while_it_is_overwritten(s3: Any, bucket: str) -> None:
    old, new = b"o" * 20_000_000, b"n" * 20_000_000
    s3.put_object(Bucket=bucket, Key="k", Body=old)
    body = s3.get_object(Bucket=bucket, Key="k")["Body"]
    start = body.read(65_536)
    s3.put_object(Bucket=bucket, Key="k", Body=new)
    s3.delete_object(Bucket=bucket, Key="k")
    assert start + body.read() == old


def test_everything_survives_a_restart(s3: Any, bucket: str, cloud: CloudUnderTest) -> None:
    small, large = os.urandom(100), os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="small", Body=small, Metadata={"a": "b"})
    s3.put_object(Bucket=bucket, Key="large", Body=large, Tagging="x=y")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=large)["ETag"]
    cloud.restart()
    head = s3.head_object(Bucket=bucket, Key="small")
    assert (head["ETag"], head["Metadata"]) == (etag(small), {"a": "b"})
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == large
    assert s3.get_object_tagging(Bucket=bucket, Key="large")["TagSet"] == [{"Key": "x", "Value": "y"}]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == large


def test_everything_survives_a_kill(s3: Any, bucket: str, cloud: CloudUnderTest) -> None:
    bodies = {f"k{i}": os.urandom(size) for i, size in enumerate((0, 10, 100_000, 2_000_000))}
    for key, data in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=data)
    cloud.kill()
    cloud.server.start()
    assert {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in bodies} == bodies


def test_many_clients_at_once_get_their_own_answers(cloud: CloudUnderTest, bucket: str) -> None:
    def work(number: int) -> bool:
        client = cloud.client("s3")
        for turn in range(10):
            data = f"{number}/{turn}".encode() * 500
            client.put_object(Bucket=bucket, Key=f"c/{number}", Body=data)
            if client.get_object(Bucket=bucket, Key=f"c/{number}")["Body"].read() != data:
                return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(work, range(12)))
