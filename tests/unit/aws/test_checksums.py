"""Checksums: the published check values, splitting, combining, and base64 that is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws import checksums

CHECK_VALUES = {  # Of the nine bytes "123456789".
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", CHECK_VALUES)
def test_the_published_check_value_comes_out_of_any_buffer(algorithm: str) -> None:
    expected = bytes.fromhex(CHECK_VALUES[algorithm])
    for data in (b"123456789", bytearray(b"123456789"), memoryview(b"-123456789-")[1:-1]):
        assert checksums.compute(algorithm, data) == expected


@given(st.sampled_from(sorted(CHECK_VALUES)), st.lists(st.binary(max_size=300), max_size=6))
def test_pieces_hash_to_what_the_whole_hashes_to(algorithm: str, pieces: list[bytes]) -> None:
    hasher = checksums.new(algorithm)
    for piece in pieces:
        hasher.update(memoryview(piece))
    assert hasher.digest() == checksums.compute(algorithm, b"".join(pieces))


@given(st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]), st.lists(st.binary(max_size=3000), max_size=6))
def test_part_checksums_combine_to_the_whole(algorithm: str, parts: list[bytes]) -> None:
    combined = checksums.combine_all(algorithm, [(checksums.compute(algorithm, part), len(part)) for part in parts])
    assert combined == checksums.compute(algorithm, b"".join(parts))


def test_combining_reaches_over_more_bytes_than_memory_holds() -> None:
    mebibyte = bytes(1024 * 1024)
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        size, whole = len(mebibyte), checksums.compute(algorithm, mebibyte)
        for _ in range(23):  # Doubling: 8 TiB of zeros, the same from either side.
            whole, size = checksums.combine(algorithm, whole, whole, size), size * 2
        left = checksums.combine(algorithm, checksums.compute(algorithm, b"x"), whole, size)
        once_more = checksums.combine(algorithm, left, whole, size)
        both = checksums.combine(algorithm, whole, whole, size)
        assert once_more == checksums.combine(algorithm, checksums.compute(algorithm, b"x"), both, size * 2)


def test_only_crcs_combine() -> None:
    assert [a for a in CHECK_VALUES if checksums.can_combine(a)] == ["CRC32", "CRC32C", "CRC64NVME"]


def test_a_composite_is_the_checksum_of_the_checksums() -> None:
    digests = [checksums.compute("SHA256", b"one"), checksums.compute("SHA256", b"two")]
    assert checksums.composite("SHA256", digests) == checksums.compute("SHA256", digests[0] + digests[1])


@pytest.mark.parametrize("text", ["", "====", "AAAAA", "AAAA AA=", "AAAAAAA=", "y/Q5Jg", "ÿ"])
def test_what_is_no_digest_decodes_to_none(text: str) -> None:
    assert checksums.decode("CRC32", text) is None


def test_a_digest_survives_base64() -> None:
    assert checksums.encode(bytes.fromhex("cbf43926")) == "y/Q5Jg=="
    assert checksums.decode("CRC32", "y/Q5Jg==") == bytes.fromhex("cbf43926")
