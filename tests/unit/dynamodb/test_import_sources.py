"""What imports read, when it means harm: bombs, lines without end, nests without bottom. Each is read in little time and room."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atoll.services.dynamodb import import_sources
from atoll.services.dynamodb.import_sources import Bad, CsvLines, JsonLines, Unpacker

MIB = 1024 * 1024


@contextmanager
def soon() -> Iterator[None]:
    """What takes the square of what is read would take minutes."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("compression", "packed"),
    [("GZIP", gzip.compress(bytes(64 * MIB), 1)), ("ZSTD", import_sources.zstd.compress(bytes(64 * MIB)))],
)
def test_a_bomb_comes_out_in_pieces(compression: str, packed: bytes) -> None:
    unpacker = Unpacker(compression)
    sizes = [len(piece) for piece in unpacker.feed(packed)]
    unpacker.end()
    assert sum(sizes) == 64 * MIB
    assert max(sizes) <= MIB // 8


@pytest.mark.parametrize(("compression", "compress"), [("GZIP", gzip.compress), ("ZSTD", import_sources.zstd.compress)])
def test_members_come_out_one_behind_the_other_however_they_are_cut(compression: str, compress) -> None:
    packed = compress(b"one") + compress(b"") + compress(b"two" * 100_000)
    for step in (1, 7, len(packed)):
        unpacker = Unpacker(compression)
        out = b"".join(b"".join(unpacker.feed(packed[at : at + step])) for at in range(0, len(packed), step))
        unpacker.end()
        assert out == b"one" + b"two" * 100_000
    unpacker = Unpacker(compression)
    b"".join(unpacker.feed(packed[:-1]))
    with pytest.raises(ValueError, match="ends before its end"):
        unpacker.end()


def test_empty_members_without_number_cost_little() -> None:
    unpacker = Unpacker("GZIP")
    with soon():
        assert b"".join(unpacker.feed(gzip.compress(b"", 1) * 100_000)) == b""
    unpacker.end()


def test_documents_without_number_on_one_line_cost_little() -> None:
    with soon():
        found = list(JsonLines().feed(b'{"a":1} ' * 200_000 + b"\n"))
    assert found == [{"a": 1}] * 200_000


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"Item":' * 100_000,
        b'{"a":1}{"Item":' + b"[" * 100_000,
        b'{"a":1}{"Item":{"k":{"S":"\\ud800"}}}',
        b'{"a":1}{"Item":NaN}',
        b'{"a":1}{"Item":' + b"9" * 10_000 + b"}",
        b"\xff",
    ],
)
def test_a_line_that_is_no_json_is_bad_and_the_next_one_is_not(line: bytes) -> None:
    found = list(JsonLines().feed(line + b'\n{"b":2}\n'))
    assert isinstance(found[-2], Bad)
    assert found[-1] == {"b": 2}
    assert list(found[:-2]) in ([], [{"a": 1}])


@pytest.mark.parametrize("depth", [30, 300, 500])
def test_a_deep_item_is_an_item_or_bad(depth: int) -> None:
    (record,) = JsonLines().feed(b'{"Item":{"k":' + b'{"L":[' * depth + b"]}" * depth + b"}}\n")
    item = record if isinstance(record, Bad) else import_sources.item_of_json(record)
    assert isinstance(item, Bad) or list(item) == ["k"]


def test_a_quotation_over_lines_without_number_ends_with_the_room_for_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_sources, "_RECORD_BYTES_MAX", 2 * MIB)
    lines, many = CsvLines(",", ["a"]), b"\n" * MIB
    with soon():
        assert list(lines.feed(b'"' + many)) == []
        with pytest.raises(ValueError, match="a line of more than"):
            list(lines.feed(many))


def test_a_quotation_may_have_lines_of_its_own() -> None:
    lines = CsvLines(",", None)
    found = [*lines.feed(b'a,b\n1,"x\n'), *lines.feed(b'y""z\n\n"\n2'), *lines.feed(b',"\n'), *lines.end()]
    assert found == [{"a": "1", "b": 'x\ny"z\n\n'}, Bad("a quotation that does not end")]
