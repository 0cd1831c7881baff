"""The signature of a form against the example AWS publishes (sigv4-post-example.html), and what is half signed."""

import base64

import pytest

from atoll.aws import form_signature, post_policy
from atoll.aws.errors import AwsError
from atoll.aws.form import Field

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
POLICY = """{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}""".replace("\n", "\r\n")
FORM = {
    "key": "user/user1/${filename}",
    "acl": "public-read",
    "success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
    "Content-Type": "image/jpeg",
    "x-amz-meta-uuid": "14365123651274",
    "x-amz-server-side-encryption": "AES256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Date": "20151229T000000Z",
    "x-amz-meta-tag": "",
    "Policy": base64.b64encode(POLICY.encode()).decode(),
    "X-Amz-Signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
}


def fields(form: dict[str, str]) -> dict[str, Field]:
    return {name.lower(): Field(name, value) for name, value in form.items()}


def test_the_example_of_aws_is_signed_and_keeps_to_its_policy() -> None:
    given = fields(FORM)
    signature = form_signature.parse(given, "us-east-1")
    assert signature is not None
    assert signature.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    signature.verify(SECRET)
    post_policy.parse(signature.policy).check(given, "sigv4examplebucket", 1451476799.0)


@pytest.mark.parametrize("secret", ["", SECRET + " ", "é"])
def test_another_secret_signs_otherwise(secret: str) -> None:
    signature = form_signature.parse(fields(FORM), "us-east-1")
    assert signature is not None
    with pytest.raises(AwsError) as caught:
        signature.verify(secret)
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)


def test_a_form_without_any_field_of_a_signature_is_nobodys() -> None:
    assert form_signature.parse(fields({"key": "a", "policy": "p"}), "us-east-1") is None


def test_a_signature_beyond_ascii_is_compared_all_the_same() -> None:
    signature = form_signature.parse(fields({"AWSAccessKeyId": "A", "Signature": "é", "Policy": "é"}), "us-east-1")
    assert signature is not None
    with pytest.raises(AwsError) as caught:
        signature.verify(SECRET)
    assert caught.value.fields["SignatureProvided"] == "é"
