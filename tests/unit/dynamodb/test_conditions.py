"""Conditions: what they mean, and what AWS says of those that mean nothing."""

from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions import conditions
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import compile_condition
from atoll.services.dynamodb.expressions.reserved_words import RESERVED_WORDS
from atoll.services.dynamodb.request_expressions import bindings_of

ITEM: dict[str, Any] = {
    "n": {"N": "5"},
    "s": {"S": "hello"},
    "t": {"S": "he"},
    "b": {"B": "aGVsbG8="},
    "f": {"BOOL": True},
    "l": {"L": [{"N": "1"}, {"SS": ["x", "y"]}]},
    "m": {"M": {"k": {"L": [{"S": "deep"}]}}},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
}
VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":five": {"N": "5"},
    ":nine": {"N": "9"},
    ":he": {"S": "he"},
    ":x": {"S": "x"},
    ":yx": {"SS": ["y", "x"]},
    ":ell": {"B": "ZWxs"},
    ":list": {"L": []},
    ":flag": {"BOOL": True},
    ":type": {"S": "SS"},
}


def holds(text: str, names: dict[str, str] | None = None) -> bool:
    return compile_condition(text, Bindings(names, VALUES)).matches(ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "n = :five",
        "n <> :nine",
        "s <> :five",
        "absent <> :five",
        "absent <> gone",
        "n < :nine AND n <= :five AND n > :one AND n >= :five",
        "n BETWEEN :one AND :nine",
        "n IN (:one, :five)",
        "NOT n IN (:one, :nine)",
        "not (n = :one or s = :x) and f = :flag",
        "n = :one OR n = :five AND f = :flag",
        "ss = :yx",
        "contains(l, :yx)",
        "contains(s, :he)",
        "contains(ss, :x)",
        "contains(b, :ell)",
        "begins_with(s, t)",
        "begins_with(s, :he)",
        "attribute_exists(m.k[0])",
        "attribute_not_exists(m.k[1])",
        "attribute_not_exists(s.k)",
        "attribute_type(ss, :type)",
        "size(s) = :five",
        "size(b) = :five",
        "size(l) < :five",
        "size(m) = :one",
        "(n) = (:five)",
        "((n = :five) AND (s = s2 OR (f = :flag)))",
        ":one < n",
    ],
)
def test_a_condition_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "n = :one",
        "absent = gone",
        "absent < :one",
        "n < :he",
        "l < n",
        "contains(s, :one)",
        "contains(ns, :x)",
        "contains(absent, :x)",
        "size(n) = :one",
        "size(absent) = :one",
        "begins_with(n, :he)",
        "attribute_exists(l[2])",
        "attribute_type(absent, :type)",
        "NOT (n = :five)",
        "absent BETWEEN :one AND :nine",
        "absent IN (:one)",
    ],
)
def test_a_condition_does_not_hold(text: str) -> None:
    assert not holds(text)


