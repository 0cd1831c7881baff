"""Blobs in files: durable before they are named, whole or not there, and proving themselves when read back."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from atoll.blobs import footer, writer
from atoll.blobs.files import FileBlobs
from atoll.store import Full


class StillClock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def blobs(tmp_path: Path, clock: StillClock) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs", clock)


def names(blobs: FileBlobs) -> list[str]:
    return sorted(os.path.basename(found.path) for shelf in range(256) for found in blobs.found(shelf))


def put(blobs: FileBlobs, *pieces: bytes) -> str:
    new = blobs.new()
    for piece in pieces:
        new.write(piece)
    return new.finish()


def read(blobs: FileBlobs, blob_id: str, length: int) -> bytes:
    descriptor = blobs.open(blob_id)
    try:
        return os.pread(descriptor, length, 0)
    finally:
        os.close(descriptor)


def test_a_blob_is_read_as_it_was_written(blobs: FileBlobs) -> None:
    pieces = [b"", b"hello ", memoryview(b"--world--")[2:7], bytes(100_000)]
    whole = b"".join(pieces)
    blob_id = put(blobs, *pieces)
    assert read(blobs, blob_id, len(whole)) == whole
    assert blobs.size(blob_id) == len(whole) + footer.FOOTER_BYTES
    assert blobs.verify(blob_id) is None
    assert names(blobs) == [blob_id]


def test_an_empty_blob_is_a_blob(blobs: FileBlobs) -> None:
    blob_id = put(blobs)
    assert blobs.size(blob_id) == footer.FOOTER_BYTES
    assert blobs.verify(blob_id) is None


def test_a_big_blob_is_written_back_on_the_way(blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WRITE_BACK_BYTES", 64 * 1024)
    monkeypatch.setattr(writer, "CACHED_BYTES_MAX", 256 * 1024)
    advised: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def noted(descriptor: int, offset: int, length: int, advice: int) -> None:
        advised.append((offset, length))
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noted)
    pieces = [os.urandom(50_000) for _ in range(20)]
    new = blobs.new()
    for piece in pieces:
        new.write(piece)
    assert advised[0] == (0, 100_000)
    assert {(100_000, 100_000), (900_000, 100_000)} < set(advised)
    blob_id = new.finish()
    assert read(blobs, blob_id, 1_000_000) == b"".join(pieces)
    assert blobs.verify(blob_id) is None


def test_a_writer_that_gives_up_leaves_nothing(blobs: FileBlobs) -> None:
    open_before = len(os.listdir("/proc/self/fd"))
    new = blobs.new()
    new.write(b"half")
    new.abort()
    new.abort()
    assert names(blobs) == []
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_giving_up_after_the_end_changes_nothing(blobs: FileBlobs) -> None:
    new = blobs.new()
    new.write(b"whole")
    blob_id = new.finish()
    new.abort()
    assert blobs.verify(blob_id) is None


def test_until_it_is_finished_a_blob_has_no_name(blobs: FileBlobs) -> None:
    new = blobs.new()
    new.write(b"half")
    assert names(blobs) == []
    new.abort()


def test_the_bytes_are_flushed_before_the_name_and_the_name_before_the_answer(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("write", "fdatasync", "link", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _n=name, _r=real, **k: (steps.append(_n), _r(*a, **k))[1])
    put(blobs, b"bytes")
    assert steps == ["write", "write", "fdatasync", "link", "fsync"]


@pytest.mark.parametrize("step", ["open", "write", "fdatasync", "link", "fsync"])
@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, Full), (errno.EDQUOT, Full), (errno.EIO, OSError)])
def test_a_step_that_fails_is_told_and_leaves_no_open_file(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch, step: str, code: int, told: type[Exception]
) -> None:
    open_before = len(os.listdir("/proc/self/fd"))

    def fail(*_args: object, **_names: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(told):
            put(blobs, b"bytes")
    assert len(os.listdir("/proc/self/fd")) == open_before
    # Only when the name was given, and could not be made durable, is there a file: one that nobody refers to.
    assert len(names(blobs)) == (1 if step == "fsync" else 0)


def test_a_disk_that_takes_only_a_part_is_asked_for_the_rest(blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, memoryview(data)[:7]))
    blob_id = put(blobs, b"more than seven bytes")
    assert read(blobs, blob_id, 21) == b"more than seven bytes"
    assert blobs.verify(blob_id) is None


def test_the_last_of_the_disk_is_left_to_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = os.statvfs(tmp_path)
    free = room.f_bavail * room.f_frsize
    with pytest.raises(Full, match="left on the disk"):
        FileBlobs(tmp_path / "never", reserve_bytes=free + (1 << 30)).new()
    monkeypatch.setattr(writer, "WRITE_BACK_BYTES", 4)
    blobs = FileBlobs(tmp_path / "until", reserve_bytes=1)
    new = blobs.new()
    new.write(b"some")
    new._reserve_bytes = free + (1 << 30)  # As if others had filled the disk meanwhile.
    with pytest.raises(Full, match="left on the disk"):
        new.write(b"more")
    assert names(blobs) == []


def test_a_filesystem_without_nameless_files_gets_partial_ones(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def without_tmpfile(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", without_tmpfile)
    new = blobs.new()
    new.write(b"half")
    assert [name.partition(".")[2] for name in names(blobs)] == ["partial"]
    blob_id = new.finish()
    assert names(blobs) == [blob_id]
    assert blobs.verify(blob_id) is None
    given_up = blobs.new()
    given_up.write(b"half")
    given_up.abort()
    assert names(blobs) == [blob_id]


def test_a_blob_that_is_not_there_is_not_found(blobs: FileBlobs) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.open("0" * 32)
    assert blobs.verify("0" * 32) == "missing"
    blobs.delete("0" * 32)


def test_an_open_blob_is_read_to_its_end_after_it_was_deleted(blobs: FileBlobs) -> None:
    blob_id = put(blobs, b"still here")
    descriptor = blobs.open(blob_id)
    blobs.delete(blob_id)
    assert os.pread(descriptor, 10, 0) == b"still here"
    os.close(descriptor)
    assert names(blobs) == []


@pytest.mark.parametrize("offset", [0, 1, 99_999, 50_000, -1, -5, -13, -21, -29])
def test_any_byte_that_changes_is_found(blobs: FileBlobs, tmp_path: Path, offset: int) -> None:
    blob_id = put(blobs, bytes(100_000))
    path = tmp_path / "blobs" / blob_id[:2] / blob_id
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 0x10
    path.write_bytes(raw)
    assert blobs.verify(blob_id) == ("checksum differs" if offset >= 0 else "no footer")


def test_bytes_cut_off_or_put_in_are_found(blobs: FileBlobs, tmp_path: Path) -> None:
    blob_id = put(blobs, bytes(1000))
    path = tmp_path / "blobs" / blob_id[:2] / blob_id
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    assert blobs.verify(blob_id) == "no footer"
    path.write_bytes(b"")
    assert blobs.verify(blob_id) == "no footer"
    path.write_bytes(bytes(1) + raw)
    assert blobs.verify(blob_id) == "1001 bytes instead of 1000"


def test_a_hold_is_seen_while_it_lasts(blobs: FileBlobs, tmp_path: Path, clock: StillClock) -> None:
    other_process = FileBlobs(tmp_path / "blobs", clock)
    assert other_process.oldest_hold() is None
    began = clock.time
    with blobs.hold():
        clock.time += 100
        with blobs.hold():
            assert other_process.oldest_hold() == began
        assert other_process.oldest_hold() == began
    assert other_process.oldest_hold() is None
    assert os.listdir(tmp_path / "blobs" / "holds") == []


def test_holds_that_overlap_forever_do_not_stay_old(blobs: FileBlobs, clock: StillClock) -> None:
    began = clock.time
    current = blobs.hold()
    current.__enter__()
    for _ in range(20):
        clock.time += 3
        following = blobs.hold()
        following.__enter__()
        current.__exit__(None, None, None)
        current = following
    oldest = blobs.oldest_hold()
    assert oldest is not None
    assert clock.time - oldest <= 6 < clock.time - began
    current.__exit__(None, None, None)
    assert blobs.oldest_hold() is None


def test_what_a_dead_process_held_is_let_go(blobs: FileBlobs, tmp_path: Path) -> None:
    left = tmp_path / "blobs" / "holds" / "1700000000000-dead"
    left.write_bytes(b"")
    assert blobs.oldest_hold() is None
    assert not left.exists()


def test_a_hold_taken_for_dead_before_it_was_locked_is_made_again(
    blobs: FileBlobs, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, sweeps = fcntl.flock, []

    def swept_before(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not sweeps:
            sweeps.append(blobs.oldest_hold())
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", swept_before)
    with blobs.hold():
        assert sweeps == [None]
        assert blobs.oldest_hold() == clock.time


def test_many_threads_write_and_hold_at_once(blobs: FileBlobs) -> None:
    written: list[str] = []

    def work() -> None:
        for _ in range(5):
            with blobs.hold():
                written.append(put(blobs, os.urandom(20_000)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert names(blobs) == sorted(written)
    assert len(written) == 40
    assert {blobs.verify(blob_id) for blob_id in written} == {None}
    assert blobs.oldest_hold() is None
