"""Run on a disk of a few MiB by tests/fault/test_store_crash.py: fill it, see that this is told, make room, go on.

python full_disk.py {mount point}
"""

import asyncio
import os
import sys
from pathlib import Path

from atoll.blobs.files import FileBlobs
from atoll.store import Full, Store, sqlite_checkpoint
from atoll.store.sqlite import SqliteStore

P = b"shelf"
BALLAST_BYTES = 2 * 1024 * 1024


async def fill(store: Store, start: int) -> dict[bytes, bytes]:
    """Until Full. What was acknowledged."""
    written: dict[bytes, bytes] = {}
    for n in range(start, start + 10_000, 4):
        rows = {b"%06d" % m: os.urandom(8000) for m in range(n, n + 4)}
        results = await asyncio.gather(
            *(store.write([(P, k, v), (b"twin", k, v)]) for k, v in rows.items()), return_exceptions=True
        )
        for (k, v), result in zip(rows.items(), results, strict=True):
            if result is None:
                written[k] = v
            else:
                assert isinstance(result, Full), repr(result)
        if len(written) < n + 4 - start:
            return written
    raise AssertionError("the disk does not fill up")


async def check(store: Store, written: dict[bytes, bytes]) -> None:
    for shelf in (P, b"twin"):
        assert dict(await store.scan(shelf, b"", None, 10_000)) == written, "rows were lost, or refused ones kept"


async def rows(disk: Path) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(os.urandom(BALLAST_BYTES))
    store = SqliteStore(disk / "atoll.db")
    written = await fill(store, 0)
    assert len(written) > 50
    await check(store, written)
    for n in range(3):  # Again and again: still told, still readable.
        written |= await fill(store, 10_000 * (n + 1))
        await check(store, written)
    ballast.unlink()
    await store.write([(P, b"later", b"1"), (b"twin", b"later", b"1")])
    written[b"later"] = b"1"
    gone = sorted(written)[:20]
    await store.write([], deletes=[(p, k) for p in (P, b"twin") for k in gone])
    written = {k: v for k, v in written.items() if k not in gone}
    await check(store, written)
    await store.close()
    store = SqliteStore(disk / "atoll.db")
    await check(store, written)
    await store.close()
    for path in disk.glob("atoll.db*"):
        path.unlink()


def free_bytes(disk: Path) -> int:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


def upload(blobs: FileBlobs, size: int) -> str:
    new = blobs.new()
    for _ in range(0, size, 100_000):
        new.write(os.urandom(100_000))
    return new.finish()


def uploads(disk: Path) -> None:
    blobs = FileBlobs(disk / "blobs", reserve_bytes=1024 * 1024)
    kept = upload(blobs, 3_000_000)
    before = free_bytes(disk)
    unreserved = FileBlobs(disk / "blobs", reserve_bytes=0)
    for _ in range(5):
        try:
            upload(unreserved, 20_000_000)
        except Full:
            assert free_bytes(disk) == before, "something was left"
        else:
            raise AssertionError("the disk does not fill up")
    filler = disk / "filler"
    filler.write_bytes(bytes(before - 500_000))
    try:
        blobs.new()
    except Full:
        filler.unlink()
    else:
        raise AssertionError("the reserve was given away")
    assert blobs.verify(kept) is None
    assert blobs.verify(upload(blobs, 1_000_000)) is None


if __name__ == "__main__":
    sqlite_checkpoint.CHECKPOINT_BYTES = 512 * 1024
    asyncio.run(rows(Path(sys.argv[1])))
    uploads(Path(sys.argv[1]))
    sys.stdout.write("outlived\n")
