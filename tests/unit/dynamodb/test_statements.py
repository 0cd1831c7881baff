"""PartiQL run: what it reads, writes and returns."""

import base64
import json
from unittest import mock

import orjson
import pytest
from tests.unit.dynamodb.reading import Reading, number, text

from atoll.services.dynamodb.partiql import plans


@pytest.fixture
def table():
    return Reading()


def fill(table, count=4):
    return [table.put(p, str(i), n=number(i), x=text("x")) for p in "ab" for i in range(count)]


def places(reply):
    return [item["p"]["S"] + item["c"]["S"] for item in reply["Items"]]


def keys_of(table, where, **request):
    return places(table.execute(f"SELECT p, c FROM music WHERE {where}", **request))


# SELECT


def test_a_select_by_key_reads_one_item(table):
    items = fill(table)
    reply = table.execute("SELECT * FROM music WHERE p = 'a' AND c = ?", text("1"), ReturnConsumedCapacity="TOTAL")
    assert reply == {"Items": [items[1]], "ConsumedCapacity": {"TableName": "music", "CapacityUnits": 0.5}}
    assert table.execute("SELECT * FROM music WHERE p = 'a' AND c = '1'", Limit=1) == {"Items": [items[1]]}


@pytest.mark.parametrize(
    ("where", "expected", "units"),
    [
        ("p = 'a' AND c > '1'", ["a2", "a3"], 0.5),
        ("'1' < c AND c <= '2' AND p = 'a'", ["a2"], 0.5),
        ("p = 'a' AND c BETWEEN '1' AND '2' AND n <> 1", ["a2"], 0.5),
        ("p = 'a' AND begins_with(c, '3')", ["a3"], 0.5),
        ("p = 'a' AND c IN ['1', '3']", ["a1", "a3"], 0.5),
        ("p IN ['b', 'a'] AND c = '1'", ["b1", "a1"], 1.0),
        ("(p = 'a' AND c = '1') OR (p = 'b' AND c = '2')", ["a1", "b2"], 1.0),
        ("p = 'a' AND c > '2' AND c < '1'", [], 0.5),
    ],
)
def test_a_select_that_gives_the_partition_key_is_queries(table, where, expected, units):
    fill(table)
    reply = table.execute(f"SELECT * FROM music WHERE {where}", ReturnConsumedCapacity="TOTAL")
    assert (places(reply), reply["ConsumedCapacity"]["CapacityUnits"]) == (expected, units)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("n >= 3", ["a3", "b3"]),
        ("p = 'a' OR n = 3", ["a0", "a1", "a2", "a3", "b3"]),
        ("NOT p = 'a' AND NOT n < 2", ["b2", "b3"]),
        ("p > 'a' AND n = 0", ["b0"]),
        ("m IS MISSING AND n IN [0, 7]", ["a0", "b0"]),
    ],
)
def test_any_other_select_is_a_scan(table, where, expected):
    fill(table)
    reply = table.execute(f"SELECT * FROM music WHERE {where}", ReturnConsumedCapacity="TOTAL")
    assert (sorted(places(reply)), reply["ConsumedCapacity"]["CapacityUnits"]) == (expected, 2.0)


def test_a_select_answers_each_path_under_its_last_name(table):
    table.put("a", "1", m={"M": {"deep": {"L": [text("x"), text("y")]}}})
    reply = table.execute("SELECT m.deep, m.deep[1], nil.there, c FROM music WHERE p = 'a'")
    assert reply["Items"] == [{"deep": text("y"), "c": text("1")}]
    assert table.execute("SELECT nil FROM music WHERE p = 'a'")["Items"] == [{}]


def test_nulls_are_not_missing(table):
    table.put("a", "null", v={"NULL": True})
    table.put("a", "none")
    assert keys_of(table, "p = 'a' AND v IS NULL") == ["anull"]
    assert keys_of(table, "p = 'a' AND v IS MISSING") == ["anone"]
    assert keys_of(table, "p = 'a' AND v IS NOT NULL") == ["anone"]
    assert keys_of(table, "p = 'a' AND v IS NOT MISSING") == ["anull"]


def test_a_negation_is_true_of_what_is_not_there(table):
    table.put("a", "1", v=text("x"))
    table.put("a", "2")
    assert keys_of(table, "p = 'a' AND NOT v = 'x'") == ["a2"]
    assert keys_of(table, "p = 'a' AND v = 'x'") == ["a1"]