def test_names_stand_for_attributes_and_each_for_one_part_of_a_path() -> None:
    item = {"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}}}}
    bindings = Bindings({"#x": "a.b", "#a": "a"}, {":one": {"N": "1"}, ":two": {"N": "2"}})
    condition = compile_condition("#x = :one AND #a.b = :two", bindings)
    assert condition.matches(item)
    assert condition.attributes == {"a.b", "a"}
    bindings.check_all_used()


def test_a_kept_condition_takes_the_values_of_each_request() -> None:
    for number in ("1", "2"):
        assert compile_condition("n = :v", Bindings(None, {":v": {"N": number}})).matches({"n": {"N": number}})
    with pytest.raises(AwsError, match="operand type: L"):
        compile_condition("n < :v", Bindings(None, {":v": {"L": []}}))


SYNTAX = "Invalid FilterExpression: Syntax error; "
DISTINCT = "The first operand must be distinct from the remaining operands for this operator or function; "
TYPE = "Incorrect operand type for operator or function; operator or function: "
COUNT = "Incorrect number of operands for operator or function; operator or function: "
MISUSED = "The function is not allowed to be used this way in an expression; function: "
UNDEFINED_NAME = "An expression attribute name used in the document path is not defined; attribute name: "
UNDEFINED_VALUE = "An expression attribute value used in expression is not defined; attribute value: "
REDUNDANT = "The expression has redundant parentheses;"


@pytest.mark.parametrize(
    ("text", "token", "near"),
    [
        ("things are not gonna be ok", "are", "things are not"),
        ("a > 4", "4", "> 4"),
        ('attribute_exists("P.R")', '"', '("P'),
        ("a in b, c", "b", "in b,"),
        ("a > between", "between", "> between"),
        ("a in (b,c,)", ")", ",)"),
        ("(a)between(b.(c.d))and(c)", "(", ".(c"),
        ("(a)between(b.c.d)and((c)", "<EOF>", ")"),
        ("b[:a] > a", ":a", "[:a]"),
        ("ü > a", "ü", "ü >"),
        ("(size(a)).b > a", ".", ").b"),
        ("a", "<EOF>", "a"),
        ("NOT a", "<EOF>", "a"),
        ("a AND b = c", "AND", "a AND b"),
        ("a = b)", ")", "b)"),
        ("a = b c", "c", "b c"),
        ("", "", ""),
    ],
)
def test_a_syntax_error_shows_the_token_between_its_neighbours(text: str, token: str, near: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile_condition(text, Bindings(None, None), "FilterExpression")
    told = (
        f'{SYNTAX}token: "{token}", near: "{near}"'
        if text
        else "Invalid FilterExpression: The expression can not be empty;"
    )
    assert (caught.value.code, caught.value.message) == ("ValidationException", told)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=a and a > ((views))", REDUNDANT),
        ("(a)between(((b.c)).d)and(c)", REDUNDANT),
        ("a > whatever((:things), ((a)))", REDUNDANT),
        ("a=a AND ((a=a AND (a=a AND a=a)))", REDUNDANT),
        ("a=a and whatever((:things)) > a", "Invalid function name; function: whatever"),
        ("attRIbute_exIsts((views), #a)", "Invalid function name; function: attRIbute_exIsts"),
        ("list_append(a, b) = c", "The function is not allowed in a condition expression; function: list_append"),
        ("a=a and attribute_exists((views), (#a)) > b", f"{MISUSED}attribute_exists"),
        ("size(contains(a, b)) > a", f"{MISUSED}contains"),
        ("size(a)", f"{MISUSED}size"),
        ("a in (b, attribute_exists(things))", f"{MISUSED}attribute_exists"),
        (":a < abOrT", "Attribute name is a reserved keyword; reserved keyword: abOrT"),
        ("attribute_exists(#P.R, :a) and a=a", f"{UNDEFINED_NAME}#P"),
        ("begins_with(:hello, #a, #b)", f"{UNDEFINED_VALUE}:hello"),
        ("attribute_exists(a, b) and a=a", f"{COUNT}attribute_exists, number of operands: 2"),
        ("begins_with(things, size(a), b)", f"{COUNT}begins_with, number of operands: 3"),
        (
            "attribute_exists(:he)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        ("attribute_type(a, size(a))", f"{TYPE}attribute_type, operand type: N"),
        ("attribute_type(a, :five)", f"{TYPE}attribute_type, operand type: N"),
        ("size(size(a)) > :five", f"{TYPE}size, operand type: N"),
        ("begins_with(:flag, a)", f"{TYPE}begins_with, operand type: BOOL"),
        ("a <= :list", f"{TYPE}<=, operand type: L"),
        ("a BETWEEN :flag AND :flag", f"{TYPE}BETWEEN, operand type: BOOL"),
        ("a = a", f"{DISTINCT}operator: =, first operand: [a]"),
        ("((a=a) OR (a=a))", f"{DISTINCT}operator: =, first operand: [a]"),
        ("contains(ab.bc[1].a, ab.bc[1].a)", f"{DISTINCT}operator: contains, first operand: [ab, bc, [1], a]"),
        (
            "a BETWEEN :nine AND :one",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:9}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "a BETWEEN :one AND :he",
            "The BETWEEN operator requires same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:he}",
        ),
        (
            "attribute_type(a, :he)",
            "Invalid attribute type name found; type: he, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        ("a[2147483648] = b", "List index is not within the allowable range; index: [2147483648]"),
        (f"a{'.b' * 32} = b", "The document path has too many nesting levels; nesting levels: 33"),
        ("x" * 4097, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
        ("not " * 1000 + "a<b", "The expression contains too many operators; operator count: 301"),
        ("a<b " + "or (a<b " * 454 + ")" * 454, "The expression contains too many operators; operator count: 301"),
        ("(" * 2046 + "a<b" + ")" * 2046, REDUNDANT),
        ("a < " + "f(" * 1355 + "b" + ")" * 1355, "Invalid function name; function: f"),
        ("a < " + "size(" * 600 + "b" + ")" * 600, f"{MISUSED}size"),
    ],
)
def test_a_condition_without_meaning_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile_condition(text, Bindings(None, VALUES), "ConditionExpression")
    assert caught.value.message == f"Invalid ConditionExpression: {message}"


@pytest.mark.parametrize(
    "text",
    [
        "a<b " + "or (a<b " * 148 + ")" * 148 + " or n = :five",
        "n = :five " + "or (n = :one and (n = :one " * 30 + "))" * 30,
        "not " * 298 + "n = :five",
    ],
)
def test_a_condition_may_be_as_deep_as_its_operators_allow(text: str) -> None:
    assert holds(text)


def test_what_is_given_has_to_be_used() -> None:
    bindings = Bindings({"#a": "a", "#b": "b"}, {":v": {"N": "1"}, ":w": {"N": "2"}})
    compile_condition("#a = :v", bindings)
    with pytest.raises(AwsError) as caught:
        bindings.check_all_used()
    assert caught.value.message == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    bindings = Bindings(None, {":v": {"N": "1"}, ":w": {"N": "2"}})
    compile_condition("a = :v", bindings)
    with pytest.raises(AwsError) as caught:
        bindings.check_all_used()
    assert caught.value.message == "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ({}, None, "ExpressionAttributeNames must not be empty"),
        (None, {}, "ExpressionAttributeValues must not be empty"),
        ({"a": "a"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
        ({"#a-b": "a"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"'),
        (None, {":": {"S": "x"}}, 'ExpressionAttributeValues contains invalid key: Syntax error; key: ":"'),
        (
            None,
            {":v": {"N": "x"}},
            "ExpressionAttributeValues contains invalid value: "
            "The parameter cannot be converted to a numeric value: x for key :v",
        ),
        (
            None,
            {":v": {"SS": []}},
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: "
            "An string set  may not be empty for key :v",
        ),
    ],
)
def test_bad_names_and_values_are_refused_before_any_expression(
    names: dict[str, str] | None, values: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        Bindings(names, values)
    assert caught.value.message == message


def test_an_attribute_name_is_neither_empty_nor_64_kilobytes_long() -> None:
    for name, reason in (("", "Empty attribute name"), ("x" * 65_536, "must be less than 65536 bytes")):
        with pytest.raises(AwsError, match=reason):
            Bindings({"#a": name}, None)
    assert compile_condition("attribute_not_exists(#a)", Bindings({"#a": "x" * 65_535}, None)).matches({})


def test_names_and_values_come_only_with_expressions() -> None:
    members = ("UpdateExpression", "ConditionExpression")
    for request, message in (
        (
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {":a": {"S": "a"}}},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "UpdateExpression and ConditionExpression are null",
        ),
    ):
        with pytest.raises(AwsError) as caught:
            bindings_of(request, members, members)
        assert caught.value.message == message


def test_there_are_573_reserved_words() -> None:
    assert len(RESERVED_WORDS) == 573
    assert all(word.isupper() for word in RESERVED_WORDS)


def test_more_names_or_values_than_expressions_have_room_for_are_refused() -> None:
    message = "has more than 8192 entries, of which some must be unused in expressions"
    for names, values in (
        ({f"#{n}": "a" for n in range(8193)}, None),
        (None, {f":{n}": {"S": ""} for n in range(8193)}),
    ):
        with pytest.raises(AwsError) as caught:
            Bindings(names, values)
        what = "ExpressionAttributeNames" if names else "ExpressionAttributeValues"
        assert (caught.value.code, caught.value.message) == ("ValidationException", f"{what} {message}")


def test_only_what_is_small_is_kept() -> None:
    """Or a few thousand requests would fill the memory."""
    kept = conditions._plan.cache_info().currsize
    many = {f":{n}": {"S": ""} for n in range(2000)}
    long = " OR ".join([":v = :v"] * 100)
    compile_condition("a = :1", Bindings(None, many))
    compile_condition(long, Bindings(None, {":v": {"S": "only what is small"}}))
    assert conditions._plan.cache_info().currsize == kept
    compile_condition("only_what_is_small = :v", Bindings(None, {":v": {"S": ""}}))
    assert conditions._plan.cache_info().currsize == kept + 1
