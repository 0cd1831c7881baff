"""Condition operators, one line a case: operator, the policy's values, the call's values, whether it holds."""

from typing import Any

import pytest

from atoll.aws.policy_conditions import compile_test, moment

KEY = "aws:Thing"


def holds(operator: str, wanted: Any, found: Any, **facts: list[str]) -> bool:
    values = wanted if isinstance(wanted, list) else [wanted]
    call = {name.replace("__", ":"): value for name, value in facts.items()}
    if found is not None:
        call["aws:thing"] = found if isinstance(found, list) else [found]
    return compile_test(operator, KEY, values, variables=True)(call.get)


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("stringequals", "a", "a", True),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "Straße", "STRASSE", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "home/*", "home/ann", True),
        ("StringLike", "home/*", "Home/ann", False),
        ("StringLike", "h?me", "home", True),
        ("StringLike", "", "", True),
        ("StringNotLike", "home/*", "home/ann", False),
        ("StringNotLike", "home/*", None, True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericGreaterThan", "10", "many", False),
        ("NumericLessThan", "9007199254740993", "9007199254740992", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", False),
        ("DateEquals", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", True),
        ("DateGreaterThanEquals", "1767225600", "2026-01-01T00:00:00Z", True),
        ("DateLessThanEquals", "2026", "1767225600", True),
        ("DateNotEquals", "2026-01-01", "2026-01-02", True),
        ("Bool", "true", "true", True),
        ("Bool", "TRUE", "true", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", None, False),
        ("BoolIfExists", "false", None, True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "T3RoZXI=", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
        ("IpAddress", "10.1.2.3", "10.1.2.3", True),
        ("IpAddress", ["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "nowhere", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
        ("NotIpAddress", "10.0.0.0/8", None, True),
        ("ArnEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::111122223333:role/x", True),
        ("ArnLike", "arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/a/b", True),
        ("ArnLike", "arn:aws:iam:*:role/x", "arn:aws:iam::111122223333:role/x", False),
        ("ArnNotLike", "arn:aws:iam::111122223333:*", "arn:aws:iam::444455556666:root", True),
        ("ArnNotEquals", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root", False),
        ("Null", "true", None, True),
        ("Null", "true", "a", False),
        ("Null", "false", "a", True),
        ("Null", "false", None, False),
        ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
        ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
        ("ForAnyValue:StringEquals", "a", None, False),
        ("ForAnyValue:StringEquals", "a", [], False),
        ("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
        ("ForAnyValue:StringNotEquals", "a", None, False),
        ("ForAnyValue:StringEqualsIfExists", "a", None, True),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAllValues:StringEquals", "a", [], True),
        ("ForAllValues:StringNotEquals", "a", ["b", "c"], True),
        ("ForAllValues:StringNotEquals", "a", ["a", "c"], False),
        ("ForAllValues:StringLike", "a*", ["ab", "ac"], True),
        ("StringNotEquals", "a", ["a", "b"], False),
    ],
)
def test_operators(operator: str, wanted: Any, found: Any, expected: bool):
    assert holds(operator, wanted, found) is expected


def test_variables_stand_in_the_values_of_text_and_arn_operators():
    assert holds("StringEquals", "${aws:username}", "ann", aws__username=["ann"])
    assert not holds("StringEquals", "${aws:username}", "ann", aws__username=["bob"])
    assert holds("StringEqualsIgnoreCase", "${aws:username}", "ANN", aws__username=["ann"])
    assert holds("StringLike", "home/${aws:username}/*", "home/ann/x", aws__username=["ann"])
    assert holds("ArnLike", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/ann", aws__username=["ann"])
    assert not holds("StringEquals", "${aws:username}", "ann")
    assert holds("StringNotEquals", "${aws:username}", "ann")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970", 0),
        ("1970-01", 0),
        ("1970-01-02", 86_400),
        ("1970-01-01T00:01Z", 60),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T00:00:00.5Z", 0.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("86400", 86_400),
        ("12.5", 12.5),
    ],
)
def test_dates_are_iso_8601_or_seconds(text: str, seconds: float):
    assert moment(text) == seconds


@pytest.mark.parametrize("text", ["", "today", "2026-13-01", "2026-01-01T25:00:00Z", "NaN", "Infinity"])
def test_what_is_no_date_is_none(text: str):
    assert moment(text) is None
