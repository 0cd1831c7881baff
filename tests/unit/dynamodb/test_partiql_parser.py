"""PartiQL statements to trees, and what is said of those that are none."""

import pytest

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.partiql import tree
from atoll.services.dynamodb.partiql.parser import parse
from atoll.services.dynamodb.partiql.tree import And, Between, Compare, In, Is, Literally, Not, Or, Path, Size


def where(condition, *parameters):
    return parse(f"SELECT * FROM t WHERE {condition}", parameters).where


def told(statement, *parameters):
    with pytest.raises(AwsError) as caught:
        parse(statement, parameters)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def malformed(statement):
    start = "Statement wasn't well formed, can't be processed: "
    message = told(statement)
    assert message.startswith(start)
    return message.removeprefix(start)


def path(*steps):
    return Path(steps)


A, ONE, TEXT = path("a"), Literally({"N": "1"}), Literally({"S": "x"})


def test_a_select_has_columns_a_target_a_condition_and_an_order():
    statement = 'SELECT a, b.c[2] FROM "my-table"."my-index" WHERE a = 1 ORDER BY a DESC, b ASC, c;'
    orders = (tree.Order("a", descending=True), tree.Order("b", descending=False), tree.Order("c", descending=False))
    assert parse(statement, []) == tree.Select(
        tree.Target("my-table", "my-index"), (A, path("b", "c", 2)), Compare(A, "=", ONE), orders
    )


def test_keywords_are_keywords_in_any_case_and_comments_are_nothing():
    assert parse("select * from t -- all\n where /* just */ a is missing", []) == tree.Select(
        tree.Target("t", None), None, Is(A, "MISSING"), ()
    )


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'it''s'", {"S": "it's"}),
        ("''", {"S": ""}),
        ("1E3", {"N": "1000"}),
        ("-1.5e-3", {"N": "-0.0015"}),
        (".5", {"N": "0.5"}),
        ("+2.50", {"N": "2.5"}),
        ("-0", {"N": "0"}),
        ("true", {"BOOL": True}),
        ("FALSE", {"BOOL": False}),
        ("null", {"NULL": True}),
        ("[1, 'a', []]", {"L": [{"N": "1"}, {"S": "a"}, {"L": []}]}),
        ("{'a': {'b': 1}}", {"M": {"a": {"M": {"b": {"N": "1"}}}}}),
        ("<<'a', 'b'>>", {"SS": ["a", "b"]}),
        ("<<1, 2.0>>", {"NS": ["1", "2"]}),
    ],
)
def test_literals_are_values(literal, value):
    assert where(f"a = {literal}") == Compare(A, "=", Literally(value))


def test_parameters_stand_in_their_order():
    assert where("a = ? AND a IN [?, 1]", {"S": "x"}, {"B": "YQ=="}) == And(
        (Compare(A, "=", TEXT), In(A, (Literally({"B": "YQ=="}), ONE)))
    )
    assert parse("INSERT INTO t VALUE {'a': [?, {'b': ?}]}", [{"S": "x"}, {"N": "1"}]).item == {
        "a": {"L": [{"S": "x"}, {"M": {"b": {"N": "1"}}}]}
    }


def test_and_binds_closer_than_or_and_not_closest():
    a = Compare(A, "=", ONE)
    assert where("a=1 OR NOT a=1 AND a=1") == Or((a, And((Not(a), a))))
    assert where("(a=1 OR a=1) AND NOT (a=1)") == And((Or((a, a)), Not(a)))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a != 'x'", Compare(A, "<>", TEXT)),
        ("'x' <= a", Compare(TEXT, "<=", A)),
        ("a BETWEEN 1 AND 1 ", Between(A, ONE, ONE)),
        ("a NOT BETWEEN 1 AND 1", Not(Between(A, ONE, ONE))),
        ("a IN (1)", In(A, (ONE,))),
        ("a NOT IN [1, 1]", Not(In(A, (ONE, ONE)))),
        ("a IS NOT MISSING", Not(Is(A, "MISSING"))),
        ("a IS NULL", Is(A, "NULL")),
        ("size(a) > 1", Compare(Size(A), ">", ONE)),
        ("begins_with(\"a\", 'x')", tree.Test("begins_with", A, TEXT)),
        ("CONTAINS(a.b, 1)", tree.Test("contains", path("a", "b"), ONE)),
        ("attribute_type(a, 'x')", tree.Test("attribute_type", A, TEXT)),
    ],
)
def test_conditions(text, condition):
    assert where(text) == condition


