"""Which rule speaks for a request, and what the browser is told."""

from typing import Any

import pytest

from atoll.aws import cors
from atoll.aws.cors import Rule
from atoll.aws.errors import AwsError

VARY = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


def told(rules: list[Rule], origin: str, method: str = "GET", **headers: str) -> dict[str, str]:
    given = {"origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return dict(cors.told(rules, cors.asked(method, given)))


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        ("http://a.example", "http://a.example", True),
        ("http://a.example", "http://a.example/", False),
        ("http://a.example", "HTTP://a.example", False),
        ("*", "null", True),
        ("*suffix", "foo.suffix", True),
        ("*suffix", "suffix", True),
        ("*suffix", "foo.suffix.get", False),
        ("start*end", "startend", True),
        ("start*end", "start12end", True),
        ("start*end", "0start12end", False),
        ("aba*aba", "ababa", False),
        ("prefix*", "prefix", True),
        ("prefix*", "bla.prefix", False),
        ("", "", True),
        ("[a-z].example", "b.example", False),
    ],
)
def test_a_pattern_holds_one_star_and_nothing_else_of_meaning(pattern: str, origin: str, matches: bool) -> None:
    assert bool(told([Rule(["GET"], [pattern])], origin)) is matches


def test_a_page_let_through_is_told_all_of_its_rule() -> None:
    rule = Rule(["GET", "PUT"], ["https://*.example"], ["*"], ["ETag", "x-amz-request-id"], 3000, "one")
    asked = {"access_control_request_method": "PUT", "access_control_request_headers": "X-Amz-Date,content-type,,"}
    assert told([rule], "https://a.example", "OPTIONS", **asked) == dict(
        [
            ("Access-Control-Allow-Origin", "https://a.example"),
            ("Access-Control-Allow-Methods", "GET, PUT"),
            ("Access-Control-Allow-Headers", "x-amz-date, content-type"),
            ("Access-Control-Expose-Headers", "ETag, x-amz-request-id"),
            ("Access-Control-Max-Age", "3000"),
            ("Access-Control-Allow-Credentials", "true"),
            VARY,
        ]
    )


def test_everyone_is_told_so_and_gets_no_credentials() -> None:
    assert told([Rule(["GET"], ["https://b.example", "*"])], "https://a.example") == dict(
        [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET"), VARY]
    )


def test_the_first_rule_that_fits_speaks() -> None:
    rules = [
        Rule(["PUT"], ["https://a.example"]),
        Rule(["GET"], ["https://b.example"]),
        Rule(["GET"], ["https://a.example"], max_age_seconds=0),
        Rule(["GET"], ["*"], max_age_seconds=2),
    ]
    assert told(rules, "https://a.example")["Access-Control-Max-Age"] == "0"
    assert told(rules, "https://c.example")["Access-Control-Max-Age"] == "2"
    assert told(rules, "https://c.example", "HEAD") == {}


def test_what_a_browser_says_it_will_do_counts_for_more_than_what_it_does() -> None:
    rules = [Rule(["GET"], ["*"])]
    assert told(rules, "a", "PUT", access_control_request_method="GET")
    assert told(rules, "a", "GET", access_control_request_method="PUT") == {}
    assert told(rules, "a", "GET", access_control_request_headers="x-amz-date") == {}


@pytest.mark.parametrize(
    ("allowed", "asked", "passes"),
    [
        (["x-amz-*"], "X-AMZ-Date, x-amz-", True),
        (["X-Amz-Date", "Content-Type"], "content-type, x-amz-date", True),
        (["x-amz-date"], "x-amz-date, content-type", False),
        ([], "content-type", False),
        ([], "", True),
    ],
)
def test_every_header_needs_a_pattern(allowed: list[str], asked: str, passes: bool) -> None:
    rules = [Rule(["PUT"], ["*"], allowed)]
    assert bool(told(rules, "a", "PUT", access_control_request_headers=asked)) is passes


RULES = [Rule(["GET"], ["https://a.example"])]
ORIGIN = {"origin": "https://a.example"}
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


@pytest.mark.parametrize(
    ("rules", "headers", "expected"),
    [
        (RULES, {}, ("BadRequest", 400, "Insufficient information. Origin request header needed.", {})),
        (RULES, ORIGIN, ("BadRequest", 400, "Invalid Access-Control-Request-Method: null", {})),
        (
            [],
            {**ORIGIN, "access-control-request-method": "get"},
            ("BadRequest", 400, "Invalid Access-Control-Request-Method: get", {}),
        ),
        (
            None,
            ORIGIN,
            ("AccessForbidden", 403, "CORSResponse: Bucket not found", {"Method": "OPTIONS", "ResourceType": "BUCKET"}),
        ),
        (
            [],
            {**ORIGIN, "access-control-request-method": "PUT"},
            (
                "AccessForbidden",
                403,
                "CORSResponse: CORS is not enabled for this bucket.",
                {"Method": "PUT", "ResourceType": "BUCKET"},
            ),
        ),
        (
            RULES,
            {**ORIGIN, "access-control-request-method": "PUT"},
            ("AccessForbidden", 403, NOT_ALLOWED, {"Method": "PUT", "ResourceType": "OBJECT"}),
        ),
    ],
)
def test_a_preflight_is_refused_in_the_words_of_s3(rules: Any, headers: dict[str, str], expected: Any) -> None:
    with pytest.raises(AwsError) as caught:
        cors.preflight(rules, headers, has_key=True)
    error = caught.value
    assert (error.code, error.status, error.message, error.fields) == expected


def test_a_preflight_that_passes_is_told_what_the_request_will_be() -> None:
    fields = cors.preflight(RULES, {**ORIGIN, "access-control-request-method": "GET"}, has_key=False)
    assert fields == [
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Access-Control-Allow-Methods", "GET"),
        ("Access-Control-Allow-Credentials", "true"),
        VARY,
    ]
