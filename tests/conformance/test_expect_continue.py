"""A client that asks before it sends: who may not upload is told so before the body, who may is told to go on."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BODY = b"a small body"


def ask(cloud, head: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", cloud.port), timeout=10)
    connection.sendall(head)
    return connection


def signed_head(cloud, url: str, expect: str = "100-continue") -> bytes:
    headers = {"Host": urlsplit(url).netloc, "Content-Length": str(len(BODY)), "Expect": expect}
    request = AWSRequest("PUT", url, headers=headers, data=BODY)
    S3SigV4Auth(Credentials(cloud.access_key, cloud.secret_key), "s3", cloud.region).add_auth(request)
    lines = [f"PUT {urlsplit(url).path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_an_unsigned_upload_is_refused_before_its_body(cloud, bucket) -> None:
    head = f"PUT /{bucket}/key HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n"
    with ask(cloud, head.encode()) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_a_signed_upload_is_asked_for_its_body(cloud, bucket) -> None:
    with ask(cloud, signed_head(cloud, f"{cloud.endpoint}/{bucket}/key")) as connection:
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert cloud.client("s3").get_object(Bucket=bucket, Key="key")["Body"].read() == BODY


@pytest.mark.parametrize("expect", ["200", "", "miracles"])
def test_other_expectations_change_nothing(cloud, bucket, expect: str) -> None:
    with ask(cloud, signed_head(cloud, f"{cloud.endpoint}/{bucket}/key", expect) + BODY) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert cloud.client("s3").get_object(Bucket=bucket, Key="key")["Body"].read() == BODY


def test_the_aws_cli_goes_on_after_an_empty_file(cloud, bucket, tmp_path) -> None:
    """It asks before every file, and misreads the next answer on a connection that gave a final one to an empty one's question."""
    for number in range(40):
        (tmp_path / f"{number:02}").write_bytes(b"x" * (number % 2 * number))
    command = [str(Path(sys.executable).with_name("aws")), "s3", "sync", str(tmp_path), f"s3://{bucket}"]
    subprocess.run(command, env=cloud.env, check=True, timeout=60, capture_output=True)
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert {o["Key"]: o["Size"] for o in listed} == {f"{n:02}": n % 2 * n for n in range(40)}


def test_an_upload_refused_unread_ends_its_connection(cloud, bucket) -> None:
    head = f"PUT /{bucket}/key HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n"
    with ask(cloud, head.encode()) as connection:
        assert b"\r\nConnection: close\r\n" in connection.recv(4096)
