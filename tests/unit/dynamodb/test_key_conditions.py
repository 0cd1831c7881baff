"""Key conditions, new and old, and the filters from before there were expressions."""

from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.key_conditions import (
    KeyCondition,
    SortTerm,
    check_key_condition,
    compile_key_condition,
)

HASH, RANGE = [("p", "S")], [("c", "N")]
WIDE_HASH, WIDE_RANGE = [("h1", "S"), ("h2", "S")], [("r1", "N"), ("r2", "S")]
VALUES: dict[str, Any] = {
    ":p": {"S": "x"},
    ":c": {"N": "3"},
    ":d": {"N": "5"},
    ":flag": {"BOOL": True},
    ":empty": {"S": ""},
    ":long": {"S": "x" * 2049},
}
P, C, D = {"S": "x"}, {"N": "3"}, {"N": "5"}


def compiled(text: str, *, wide: bool = False) -> KeyCondition:
    return compile_key_condition(
        text, Bindings(None, VALUES), WIDE_HASH if wide else HASH, WIDE_RANGE if wide else RANGE
    )


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("p = :p", None),
        ("p = :p AND c = :c", SortTerm("c", "=", (C,))),
        ("c < :c AND p = :p", SortTerm("c", "<", (C,))),
        (":p = p AND :c < c", SortTerm("c", ">", (C,))),
        (":p = p AND :c >= c", SortTerm("c", "<=", (C,))),
        ("p = :p AnD c BeTwEeN :c aNd :d", SortTerm("c", "BETWEEN", (C, D))),
        ("((c=:c) AND (p=:p))", SortTerm("c", "=", (C,))),
    ],
)
def test_a_key_condition_is_one_partition_and_one_range(text: str, term: SortTerm | None) -> None:
    assert compiled(text) == KeyCondition([P], [term] if term else [])


def test_a_sort_key_is_no_longer_than_its_limit() -> None:
    def ask(length: int) -> None:
        bindings = Bindings(None, {":p": P, ":q": {"S": "x" * length}})
        compile_key_condition("p = :p AND c = :q", bindings, HASH, [("c", "S")])

    ask(1024)
    with pytest.raises(AwsError) as caught:
        ask(1025)
    assert (caught.value.code, caught.value.message) == (
        "ValidationException",
        "One or more parameter values were invalid: "
        "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
    )


def test_begins_with_is_a_range_of_texts() -> None:
    condition = compile_key_condition(
        "p = :p AND begins_with(c, :q)", Bindings(None, {":p": P, ":q": {"S": "a"}}), HASH, [("c", "S")]
    )
    assert condition == KeyCondition([P], [SortTerm("c", "begins_with", ({"S": "a"},))])


def test_a_wide_key_takes_equalities_and_one_range_at_the_end() -> None:
    condition = compiled("r1 = :c AND h2 = :p AND h1 = :p AND r2 > :p", wide=True)
    assert condition == KeyCondition([P, P], [SortTerm("r1", "=", (C,)), SortTerm("r2", ">", (P,))])