def test_pages_go_on_by_their_tokens(table):
    fill(table)
    for where, limit in (("p IN ['a', 'b'] AND n > 0", 3), ("n > 0", 3), ("p = 'a'", 1)):
        whole, found, request = keys_of(table, where), [], {"Limit": limit}
        for _ in range(20):
            reply = table.execute(f"SELECT p, c FROM music WHERE {where}", **request)
            found += places(reply)
            assert len(reply["Items"]) <= limit
            if "NextToken" not in reply:
                break
            request["NextToken"] = reply["NextToken"]
        assert found == whole


def test_a_token_is_good_for_its_own_statement_only(table):
    fill(table)
    reply = table.execute("SELECT * FROM music", Limit=1)
    assert set(reply["LastEvaluatedKey"]) == {"p", "c"}
    other = table.refuses("SELECT * FROM music WHERE n = 1", NextToken=reply["NextToken"])
    assert (other.code, other.message) == ("ValidationException", "NextToken does not match request")
    for token in ("nonsense!", "bm9uc2Vuc2U=", "WzFd"):
        assert table.refuses("SELECT * FROM music", NextToken=token).message == "Invalid NextToken"


@pytest.mark.parametrize(
    "rest",
    [
        [0, {"p": {"S": 5}, "c": {"S": "1"}}],
        [0, {"p": 5, "c": {"S": "1"}}],
        [0, {"p": {"S": "a"}}],
        [0, {"p": {"S": "a"}, "c": {"B": "!"}}],
        [0, []],
        [-1, None],
        [2**70, None],
        ["0", None],
        [0, None, 0],
    ],
)
def test_a_forged_token_is_refused(table, rest):
    fill(table)
    token = table.execute("SELECT * FROM music", Limit=1)["NextToken"]
    digest, *_ = orjson.loads(base64.b64decode(token))
    forged = base64.b64encode(json.dumps([digest, *rest]).encode()).decode()
    assert table.refuses("SELECT * FROM music", NextToken=forged).message == "Invalid NextToken"


def test_reads_without_number_are_refused_before_they_are_planned(table):
    values = ", ".join(f"'{number}'" for number in range(90))
    where = f"x IN [{values}] AND y IN [{values}]"
    message = "Too many decomposed read operations for a given query."
    assert table.refuses(f'SELECT * FROM music."many" WHERE {where}').message == message
    with mock.patch.object(plans, "_part", side_effect=AssertionError("it is planned")):
        assert table.refuses(f'SELECT * FROM music."many" WHERE {where}').message == message


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("p = 'a' ORDER BY c DESC", ["a3", "a2", "a1", "a0"]),
        ("p = 'a' ORDER BY c", ["a0", "a1", "a2", "a3"]),
        ("p = 'a' ORDER BY p", ["a3", "a2", "a1", "a0"]),
        ("p IN ['b', 'a'] AND n < 2 ORDER BY p, c", ["a0", "a1", "b0", "b1"]),
        ("p IN ['a', 'b'] AND n < 2 ORDER BY p DESC, c ASC", ["b0", "b1", "a0", "a1"]),
    ],
)
def test_order_by_is_the_order_of_the_keys(table, where, expected):
    fill(table)
    assert keys_of(table, where) == expected


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("ORDER BY c", "Must have WHERE clause in the statement when using ORDER BY clause."),
        ("WHERE p = 'a' ORDER BY n", "Attribute n in ORDER BY clause must be part of the primary key"),
        (
            "WHERE p > 'a' ORDER BY c",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        (
            "WHERE p IN ['a', 'b'] ORDER BY c",
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ),
        ("WHERE p = 1", "Key attribute's data type should match its data type in table's schema: Key p"),
        ("WHERE p = true", "Key value must be of type S, N, or B. Key name: p, Key type: BOOL"),
        ("WHERE p = 'a' AND c > 1", "Key attribute's data type should match its data type in table's schema: Key c"),
        (
            "WHERE (p = 'a' AND c > '1') OR (p = 'a' AND c < '3')",
            "Overlapping conditions with range keys are not supported in where clause",
        ),
        (
            "WHERE attribute_type(n, 'X')",
            "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
    ],
)
def test_selects_that_are_refused(table, rest, message):
    error = table.refuses(f"SELECT * FROM music {rest}")
    assert (error.code, error.message) == ("ValidationException", message)


