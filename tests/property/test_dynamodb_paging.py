"""Reading in pages against reading at once, and both against a sorted list: any limit, either way, from any key, in any segments."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.dynamodb.reading import Reading, number, text

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.partiql.parser import parse

pytestmark = pytest.mark.slow

# What sorts lowest, what needs two to four bytes, and what UTF-16 would sort elsewhere.
TEXT = st.text(alphabet="ab\x00\x01é\uffff\U00010000", min_size=1, max_size=4)
NUMBERS = st.sampled_from(["0", "-1", "1", "1.5", "-1.5", "10", "1E-5", "-1E+20", "9.9E+125"])
KEYS = st.sets(st.tuples(st.sampled_from(["p", "q"]), TEXT), max_size=20)
LIMITS = st.integers(1, 25)
# Enough of them that some batches are read to the end, and some pages are cut by size.
SIZES = st.sampled_from([0, 0, 0, 100_000, 300_000])


def utf8(value):
    return value.encode()


def filled(keys, numbers=("0",), sizes=(0,)):
    table = Reading()
    for position, (p, c) in enumerate(sorted(keys)):
        padding = sizes[position % len(sizes)]
        more = {"v": text("v" * padding)} if padding else {}
        table.put(p, c, n=number(numbers[position % len(numbers)]), x=text("x"), y=text("y"), **more)
    return table


def keys_of(items):
    return [(item["p"]["S"], item["c"]["S"]) for item in items]


def queried(table, condition, values, **request):
    return table.all_pages("Query", KeyConditionExpression=condition, ExpressionAttributeValues=values, **request)


@settings(max_examples=60, deadline=None)
@given(KEYS, LIMITS, st.lists(SIZES, min_size=1, max_size=4))
def test_any_paging_of_a_query_gives_the_partition_in_order(keys, limit, sizes):
    table = filled(keys, sizes=sizes)
    expected = sorted((key for key in keys if key[0] == "p"), key=lambda key: utf8(key[1]))
    for paging in ({}, {"Limit": limit}):
        for backward in (False, True):
            found, pages = queried(table, "p = :p", {":p": text("p")}, ScanIndexForward=not backward, **paging)
            assert keys_of(found) == (expected[::-1] if backward else expected)
            if not paging and not any(sizes):
                assert pages == 1


@settings(max_examples=60, deadline=None)
@given(KEYS, LIMITS, TEXT, TEXT, st.sampled_from(["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]), st.booleans())
def test_any_condition_on_the_sort_key_is_what_a_filter_would_be(keys, limit, one, other, operator, backward):
    table = filled(keys)
    low, high = sorted((utf8(one), utf8(other)))
    values = {":p": text("p"), ":v": text(low.decode())}
    if operator == "BETWEEN":
        values[":w"] = text(high.decode())
        condition = "c BETWEEN :v AND :w"
    else:
        condition = "begins_with(c, :v)" if operator == "begins_with" else f"c {operator} :v"
    judge = {
        "=": lambda c: c == low,
        "<": lambda c: c < low,
        "<=": lambda c: c <= low,
        ">": lambda c: c > low,
        ">=": lambda c: c >= low,
        "BETWEEN": lambda c: low <= c <= high,
        "begins_with": lambda c: c.startswith(low),
    }[operator]
    expected = sorted((c for p, c in keys if p == "p" and judge(utf8(c))), key=utf8, reverse=backward)
    found, _ = queried(table, f"p = :p AND {condition}", values, Limit=limit, ScanIndexForward=not backward)
    assert [c for _, c in keys_of(found)] == expected


@settings(max_examples=40, deadline=None)
@given(
    KEYS, LIMITS, st.lists(NUMBERS, min_size=1, max_size=6), st.sampled_from(["by-x", "few-x", "many", "by-n", "few-n"])
)
def test_any_paging_of_an_index_gives_all_of_it_in_order(keys, limit, numbers, index):
    table = filled(keys, numbers)
    by_table = index.endswith("-n")
    condition = {"many": "x = :v AND y = :y"}.get(index, "p = :v" if by_table else "x = :v")
    values = {":v": text("p" if by_table else "x"), **({":y": text("y")} if index == "many" else {})}
    whole, _ = queried(table, condition, values, IndexName=index)
    paged, _ = queried(table, condition, values, IndexName=index, Limit=limit)
    backward, _ = queried(table, condition, values, IndexName=index, Limit=limit, ScanIndexForward=False)
    assert (keys_of(paged), keys_of(backward)) == (keys_of(whole), keys_of(whole)[::-1])
    assert sorted(keys_of(whole)) == sorted(key for key in keys if not by_table or key[0] == "p")
    if by_table or index == "many":
        ranks = [float(item["n"]["N"]) for item in whole]
        assert ranks == sorted(ranks)


@settings(max_examples=40, deadline=None)
@given(KEYS, TEXT, st.booleans())
def test_a_query_goes_on_after_any_key(keys, start, backward):
    table = filled(keys)
    reply = table.query(
        values={":p": text("p")},
        ExclusiveStartKey={"p": text("p"), "c": text(start)},
        ScanIndexForward=not backward,
    )
    expected = [c for p, c in keys if p == "p" and (utf8(c) < utf8(start) if backward else utf8(c) > utf8(start))]
    assert [c for _, c in keys_of(reply["Items"])] == sorted(expected, key=utf8, reverse=backward)


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.tuples(TEXT, TEXT), max_size=20),
    LIMITS,
    st.integers(1, 30),
    st.sampled_from([None, "by-x", "many", "few-n"]),
)
def test_any_segments_in_any_pages_are_the_whole(keys, limit, total, index):
    table = filled(keys)
    more = {} if index is None else {"IndexName": index}
    whole, _ = table.all_pages("Scan", **more)
    paged, _ = table.all_pages("Scan", Limit=limit, **more)
    parts = []
    for segment in range(total):
        parts += table.all_pages("Scan", Segment=segment, TotalSegments=total, Limit=limit, **more)[0]
    assert keys_of(paged) == keys_of(parts) == keys_of(whole)
    assert sorted(keys_of(whole)) == sorted(keys)


@settings(max_examples=40, deadline=None)
@given(KEYS, LIMITS, st.sampled_from(["p = 'p'", "p IN ['q', 'p']", "p = 'p' AND c > 'a'", "n >= 0", "c < 'b'"]))
def test_any_paging_of_a_statement_gives_what_it_gives_at_once(keys, limit, where):
    table = filled(keys)
    statement = f"SELECT p, c FROM music WHERE {where}"
    whole = keys_of(table.execute(statement)["Items"])
    found, request = [], {"Limit": limit}
    while True:
        reply = table.execute(statement, **request)
        found += keys_of(reply["Items"])
        if "NextToken" not in reply:
            break
        request["NextToken"] = reply["NextToken"]
    assert found == whole


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="SELECT *FROMWHEREtpc=?'\"<>()[]{}.,:0123456789ANDORNOT-+ \n", max_size=60))
def test_garbage_is_refused_and_never_more_than_that(garbage):
    for statement in (garbage, f"SELECT * FROM t WHERE {garbage}", f"INSERT INTO t VALUE {garbage}"):
        assert refusal(statement) in ("", "ValidationException")


def refusal(statement):
    try:
        parse(statement, [])
    except AwsError as error:
        return error.code
    return ""
