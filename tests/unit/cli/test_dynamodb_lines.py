"""Items as lines: out and in again, and what is refused."""

import io

import pytest

from atoll.cli import dynamodb_lines as lines
from atoll.cli.dynamodb_api import Failed

ITEM = {
    "p": {"S": "a"},
    "n": {"N": "123456789012345678901234567890.5"},
    "t": {"BOOL": True},
    "u": {"NULL": True},
    "l": {"L": [{"N": "1"}, {"M": {"x": {"S": "y"}}}]},
}


def test_dynamodbs_json_comes_back_as_it_went():
    item = {**ITEM, "b": {"B": "AAE="}, "s": {"NS": ["1", "2"]}}
    text = lines.line(item, plain=False).decode()
    assert list(lines.read_json([text, "\n"], {}, plain=False)) == [(1, item)]


def test_plain_json_keeps_every_digit():
    text = lines.line(ITEM, plain=True).decode()
    assert text == ('{"p":"a","n":123456789012345678901234567890.5,"t":true,"u":null,"l":[1,{"x":"y"}]}\n')
    assert list(lines.read_json([text], {}, plain=True)) == [(1, ITEM)]


def test_the_tables_keys_say_what_plain_text_means():
    assert lines.item_of('{"p": "AAE=", "c": 5, "x": "AAE="}', "line 1", {"p": "B", "c": "N"}, plain=True) == {
        "p": {"B": "AAE="},
        "c": {"N": "5"},
        "x": {"S": "AAE="},
    }


def test_what_s3_exports_is_read_too():
    assert lines.item_of('{"Item":{"p":{"S":"a"}}}', "line 1", {}, plain=False) == {"p": {"S": "a"}}
    assert lines.item_of('{"Item":{"M":{"p":{"S":"a"}}}}', "line 1", {}, plain=False) == {
        "Item": {"M": {"p": {"S": "a"}}}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is no JSON: .*"),
        ("[]", "line 1 is no JSON object"),
        ('{"p": "a"}', 'line 1: p has no type, such as {"S": ...}; for plain JSON say --plain'),
        ('{"p": {"X": "a"}}', 'line 1: p has no type, such as {"S": ...}; for plain JSON say --plain'),
    ],
)
def test_other_lines_are_refused_by_their_number(text, message):
    with pytest.raises(Failed) as caught:
        list(lines.read_json([text], {}, plain=False))
    assert str(caught.value).startswith(message.removesuffix(".*"))


def test_csv_is_typed_by_column_and_has_no_empty_attributes():
    text = io.StringIO('p,price,sold,note\r\na,1.50,TRUE,"two\nlines"\r\nb,,false,\r\n', newline="")
    types = {"p": "S", **lines.column_types("price=N,sold=BOOL")}
    assert list(lines.read_csv(text, types)) == [
        (3, {"p": {"S": "a"}, "price": {"N": "1.50"}, "sold": {"BOOL": True}, "note": {"S": "two\nlines"}}),
        (4, {"p": {"S": "b"}, "sold": {"BOOL": False}}),
    ]


@pytest.mark.parametrize("row", ["a", "a,b,c"])
def test_a_row_of_another_length_is_refused(row):
    with pytest.raises(Failed, match="line 2 has not as many cells as the first one"):
        list(lines.read_csv(io.StringIO(f"p,q\n{row}\n"), {}))


@pytest.mark.parametrize("types", ["price", "price=X", "=", "a=N,b"])
def test_types_that_are_none_are_refused(types):
    with pytest.raises(Failed, match="--types"):
        lines.column_types(types)
