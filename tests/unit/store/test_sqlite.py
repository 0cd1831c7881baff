"""The SQLite store keeps the contract, and what only an engine with files, processes and threads has to keep."""

import asyncio
import errno
import fcntl
import itertools
import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from tests.store_contract import SharedStoreContract, StoreContract, everything

from atoll.store import Busy, Full, Store, Tx, Unknown, sqlite_checkpoint, sqlite_commit, stamps, sums
from atoll.store import sqlite as engine
from atoll.store.sqlite import SqliteStore
from atoll.store.sqlite_lock import WriteLock
from atoll.store.sqlite_rows import Rows

P = b"shelf"
_spawn = multiprocessing.get_context("spawn")


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store_factory(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda now=None: SqliteStore(tmp_path / "atoll.db", now=now)


class TestSqliteStoreWithManyWaiting(StoreContract):
    """Then transactions run before they come to the commit thread, and their reads may not hold there."""

    @pytest.fixture
    def store_factory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
        monkeypatch.setattr(sqlite_commit, "QUEUE_SHORT_OPERATIONS", 0)
        return lambda now=None: SqliteStore(tmp_path / "atoll.db", now=now)


class TestSharedSqliteStore(SharedStoreContract):
    @pytest.fixture
    def store_factory(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda now=None: SqliteStore(tmp_path / "atoll.db", now=now)


def test_what_was_written_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    async def write() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        await store.write([(P, b"a", b"1")])
        await store.close()

    async def read() -> bytes | None:
        store = SqliteStore(tmp_path / "atoll.db")
        try:
            return await store.get(P, b"a")
        finally:
            await store.close()

    asyncio.run(write())
    assert asyncio.run(read()) == b"1"


def test_one_store_serves_several_loops_one_after_the_other(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "atoll.db")
    for n in range(3):
        asyncio.run(store.write([(P, b"%d" % n, b"")]))
    assert len(asyncio.run(everything(store))) == 3
    asyncio.run(store.close())


def test_the_file_flushes_each_commit(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        assert store._committer._rows.connection.pragma("synchronous") == 2
        assert store._committer._rows.connection.pragma("journal_mode") == "wal"
        await store.close()

    asyncio.run(scenario())


def test_writes_after_closing_are_refused_and_those_before_are_done(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        async with asyncio.TaskGroup() as group:
            writes = [group.create_task(store.write([(P, b"%d" % n, b"")])) for n in range(100)]
            await asyncio.sleep(0)
            await store.close()
        assert all(task.exception() is None for task in writes)
        with pytest.raises(RuntimeError, match="closed"):
            await store.write([(P, b"late", b"")])

    asyncio.run(scenario())
    again = sqlite3.connect(tmp_path / "atoll.db")
    assert again.execute("SELECT count(*) FROM kv").fetchone() == (100,)
    again.close()


def _count_in_process(path: str, rounds: int, start: object) -> None:
    async def count(tx: Tx) -> None:
        tx.put(P, b"count", b"%d" % (int(await tx.get(P, b"count") or b"0") + 1))

    async def main() -> None:
        start.wait(30)
        store = SqliteStore(path)
        for _ in range(rounds):
            await asyncio.gather(*(store.run(count) for _ in range(8)))
        await store.close()

    asyncio.run(main())


def test_processes_that_start_at_once_on_a_fresh_path_count_together(tmp_path: Path) -> None:
    path = str(tmp_path / "atoll.db")
    start = _spawn.Barrier(3)
    processes = [_spawn.Process(target=_count_in_process, args=(path, 20, start)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]

    async def total() -> bytes | None:
        store = SqliteStore(path)
        try:
            return await store.get(P, b"count")
        finally:
            await store.close()

    assert asyncio.run(total()) == b"480"


def _append_in_process(path: str, name: bytes, rounds: int, start: object) -> None:
    async def append(tx: Tx) -> None:
        tx.append(P, b"", name)
        tx.add(b"sums", b"all", 1, 10)

    async def main() -> None:
        start.wait(30)
        # Clocks that are a minute apart, as those of two machines may be.
        store = SqliteStore(path, now=lambda: time.time() - 60 * int(name))
        for _ in range(rounds):
            await asyncio.gather(*(store.run(append) for _ in range(8)))
        await store.close()

    asyncio.run(main())


def test_a_follower_of_a_log_that_several_processes_append_to_passes_nothing_by(tmp_path: Path) -> None:
    path = str(tmp_path / "atoll.db")
    start = _spawn.Barrier(4)
    processes = [_spawn.Process(target=_append_in_process, args=(path, b"%d" % n, 30, start)) for n in range(3)]
    for process in processes:
        process.start()

    async def follow() -> tuple[list[bytes], list[bytes], bytes | None]:
        start.wait(30)
        store = SqliteStore(path)
        seen: list[bytes] = []
        while len(seen) < 720 and any(process.is_alive() for process in processes):
            rows = await store.scan(P, seen[-1] + b"\x00" if seen else b"", None, 100)
            seen += [k for k, _ in rows]
        for process in processes:
            await asyncio.to_thread(process.join, 30)
        seen += [k for k, _ in await store.scan(P, seen[-1] + b"\x00", None, 1000)]
        every, total = [k for k, _ in await everything(store)], await store.get(b"sums", b"all")
        await store.close()
        return seen, every, total

    seen, every, total = asyncio.run(follow())
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(every) == 720
    assert seen == every
    assert sums.read(total, 2) == (720, 7200)


def test_a_batch_writes_a_row_once_however_often_it_is_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "atoll.db"
    written: list[tuple[bytes, bytes]] = []
    change = Rows.change
    monkeypatch.setattr(Rows, "change", lambda rows, changes: (written.extend(changes), change(rows, changes))[1])

    async def count(tx: Tx) -> None:
        tx.add(P, b"sum", 1)
        tx.append(b"log", b"", b"")

    async def scenario() -> None:
        store = SqliteStore(path)
        lock = WriteLock(str(path))
        with lock:  # As another process would hold it: what comes meanwhile is one batch, or two with one in hand.
            tasks = [asyncio.ensure_future(store.run(count)) for _ in range(100)]
            await asyncio.sleep(0.05)
        lock.close()
        await asyncio.gather(*tasks)
        assert sums.read(await store.get(P, b"sum"), 1) == (100,)
        await store.close()

    asyncio.run(scenario())
    assert written.count((P, b"sum")) <= 2
    assert written.count((stamps.SHELF, stamps.LAST)) <= 2
    assert len(written) <= 104


def test_who_appends_nothing_touches_no_stamp(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        await store.write([(P, b"a", b"1")])
        assert await store.get(stamps.SHELF, stamps.LAST) is None
        await store.close()

    asyncio.run(scenario())


def test_the_write_lock_passes_from_one_to_the_next(tmp_path: Path) -> None:
    turns: list[int] = []
    begin = threading.Barrier(2)

    def take(number: int) -> None:
        lock = WriteLock(str(tmp_path / "db"))
        begin.wait(5)
        for _ in range(100):
            with lock:
                turns.append(number)
                time.sleep(0.0005)  # A commit's length: long enough for the other to come and wait.
        lock.close()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(turns) == 200
    # While both want it, neither takes it more than a few times in a row.
    handovers = sum(a != b for a, b in itertools.pairwise(turns))
    assert handovers > 100


def test_the_log_is_moved_into_the_file_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoint, "CHECKPOINT_BYTES", 256 * 1024)
    path = tmp_path / "atoll.db"

    async def scenario() -> None:
        store = SqliteStore(path)
        for n in range(400):
            await store.write([(P, b"%d" % n, os.urandom(8000))])
        await asyncio.to_thread(store._checkpointer.run)
        await store.write([(P, b"last", b"")])
        assert os.path.getsize(path) > 3_000_000
        # Four times as much went through the log as it is long.
        assert os.path.getsize(f"{path}-wal") < 1_500_000
        assert len(await everything(store)) == 401
        await store.close()

    asyncio.run(scenario())


def test_a_reader_holds_the_log_up_only_while_it_reads(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        await store.write([(P, b"a", b"1")])
        async with store.snapshot() as view:
            assert await view.get(P, b"a") == b"1"
            await store.write([(P, b"a", b"2")])
            assert await asyncio.to_thread(store._checkpointer.run) > 0
            assert await view.get(P, b"a") == b"1"
        assert await asyncio.to_thread(store._checkpointer.run) == 0
        await store.close()

    asyncio.run(scenario())


def test_a_log_that_grew_too_long_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoint, "TRUNCATE_BYTES", 100_000)
    path = tmp_path / "atoll.db"

    async def scenario() -> None:
        store = SqliteStore(path)
        await store.write([(P, b"%d" % n, os.urandom(8000)) for n in range(100)])
        await asyncio.to_thread(store._checkpointer.run)
        assert os.path.getsize(f"{path}-wal") == 0
        assert len(await everything(store)) == 100
        await store.close()

    asyncio.run(scenario())


def test_more_writes_than_the_queue_takes_are_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_commit, "QUEUE_OPERATIONS_MAX", 10)
    path = tmp_path / "atoll.db"

    async def scenario() -> None:
        store = SqliteStore(path)
        lock = WriteLock(str(path))
        async with asyncio.TaskGroup() as group:
            with lock:  # As another process would hold it.
                writes = [group.create_task(_told(store, b"%d" % n)) for n in range(30)]
                await asyncio.sleep(0.05)
                refused = [task.result() for task in writes if task.done()]
        lock.close()
        assert set(refused) == {"busy"}
        assert len(refused) in (19, 20)  # The commit thread may have one in its hands.
        assert len(await everything(store)) == 30 - len(refused)
        await store.close()

    asyncio.run(scenario())


async def _told(store: SqliteStore, key: bytes) -> str:
    try:
        await store.write([(P, key, b"")])
    except Busy:
        return "busy"
    return "written"


def test_more_snapshots_than_connections_are_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "READERS_MAX", 3)

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        async with store.snapshot(), store.snapshot(), store.snapshot():
            with pytest.raises(Busy):
                await store.get(P, b"a")
        assert await store.get(P, b"a") is None
        await store.close()

    asyncio.run(scenario())


def test_what_fails_in_one_transaction_does_not_touch_its_batch(tmp_path: Path) -> None:
    """All of these are committed together, and most of them run again in the commit thread."""

    async def odd_ones_fail(tx: Tx, n: int) -> int:
        seen = int(await tx.get(P, b"count") or b"0")
        tx.put(P, b"count", b"%d" % (seen + 1))
        await tx.scan(P, b"by/", None, 100)
        tx.put(P, b"by/%02d" % n, b"")
        if n % 2:
            raise LookupError(n)
        return n

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        results = await asyncio.gather(
            *(store.run(lambda tx, n=n: odd_ones_fail(tx, n)) for n in range(40)), return_exceptions=True
        )
        assert [r for r in results if isinstance(r, int)] == list(range(0, 40, 2))
        assert [str(r) for r in results if isinstance(r, LookupError)] == [str(n) for n in range(1, 40, 2)]
        assert await store.get(P, b"count") == b"20"
        assert [k for k, _ in await store.scan(P, b"by/", b"by0", 100)] == [b"by/%02d" % n for n in range(0, 40, 2)]
        await store.close()

    asyncio.run(scenario())


def failing(error: type[apsw.Error], extended: int = 0) -> Exception:
    made = error("as the disk says")
    made.extendedresult = extended
    return made


@pytest.mark.parametrize(
    ("error", "statement", "told"),
    [
        (failing(apsw.FullError), "BEGIN IMMEDIATE", Full),
        (failing(apsw.FullError), "COMMIT", Full),
        (failing(apsw.IOError, apsw.SQLITE_IOERR_WRITE), "COMMIT", Full),
        (failing(apsw.IOError, apsw.SQLITE_IOERR_FSYNC), "BEGIN IMMEDIATE", Full),
        (failing(apsw.IOError, apsw.SQLITE_IOERR_FSYNC), "COMMIT", Unknown),
        (failing(apsw.BusyError), "BEGIN IMMEDIATE", Busy),
        (failing(apsw.LockedError), "COMMIT", Busy),
        (failing(apsw.CorruptError), "COMMIT", apsw.CorruptError),
    ],
)
def test_what_the_engine_reports_is_told_in_the_contracts_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, statement: str, told: type[Exception]
) -> None:
    execute = Rows.execute

    def fail(rows: Rows, asked: str) -> None:
        if asked == statement and rows is store._committer._rows:
            raise error
        execute(rows, asked)

    async def scenario() -> None:
        await store.write([(P, b"before", b"")])
        with monkeypatch.context() as patch:
            patch.setattr(Rows, "execute", fail)
            with pytest.raises(told):
                await store.write([(P, b"meanwhile", b"")])
        # Nothing of it is seen, and the store goes on.
        await store.write([(P, b"after", b"")])
        assert [k for k, _ in await everything(store)] == [b"after", b"before"]
        await store.close()

    store = SqliteStore(tmp_path / "atoll.db")
    asyncio.run(scenario())


def test_a_lock_that_can_not_be_had_is_told_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", fail)
            with pytest.raises(Busy):
                await store.write([(P, b"a", b"")])
        await store.write([(P, b"a", b"")])
        await store.close()

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_commit_thread_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    broken: list[str] = []

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db", broken=lambda: broken.append("told"))
        await store.write([(P, b"before", b"")])
        monkeypatch.setattr(sqlite_commit._Batch, "apply", fail)
        results = await asyncio.gather(*(store.write([(P, b"%d" % n, b"")]) for n in range(5)), return_exceptions=True)
        assert {type(result) for result in results} <= {Unknown, Busy}
        with pytest.raises(RuntimeError, match="closed"):
            await store.write([(P, b"after", b"")])
        assert [k for k, _ in await everything(store)] == [b"before"]
        await store.close()
        assert broken == ["told"]

    asyncio.run(scenario())


def test_a_log_that_can_not_start_again_is_not_moved_at_every_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_checkpoint, "CHECKPOINT_BYTES", 256 * 1024)
    runs: list[int] = []
    run = sqlite_checkpoint.Checkpointer.run
    monkeypatch.setattr(sqlite_checkpoint.Checkpointer, "run", lambda self: (runs.append(1), run(self))[1])

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        await store.write([(P, b"a", b"1")])
        async with store.snapshot() as view:
            await view.get(P, b"a")
            for n in range(300):
                await store.write([(P, b"%d" % n, bytes(4000))])
            log_bytes = os.path.getsize(f"{tmp_path / 'atoll.db'}-wal")
        await store.close()
        due = log_bytes // sqlite_checkpoint.CHECKPOINT_BYTES
        assert due > 5
        assert 1 <= len(runs) <= due + 1

    asyncio.run(scenario())


def test_the_last_of_the_disk_is_left_to_deletions_and_to_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        await store.write([(P, b"a", b"1"), (P, b"b", b"1")])
        monkeypatch.setattr(sqlite_commit.Committer, "_is_tight", lambda _: True)

        async def overwrite(tx: Tx) -> None:
            await tx.get(P, b"b")
            tx.put(P, b"b", b"2")

        async def append(tx: Tx) -> None:
            tx.append(P, b"", b"")

        async def add(tx: Tx) -> None:
            tx.add(P, b"sum", 1)

        for refused in (store.write([(P, b"b", b"2")]), store.run(overwrite), store.run(append), store.run(add)):
            with pytest.raises(Full):
                await refused
        await store.write([(P, b"log", b"gone: a")], deletes=[(P, b"a")])
        await store.write([(b"cloud/leases", b"sweep", b"mine")])
        assert await everything(store) == [(b"b", b"1"), (b"log", b"gone: a")]
        await store.close()

    asyncio.run(scenario())
