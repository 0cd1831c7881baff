"""What a table and its indexes refuse, in AWS's words."""

import base64

import pytest
from tests.unit.dynamodb.writing import by_x, local_by_x, new_table, text_item

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import key_rules
from atoll.services.dynamodb.records import Item, Table

_MISMATCH = "The provided key element does not match the schema"
_HASH_TOO_LONG = (
    "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
)
_RANGE_TOO_LONG = (
    "One or more parameter values were invalid: "
    "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
)
_TABLE = new_table()
_INDEXED = new_table(indexes=[by_x(), local_by_x()])


def _refusal_of_key(table: Table, key: Item) -> str:
    with pytest.raises(AwsError) as caught:
        key_rules.check_key(table, key)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def _refusal_of_item(table: Table, item: Item) -> str:
    with pytest.raises(AwsError) as caught:
        key_rules.check_item(table, item)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(
    "key",
    [{}, text_item(p="a"), text_item(c="a"), text_item(p="a", c="b", d="c"), {"p": {"N": "1"}, "c": {"S": "b"}}],
    ids=["empty", "no sort key", "no partition key", "more", "another type"],
)
def test_a_key_is_the_schema_s_and_nothing_else(key: Item) -> None:
    assert _refusal_of_key(_TABLE, key) == _MISMATCH


def test_empty_keys_are_refused_by_name() -> None:
    about = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty"
    assert _refusal_of_key(_TABLE, text_item(p="", c="b")) == f"{about} string value. Key: p"
    assert _refusal_of_item(_TABLE, text_item(p="a", c="")) == f"{about} string value. Key: c"
    binary = new_table(attributes={"p": "B"}, range=None)
    assert _refusal_of_key(binary, {"p": {"B": ""}}) == f"{about} binary value. Key: p"


def test_keys_may_be_as_long_as_their_limit() -> None:
    key_rules.check_key(_TABLE, text_item(p="é" * 1024, c="c" * 1024))
    assert _refusal_of_key(_TABLE, text_item(p="é" * 1024 + "p", c="c")) == _HASH_TOO_LONG
    assert _refusal_of_item(_TABLE, text_item(p="p", c="c" * 1025)) == _RANGE_TOO_LONG
    binary = new_table(attributes={"p": "B"}, range=None)
    key_rules.check_key(binary, {"p": {"B": base64.b64encode(bytes(2048)).decode()}})
    assert _refusal_of_key(binary, {"p": {"B": base64.b64encode(bytes(2049)).decode()}}) == _HASH_TOO_LONG


def test_an_item_needs_the_key_in_its_types() -> None:
    about = "One or more parameter values were invalid: "
    assert _refusal_of_item(_TABLE, text_item(p="a")) == f"{about}Missing the key c in the item"
    wrong = {"p": {"S": "a"}, "c": {"N": "1"}}
    assert _refusal_of_item(_TABLE, wrong) == f"{about}Type mismatch for key c expected: S actual: N"


def test_an_index_refuses_values_it_can_t_take() -> None:
    wrong = {**text_item(p="a", c="b"), "x": {"NULL": True}}
    assert _refusal_of_item(_INDEXED, wrong) == (
        "One or more parameter values were invalid: "
        "Type mismatch for Index Key x Expected: S Actual: NULL IndexName: by-x"
    )
    assert _refusal_of_item(_INDEXED, text_item(p="a", c="b", x="")) == (
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-x, IndexKey: x"
    )
    assert _refusal_of_item(_INDEXED, text_item(p="a", c="b", x="x" * 1025)) == _RANGE_TOO_LONG
    assert _refusal_of_item(_INDEXED, text_item(p="a", c="b", x="x" * 2049)) == _HASH_TOO_LONG
    key_rules.check_item(_INDEXED, text_item(p="a", c="b"))


def test_a_partition_key_that_an_index_sorts_by_is_no_longer_than_a_sort_key() -> None:
    table = new_table(indexes=[by_x(hash=["c"], range=["p"])])
    key_rules.check_item(table, text_item(p="x" * 1024, c="b"))
    long = text_item(p="x" * 1025, c="b")
    key_rules.check_key(table, long)
    assert _refusal_of_item(table, long) == _RANGE_TOO_LONG
    key_rules.check_indexes(table, long, frozenset({"d"}))


def test_an_update_answers_only_for_what_it_wrote() -> None:
    item = {**text_item(p="a", c="b"), "x": {"N": "1"}}
    key_rules.check_indexes(_INDEXED, item, frozenset({"d"}))
    with pytest.raises(AwsError, match="Type mismatch for Index Key x"):
        key_rules.check_indexes(_INDEXED, item, frozenset({"x"}))


def test_the_key_can_t_be_updated() -> None:
    key_rules.check_not_updated(_TABLE, frozenset({"x"}))
    with pytest.raises(AwsError) as caught:
        key_rules.check_not_updated(_TABLE, frozenset({"x", "c"}))
    assert caught.value.message == (
        "One or more parameter values were invalid: Cannot update attribute c. This attribute is part of the key"
    )


def test_only_empty_values_are_told_beforehand() -> None:
    key_rules.check_not_empty(_INDEXED, {"p": {"N": "1"}, "x": {"N": "1"}})
    for item in (text_item(p=""), text_item(p="a", c=""), text_item(p="a", c="b", x="")):
        with pytest.raises(AwsError, match="cannot contain an empty string value"):
            key_rules.check_not_empty(_INDEXED, item)
