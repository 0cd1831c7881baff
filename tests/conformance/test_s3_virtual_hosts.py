"""Buckets as host names: bucket.localhost serves what /bucket does."""

import http.client
import os
from typing import Any

import pytest
from botocore.config import Config
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused


@pytest.fixture
def hosted(cloud: CloudUnderTest, localhost_names: None) -> Any:
    return cloud.client(
        "s3", endpoint_url=f"http://localhost:{cloud.port}", config=Config(s3={"addressing_style": "virtual"})
    )


def test_the_host_names_the_bucket(hosted: Any, s3: Any, new_bucket: Any) -> None:
    name = new_bucket()
    sent: list[str] = []
    hosted.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.url))
    data = os.urandom(2_000_000)
    hosted.put_object(Bucket=name, Key="a//b/../c d", Body=data)
    assert f"//{name}.localhost:" in sent[0]
    assert s3.get_object(Bucket=name, Key="a//b/../c d")["Body"].read() == data
    assert hosted.get_object(Bucket=name, Key="a//b/../c d")["Body"].read() == data
    assert [o["Key"] for o in hosted.list_objects_v2(Bucket=name)["Contents"]] == ["a//b/../c d"]
    hosted.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a//b/../c d"}]})
    assert hosted.list_objects_v2(Bucket=name)["KeyCount"] == 0


def test_a_key_may_look_like_a_bucket(hosted: Any, s3: Any, new_bucket: Any) -> None:
    name, other = new_bucket(), new_bucket()
    hosted.put_object(Bucket=name, Key=other, Body=b"a key")
    hosted.put_object(Bucket=name, Key=f"{other}/k", Body=b"another")
    assert s3.get_object(Bucket=name, Key=other)["Body"].read() == b"a key"
    assert s3.list_objects_v2(Bucket=other)["KeyCount"] == 0


def test_a_bucket_is_made_and_deleted_by_its_host(hosted: Any, s3: Any) -> None:
    name = f"t-{os.urandom(8).hex()}"
    hosted.create_bucket(Bucket=name)
    assert name in {b["Name"] for b in s3.list_buckets()["Buckets"]}
    hosted.delete_bucket(Bucket=name)
    with refused("NoSuchBucket", 404, "The specified bucket does not exist", BucketName=name):
        hosted.list_objects_v2(Bucket=name)


def test_a_host_that_is_no_bucket_is_answered_cleanly(cloud: CloudUnderTest) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    connection.request("GET", "/", headers={"Host": "no-such-bucket-at-all.localhost"})
    answer = connection.getresponse()
    body = answer.read()
    assert (answer.status, b"<Code>NoSuchBucket</Code>" in body) == (404, True)
    connection.close()
