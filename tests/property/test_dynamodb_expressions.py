"""Expressions: whatever the text, there is an answer, it is a ValidationException or a plan, and it comes in time."""

import copy
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import compile_condition
from atoll.services.dynamodb.expressions.key_conditions import compile_key_condition
from atoll.services.dynamodb.expressions.projections import compile_projection
from atoll.services.dynamodb.expressions.updates import compile_update

WORDS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "#n",
        ":v",
        ":s",
        ":l",
        "(",
        ")",
        "[",
        "]",
        ".",
        ",",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "0",
        "7",
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "size",
        "contains",
        "attribute_exists",
        "begins_with",
        "list_append",
        "if_not_exists",
        "attribute_type",
        "_",
        "!",
        "é",
    ]
)
TEXTS = st.lists(WORDS, max_size=24).map(" ".join) | st.text(max_size=30)
DEEP = st.builds(
    lambda opening, count, inner, closing: (opening * count + inner + closing * count)[:4096],
    st.sampled_from(["(", "NOT ", "size(", "a.", "a = :v AND (", "SET a = list_append(", "a[0]", "a IN ("]),
    st.integers(1, 2000),
    st.sampled_from(["a = :v", "a", ":v", ""]),
    st.sampled_from([")", "", "]", " "]),
)
VALUES: dict[str, Any] = {":v": {"N": "1"}, ":s": {"S": "x"}, ":l": {"L": [{"N": "1"}]}}
ITEM: dict[str, Any] = {"a": {"N": "1"}, "b": {"L": [{"S": "x"}]}, "c": {"M": {"a": {"SS": ["x"]}}}, "n": {"S": "xy"}}


def bindings() -> Bindings:
    return Bindings({"#n": "n"}, copy.deepcopy(VALUES))


@given(TEXTS | DEEP)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    with suppress(AwsError):
        condition = compile_condition(text, bindings())
        assert condition.matches(ITEM) in (True, False)
        assert condition.matches({}) in (True, False)


@given(TEXTS | DEEP)
def test_any_text_is_an_update_or_refused_and_never_changes_what_was(text: str) -> None:
    before = copy.deepcopy(ITEM)
    with suppress(AwsError):
        update = compile_update(text, bindings())
        after = update.apply(ITEM)
        assert {name for name in after.keys() | ITEM.keys() if after.get(name) != ITEM.get(name)} <= update.attributes
    assert before == ITEM


@given(TEXTS | DEEP)
def test_any_text_is_a_projection_or_refused(text: str) -> None:
    with suppress(AwsError):
        projection = compile_projection(text, bindings())
        assert projection.apply(ITEM).keys() <= projection.attributes


@given(TEXTS | DEEP)
def test_any_text_is_a_key_condition_or_refused(text: str) -> None:
    with suppress(AwsError):
        condition = compile_key_condition(text, bindings(), [("a", "N")], [("n", "S")])
        assert len(condition.hash) == 1


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_and_binds_closer_than_or_and_not_closest(terms: list[tuple[bool, bool, bool]]) -> None:
    text, told = "", ""
    for is_true, is_negated, both in terms:
        joint = ("AND", "and") if both else ("OR", "or")
        text += f" {joint[0]} " if text else ""
        told += f" {joint[1]} " if told else ""
        text += ("NOT " if is_negated else "") + ("a = :v" if is_true else "a = :s")
        told += ("not " if is_negated else "") + str(is_true)
    # Python has the same precedence.
    assert compile_condition(text, bindings()).matches(ITEM) == eval(told)
