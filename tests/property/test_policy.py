"""The policy language against a slow and simple reading of the same rules, and against garbage."""

import json
import time
from collections.abc import Callable
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, Verdict, compile_policy
from atoll.aws.policy_patterns import any_of, parse


@cache
def fits(pattern: str, text: str) -> bool:
    """Wildcards as anybody would define them."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return fits(pattern[1:], text) or (text != "" and fits(pattern, text[1:]))
    return text != "" and pattern[0] in {"?", text[0]} and fits(pattern[1:], text[1:])


def fits_arn(pattern: str, text: str) -> bool:
    ours, theirs = pattern.split(":", 5), text.split(":", 5)
    return len(ours) == len(theirs) and all(fits(*parts) for parts in zip(ours, theirs, strict=True))


def nothing(key: str) -> None:
    return None


@given(st.text("ab*?", max_size=8), st.text("ab\n.", max_size=10))
def test_wildcards_fit_what_they_say(pattern: str, text: str):
    template = parse(pattern, variables=True, wildcards=True)
    assert any_of([template], arn=False)(text, nothing) == fits(pattern, text)


@given(st.lists(st.text("ab*?", max_size=6), min_size=1, max_size=4), st.text("ab", max_size=8))
def test_one_of_several_patterns_is_enough(texts: list[str], text: str):
    templates = [parse(one, variables=True, wildcards=True) for one in texts]
    assert any_of(templates, arn=False)(text, nothing) == any(fits(one, text) for one in texts)


arn_parts = st.lists(st.text("ab*?", max_size=3), min_size=5, max_size=7)


@given(arn_parts, st.lists(st.text("ab", max_size=3), min_size=5, max_size=8))
def test_arns_fit_part_by_part(pattern_parts: list[str], parts: list[str]):
    pattern, text = "arn:" + ":".join(pattern_parts), "arn:" + ":".join(parts)
    template = parse(pattern, variables=True, wildcards=True)
    assert any_of([template], arn=True)(text, nothing) == fits_arn(pattern, text)


actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:Get*", "s3:*", "*", "iam:?reateUser"])
resources = st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::*/k", "arn:aws:s3:::c/*"])
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional={},
).flatmap(
    lambda effect: st.tuples(
        st.booleans(), st.lists(actions, min_size=1), st.booleans(), st.lists(resources, min_size=1)
    ).map(
        lambda parts: {
            **effect,
            "NotAction" if parts[0] else "Action": parts[1],
            "NotResource" if parts[2] else "Resource": parts[3],
        }
    )
)


def speaks_of(statement: dict[str, list[str]], action: str, resource: str) -> bool:
    acts = any(fits(p.lower(), action) for p in statement.get("Action") or statement["NotAction"])
    named = any(fits(p, resource) for p in statement.get("Resource") or statement["NotResource"])
    return acts != ("NotAction" in statement) and named != ("NotResource" in statement)


@given(
    st.lists(statements, min_size=1, max_size=5),
    st.sampled_from(["s3:getobject", "s3:putobject", "iam:createuser"]),
    st.sampled_from(["arn:aws:s3:::b/k", "arn:aws:s3:::c/x", "arn:aws:s3:::d/k"]),
)
def test_a_document_denies_allows_or_is_silent(written: list[dict[str, list[str]]], action: str, resource: str):
    said = {statement["Effect"] for statement in written if speaks_of(statement, action, resource)}  # type: ignore[index]
    expected = Verdict.DENIED if "Deny" in said else Verdict.ALLOWED if "Allow" in said else Verdict.SILENT
    text = json.dumps({"Version": "2012-10-17", "Statement": written})
    assert compile_policy(text).judge(action, resource, nothing) is expected


def refusal_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except AwsError as error:
        return error.code
    return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Condition", "Principal", "AWS"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.sampled_from(list(Use)))
def test_garbage_is_refused_and_never_breaks(value: object, use: Use):
    assert refusal_of(lambda: compile_policy(json.dumps({"Statement": value}), use)) in {
        None,
        "MalformedPolicyDocument",
    }


@given(
    st.dictionaries(st.sampled_from(["Bool", "NumericLessThan", "DateEquals", "IpAddress", "Null"]), json_values),
)
def test_garbage_in_conditions_is_refused_and_never_breaks(condition: dict[str, object]):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    text = json.dumps({"Statement": statement})
    found = refusal_of(lambda: compile_policy(text).judge("s3:getobject", "x", nothing))
    assert found in {None, "MalformedPolicyDocument"}


def test_no_pattern_takes_long():
    hostile = "arn:aws:s3:::" + "*a" * 1000 + "b"
    text = json.dumps(
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": [hostile, "arn:aws:s3:::*a*a*a*a*ab"]}}
    )
    policy = compile_policy(text)
    start = time.perf_counter()
    assert policy.judge("s3:getobject", "arn:aws:s3:::" + "a" * 3000, nothing) is Verdict.SILENT
    assert time.perf_counter() - start < 0.5