def test_fifty_reads_are_enough(table):
    choices = [f"'{i}'" for i in range(51)]
    assert keys_of(table, f"p IN [{', '.join(choices[:50])}]") == []
    error = table.refuses(f"SELECT * FROM music WHERE p IN [{', '.join(choices)}]")
    assert error.message == "Too many decomposed read operations for a given query."


# Indexes


def test_an_index_is_read_for_what_it_keeps(table):
    items = fill(table, 2)
    assert table.execute("SELECT * FROM music.\"by-x\" WHERE x = 'x'")["Items"] == items
    reply = table.execute('SELECT * FROM music."few-x"', ReturnConsumedCapacity="INDEXES")
    assert all(set(item) == {"p", "c", "x"} for item in reply["Items"])
    assert reply["ConsumedCapacity"]["Table"] == {"CapacityUnits": 0.0}


def test_a_local_index_fetches_columns_but_filters_by_what_it_keeps(table):
    fill(table, 2)
    reply = table.execute("SELECT x, n FROM music.\"few-n\" WHERE p = 'a' AND n >= 0", ReturnConsumedCapacity="INDEXES")
    assert reply["Items"] == [{"x": text("x"), "n": number(0)}, {"x": text("x"), "n": number(1)}]
    assert reply["ConsumedCapacity"]["Table"] == {"CapacityUnits": 1.0}
    assert table.execute("SELECT * FROM music.\"few-n\" WHERE x = 'x'")["Items"] == []


def test_what_an_index_does_not_keep_is_refused(table):
    start = "One or more parameter values were invalid: "
    assert table.refuses('SELECT v, kept, a FROM music."few-x"').message == (
        f"{start}Global secondary index few-x does not project [v, a]"
    )
    for name, pinned in (("few-x", "x"), ("few-n", "p")):
        assert table.refuses(f"SELECT * FROM music.\"{name}\" WHERE {pinned} = 'a' AND v = 1").message == (
            f"{start}Secondary index {name} does not project one or more filter attributes: [v]"
        )


def test_tables_and_indexes_that_are_not_there(table):
    assert table.refuses("SELECT * FROM music.nil").message == "The table does not have the specified index"
    for statement in ("SELECT * FROM nil.nil", "SELECT * FROM nil", "DELETE FROM nil WHERE p = 'a'"):
        error = table.refuses(statement)
        assert (error.code, error.message) == ("ResourceNotFoundException", "Requested resource not found")
    for statement in ("UPDATE nil.x SET a = 1 WHERE p = 'a'", "DELETE FROM nil.x WHERE p = 'a'"):
        assert table.refuses(statement).message == "This operation is not supported on an index"
    told = table.refuses('SELECT * FROM music."by-x"', ConsistentRead=True).message
    assert told == "Strongly consistent read is not supported on Global Secondary Indexes"


# Writes


def test_an_insert_makes_an_item_once(table):
    statement = "INSERT INTO music VALUE {'p': 'a', 'c': ?, 'm': {'l': [1, <<'s'>>]}}"
    assert table.execute(statement, text("1")) == {"Items": []}
    assert table.get("a", "1") == {
        "p": text("a"),
        "c": text("1"),
        "m": {"M": {"l": {"L": [number(1), {"SS": ["s"]}]}}},
    }
    error = table.refuses(statement, text("1"))
    assert (error.code, error.message) == ("DuplicateItemException", "Duplicate primary key exists in table")


def test_an_update_changes_what_is_there(table):
    table.put("a", "1", n=number(1), l={"L": [text("x"), text("y")]}, s={"SS": ["s"]})
    table.execute(
        "UPDATE music SET n = n + 10, l = list_append(l, ['z']) SET s = set_add(s, <<'t'>>), new = {'x': 1} "
        "WHERE p = 'a' AND c = '1'"
    )
    item = table.get("a", "1")
    assert (item["n"], item["l"]["L"][-1], sorted(item["s"]["SS"]), item["new"]) == (
        number(11),
        text("z"),
        ["s", "t"],
        {"M": {"x": number(1)}},
    )
    table.execute("UPDATE music REMOVE l[0], n SET s = set_delete(s, <<'s', 't'>>) WHERE p = 'a' AND c = '1'")
    assert table.get("a", "1") == {
        "p": text("a"),
        "c": text("1"),
        "l": {"L": [text("y"), text("z")]},
        "new": {"M": {"x": number(1)}},
    }


