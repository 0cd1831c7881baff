"""Updates and projections: what becomes of an item, what of it is shown, and what AWS says of those that can't be."""

import copy
import re
from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.projections import compile_projection, from_attributes
from atoll.services.dynamodb.expressions.updates import Update, compile_update


def listed(*members: Any) -> dict[str, Any]:
    return {"L": [{"N": str(member)} if isinstance(member, int) else {"S": member} for member in members]}


VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":s": {"S": "x"},
    ":l": listed(9),
    ":ss": {"SS": ["q", "r"]},
    ":qp": {"SS": ["q", "p"]},
    ":ns": {"NS": ["1"]},
    ":flag": {"BOOL": True},
}
ITEM: dict[str, Any] = {
    "m": {"M": {"k": {"S": "q"}}},
    "l": listed(1, 2, 3, 4),
    "n": {"N": "5"},
    "ss": {"SS": ["p", "q"]},
}


def update_of(text: str) -> Update:
    used = {name: copy.deepcopy(VALUES[name]) for name in re.findall(r":\w+", text) if name in VALUES}
    bindings = Bindings(None, used or None)
    update = compile_update(text, bindings)
    bindings.check_all_used()
    return update


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("SET x = :one", {"x": {"N": "1"}}),
        ("SET x = n + :one, y = n - :one, n = :s", {"x": {"N": "6"}, "y": {"N": "4"}, "n": {"S": "x"}}),
        ("SET x = (n + :one)", {"x": {"N": "6"}}),
        ("SET x = (n) + (:one)", {"x": {"N": "6"}}),
        ("SET x = ss", {"x": {"SS": ["p", "q"]}}),
        ("SET m.k = :s, m.z = :one", {"m": {"M": {"k": {"S": "x"}, "z": {"N": "1"}}}}),
        ("SET l[1] = :s", {"l": listed(1, "x", 3, 4)}),
        ("SET l[9] = :s, l[7] = :one", {"l": listed(1, 2, 3, 4, 1, "x")}),
        ("REMOVE l[1] SET l[3] = :s", {"l": listed(1, 3, "x")}),
        ("REMOVE l[17], m.nothing", {}),
        ("REMOVE m.k", {"m": {"M": {}}}),
        ("REMOVE n", {"n": None}),
        ("ADD n :one, fresh :one, ss :ss", {"n": {"N": "6"}, "fresh": {"N": "1"}, "ss": {"SS": ["p", "q", "r"]}}),
        ("DELETE ss :ss", {"ss": {"SS": ["p"]}}),
        ("DELETE ss :qp", {"ss": None}),
        ("DELETE nothing :ss", {}),
        (
            "SET x = list_append(l, :l), y = list_append(:l, l)",
            {"x": listed(1, 2, 3, 4, 9), "y": listed(9, 1, 2, 3, 4)},
        ),
        ("SET x = list_append(if_not_exists(x, :l), :l)", {"x": listed(9, 9)}),
        ("SET x = if_not_exists(n, :one), y = if_not_exists(y, :one)", {"x": {"N": "5"}, "y": {"N": "1"}}),
        ("set n = if_not_exists(n, :one) + :one remove ss", {"n": {"N": "6"}, "ss": None}),
    ],
)
def test_an_update_makes_a_new_item_and_leaves_the_old(text: str, changed: dict[str, Any]) -> None:
    before = copy.deepcopy(ITEM)
    after = {name: value for name, value in (ITEM | changed).items() if value is not None}
    assert update_of(text).apply(ITEM) == after
    assert before == ITEM


