"""Which of a presigned URL's query fields count as headers, and whose word counts where both are there."""

import base64
import hashlib

import pytest

from atoll.aws.errors import AwsError
from atoll.aws.presigned_headers import with_moved
from atoll.aws.wire import Headers

V4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-SignedHeaders=host&X-Amz-Signature=s&"
V2 = "AWSAccessKeyId=a&Expires=1&Signature=s&"
SHA256 = base64.b64encode(hashlib.sha256(b"data").digest()).decode()


def read(query: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    return with_moved(query, Headers(headers)).items


@pytest.mark.parametrize("signed", [V4, V2])
@pytest.mark.parametrize(
    ("field", "header"),
    [
        ("x-amz-acl=public-read", ("x-amz-acl", "public-read")),
        ("X-Amz-Tagging=a%3D1%26b%3D2", ("x-amz-tagging", "a=1&b=2")),
        ("x-amz-meta-colour=sea+green%20", ("x-amz-meta-colour", "sea green")),
        ("x-amz-meta-u=%C3%BC", ("x-amz-meta-u", "\xc3\xbc")),
        ("x-amz-copy-source=b%2Fk", ("x-amz-copy-source", "b/k")),
        (f"x-amz-checksum-sha256={SHA256}", ("x-amz-checksum-sha256", SHA256)),
        ("Content-Type=a%2Fb", ("content-type", "a/b")),
        ("content-md5=x", ("content-md5", "x")),
        ("Cache-Control=no-cache", ("cache-control", "no-cache")),
    ],
)
def test_a_field_counts_as_the_header_of_its_name(signed: str, field: str, header: tuple[str, str]) -> None:
    assert read(signed + field, ("Host", "h")) == [("Host", "h"), header]
    assert read(f"{field}&{signed}", ("Host", "h")) == [("Host", "h"), header]
    assert read(field, ("Host", "h")) == [("Host", "h")]  # Not presigned: a field is only a field.


@pytest.mark.parametrize(
    "field",
    [
        "versionId=1",
        "X-Amz-Security-Token=t",
        "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
        "x-amz-sdk-checksum-algorithm=CRC32",
        "x-amz-checksum-crc32=AAAAAA%3D%3D",
        "x-amz-checksum-sha256=47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D",
        "x%2Damz-acl=public-read",
        "CONTENT-TYPE=a%2Fb",
        "Host=other",
        "Authorization=x",
    ],
)
def test_what_is_the_signature_s_own_or_says_nothing_is_no_header(field: str) -> None:
    for signed in (V4, V2):
        assert read(signed + field, ("Host", "h")) == [("Host", "h")]


def test_what_is_signed_counts() -> None:
    # Version 4 covers the query always, and this header not.
    both = (("Content-Type", "a/header"), ("Host", "h"))
    assert read(V4 + "Content-Type=a%2Fquery", *both) == [("Host", "h"), ("content-type", "a/query")]
    # Version 2 covers the query only where there is no header.
    assert read(V2 + "Content-Type=a%2Fquery", *both) == list(both)
    assert read(V2 + "x-amz-acl=public-read", ("x-amz-acl", "")) == [("x-amz-acl", "")]
    assert read(V2 + "Content-Type=a%2Fquery", ("Content-Type", "")) == [("content-type", "a/query")]


@pytest.mark.parametrize("field", ["x-amz-acl=private&X-Amz-Acl=public-read", "x-amz-meta-a=b%0D%0Ac", "x-amz-acl=%00"])
def test_what_no_header_could_say_is_refused(field: str) -> None:
    with pytest.raises(AwsError) as caught:
        read(V4 + field)
    assert (caught.value.code, caught.value.status) == ("InvalidArgument", 400)
