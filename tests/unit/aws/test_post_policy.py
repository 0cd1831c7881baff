"""What a form's policy lets through, and in which words it refuses."""

import base64
import json
from typing import Any

import pytest

from atoll.aws import post_policy
from atoll.aws.errors import AwsError
from atoll.aws.form import Field

NOW = 1_780_000_000.0  # 2026-05-28T20:26:40Z
LATER = "2026-05-28T20:26:41Z"


def encode(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.b64encode(text.encode()).decode()


def policy(*conditions: Any, expiration: str = LATER) -> post_policy.PostPolicy:
    return post_policy.parse(encode({"expiration": expiration, "conditions": list(conditions)}))


def outcome(conditions: list[Any], **fields: str) -> str:
    given = {name.lower().replace("_", "-"): Field(name.replace("_", "-"), value) for name, value in fields.items()}
    try:
        policy(*conditions).check(given, "photos", NOW)
    except AwsError as error:
        refused = error
    else:
        return "allowed"
    assert (refused.code, refused.status) == ("AccessDenied", 403)
    return refused.message.removeprefix("Invalid according to Policy: ")


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "cats/a"},
        {"KEY": "cats/a"},
        ["eq", "$key", "cats/a"],
        ["EQ", "$Key", "cats/a"],
        ["starts-with", "$key", "cats/"],
        ["StArTs-WiTh", "$kEy", ""],
    ],
)
def test_a_condition_holds_whatever_the_case_of_its_names(condition: Any) -> None:
    assert outcome([condition], Key="cats/a") == "allowed"


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ({"key": "dogs"}, '["eq", "$key", "dogs"]'),
        (["eq", "$Key", "CATS/A"], '["eq", "$Key", "CATS/A"]'),
        (["eq", "key", "cats/a"], '["eq", "key", "cats/a"]'),
        (["starts-with", "$key", 'say "é"'], '["starts-with", "$key", "say \\"é\\""]'),
        (["starts-with", "$acl", ""], '["starts-with", "$acl", ""]'),
        ({"bucket": "paintings"}, '["eq", "$bucket", "paintings"]'),
    ],
)
def test_a_condition_that_fails_is_shown_as_the_policy_spells_it(condition: Any, shown: str) -> None:
    assert outcome([condition], key="cats/a") == f"Policy Condition failed: {shown}"


def test_the_bucket_is_the_one_uploaded_to_whatever_the_form_says() -> None:
    assert outcome([{"bucket": "photos"}], bucket="paintings") == "allowed"


def test_every_field_needs_a_condition_but_those_that_sign_or_are_ignored() -> None:
    unconditional = {"policy": "p", "signature": "s", "AWSAccessKeyId": "a", "x_amz_signature": "s", "x_ignore_me": "i"}
    assert outcome([], **unconditional) == "allowed"
    assert outcome([{"acl": "private"}], acl="private", Content_Type="a/b") == "Extra input fields: Content-Type"
    assert outcome([["content-length-range", 0, 9]], x_amz_date="d") == "Extra input fields: x-amz-date"


def test_a_list_of_content_types_must_all_start_so() -> None:
    images = ["starts-with", "$Content-Type", "image/"]
    assert outcome([images], content_type="image/png,image/gif, image/jpeg") == "allowed"
    assert outcome([images], content_type="image/png,text/html") != "allowed"


def test_a_policy_ends() -> None:
    for expiration in (LATER, "2026-05-28T20:26:41.000Z"):
        policy(expiration=expiration).check({}, "photos", NOW + 0.5)
        with pytest.raises(AwsError) as caught:
            policy(expiration=expiration).check({}, "photos", NOW + 1)
        assert caught.value.message == "Invalid according to Policy: Policy expired."


def test_the_narrowest_range_of_sizes_counts() -> None:
    read = policy(["content-length-range", 1, 100], ["content-length-range", "5", "10"])
    assert (read.size_min, read.size_max) == (5, 10)
    assert (policy().size_min, policy().size_max) == (0, None)


def test_a_range_that_is_none_fails_as_a_condition() -> None:
    with pytest.raises(AwsError) as caught:
        policy(["content-length-range", "test", "10"])
    text = 'Invalid according to Policy: Policy Condition failed: ["content-length-range", "test", "10"]'
    assert (caught.value.code, caught.value.message) == ("AccessDenied", text)


WHOLE = {"expiration": LATER, "conditions": []}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "Invalid JSON."),
        ("[]", "Invalid JSON."),
        ("[" * 15_000, "Invalid JSON."),
        ("\ud83d".encode("utf-16", "surrogatepass").decode("latin-1"), "Invalid JSON."),
        ({"conditions": []}, "Policy missing expiration."),
        ({"expiration": LATER}, "Policy missing conditions."),
        ({**WHOLE, "Statement": []}, "Unexpected: 'statement'"),
        ({"EXPIRATION": LATER, "conditions": []}, "Unexpected: 'expiration'"),
        ({**WHOLE, "conditions": {}}, "Invalid 'conditions' value: must be a List."),
        ({**WHOLE, "expiration": "2026-05-28 20:26:41 UTC"}, "Invalid 'expiration' value: '2026-05-28 20:26:41 UTC'"),
        ({**WHOLE, "expiration": "2026-13-28T20:26:41Z"}, "Invalid 'expiration' value: '2026-13-28T20:26:41Z'"),
        ({**WHOLE, "expiration": 7}, "Invalid 'expiration' value: ''"),
    ],
)
def test_a_document_that_is_no_policy(document: Any, reason: str) -> None:
    with pytest.raises(AwsError) as caught:
        post_policy.parse(encode(document))
    error = caught.value
    assert (error.code, error.status, error.message) == ("InvalidPolicyDocument", 400, f"Invalid Policy: {reason}")


ONE_PROPERTY = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
BOUNDS = "Invalid content-length-range: bounds must be whole numbers, not negative."


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("{}", ONE_PROPERTY),
        ('{"a": "1", "b": "2"}', ONE_PROPERTY),
        ('{"a": "1", "a": "1"}', ONE_PROPERTY),
        ('{"a": 1}', "Invalid Simple-Condition: value must be a string."),
        ('{"a": 1.5}', "Invalid JSON."),
        ('{"a": NaN}', "Invalid JSON."),
        ('"eq"', "Invalid Condition: must be a List or Object."),
        ("[]", "Invalid Condition: missing operation identifier."),
        ("[1]", "Invalid Condition: missing operation identifier."),
        ('["is", "$key", "a"]', "Invalid Condition: unknown operation 'is'."),
        ('["eq", "$key"]', "Invalid eq: wrong number of arguments."),
        ('["eq", "$key", null]', "Invalid eq: arguments must be strings."),
        ('["content-length-range", 0]', "Invalid content-length-range: wrong number of arguments."),
        ('["content-length-range", -1, 0]', BOUNDS),
        ('["content-length-range", true, 0]', BOUNDS),
    ],
)
def test_a_condition_that_is_none(condition: str, reason: str) -> None:
    with pytest.raises(AwsError) as caught:
        post_policy.parse(encode(f'{{"expiration": "{LATER}", "conditions": [{condition}]}}'))
    assert (caught.value.code, caught.value.message) == ("InvalidPolicyDocument", f"Invalid Policy: {reason}")


@pytest.mark.parametrize("text", ["%%%", "abc", "é"])
def test_what_is_not_base64_is_no_policy(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        post_policy.parse(text)
    assert caught.value.code == "InvalidPolicyDocument"
