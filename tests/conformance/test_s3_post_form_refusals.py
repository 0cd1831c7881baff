"""Forms that must not upload anything, and in which words S3 refuses them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.config import Config
from tests.conformance.forms import MIB, VERSIONS, Sign, error_of, form, keys_in, post, post_raw, signer
from tests.conformance.signed_http import SignedHttp
from urllib3.filepost import encode_multipart_formdata


@pytest.fixture(scope="module")
def http(cloud: Any) -> SignedHttp:
    return SignedHttp(cloud)


@pytest.fixture(params=VERSIONS)
def sign(request: pytest.FixtureRequest, cloud: Any, bucket: str) -> Sign:
    return signer(cloud, bucket, request.param)


@pytest.fixture
def refused(s3: Any, http: SignedHttp, bucket: str) -> Callable[..., dict[str, str]]:
    def check(fields: Mapping[str, Any], status: int, file: bytes = b"purr", to: str = "") -> dict[str, str]:
        answer = post(http, to or bucket, fields, file)
        assert answer.status == status, answer.body
        assert keys_in(s3, bucket) == []
        return error_of(answer)

    return check


def invalid(name: str, value: str, message: str) -> dict[str, str]:
    return {"Code": "InvalidArgument", "Message": message, "ArgumentName": name, "ArgumentValue": value}


def missing(name: str) -> dict[str, str]:
    message = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return invalid(name, "", message)


def denied(reason: str) -> dict[str, str]:
    return {"Code": "AccessDenied", "Message": f"Invalid according to Policy: {reason}"}


def test_a_policy_that_was_changed_is_not_the_signed_one(refused: Any, sign: Sign) -> None:
    fields = sign()
    signature = fields.get("x-amz-signature") or fields["signature"]
    policy = base64.b64encode(base64.b64decode(fields["policy"]).replace(b"cat", b"dog")).decode()
    error = refused({**fields, "policy": policy}, 403)
    assert error.pop("AWSAccessKeyId") in (fields.get("AWSAccessKeyId") or fields["x-amz-credential"])
    assert error == {
        "Code": "SignatureDoesNotMatch",
        "Message": "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        "StringToSign": policy,
        "SignatureProvided": signature,
        "StringToSignBytes": policy.encode().hex(" "),
    }


def test_a_key_nobody_has_is_refused(cloud: Any, refused: Any, bucket: str) -> None:
    for version in VERSIONS:
        client = cloud.client("s3", aws_access_key_id="AKIANOBODY", config=Config(signature_version=version))
        error = refused(client.generate_presigned_post(bucket, "cat.txt")["fields"], 403)
        assert (error["Code"], error["AWSAccessKeyId"]) == ("InvalidAccessKeyId", "AKIANOBODY")


def test_a_policy_is_over_when_it_says(refused: Any, sign: Sign) -> None:
    fields = sign(ExpiresIn=1)
    time.sleep(1.1)
    assert refused(fields, 403) == denied("Policy expired.")


def test_a_field_that_was_changed_does_not_meet_its_condition(refused: Any, sign: Sign) -> None:
    assert refused({**sign(), "key": "dog.txt"}, 403) == denied('Policy Condition failed: ["eq", "$key", "cat.txt"]')


def test_a_field_that_was_added_has_no_condition(refused: Any, sign: Sign) -> None:
    assert refused({**sign(), "x-amz-meta-Mood": "evil"}, 403) == denied("Extra input fields: x-amz-meta-Mood")


def test_a_policy_is_for_its_bucket(refused: Any, bucket: str, sign: Sign, new_bucket: Callable[[], str]) -> None:
    error = refused({**sign(Conditions=[["starts-with", "$bucket", ""]]), "bucket": bucket}, 403, to=new_bucket())
    assert error == denied(f'Policy Condition failed: ["eq", "$bucket", "{bucket}"]')


@pytest.mark.parametrize("size", [4, 11, 3 * MIB])
def test_a_file_keeps_to_its_range(refused: Any, sign: Sign, size: int) -> None:
    error = refused(sign(Conditions=[["content-length-range", 5, 10]]), 400, b"x" * size)
    if size < 5:
        assert error == {
            "Code": "EntityTooSmall",
            "Message": "Your proposed upload is smaller than the minimum allowed size",
            "ProposedSize": "4",
            "MinSizeAllowed": "5",
        }
        return
    proposed = int(error.pop("ProposedSize"))
    assert 10 < proposed <= size
    assert error == {
        "Code": "EntityTooLarge",
        "Message": "Your proposed upload exceeds the maximum allowed size",
        "MaxSizeAllowed": "10",
    }


def test_a_large_file_may_be_too_small(refused: Any, sign: Sign) -> None:
    error = refused(sign(Conditions=[["content-length-range", 4 * MIB, 5 * MIB]]), 400, b"x" * (3 * MIB))
    assert (error["Code"], error["ProposedSize"]) == ("EntityTooSmall", str(3 * MIB))


def test_a_checksum_must_fit_the_file(refused: Any, sign: Sign) -> None:
    name = "x-amz-checksum-sha256"
    other = base64.b64encode(hashlib.sha256(b"hiss").digest()).decode()
    for value, code in ((other, "BadDigest"), ("sailorjerry", "InvalidRequest")):
        assert refused(sign(Fields={name: value}, Conditions=[{name: value}]), 400)["Code"] == code


def test_a_form_needs_every_field_of_its_signature(refused: Any, sign: Sign) -> None:
    fields = sign()
    names = {"AWSAccessKeyId": "AWSAccessKeyId", "signature": "Signature", "policy": "Policy"}
    if "x-amz-signature" in fields:
        names = {name: name.title() for name in fields if name.startswith("x-amz-")} | {"policy": "Policy"}
    for name, shown in names.items():
        assert refused({given: value for given, value in fields.items() if given != name}, 400) == missing(shown)
    assert refused({name: value for name, value in fields.items() if name != "key"}, 400) == missing("key")
    empty = invalid("key", "", "User key must have a length greater than 0.")
    assert refused({**fields, "key": ""}, 400) == empty


def test_nobody_may_upload_where_nobody_was_let_in(refused: Any) -> None:
    assert refused({"key": "cat.txt"}, 403) == {"Code": "AccessDenied", "Message": "Access Denied"}


def signed_by_hand(cloud: Any, conditions: list[Any], **settings: Any) -> dict[str, str]:
    """What no SDK would sign."""
    document: Any = {"expiration": "2099-01-01T00:00:00Z", "conditions": conditions} | settings
    policy = base64.b64encode(json.dumps(document).encode())
    signature = base64.b64encode(hmac.digest(cloud.secret_key.encode(), policy, "sha1"))
    return {
        "key": "cat.txt",
        "AWSAccessKeyId": cloud.access_key,
        "policy": policy.decode(),
        "signature": signature.decode(),
    }


def test_a_policy_must_be_one(cloud: Any, refused: Any) -> None:
    one = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
    assert refused(signed_by_hand(cloud, [{}]), 400) == {
        "Code": "InvalidPolicyDocument",
        "Message": f"Invalid Policy: {one}",
    }
    error = refused(signed_by_hand(cloud, [], expiration="tomorrow"), 400)
    assert error["Message"] == "Invalid Policy: Invalid 'expiration' value: 'tomorrow'"


@pytest.mark.parametrize(
    ("name", "value", "message", "shown"),
    [
        ("x-amz-algorithm", "AWS4", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"', "X-Amz-Algorithm"),
        ("x-amz-date", "today", "X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date"),
        (
            "x-amz-credential",
            "AKIA/20260102/eu-north-1/s3/aws4_request",
            "the region 'eu-north-1' is wrong; expecting 'us-east-1'",
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "AKIA/20260102/us-east-1/sqs/aws4_request",
            'incorrect service "sqs". This endpoint belongs to "s3".',
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "/20260102/us-east-1/s3/aws4_request",
            "a non-empty Access Key (AKID) must be provided in the credential.",
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "AKIA",
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
            "X-Amz-Credential",
        ),
    ],
)
def test_a_scope_must_be_this_place(
    cloud: Any, refused: Any, bucket: str, name: str, value: str, message: str, shown: str
) -> None:
    client = cloud.client("s3", config=Config(signature_version="s3v4"))
    error = refused({**client.generate_presigned_post(bucket, "cat.txt")["fields"], name: value}, 400)
    error.pop("Region", None)
    assert error == invalid(shown, value, message)


def test_a_user_uploads_what_its_policies_allow(cloud: Any, http: SignedHttp, s3: Any, bucket: str) -> None:
    iam = cloud.client("iam")
    name = f"poster-{bucket}"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/mine/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        client = cloud.client(
            "s3", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"]
        )
        for key, status in (("mine/a", 204), ("yours/a", 403)):
            assert post(http, bucket, client.generate_presigned_post(bucket, key)["fields"]).status == status
        assert keys_in(s3, bucket) == ["mine/a"]
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=keys["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="p")
        iam.delete_user(UserName=name)


def test_a_bucket_that_is_not_there(cloud: Any, refused: Any) -> None:
    fields = cloud.client("s3").generate_presigned_post("no-such-bucket-here", "cat.txt")["fields"]
    assert refused(fields, 404, to="no-such-bucket-here")["Code"] == "NoSuchBucket"


def test_what_is_no_form_is_refused(http: SignedHttp, bucket: str) -> None:
    answer = post_raw(http, f"/{bucket}", b"key=cat", "application/x-www-form-urlencoded")
    assert (answer.status, error_of(answer)) == (
        412,
        {
            "Code": "PreconditionFailed",
            "Message": "At least one of the pre-conditions you specified did not hold",
            "Condition": "Bucket POST must be of the enclosure-type multipart/form-data",
        },
    )


def test_a_form_must_have_a_file(http: SignedHttp, bucket: str, sign: Sign) -> None:
    body, content_type = encode_multipart_formdata(sign())
    answer = post_raw(http, f"/{bucket}", body, content_type)
    message = "POST requires exactly one file upload per request."
    assert (answer.status, error_of(answer)) == (400, invalid("file", "0", message))


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_form_cut_short_stores_nothing(http: SignedHttp, s3: Any, bucket: str, sign: Sign, size: int) -> None:
    body, content_type = form(sign(), b"x" * size)
    answer = post_raw(http, f"/{bucket}", body[: body.rindex(b"\r\n--")], content_type)
    assert (answer.status, error_of(answer)) == (
        400,
        {
            "Code": "MalformedPOSTRequest",
            "Message": "The body of your POST request is not well-formed multipart/form-data.",
        },
    )
    assert keys_in(s3, bucket) == []


def test_fields_are_few(refused: Any) -> None:
    error = refused({"key": "k", "x-amz-meta-long": "m" * 30_000}, 400)
    assert (error["Code"], error["MaxPostPreDataLengthBytes"]) == ("MaxPostPreDataLengthExceeded", "20480")
