"""Digests of the XML documents that requests carry."""

import base64
import hashlib

import pytest
from tests.support import TestCloud

from atoll.aws.errors import AwsError
from atoll.operation import Service
from atoll.services.s3 import documents

DOCUMENT = b"<Delete/>"
MD5 = base64.b64encode(hashlib.md5(DOCUMENT).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(DOCUMENT).digest()).decode()
OTHER = base64.b64encode(hashlib.sha256(b"").digest()).decode()


def call(headers, body=DOCUMENT):
    made = TestCloud(Service("s3")).call(headers)
    made.http.body = body
    return made


@pytest.mark.parametrize("headers", [{"content-md5": MD5}, {"x-amz-checksum-sha256": SHA256}])
def test_a_document_that_is_what_its_digest_says_passes(headers):
    documents.check(call(headers), required=True)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-md5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
        ({"content-md5": "short"}, "InvalidDigest"),
        ({"x-amz-checksum-sha256": OTHER}, "BadDigest"),
        ({"x-amz-checksum-crc32": "short"}, "InvalidRequest"),
        ({"x-amz-checksum-sha256": SHA256, "content-md5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
    ],
)
def test_any_other_document_is_refused(headers, code):
    with pytest.raises(AwsError) as caught:
        documents.check(call(headers))
    assert caught.value.code == code


def test_a_digest_may_be_required():
    documents.check(call({}))
    with pytest.raises(AwsError) as caught:
        documents.check(call({}), required=True)
    message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
    assert (caught.value.code, caught.value.message) == ("InvalidRequest", message)


def test_a_call_in_process_has_no_document():
    documents.check(call({}, b""), required=True)