def test_an_update_keeps_its_steps_in_order():
    statement = (
        "UPDATE t SET a = a + 1, b.c = 'x' REMOVE a[0], d SET a = list_append(a, [1]) "
        "SET s = set_add(s, <<1>>), s = SET_DELETE(s, <<1>>) WHERE a = 1 RETURNING MODIFIED OLD *"
    )
    ones = Literally({"NS": ["1"]})
    assert parse(statement, []) == tree.Update(
        tree.Target("t", None),
        (
            tree.Assign(A, tree.Sum(A, "+", ONE)),
            tree.Assign(path("b", "c"), TEXT),
            tree.Remove(path("a", 0)),
            tree.Remove(path("d")),
            tree.Assign(A, tree.Append(A, Literally({"L": [{"N": "1"}]}))),
            tree.ChangeSet(path("s"), "ADD", ones),
            tree.ChangeSet(path("s"), "DELETE", ones),
        ),
        Compare(A, "=", ONE),
        tree.Returning("MODIFIED", "OLD"),
    )


def test_a_minus_is_taken_for_a_sign_or_a_difference():
    assert parse("UPDATE t SET a = a -1 WHERE a = 1", []).steps == (tree.Assign(A, tree.Sum(A, "-", ONE)),)
    assert parse("UPDATE t SET a = -1 WHERE a = 1", []).steps == (tree.Assign(A, Literally({"N": "-1"})),)


def test_what_is_no_statement():
    assert malformed("SELECTT * FROM t") == "Expected data manipulation"
    assert malformed("") == "Expected data manipulation"
    assert malformed("SELECT * FROM") == "Unexpected end of statement"
    assert malformed("SELECT * FROM t WHERE a") == "Unexpected end of statement"
    assert malformed("SELECT * FROM t WHERE WHERE") == "Unexpected keyword"
    assert malformed("INSERT INTO t VALUES {'a': 1}") == "Unexpected keyword"
    assert malformed("SELECT * FROM t) ") == "Unexpected token after expression"
    assert malformed("SELECT a[1.5] FROM t") == "Invalid path component"
    assert malformed("SELECT * FROM t WHERE a = 'x") == ""
    assert malformed("SELECT * FROM t\nWHERE a = #") == "Unexpected character at 2:11"


def test_messages_that_stand_alone():
    assert told("SELECT COUNT(*) FROM t") == "Unexpected path component at 1:8:5"
    assert told('SELECT * FROM ""') == "Path component cannot be an empty string"
    assert told("SELECT * FROM a.b.c") == "A path may contain at most 2 components in the FROM clause"
    assert told("INSERT INTO\n \"tt\".i VALUE {'a': 1}") == (
        "FROM clause may only contain a single table name in data manipulation statements at 2:2:4"
    )
    assert told("UPDATE t SET a = set_add(b, <<1>>) WHERE a = 1") == (
        "The first argument to SET_ADD must equal the assignment value at 1:18:7"
    )


def test_parameters_must_be_as_many_as_question_marks():
    message = "Number of parameters in request and statement don't match."
    assert told("SELECT * FROM t WHERE a = ?") == message
    assert told("SELECT * FROM t WHERE a = 1", {"S": "x"}) == message


def test_sets_are_of_texts_or_of_numbers():
    assert told("SELECT * FROM t WHERE a = <<>>") == "Empty bags are not supported"
    assert told("SELECT * FROM t WHERE a = <<1, 'a'>>") == (
        "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags"
    )
    assert told("SELECT * FROM t WHERE a = <<'a', 'a'>>") == (
        "One or more parameter values were invalid: Input collection [a, a] contains duplicates."
    )


@pytest.mark.parametrize(
    ("condition", "operator", "kind"),
    [("a < true", "<", "BOOL"), ("null >= a", ">=", "NULL"), ("a BETWEEN 1 AND []", "BETWEEN", "L")],
)
def test_only_texts_numbers_and_bytes_have_an_order(condition, operator, kind):
    assert told(f"SELECT * FROM t WHERE {condition}") == (
        f"Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
    )


def test_a_hundred_choices_are_enough():
    choices = ", ".join(["1"] * 100)
    assert len(where(f"a IN [{choices}]").choices) == 100
    assert told(f"SELECT * FROM t WHERE a IN [{choices}, 1]") == (
        "The IN operator is provided with too many operands; number of operands: 101"
    )


@pytest.mark.parametrize("deep", ["(" * 5000, "NOT " * 5000, "a = " + "[" * 5000, "a = " + "{'a': " * 5000])
def test_what_nests_too_deeply_is_refused(deep):
    assert malformed(f"SELECT * FROM t WHERE {deep}") == "Statement is nested too deeply"