PATHS = "must remove or rewrite one of these paths; path one: "
TYPE = "Incorrect operand type for operator or function; operator"
MISSING_PATH = "The document path provided in the update expression is invalid for update"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
MISSING = "The provided expression refers to an attribute that does not exist in the item"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("SET _123 = :one", 'Syntax error; token: "_", near: "SET _123"'),
        ("SET a = :one,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET a = :one + :one + :one", 'Syntax error; token: "+", near: ":one + :one"'),
        ("SET a[:one] = :one", 'Syntax error; token: ":one", near: "[:one]"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("", "The expression can not be empty;"),
        ("SET a = :one SET b = :one", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = :no", "An expression attribute value used in expression is not defined; attribute value: :no"),
        ("SET name = :one", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = ((:one))", "The expression has redundant parentheses;"),
        ("SET a = f(b)", "Invalid function name; function: f"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        (
            "SET a = list_append(list_append(l, l), :l)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            "SET a = list_append(l)",
            "Incorrect number of operands for operator or function; "
            "operator or function: list_append, number of operands: 1",
        ),
        (
            "SET a = if_not_exists(:one, :s)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        ("SET a = list_append(l, :s)", f"{TYPE} or function: list_append, operand type: S"),
        ("SET a = n + :s", f"{TYPE} or function: +, operand type: S"),
        ("ADD n :s", f"{TYPE}: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("ADD n :l", f"{TYPE}: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE ss :flag", f"{TYPE}: DELETE, operand type: BOOL, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("SET a = :one REMOVE a", f"Two document paths overlap with each other; {PATHS}[a], path two: [a]"),
        ("SET a.b = :one, a = :s", f"Two document paths overlap with each other; {PATHS}[a, b], path two: [a]"),
        (
            "SET a[1] = :one, a[1][2] = :s",
            f"Two document paths overlap with each other; {PATHS}[a, [1]], path two: [a, [1], [2]]",
        ),
        (
            "SET a.b = :one, a[1] = :s",
            f"Two document paths conflict with each other; {PATHS}[a, b], path two: [a, [1]]",
        ),
        ("SET a = " + "list_append(" * 300, None),
    ],
)
def test_an_update_without_meaning_is_refused_with_the_reason(text: str, message: str | None) -> None:
    with pytest.raises(AwsError) as caught:
        update_of(text)
    assert caught.value.code == "ValidationException"
    if message is not None:
        assert caught.value.message == f"Invalid UpdateExpression: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET a = nothing", MISSING),
        ("SET a = nothing + :one", MISSING),
        ("SET x = :one, y = x", MISSING),
        ("SET a = list_append(n, :l)", WRONG_TYPE),
        ("SET a = l + :one", WRONG_TYPE),
        ("ADD m :one", WRONG_TYPE),
        ("ADD ss :ns", WRONG_TYPE),
        ("DELETE ss :ns", WRONG_TYPE),
        ("SET n.x = :one", MISSING_PATH),
        ("SET l.x = :one", MISSING_PATH),
        ("SET m[0] = :one", MISSING_PATH),
        ("SET nothing.x = :one", MISSING_PATH),
        ("REMOVE m.nothing.x", MISSING_PATH),
        ("REMOVE nothing[0]", MISSING_PATH),
    ],
)
def test_an_update_that_an_item_does_not_allow_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        update_of(text).apply(ITEM)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


def test_an_update_can_not_make_an_item_too_deep() -> None:
    item: dict[str, Any] = {"a": {"M": {}}}
    deep: dict[str, Any] = {"S": "leaf"}
    for _ in range(30):
        deep = {"L": [deep]}
    assert compile_update("SET a.b = :v", Bindings(None, {":v": deep})).apply(item) == {"a": {"M": {"b": deep}}}
    with pytest.raises(AwsError, match="Nesting Levels have exceeded supported limits"):
        compile_update("SET a.b = :v", Bindings(None, {":v": {"L": [deep]}})).apply(item)


def test_only_what_puts_something_makes_an_item() -> None:
    assert [update_of(text).creates for text in ("SET a = :one", "ADD a :one", "REMOVE a", "DELETE a :ss")] == [
        True,
        True,
        False,
        False,
    ]
    assert update_of("REMOVE x.y, z[0]").apply({}) == {}
    with pytest.raises(AwsError, match="invalid for update"):
        update_of("SET x.y = :one").apply({})


def test_part_of_shows_what_the_paths_name() -> None:
    update = update_of("SET m.k = :s, l[2] = :one, l[9] = :one REMOVE n")
    assert update.part_of(ITEM) == {"m": {"M": {"k": {"S": "q"}}}, "l": listed(3), "n": {"N": "5"}}
    assert update.part_of(update.apply(ITEM)) == {"m": {"M": {"k": {"S": "x"}}}, "l": listed(1)}
    assert update.attributes == {"m", "l", "n"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m.k, n", {"m": ITEM["m"], "n": ITEM["n"]}),
        ("l[2], l[0]", {"l": listed(1, 3)}),
        ("l[9], m.x, x.y, n[0], ss.a", {}),
        ("m", {"m": ITEM["m"]}),
    ],
)
def test_a_projection_shows_what_its_paths_name(text: str, shown: dict[str, Any]) -> None:
    assert compile_projection(text, Bindings(None, None)).apply(ITEM) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("!!! INVALID !!!", 'Syntax error; token: "!", near: "!!"'),
        ("a[-1]", 'Syntax error; token: "-", near: "[-1"'),
        ("a, a.b", f"Two document paths overlap with each other; {PATHS}[a], path two: [a, b]"),
        ("a.b, a[1]", f"Two document paths conflict with each other; {PATHS}[a, b], path two: [a, [1]]"),
        ("#a", "An expression attribute name used in the document path is not defined; attribute name: #a"),
    ],
)
def test_a_projection_without_meaning_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile_projection(text, Bindings(None, None))
    assert caught.value.message == f"Invalid ProjectionExpression: {message}"


