"""The reconciler's loop: a pass when woken, and one every so often; in one process of the cluster; slower after failures.

    cloud/leases   pack(name)   Lease   whose turn it is

A lease says who runs a job, not that nobody else does: a process that was stopped for longer than its lease goes on
believing. So a pass must be safe to run twice, at once even.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from atoll.base import ids
from atoll.base.clock import Clock
from atoll.store import Busy, Conflict, Full, Store, Tx, Unknown, keys

LEASES = b"cloud/leases"
LEASE_SECONDS = 30.0
RENEW_SECONDS = LEASE_SECONDS / 3
BACKOFF_SECONDS_MAX = 300.0
RELEASE_SECONDS_MAX = 5.0

_log = logging.getLogger(__name__)


class Lease(msgspec.Struct, array_like=True):
    holder: str
    epoch: int  # one more whenever the holder changes
    expires: float  # Unix seconds


_decode = msgspec.msgpack.Decoder(Lease).decode
_encode = msgspec.msgpack.Encoder().encode


class _Lost(Exception):
    """Another process holds the lease."""


class Reconciler:
    """`work` is one pass; it is given the lease's epoch."""

    def __init__(
        self, name: str, work: Callable[[int], Awaitable[None]], store: Store, clock: Clock, *, every_seconds: float
    ) -> None:
        self.name = name
        self._work = work
        self._store = store
        self._clock = clock
        self._every_seconds = every_seconds
        self._holder = ids.new_hex(32)
        self._woken = asyncio.Event()
        self._failures = 0
        self._last_failure = ""

    def wake(self) -> None:
        """From the loop's own thread: a commit has left something to do."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                # Before the pass: what wakes us from here on it may have missed.
                self._woken.clear()
                await self._pass()
                await self._rest()
        finally:
            await self._release()

    async def _pass(self) -> None:
        try:
            epoch = await self._acquire()
            if epoch is not None:
                await self._work_while_held(epoch)
        except Exception as error:  # noqa: BLE001 - one of the three boundaries: the pass ends, the loop goes on
            self._failures += 1
            failure = repr(error)
            # The same failure again and again is one event, however long it lasts.
            if failure != self._last_failure:
                _log.exception("a pass of %s failed", self.name)
            self._last_failure = failure
        else:
            if self._failures:
                _log.info("%s works again after %d failed passes", self.name, self._failures)
            self._failures = 0
            self._last_failure = ""

    async def _work_while_held(self, epoch: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._renew())
                await self._work(epoch)
                renewal.cancel()
        except* _Lost:
            _log.warning("%s gave up a pass: its lease went to another process", self.name)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if await self._acquire() is None:
                raise _Lost

    async def _rest(self) -> None:
        if self._failures:
            # Waking does not cut this short, or what fails would be tried at every commit.
            await asyncio.sleep(min(self._every_seconds * 2.0**self._failures, BACKOFF_SECONDS_MAX))
            return
        try:
            async with asyncio.timeout(self._every_seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _acquire(self) -> int | None:
        """The lease's epoch, or None while another process has it."""
        now = self._clock.now()

        async def take(tx: Tx) -> int | None:
            row = await tx.get(LEASES, keys.pack(self.name))
            found = _decode(row) if row is not None else Lease("", 0, 0.0)
            if found.holder != self._holder and found.expires > now:
                return None
            if found.holder == self._holder and found.expires - now > LEASE_SECONDS - RENEW_SECONDS:
                return found.epoch  # Fresh enough: a reconciler that is woken often costs no commit each time.
            epoch = found.epoch if found.holder == self._holder else found.epoch + 1
            tx.put(LEASES, keys.pack(self.name), _encode(Lease(self._holder, epoch, now + LEASE_SECONDS)))
            return epoch

        return await self._store.run(take)

    async def _release(self) -> None:
        """So that another process need not wait for the lease to run out."""

        async def give(tx: Tx) -> None:
            row = await tx.get(LEASES, keys.pack(self.name))
            found = _decode(row) if row is not None else None
            if found is not None and found.holder == self._holder:
                tx.put(LEASES, keys.pack(self.name), _encode(Lease(self._holder, found.epoch, 0.0)))

        try:
            async with asyncio.timeout(RELEASE_SECONDS_MAX):
                await self._store.run(give)
        except (Busy, Conflict, Full, TimeoutError, Unknown) as error:
            _log.warning("the lease of %s runs out by itself: %r", self.name, error)
