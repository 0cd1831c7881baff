"""What the processes do that tests/fault/test_store_crash.py kills, and what of it must be true afterwards.

    python store_workload.py {rows|blobs} {directory} {name} {seed}

It notes in {name}.log "try {n}" before each operation and "ack {n}" after: what a kill leaves there is the history.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from atoll.blobs import references
from atoll.blobs.files import FileBlobs
from atoll.store import Store, Tx, keys, sqlite_checkpoint, sqlite_commit
from atoll.store.sqlite import SqliteStore

ACCOUNTS = 10
CLIENTS = 8
START = 1000


class Log:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def note(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


def spread(operation: str, count: int) -> list[tuple[bytes, bytes]]:
    """The rows of one operation, on several shelves."""
    return [(b"part/%d" % n, keys.pack(operation)) for n in range(count)]


async def put_rows(store: Store, operation: str, chance: random.Random) -> None:
    count = chance.randint(2, 5)
    value = b"%d:" % count + os.urandom(chance.choice([10, 200, 5000]))
    await store.write([(p, k, value) for p, k in spread(operation, count)])


async def move(store: Store, operation: str, chance: random.Random) -> None:
    """From one account to another, counted twice, noted in a row of its own, and logged: all of it or nothing."""
    source, target = chance.sample(range(ACCOUNTS), 2)

    async def fn(tx: Tx) -> None:
        have = [int(await tx.get(b"account", b"%d" % n) or START) for n in (source, target)]
        tx.put(b"account", b"%d" % source, b"%d" % (have[0] - 1))
        tx.put(b"account", b"%d" % target, b"%d" % (have[1] + 1))
        tx.put(b"moves", b"count", b"%d" % (int(await tx.get(b"moves", b"count") or 0) + 1))
        tx.put(b"moved", keys.pack(operation), b"")
        tx.append(b"log", b"", operation.encode())
        tx.add(b"sums", b"moves", 1, -10)

    await store.run(fn)


async def work_rows(store: Store, log: Log, name: str, chance: random.Random) -> None:
    async def client(number: int) -> None:
        turn = 0
        while True:
            turn += 1
            kind = chance.choice(["rows", "move"])
            operation = f"{kind}/{name}/{number}/{turn}"
            log.note("try", operation)
            await (put_rows if kind == "rows" else move)(store, operation, chance)
            log.note("ack", operation)

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))


async def work_blobs(store: Store, log: Log, blobs: FileBlobs, chance: random.Random) -> None:
    def write(seed: int) -> str:
        own = random.Random(seed)
        new = blobs.new()
        for _ in range(own.randint(1, 20)):
            new.write(own.randbytes(own.randint(1, 200_000)))
        return new.finish()

    async def client() -> None:
        while True:
            blob_id = await asyncio.to_thread(write, chance.getrandbits(32))

            async def adopt(tx: Tx, blob_id: str = blob_id) -> None:
                references.adopt(tx, [blob_id], "test")

            await store.run(adopt)
            log.note("ack", blob_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(client())


async def main(kind: str, directory: Path, name: str, seed: int) -> None:
    # So small that kills meet checkpoints, too.
    sqlite_checkpoint.CHECKPOINT_BYTES = 256 * 1024
    chance = random.Random(seed)
    # So few wait here that transactions would else never run outside of the lock.
    sqlite_commit.QUEUE_SHORT_OPERATIONS = chance.choice([0, 2, 128])
    log = Log(directory / f"{name}.log")
    store = SqliteStore(directory / "atoll.db")
    if kind == "rows":
        await work_rows(store, log, name, chance)
    else:
        await work_blobs(store, log, FileBlobs(directory / "blobs"), chance)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
