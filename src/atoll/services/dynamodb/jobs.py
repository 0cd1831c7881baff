"""Work that outlives the call that asked for it: a row a piece, which a reconciler takes on until it is done.

    global/dynamodb/jobs   pack(kind, account, region, id)   the kind's own record

A step is one transaction, and writes the record it leaves behind in it. So a step is made once, whatever crashes, and of two
processes at the same job one finds itself overtaken.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from atoll.base.clock import Clock
from atoll.operation import Call, Cloud, HttpFacts, Identity
from atoll.reconcile import Reconciler
from atoll.services.dynamodb.records import JOBS
from atoll.store import Reader, Store, Tx, keys

R = TypeVar("R", bound=msgspec.Struct)
Work = Callable[[Tx], Awaitable[None]]

EVERY_SECONDS = 0.5
"""How often each kind is looked for."""
BATCH_ROWS_MAX = 100
BATCH_BYTES_MAX = 2 * 1024 * 1024
"""What a step that fills a table writes into it: conflicts cost no more than that."""
_TURN_JOBS_MAX = 100

_encode = msgspec.msgpack.Encoder().encode


class Overtaken(Exception):
    """Another process has moved the job on, or ended it."""


@dataclass(slots=True)
class Job(Generic[R]):
    key: bytes
    row: bytes
    record: R


class Requester(msgspec.Struct, array_like=True):
    """Who asked, so that the work can be done in that name later: with what the caller may do, no more."""

    account: str
    arn: str
    user_id: str
    access_key_id: str
    kind: str
    session: dict[str, Any]
    source_ip: str
    secure: bool

    def call(self, cloud: Cloud, region: str) -> Call:
        identity = Identity(self.account, self.arn, self.user_id, self.access_key_id, self.kind, self.session)
        facts = HttpFacts(source_ip=self.source_ip, secure=self.secure)
        return Call(cloud, cloud.services["dynamodb"], identity, region=region, http=facts)


def requester(call: Call) -> Requester:
    who = call.identity
    facts = (who.account, who.arn, who.user_id, who.access_key_id, who.kind, dict(who.session))
    return Requester(*facts, call.http.source_ip, call.http.secure)


def key(kind: str, account: str, region: str, job_id: str) -> bytes:
    return keys.pack(kind, account, region, job_id)


def start(tx: Tx, job_key: bytes, record: msgspec.Struct) -> None:
    tx.put(JOBS, job_key, _encode(record))


def reconciler(name: str, turn: Callable[[], Awaitable[None]], cloud: Cloud, clock: Clock) -> Reconciler:
    """Of a kind of job: `turn` is one pass over all that wait."""

    async def work(_: int) -> None:
        await turn()

    return Reconciler(f"dynamodb-{name}", work, cloud.store, clock, every_seconds=EVERY_SECONDS)


async def waiting(reader: Reader, kind: str, record_type: type[R], after: bytes = b"") -> list[Job[R]]:
    """The next of them, behind the key `after`."""
    prefix = keys.pack(kind)
    low = after + b"\x00" if after else prefix
    rows = await reader.scan(JOBS, low, keys.after(prefix), _TURN_JOBS_MAX)
    return [Job(k, row, msgspec.msgpack.decode(row, type=record_type)) for k, row in rows]


async def step(store: Store, job: Job[R], record: R | None, work: Work | None = None) -> None:
    """Does `work` and leaves `record`; None ends the job. Raises Overtaken."""
    row = None if record is None else _encode(record)

    async def attempt(tx: Tx) -> None:
        if await tx.get(JOBS, job.key) != job.row:
            raise Overtaken
        if row is None:
            tx.delete(JOBS, job.key)
        else:
            tx.put(JOBS, job.key, row)
        if work is not None:
            await work(tx)

    await store.run(attempt)
    if record is not None and row is not None:
        job.row, job.record = row, record


async def each(store: Store, kind: str, record_type: type[R], turn: Callable[[Job[R]], Awaitable[bool]]) -> None:
    """Gives every job of a kind its turn, again and again, until none of them moves. `turn` answers whether it did.

    What one raises is raised when the others have had theirs: a job that fails must not keep them waiting.
    """
    failed: dict[bytes, BaseException] = {}
    moves = True
    while moves:
        moves, after = False, b""
        while found := await waiting(store, kind, record_type, after):
            after = found[-1].key
            for job in found:
                if job.key in failed:
                    continue
                (outcome,) = await asyncio.gather(turn(job), return_exceptions=True)
                if not isinstance(outcome, BaseException):
                    moves |= outcome
                elif not isinstance(outcome, Overtaken):
                    failed[job.key] = outcome
    if len(failed) == 1:
        raise failed.popitem()[1]
    if failed:
        raise BaseExceptionGroup(f"{len(failed)} jobs failed", list(failed.values()))
