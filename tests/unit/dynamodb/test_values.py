"""What AWS takes for a value, what it says of the others, and how many bytes it counts."""

from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import numbers, values

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
INVALID = "One or more parameter values were invalid: "
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "leaf"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"n": value}}
    return value


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("1", "1"),
        ("-5", "-5"),
        ("007", "7"),
        ("+1.5", "1.5"),
        ("100.000", "100"),
        ("-0.0", "0"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("1.5e2", "150"),
        ("123E-2", "1.23"),
        ("1e125", "1" + "0" * 125),
        ("1e-20", "0.00000000000000000001"),
        ("0e125", "0"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
        ("1" + "0" * 60, "1" + "0" * 60),
    ],
)
def test_a_number_is_kept_in_plain_digits(given: str, canonical: str) -> None:
    assert numbers.normalise(given) == canonical


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1e126", OVERFLOW),
        ("-11e125", OVERFLOW),
        ("1e99999999999", OVERFLOW),
        ("0e126", OVERFLOW),
        ("1e-131", UNDERFLOW),
        ("0.9e-130", UNDERFLOW),
        ("0e-131", UNDERFLOW),
        ("1e9223372036854775808", f"{NOT_NUMERIC}: 1e9223372036854775808"),
        ("1234567890" * 4, TOO_PRECISE),
        ("dog", f"{NOT_NUMERIC}: dog"),
        (" 1", f"{NOT_NUMERIC}:  1"),
        ("1 ", f"{NOT_NUMERIC}: 1 "),
        ("1\n", f"{NOT_NUMERIC}: 1\n"),
        ("NaN", f"{NOT_NUMERIC}: NaN"),
        ("-Infinity", f"{NOT_NUMERIC}: -Infinity"),
        ("1_000", f"{NOT_NUMERIC}: 1_000"),
        ("٣", f"{NOT_NUMERIC}: ٣"),
        ("²", f"{NOT_NUMERIC}: ²"),
        ("0x10", f"{NOT_NUMERIC}: 0x10"),
        (".", f"{NOT_NUMERIC}: ."),
        ("1e", f"{NOT_NUMERIC}: 1e"),
        ("-", f"{NOT_NUMERIC}: -"),
        ("", NOT_NUMERIC),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(given: str, message: str) -> None:
    for value in ({"N": given}, {"NS": ["5", given]}, {"M": {"a": {"L": [{"N": given}]}}}):
        with pytest.raises(AwsError) as caught:
            values.take_item({"a": value})
        assert (caught.value.code, caught.value.message) == ("ValidationException", message)


def test_a_sum_beyond_the_range_or_the_digits_is_an_overflow() -> None:
    for a, b in (("9" + "0" * 125, "9" + "0" * 125), ("1" + "0" * 50, "1")):
        with pytest.raises(AwsError, match="Number overflow"):
            numbers.add(a, b)
        with pytest.raises(AwsError, match="Number overflow"):
            numbers.subtract(a, "-" + b)


@pytest.mark.parametrize(
    ("given", "size_bytes"),
    [
        ("0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("12345678901234567890123456789012345678", 20),
        ("0042", 2),
        ("100", 2),
        ("1010", 3),
        ("0.0000001", 2),
        ("1E125", 2),
        ("1E-100", 2),
        ("1.5", 3),
        ("3.14159", 5),
        ("100.5", 4),
        ("0.15", 2),
        ("-42", 3),
        ("-0", 1),
    ],
)
def test_a_number_takes_the_bytes_aws_counts(given: str, size_bytes: int) -> None:
    assert values.take_value({"N": given}) == size_bytes


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        ({"S": "é☃"}, 5),
        ({"B": "YWJj"}, 3),
        ({"B": "YWI="}, 2),
        ({"B": "YQ=="}, 1),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bcd"]}, 4),
        ({"NS": ["1", "-42"]}, 5),
        ({"BS": ["YQ==", "YWJj"]}, 4),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"NULL": True}]}, 7),
        ({"M": {}}, 3),
        ({"M": {"ab": {"S": "cde"}}}, 9),
    ],
)
def test_a_value_takes_the_bytes_aws_counts(value: dict[str, Any], size_bytes: int) -> None:
    assert values.take_value(value) == size_bytes
    assert values.take_item({"näme": value}) == 5 + size_bytes


