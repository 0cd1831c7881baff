"""kill -9 of writers at any moment: what was acknowledged is there, what is there is whole, and the others go on.

ATOLL_FAULT_KILLS and ATOLL_FAULT_SEED ask for more kills, or for the same ones again. A kill does not lose the page cache:
what a power cut does is for the flushes, which the unit tests look at.
"""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fault.store_workload import ACCOUNTS, START, spread

from atoll.blobs.files import FileBlobs
from atoll.store import Store, keys, stamps, sums
from atoll.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("ATOLL_FAULT_KILLS", "12"))
SEED = int(os.environ.get("ATOLL_FAULT_SEED", str(random.SystemRandom().getrandbits(32))))
PROCESSES = 2
WAIT_SECONDS_MAX = 20


class Writers:
    """Two at a time; who is killed is followed by a new one."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.names: list[str] = []

    def start(self) -> None:
        name = f"w{len(self.names)}"
        self.names.append(name)
        arguments = [self.kind, self.directory, name, SEED + len(self.names)]
        program = Path(__file__).with_name("store_workload.py")
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
        command = [sys.executable, program, *map(str, arguments)]
        self.running.append((name, subprocess.Popen(command, env=environment)))

    def kill(self, number: int) -> None:
        _, process = self.running.pop(number)
        assert process.poll() is None, f"a writer ended by itself with {process.returncode} (seed {SEED})"
        process.kill()
        process.wait(WAIT_SECONDS_MAX)

    def log(self, name: str, word: str) -> list[str]:
        path = self.directory / f"{name}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(word + " ")]

    def all(self, word: str) -> list[str]:
        return [operation for name in self.names for operation in self.log(name, word)]

    def wait_for_progress(self) -> None:
        """Each of those that run gets something acknowledged from here on."""
        before = {name: len(self.log(name, "ack")) for name, _ in self.running}
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not all(len(self.log(name, "ack")) > before[name] for name, _ in self.running):
            assert time.monotonic() < deadline, f"the writers do not go on (seed {SEED})"
            time.sleep(0.01)


def crash(kind: str, directory: Path, kills: int) -> Writers:
    chance = random.Random(SEED)
    writers = Writers(kind, directory)
    try:
        for _ in range(PROCESSES):
            writers.start()
        for _ in range(kills):
            writers.wait_for_progress()
            time.sleep(chance.uniform(0, 0.15))
            writers.kill(chance.randrange(PROCESSES))
            # Who is left goes on, though the dead may have held the lock.
            writers.wait_for_progress()
            writers.start()
        writers.wait_for_progress()
    finally:
        while writers.running:
            writers.kill(0)
    return writers


def look(directory: Path, ask: Callable[[Store], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        store = SqliteStore(directory / "atoll.db")
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(main())


async def every_row(store: Store, p: bytes) -> AsyncIterator[tuple[bytes, bytes]]:
    lo = b""
    while rows := await store.scan(p, lo, None, 5000):
        for row in rows:
            yield row
        lo = rows[-1][0] + b"\x00"


async def all_keys(store: Store, p: bytes) -> set[str]:
    return {keys.unpack_text(k)[0].decode() async for k, _ in every_row(store, p)}


async def check_rows(store: Store, tried: set[str], acknowledged: set[str]) -> None:
    written = await all_keys(store, b"part/0")
    moved = await all_keys(store, b"moved")
    assert acknowledged <= written | moved, f"lost: {sorted(acknowledged - written - moved)[:5]} (seed {SEED})"
    assert written | moved <= tried, f"never tried: {sorted((written | moved) - tried)[:5]} (seed {SEED})"
    on_shelves = set().union(*[await all_keys(store, b"part/%d" % n) for n in range(5)])
    assert on_shelves == written, f"torn: {sorted(on_shelves ^ written)[:5]} (seed {SEED})"
    for operation in written:
        values = await store.get_many(spread(operation, 5))
        count = int(values[0].partition(b":")[0])
        assert values == [values[0]] * count + [None] * (5 - count), f"torn: {operation} (seed {SEED})"
    balances = [int(await store.get(b"account", b"%d" % n) or START) for n in range(ACCOUNTS)]
    assert sum(balances) == ACCOUNTS * START, f"money was made or lost: {balances} (seed {SEED})"
    assert int(await store.get(b"moves", b"count") or 0) == len(moved), f"a count was lost (seed {SEED})"
    assert sums.read(await store.get(b"sums", b"moves"), 2) == (len(moved), -10 * len(moved)), f"seed {SEED}"
    log = [row async for row in every_row(store, b"log")]
    assert sorted(v.decode() for _, v in log) == sorted(moved), f"a record was lost or doubled (seed {SEED})"
    assert log[-1][0] == await store.get(stamps.SHELF, stamps.LAST), f"seed {SEED}"


def test_killed_writers_lose_nothing_acknowledged_and_tear_nothing(tmp_path: Path) -> None:
    writers = crash("rows", tmp_path, KILLS)
    tried, acknowledged = set(writers.all("try")), set(writers.all("ack"))
    assert len(acknowledged) > 10 * KILLS
    look(tmp_path, lambda store: check_rows(store, tried, acknowledged))
    database = sqlite3.connect(tmp_path / "atoll.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_killed_uploads_leave_no_torn_blob_and_lose_none_acknowledged(tmp_path: Path) -> None:
    writers = crash("blobs", tmp_path, max(4, KILLS // 3))
    blobs = FileBlobs(tmp_path / "blobs")
    acknowledged = set(writers.all("ack"))
    named = {os.path.basename(found.path) for shelf in range(256) for found in blobs.found(shelf)}
    assert acknowledged
    assert acknowledged <= named, f"lost: {sorted(acknowledged - named)[:5]} (seed {SEED})"
    assert {name: fault for name in named if (fault := blobs.verify(name)) is not None} == {}, f"seed {SEED}"
    referred = look(tmp_path, lambda store: all_keys(store, b"blobs/refs"))
    assert acknowledged <= referred <= named, f"seed {SEED}"


def _mount(inner: list[str]) -> list[str] | None:
    """`inner` on a small disk of its own, where this kernel lets us have one."""
    script = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
    for unshare in (["unshare", "-Urm"], ["unshare", "-m"]):
        probe = [*unshare, "sh", "-c", script, "sh", "/mnt", "true"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return [*unshare, "sh", "-c", script, "sh", *inner]
    return None


def test_a_full_disk_is_told_and_outlived(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    program = Path(__file__).with_name("full_disk.py")
    command = _mount([str(disk), sys.executable, str(program), str(disk)])
    if command is None:
        pytest.skip("no mount namespaces here: a small disk can't be made")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "outlived"