WHAT = "KeyConditionExpression"
TYPE = f"Invalid {WHAT}: Incorrect operand type for operator or function; operator or function: "
UNDEFINED = "An expression attribute value used in expression is not defined; attribute value: "
SCHEMA = "One or more parameter values were invalid: Condition parameter type does not match schema type"
MULTIPLE = f"Invalid {WHAT}: Invalid condition in {WHAT}: Multiple attribute names used in one condition"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"Invalid {WHAT}: The expression can not be empty;"),
        ("p=:p AND p=:p", f"Invalid {WHAT}: {WHAT}s must only contain one condition per key"),
        ("p=:p AND c>:c AND c<:d", f"Invalid {WHAT}: {WHAT}s must only contain one condition per key"),
        (
            "p=:no AND begins_with(c, :c)",
            f"Invalid {WHAT}: {UNDEFINED}:no",
        ),
        ("begins_with(c, :c) AND p=:no", f"{TYPE}begins_with, operand type: N"),
        ("p=:p AND c < :flag", f"{TYPE}<, operand type: BOOL"),
        ("p=:p AND c = :flag", SCHEMA),
        ("p=:c", SCHEMA),
        ("p=:p AND c=:p", SCHEMA),
        ("p<:p", "Query key condition not supported"),
        ("c=:c", "Query condition missed key schema element: p"),
        ("p=:p AND a<:c", "Query condition missed key schema element: c"),
        (
            "p=:p AND c>:c AND a=:d",
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
        ("p=:p OR c=:c", f"Invalid {WHAT}: Invalid operator used in {WHAT}: OR"),
        ("NOT c=:c AND p=:p", f"Invalid {WHAT}: Invalid operator used in {WHAT}: NOT"),
        ("p=:p AND c<>:c", f"Invalid {WHAT}: Invalid operator used in {WHAT}: <>"),
        ("p=:p AND c IN (:c)", f"Invalid {WHAT}: Invalid operator used in {WHAT}: IN"),
        ("p=:p AND attribute_exists(c)", f"Invalid {WHAT}: Invalid operator used in {WHAT}: attribute_exists"),
        ("p=:p AND dog(c, :c)", f"Invalid {WHAT}: Invalid function name; function: dog"),
        ("p=:p AND a.b<:c", f"Invalid {WHAT}: {WHAT}s cannot have conditions on nested attributes"),
        ("size(b) > a", f"Invalid {WHAT}: {WHAT}s cannot contain nested operations"),
        ("p=c", MULTIPLE),
        ("b between c[1] and d", MULTIPLE),
        (":p=:c", f"Invalid {WHAT}: Invalid condition in {WHAT}: No key attribute specified"),
        (
            "begins_with(:p, b)",
            f"Invalid {WHAT}: Invalid condition in {WHAT}: begins_with operator must have the key attribute as its first operand",
        ),
        (
            "p=:p AND c BETWEEN :d AND :c",
            f"Invalid {WHAT}: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:3}",
        ),
        (
            "p=:empty",
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: p",
        ),
        (
            "p=:long",
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ],
)
def test_what_a_query_can_not_do_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        compiled(text)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h1=:p", "HASH key attributes h2 must have equality conditions specified in the query"),
        ("h1=:p AND h2>:p", "HASH key attributes h2 must have equality conditions specified in the query"),
        (
            "h1=:p AND h2=:p AND r2=:p",
            "RANGE key attributes r1 must have equality conditions specified in the query "
            "because a condition is present on key attribute r2",
        ),
        (
            "h1=:p AND h2=:p AND r1>:c AND r2=:p",
            "RANGE key attributes r1 must have equality conditions specified in the query "
            "because a condition is present on key attribute r2",
        ),
    ],
)
def test_a_wide_key_has_no_gaps(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        compiled(text, wide=True)
    assert caught.value.message == message


def test_what_is_wrong_for_every_table_is_told_before_one_is_looked_up() -> None:
    check_key_condition("nothing = :p AND c > :c", Bindings(None, VALUES))
    with pytest.raises(AwsError, match="begins_with, operand type: N"):
        check_key_condition("p = :p AND begins_with(c, :c)", Bindings(None, VALUES))


def entry(operator: str, *given: dict[str, Any]) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(given)}