def test_attributes_to_get_are_top_level_whatever_their_names() -> None:
    item = {"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}}}}
    assert from_attributes(["a.b", "none"]).apply(item) == {"a.b": {"N": "1"}}
    with pytest.raises(AwsError, match="Duplicate value in attribute name: a"):
        from_attributes(["a", "a"])


@pytest.mark.parametrize(
    ("updates", "changed"),
    [
        ({"x": {"Value": {"N": "1.0"}}}, {"x": {"N": "1"}}),
        ({"x.y": {"Value": {"N": "1"}, "Action": "PUT"}}, {"x.y": {"N": "1"}}),
        ({"n": {"Action": "DELETE"}}, {"n": None}),
        (
            {"n": {"Action": "ADD", "Value": {"N": "-7"}}, "y": {"Action": "ADD", "Value": {"N": "1"}}},
            {"n": {"N": "-2"}, "y": {"N": "1"}},
        ),
        ({"ss": {"Action": "ADD", "Value": {"SS": ["q", "z"]}}}, {"ss": {"SS": ["p", "q", "z"]}}),
        ({"ss": {"Action": "DELETE", "Value": {"SS": ["p", "q"]}}}, {"ss": None}),
        ({"l": {"Action": "ADD", "Value": listed(5)}}, {"l": listed(1, 2, 3, 4, 5)}),
    ],
)
def test_attribute_updates_do_the_same_without_expressions(updates: dict[str, Any], changed: dict[str, Any]) -> None:
    after = {name: value for name, value in (ITEM | changed).items() if value is not None}
    assert legacy.attribute_updates(updates).apply(ITEM) == after


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"Action": "PUT"},
            f"{INVALID}Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            {"Action": "DELETE", "Value": {"S": "x"}},
            f"{INVALID}DELETE action with value is not supported for the type S",
        ),
        (
            {"Action": "ADD", "Value": {"S": "x"}},
            f"{INVALID}ADD action is not supported for the type S",
        ),
        ({"Action": "ADD", "Value": {"NS": ["1"]}}, "Type mismatch for attribute to update"),
        ({"Action": "DELETE", "Value": {"NS": ["1"]}}, "Type mismatch for attribute to update"),
    ],
)
def test_attribute_updates_that_can_not_be_are_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        legacy.attribute_updates({"ss": entry}).apply(ITEM)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


def test_attribute_updates_make_an_item_unless_they_only_delete() -> None:
    assert legacy.attribute_updates({}).creates
    assert legacy.attribute_updates({"a": {"Value": {"N": "1"}}}).creates
    assert not legacy.attribute_updates({"a": {"Action": "DELETE"}}).creates