def test_an_update_makes_nothing_and_heeds_its_condition(table):
    table.put("a", "1", n=number(1))
    for where in ("c = '2'", "c = '1' AND n = 2"):
        error = table.refuses(f"UPDATE music SET n = 5 WHERE p = 'a' AND {where}")
        assert (error.code, error.message) == ("ConditionalCheckFailedException", "The conditional request failed")
    table.execute("UPDATE music SET n = 5 WHERE p = 'a' AND c = '1' AND n = 1")
    assert table.get("a", "1")["n"] == number(5)
    assert table.get("a", "2") is None


def test_a_failed_condition_tells_the_item_when_asked(table):
    item = table.put("a", "1", n=number(1))
    error = table.refuses(
        "DELETE FROM music WHERE p = 'a' AND c = '1' AND n = 2", ReturnValuesOnConditionCheckFailure="ALL_OLD"
    )
    assert orjson.loads(orjson.dumps(error.fields["Item"])) == item
    assert table.get("a", "1") == item


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("ALL OLD", [{"p": text("a"), "c": text("1"), "n": number(1), "o": text("o")}]),
        ("ALL NEW", [{"p": text("a"), "c": text("1"), "n": number(2), "o": text("o")}]),
        ("MODIFIED OLD", [{"n": number(1)}]),
        ("MODIFIED NEW", [{"n": number(2)}]),
    ],
)
def test_an_update_returns_what_it_is_asked_for(table, clause, expected):
    table.put("a", "1", n=number(1), o=text("o"))
    statement = f"UPDATE music SET n = 2 WHERE p = 'a' AND c = '1' RETURNING {clause} *"
    assert table.execute(statement) == {"Items": expected}


def test_nothing_modified_is_no_item(table):
    table.put("a", "1", n=number(1))
    statement = "UPDATE music REMOVE n WHERE p = 'a' AND c = '1' RETURNING MODIFIED NEW *"
    assert table.execute(statement) == {"Items": []}


def test_a_delete_takes_an_item_away_and_minds_nothing_missing(table):
    item = table.put("a", "1", n=number(1))
    assert table.execute("DELETE FROM music WHERE p = 'a' AND c = '1' RETURNING ALL OLD *") == {"Items": [item]}
    assert table.get("a", "1") is None
    assert table.execute("DELETE FROM music WHERE p = 'a' AND c = '1' AND n = 5 RETURNING ALL OLD *") == {"Items": []}


@pytest.mark.parametrize("clause", ["MODIFIED OLD", "ALL NEW", "MODIFIED NEW"])
def test_a_delete_returns_only_what_was(table, clause):
    table.put("a", "1")
    assert table.refuses(f"DELETE FROM music WHERE p = 'a' AND c = '1' RETURNING {clause} *").message == (
        f"Invalid returning clause: RETURNING {clause} *. Only RETURNING ALL OLD * is allowed in DELETE statements."
    )
    assert table.get("a", "1") is not None


@pytest.mark.parametrize("where", ["", "WHERE p = 'a'", "WHERE p = 'a' OR c = '1'", "WHERE p = 'a' AND c > '1'"])
def test_a_write_is_of_one_item(table, where):
    message = "Where clause does not contain a mandatory equality on all key attributes"
    assert table.refuses(f"DELETE FROM music {where}").message == message
    assert table.refuses(f"UPDATE music SET n = 1 {where}").message == message


def test_a_key_has_one_value(table):
    assert table.refuses("DELETE FROM music WHERE p = 'a' AND c = '1' AND c = '2'").message == (
        "Multiple conditions on same key c. Only single item Update/Insert/Delete are supported"
    )


def test_what_is_wrong_with_an_update_is_told_without_its_expression(table):
    table.put("a", "1", s={"SS": ["s"]})
    where = "WHERE p = 'a' AND c = '1'"
    assert table.refuses(f"UPDATE music SET l = list_append(l, [1]) {where}").message == (
        "The provided expression refers to an attribute that does not exist in the item"
    )
    assert table.refuses(f"UPDATE music SET s = set_add(s, <<1>>) {where}").message == (
        "An operand in the update expression has an incorrect data type"
    )
    assert table.refuses(f"UPDATE music SET p = 'b' {where}").message == (
        "One or more parameter values were invalid: Cannot update attribute p. This attribute is part of the key"
    )


def test_exists_is_for_transactions(table):
    assert table.refuses("EXISTS(SELECT * FROM music WHERE p = 'a' AND c = '1' AND n = 1)").message == (
        "EXISTS can only be used in ExecuteTransaction write requests."
    )
