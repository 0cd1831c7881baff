"""Presigned URLs: whoever holds one may do that one thing, for that long."""

import hashlib
import time
import urllib.error
import urllib.request
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.config import Config
from tests.conformance.conftest import CloudUnderTest


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def refusal(body: bytes) -> tuple[str | None, str | None]:
    root = ElementTree.fromstring(body)
    return root.findtext("Code"), root.findtext("Message")


@pytest.fixture(scope="module", params=["path", "virtual"])
def signer(request: pytest.FixtureRequest, cloud: CloudUnderTest) -> Any:
    """Signs URLs of both styles; `*.localhost` needs no name server only where the resolver knows it, hence `reach`."""
    endpoint = f"http://localhost:{cloud.port}"
    config = Config(s3={"addressing_style": request.param}, signature_version="s3v4")
    return cloud.client("s3", endpoint_url=endpoint, config=config)


@pytest.fixture(autouse=True)
def reach(localhost_names: None) -> None:
    """Every name below localhost is this machine, as RFC 6761 has it."""


def test_a_get_url_needs_no_keys(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b/ü+%41", Body=b"data", ContentType="text/plain")
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/ü+%41"})
    status, body, headers = fetch(url)
    assert (status, body, headers["Content-Type"]) == (200, b"data", "text/plain")
    status, body, headers = fetch(url, "GET", Range="bytes=1-2")
    assert (status, body) == (206, b"at")


def test_a_get_url_may_override_headers(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    disposition = 'attachment; filename="a b.txt"'
    url = signer.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k", "ResponseContentDisposition": disposition}
    )
    assert fetch(url)[2]["Content-Disposition"] == disposition


def test_a_head_url_is_for_head_only(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    url = signer.generate_presigned_url("head_object", {"Bucket": bucket, "Key": "k"})
    status, body, headers = fetch(url, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "4")
    status, body, _ = fetch(url)
    assert (status, refusal(body)[0]) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_a_put_url_takes_any_body(signer: Any, s3: Any, bucket: str, size: int) -> None:
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "ContentType": "text/plain"})
    data = b"x" * size
    status, _, headers = fetch(url, "PUT", data, Content_Type="text/plain")
    assert (status, headers["ETag"]) == (200, f'"{hashlib.md5(data).hexdigest()}"')
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentType"]) == (data, "text/plain")


def test_a_put_url_holds_the_holder_to_the_signed_headers(signer: Any, bucket: str) -> None:
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "ContentType": "text/plain"})
    status, body, _ = fetch(url, "PUT", b"data", Content_Type="text/html")
    assert (status, refusal(body)[0]) == (403, "SignatureDoesNotMatch")


def test_a_delete_url(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    url = signer.generate_presigned_url("delete_object", {"Bucket": bucket, "Key": "k"})
    assert fetch(url, "DELETE")[0] == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_part_urls_let_a_browser_upload_in_parts(signer: Any, s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
    status, _, headers = fetch(signer.generate_presigned_url("upload_part", part), "PUT", b"part")
    assert status == 200
    parts = [{"PartNumber": 1, "ETag": headers["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"part"


def test_a_listing_url(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"")
    status, body, _ = fetch(signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket, "Prefix": "a/"}))
    assert status == 200
    assert b"<Key>a/b</Key>" in body


def test_an_expired_url_is_refused(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    assert fetch(url)[0] == 200
    time.sleep(2.1)
    status, body, _ = fetch(url)
    assert (status, refusal(body)) == (403, ("AccessDenied", "Request has expired"))


def test_a_url_for_more_than_a_week_is_refused(signer: Any, bucket: str) -> None:
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=604_801)
    status, body, _ = fetch(url)
    assert (status, refusal(body)) == (
        400,
        (
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
    )


def test_a_changed_url_is_refused(signer: Any, s3: Any, bucket: str) -> None:
    for key in ("k", "K"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"data")
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    for changed in (
        url.replace("/k?", "/K?"),
        url + "&response-content-type=text%2Fhtml",
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
    ):
        assert changed != url
        status, body, _ = fetch(changed)
        assert (status, refusal(body)[0]) == (403, "SignatureDoesNotMatch")


def test_a_url_and_a_header_at_once_are_refused(signer: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    status, body, _ = fetch(url, Authorization="AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y")
    assert status == 400
    assert refusal(body) == (
        "InvalidArgument",
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
        "Signature query string parameter or the Authorization header should be specified",
    )


def test_what_an_older_url_says_of_the_object_is_heeded(cloud: CloudUnderTest, s3: Any, bucket: str) -> None:
    older = cloud.client("s3", config=Config(signature_version="s3", s3={"addressing_style": "path"}))
    given = {"Bucket": bucket, "Key": "k", "Metadata": {"a": "b"}, "ContentType": "text/plain", "Tagging": "t=1"}
    url = older.generate_presigned_url("put_object", given)
    assert fetch(url, "PUT", b"data", Content_Type="text/plain")[0] == 200
    told = s3.head_object(Bucket=bucket, Key="k")
    assert (told["Metadata"], told["ContentType"]) == ({"a": "b"}, "text/plain")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "t", "Value": "1"}]
    # Another field beside a header of its name changes nothing: only the header was signed.
    added = url + "&X-Amz-Meta-A=evil"
    assert fetch(added, "PUT", b"data", Content_Type="text/plain")[0] in {400, 403}