def test_taking_a_value_puts_it_into_its_one_form() -> None:
    item = {"b": {"B": "YR=="}, "n": {"M": {"x": {"N": "1.50"}}}, "s": {"NS": ["1e1", "2"]}, "t": {"BS": ["YR=="]}}
    values.take_item(item)
    assert item == {
        "b": {"B": "YQ=="},
        "n": {"M": {"x": {"N": "1.5"}}},
        "s": {"NS": ["10", "2"]},
        "t": {"BS": ["YQ=="]},
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, EMPTY),
        ({"L": [{}]}, EMPTY),
        ({"S": "a", "N": "1"}, SEVERAL),
        ({"S": "a", "N": "x"}, f"{NOT_NUMERIC}: x"),
        ({"SS": []}, f"{INVALID}An string set  may not be empty"),
        ({"NS": []}, f"{INVALID}An number set  may not be empty"),
        ({"SS": ["a", None]}, f"{INVALID}An string set may not have a null string as a member"),
        ({"NS": [None]}, f"{INVALID}An number set may not have a null string as a member"),
        ({"BS": [None, None]}, f"{INVALID}Binary sets may not contain null values"),
        ({"BS": []}, f"{INVALID}Binary sets should not be empty"),
        ({"SS": ["b", "a", "b"]}, f"{INVALID}Input collection [b, a, b] contains duplicates."),
        ({"BS": ["YQ==", "YQ=="]}, f"{INVALID}Input collection [YQ==, YQ==]of type BS contains duplicates."),
        ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
        ({"NULL": False}, f"{INVALID}Null attribute value types must have the value of true"),
        (nested(32), TOO_DEEP),
        (nested(5000), TOO_DEEP),
    ],
)
def test_what_is_no_value_is_refused_with_the_reason(value: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        values.take_item({"a": value})
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


def test_a_leaf_at_level_32_is_taken() -> None:
    assert values.take_value(nested(31)) > 0


@pytest.mark.parametrize("text", ["YWJjZGVmZ2g", "YWJj??!!", "Y===", "\xffdog", "YW=j"])
def test_what_is_no_base64_cannot_be_read(text: str) -> None:
    for value in ({"B": text}, {"BS": [text]}):
        with pytest.raises(AwsError) as caught:
            values.take_value(value)
        assert caught.value.code == "SerializationException"


def test_sets_are_equal_in_any_order_at_any_depth() -> None:
    a = {"L": [{"M": {"x": {"SS": ["a", "b"]}}}]}
    b = {"L": [{"M": {"x": {"SS": ["b", "a"]}}}]}
    assert values.equal(a, b)
    assert not values.equal(a, {"L": [{"M": {"x": {"SS": ["b"]}}}]})
    assert not values.equal({"N": "1"}, {"S": "1"})
    assert not values.equal({"L": []}, {"M": {}})


def test_only_texts_numbers_and_binaries_of_one_type_have_an_order() -> None:
    assert values.order({"N": "9"}, {"N": "10"}) == -1
    assert values.order({"S": "9"}, {"S": "10"}) == 1
    assert values.order({"B": "YQ=="}, {"B": "YQ=="}) == 0
    assert values.order({"N": "9"}, {"S": "10"}) is None
    assert values.order({"BOOL": True}, {"BOOL": False}) is None


@pytest.mark.parametrize(
    "value",
    [
        {"L": [{"NULL": True}] * 300_000},
        {"L": [{"L": [{"S": ""}] * 1000}] * 600},
        {"M": {str(n): {"N": "1"} for n in range(100_000)}},
        {"SS": [str(n) for n in range(600_000)]},
        {"NS": [str(n) for n in range(300_000)]},
        {"BS": ["AA=="] * 600_000},
    ],
)
def test_what_fits_into_no_item_is_not_looked_at_to_its_end(value: dict[str, Any]) -> None:
    with pytest.raises(AwsError) as caught:
        values.take_value(value)
    assert caught.value.message == "Item size has exceeded the maximum allowed size"
    with pytest.raises(AwsError) as caught:
        values.take_item({str(n): {"N": "!"} for n in range(values.TAKEN_BYTES_MAX + 1)})
    assert caught.value.message == "Item size has exceeded the maximum allowed size"
