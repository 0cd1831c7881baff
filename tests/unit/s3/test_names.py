"""What may be called what."""

import pytest

from atoll.aws.errors import AwsError
from atoll.services.s3 import names


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b", "my-bucket.2026", "1st", "a--b", "192.168.5.400"])
def test_names_of_buckets(name):
    names.check_new_bucket(name)


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "a" * 64, "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "a.-b", "a-.b", "ab c", "abc\n"),
        *("192.168.5.4", "xn--abc", "sthree-abc", "amzn-s3-demo-abc"),
        *("abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3"),
    ],
)
def test_no_names_of_buckets(name):
    with pytest.raises(AwsError) as caught:
        names.check_new_bucket(name)
    assert (caught.value.code, caught.value.status) == ("InvalidBucketName", 400)


@pytest.mark.parametrize("key", ["a", "a" * 1024, "é" * 512, "..", "a//b", "/", "\x00", " ", "\U0010ffff" * 256])
def test_any_text_is_a_key(key):
    names.check_key(key)


def test_a_key_has_at_most_1024_bytes():
    with pytest.raises(AwsError) as caught:
        names.check_key("é" * 512 + "a")
    assert (caught.value.code, caught.value.status) == ("KeyTooLongError", 400)
    assert caught.value.fields == {"Size": 1025, "MaxSizeAllowed": 1024}


def test_a_key_that_is_not_utf8_is_refused():
    with pytest.raises(AwsError) as caught:
        names.check_key(b"\xff".decode("utf-8", "surrogateescape"))
    assert caught.value.code == "InvalidURI"