def test_old_key_conditions_are_the_same() -> None:
    conditions = {"c": entry("BETWEEN", C, D), "p": entry("EQ", P)}
    assert legacy.key_conditions(conditions, HASH, RANGE) == compiled("p = :p AND c BETWEEN :c AND :d")


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, "Conditions can be of length 1 or 2 only"),
        ({"p": entry("EQ", P), "c": entry("EQ", C), "a": entry("EQ", C)}, "Conditions can be of length 1 or 2 only"),
        ({"p": entry("CONTAINS", P)}, "Query key condition not supported"),
        ({"p": entry("GT", P)}, "Query key condition not supported"),
        ({"c": entry("EQ", C)}, "Query condition missed key schema element: p"),
        ({"p": entry("EQ", C)}, SCHEMA),
    ],
)
def test_old_key_conditions_that_can_not_be_are_refused(conditions: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        legacy.key_conditions(conditions, HASH, RANGE)
    assert caught.value.message == message


ITEM: dict[str, Any] = {"n": {"N": "5"}, "s": {"S": "hello"}, "ss": {"SS": ["x", "y"]}, "l": {"L": [{"N": "1"}]}}


@pytest.mark.parametrize(
    ("name", "condition", "holds"),
    [
        ("n", entry("EQ", {"N": "5.0"}), True),
        ("ss", entry("EQ", {"SS": ["y", "x"]}), True),
        ("n", entry("NE", {"N": "5"}), False),
        ("none", entry("NE", {"N": "5"}), True),
        ("n", entry("LT", {"N": "6"}), True),
        ("n", entry("LE", {"N": "4"}), False),
        ("n", entry("GT", {"S": "4"}), False),
        ("n", entry("GE", {"N": "5"}), True),
        ("n", entry("BETWEEN", {"N": "1"}, {"N": "5"}), True),
        ("n", entry("IN", {"N": "1"}, {"N": "5"}), True),
        ("s", entry("BEGINS_WITH", {"S": "he"}), True),
        ("s", entry("CONTAINS", {"S": "ell"}), True),
        ("ss", entry("CONTAINS", {"S": "z"}), False),
        ("l", entry("NOT_CONTAINS", {"N": "2"}), True),
        ("s", entry("NOT_CONTAINS", {"N": "2"}), True),
        ("none", entry("NOT_CONTAINS", {"N": "2"}), False),
        ("none", entry("NULL"), True),
        ("n", entry("NOT_NULL"), True),
        ("n", {"Value": {"N": "5"}}, True),
        ("n", {"Value": {"N": "6"}, "Exists": True}, False),
        ("n", {"Exists": False}, False),
        ("n", {"ComparisonOperator": "GT", "Value": {"N": "4"}}, True),
    ],
)
def test_an_expectation_is_judged(name: str, condition: dict[str, Any], holds: bool) -> None:
    assert legacy.expected({name: condition}, None).matches(ITEM) is holds
    if "Exists" not in condition and "Value" not in condition:
        found = legacy.filter_conditions({name: condition}, None)
        assert found.matches(ITEM) is holds
        assert found.attributes == {name}


def test_several_conditions_all_hold_or_any() -> None:
    conditions = {"n": entry("EQ", {"N": "5"}), "s": entry("EQ", {"S": "no"})}
    assert not legacy.filter_conditions(conditions, None).matches(ITEM)
    assert not legacy.filter_conditions(conditions, "AND").matches(ITEM)
    assert legacy.filter_conditions(conditions, "OR").matches(ITEM)
    assert legacy.expected({}, None).matches(ITEM)


INVALID = "One or more parameter values were invalid: "
BOUNDS = "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
OPERATOR = "ConditionalOperator"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (entry("EQ"), "Invalid number of argument(s) for the EQ ComparisonOperator"),
        (entry("NULL", C), "Invalid number of argument(s) for the NULL ComparisonOperator"),
        (entry("IN"), "Invalid number of argument(s) for the IN ComparisonOperator"),
        (entry("BETWEEN", C), "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        (entry("LT", {"BOOL": True}), "ComparisonOperator LT is not valid for BOOL AttributeValue type"),
        (entry("CONTAINS", {"L": []}), "ComparisonOperator CONTAINS is not valid for L AttributeValue type"),
        (entry("BEGINS_WITH", C), "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
        (entry("IN", C, P), "AttributeValues inside AttributeValueList must be of same type"),
        (
            {"ComparisonOperator": "EQ", "Exists": True},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"Value": C, "AttributeValueList": [C], "ComparisonOperator": "EQ"},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        ({"AttributeValueList": [C]}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": False, "Value": C}, "Value cannot be used when Exists is false for Attribute: a"),
    ],
)
def test_an_expectation_without_meaning_is_refused_with_the_reason(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        legacy.expected({"a": condition}, None)
    assert caught.value.message == INVALID + message


def test_bounds_go_upward_and_an_operator_joins_two_at_least() -> None:
    for conditions, operator, message in (
        (
            {"a": entry("BETWEEN", D, C)},
            None,
            BOUNDS,
        ),
        ({}, "OR", f"{OPERATOR} cannot be used without Filter or Expected"),
        (
            {"a": entry("NULL")},
            "OR",
            f"{OPERATOR} can only be used when Filter or Expected has two or more elements",
        ),
    ):
        with pytest.raises(AwsError) as caught:
            legacy.filter_conditions(conditions, operator)
        assert caught.value.message == message


def test_a_request_speaks_one_language() -> None:
    request = {"Expected": {}, "ConditionExpression": "a = b"}
    with pytest.raises(AwsError) as caught:
        legacy.check_not_mixed(request, ("ConditionExpression",), ("Expected", "ConditionalOperator"))
    assert caught.value.message == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
    )
    keyed: dict[str, Any] = {"KeyConditions": {}, "FilterExpression": "a = b"}
    legacy.check_not_mixed(keyed, ("FilterExpression", "KeyConditionExpression"), ("KeyConditions",))
    with pytest.raises(AwsError, match="KeyConditions"):
        legacy.check_not_mixed(
            keyed | {"KeyConditionExpression": "a = b"},
            ("FilterExpression", "KeyConditionExpression"),
            ("KeyConditions",),
        )
