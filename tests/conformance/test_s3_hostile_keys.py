"""Keys are bytes, not paths: whatever a client can write into a request line is a name like any other, and its own."""

import os
import random
from typing import Any
from urllib.parse import quote, unquote_to_bytes
from xml.etree import ElementTree

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.signed_http import SignedHttp

KEYS = [
    b".",
    b"..",
    b"../../etc/passwd",
    b"a/../b",
    b"a/./b",
    b"/",
    b"//",
    b"///a//b///",
    b"/leading",
    b"trailing/",
    b"%",
    b"%2f",
    b"%2F%2f%25%00",
    b"a%2Fb",
    b"a+b c",
    b"a=b&c?d#e;f:g@h",
    b"?versionId=null",
    b"~!*'()",
    b"back\\slash",
    b"quote\"and'",
    b"<xml>&amp;]]>",
    b"{}[]|^`",
    b" leading and trailing ",
    b"tab\tnewline\nreturn\r",
    b"nul\x00byte",
    b"\x00",
    b"\x01\x02\x1f\x7f",
    "ümläut".encode(),
    "u\u0308".encode(),  # The same letter, composed otherwise: another key.
    "\u00fc".encode(),
    "😀/日本語/العربية".encode(),
    "\u202e\u200b\ufeff".encode(),
    "\uffff\U0010ffff".encode(),
    "\u0085\u2028".encode(),
    b"k" * 1024,
    ("é" * 512).encode(),
    b"x/" * 512,
    b"CON",
    b"aux.txt",
    b"soap",
    b"name with .. dots",
    b"~root",
    b"$HOME`id`$(id)",
    b"'; DROP TABLE kv; --",
    b"%s%n%d",
]


@pytest.fixture
def raw(cloud: CloudUnderTest) -> SignedHttp:
    return SignedHttp(cloud)


def path(bucket: str, key: bytes) -> str:
    return f"/{bucket}/{quote(key, safe='/~')}"


def listed(raw: SignedHttp, bucket: str) -> list[bytes]:
    """All keys, by way of the encoded listing: XML can't hold them all."""
    found: list[bytes] = []
    token = ""
    while True:
        query = f"continuation-token={quote(token, safe='')}&" if token else ""
        answer = raw.send("GET", f"/{bucket}?{query}encoding-type=url&list-type=2&max-keys=7")
        assert answer.status == 200, answer
        root = ElementTree.fromstring(answer.body)
        space = root.tag.partition("}")[0] + "}"
        found += [
            unquote_to_bytes((entry.findtext(f"{space}Key") or "").replace("+", " "))
            for entry in root.iter(f"{space}Contents")
        ]
        if root.findtext(f"{space}IsTruncated") == "false":
            return found
        token = root.findtext(f"{space}NextContinuationToken") or ""
        assert token


def test_every_key_is_kept_apart_and_found_again(raw: SignedHttp, bucket: str) -> None:
    for number, key in enumerate(KEYS):
        answer = raw.send("PUT", path(bucket, key), b"%d" % number)
        assert answer.status == 200, (key, answer)
    for number, key in enumerate(KEYS):
        answer = raw.send("GET", path(bucket, key))
        assert (answer.status, answer.body) == (200, b"%d" % number), key
        assert raw.send("HEAD", path(bucket, key)).headers["content-length"] == str(len(b"%d" % number))
    assert listed(raw, bucket) == sorted(KEYS)
    for key in KEYS:
        assert raw.send("DELETE", path(bucket, key)).status == 204, key
    assert listed(raw, bucket) == []


def test_the_plain_listing_is_xml_or_an_error_never_garbage(raw: SignedHttp, bucket: str) -> None:
    for number, key in enumerate(KEYS):
        raw.send("PUT", path(bucket, key), b"%d" % number)
    answer = raw.send("GET", f"/{bucket}?list-type=2")
    assert answer.status == 200
    assert b"\x00" not in answer.body


def test_every_way_of_writing_a_path_names_the_same_key(raw: SignedHttp, bucket: str) -> None:
    raw.send("PUT", f"/{bucket}/a%2Fb~c", b"data")
    # Each spelling is signed in canonical form: capital escapes, and none that are needless; an escaped slash stays escaped.
    for spelling, canonical in {
        "a/b~c": "a/b~c",
        "a%2fb~c": "a%2Fb~c",
        "%61/b~c": "a/b~c",
        "a/b%7Ec": "a/b~c",
        "a/%62%7ec": "a/b~c",
    }.items():
        headers = raw.sign("GET", f"/{bucket}/{canonical}")
        answer = raw.send_raw("GET", f"/{bucket}/{spelling}", headers)
        assert (answer.status, answer.body) == (200, b"data"), spelling


def test_dots_do_not_climb_out_of_a_bucket(raw: SignedHttp, s3: Any, new_bucket: Any) -> None:
    mine, other = new_bucket(), new_bucket()
    s3.put_object(Bucket=other, Key="secret", Body=b"secret")
    answer = raw.send("GET", f"/{mine}/../{other}/secret")
    assert (answer.status, b"<Code>NoSuchKey</Code>" in answer.body) == (404, True)
    raw.send("PUT", f"/{mine}/../{other}/secret", b"mine")
    assert s3.get_object(Bucket=other, Key="secret")["Body"].read() == b"secret"
    raw.send("DELETE", f"/{mine}/..%2F{other}%2Fsecret")
    assert s3.get_object(Bucket=other, Key="secret")["Body"].read() == b"secret"
    for url in (f"/../{other}/secret", f"/./{other}/secret", f"//{other}/secret"):
        assert raw.send("GET", url).status in {400, 403, 404}, url


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("key", [b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"ok\x80"])
def test_bytes_that_are_no_utf8_are_no_key(raw: SignedHttp, bucket: str, method: str, key: bytes) -> None:
    target = path(bucket, key) + ("?uploads=" if method == "POST" else "")
    answer = raw.send(method, target, b"data" if method == "PUT" else b"")
    assert answer.status == 400
    if method != "HEAD":
        assert b"<Code>InvalidURI</Code><Message>Couldn't parse the specified URI.</Message>" in answer.body
    assert listed(raw, bucket) == []


def test_keys_at_random_are_listed_in_the_order_of_their_bytes(raw: SignedHttp, bucket: str) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    alphabet = [chr(c) for c in (*range(0x01, 0x80), 0xE9, 0x7FF, 0x800, 0xFFFD, 0x10000, 0x10FFFF)]
    keys = {"".join(chance.choices(alphabet, k=chance.randint(1, 12))).encode() for _ in range(150)}
    for key in keys:
        assert raw.send("PUT", path(bucket, key), key).status == 200, (seed, key)
    assert listed(raw, bucket) == sorted(keys), f"seed {seed}"
    for key in chance.sample(sorted(keys), 30):
        assert raw.send("GET", path(bucket, key)).body == key, (seed, key)


def test_a_query_may_not_smuggle_a_key(raw: SignedHttp, bucket: str) -> None:
    raw.send("PUT", f"/{bucket}/k", b"data")
    for query in ("x-id=GetObject", "unknown=1", "a", "=", "&&"):
        headers = raw.sign("GET", f"/{bucket}/k?{query}")
        answer = raw.send_raw("GET", f"/{bucket}/k?{query}", headers)
        assert answer.status in {200, 400, 403}, (query, answer)
        assert answer.status != 200 or answer.body == b"data"
