"""Forms as browsers send them, written by urllib3, so by an oracle that is not ours."""

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from botocore.config import Config
from tests.conformance.signed_http import Answer, SignedHttp
from urllib3.filepost import encode_multipart_formdata

VERSIONS = ("s3v4", "s3")
MIB = 1024 * 1024
Sign = Callable[..., dict[str, Any]]


def signer(cloud: Any, bucket: str, version: str) -> Sign:
    """boto3's own generate_presigned_post, in either version of the signature."""
    client = cloud.client("s3", config=Config(signature_version=version))

    def presigned(key: str = "cat.txt", **settings: Any) -> dict[str, Any]:
        return dict(client.generate_presigned_post(bucket, key, **settings)["fields"])

    return presigned


def form(fields: Mapping[str, Any], file: bytes = b"purr", filename: str | None = "my cat.txt") -> tuple[bytes, str]:
    last = ("file", (filename, file, "text/x-of-the-part")) if filename is not None else ("file", file)
    return encode_multipart_formdata([*fields.items(), last])


def post(http: SignedHttp, bucket: str, fields: Mapping[str, Any], file: bytes = b"purr", **settings: Any) -> Answer:
    body, content_type = form(fields, file, **settings)
    return post_raw(http, f"/{bucket}", body, content_type)


def post_raw(http: SignedHttp, target: str, body: bytes, content_type: str, host: str = "") -> Answer:
    headers = {"Host": host or http.host, "Content-Type": content_type, "Content-Length": str(len(body))}
    return http.send_raw("POST", target, headers, body)


def error_of(answer: Answer) -> dict[str, str]:
    """Its members, without those that name the request."""
    members = {member.tag: member.text or "" for member in ET.fromstring(answer.body)}
    return {name: text for name, text in members.items() if name not in {"RequestId", "HostId"}}


def keys_in(s3: Any, bucket: str) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
