"""Engines against a dict: whatever is done to them, in whatever order, they answer as it does. And keys sort as their parts."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atoll.store import ABSENT, Conflict, Store, Tx, keys, sqlite_commit
from atoll.store.memory import MemoryStore
from atoll.store.sqlite import SqliteStore

QUEUE_SHORT = sqlite_commit.QUEUE_SHORT_OPERATIONS
Key = tuple[bytes, bytes]
Model = dict[Key, bytes]

# Few and nasty: neighbours, prefixes of one another, zeros and highest bytes.
SHELVES = st.sampled_from([b"", b"a", b"a\x00", b"b", b"\xff"])
PARTS = st.sampled_from([b"", b"\x00", b"\x00\x01", b"a", b"a\x00", b"aa", b"b", b"\xff", b"\xff\xff"])
# The last two do not fit in one page.
VALUES = st.sampled_from([b"", b"1", b"2", b"3", bytes(5000), b"x" * 5000])
KEYS = st.tuples(SHELVES, PARTS)
RANGES = st.tuples(SHELVES, PARTS, st.none() | PARTS, st.integers(0, 12), st.booleans())
# A shelf of its own: what is added to was added to before, or is not there.
SUMS = b"sums"
SUM_KEYS = st.tuples(st.just(SUMS), PARTS)
SUM_RANGES = st.tuples(st.just(SUMS), PARTS, st.none() | PARTS, st.integers(0, 12), st.booleans())
DELTAS = st.lists(st.integers(-1, 1), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), SUM_KEYS, DELTAS),
        st.tuples(st.just("get"), SUM_KEYS),
        st.tuples(st.just("scan"), SUM_RANGES),
        st.tuples(st.just("delete"), SUM_KEYS),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("scan"), RANGES),
        st.tuples(st.just("put"), KEYS, VALUES),
        st.tuples(st.just("delete"), KEYS),
    ),
    max_size=8,
)


def scan(rows: Model, p: bytes, lo: bytes, hi: bytes | None, limit: int, reverse: bool) -> list[tuple[bytes, bytes]]:
    within = [(k, v) for (q, k), v in rows.items() if q == p and lo <= k and (hi is None or k < hi)]
    return sorted(within, reverse=reverse)[:limit]


async def steps_on_tx(tx: Tx, steps: list[Any]) -> list[Any]:
    answers: list[Any] = []
    for step in steps:
        if step[0] == "get":
            answers.append(await tx.get(*step[1]))
        elif step[0] == "scan":
            p, lo, hi, limit, reverse = step[1]
            answers.append(await tx.scan(p, lo, hi, limit, reverse=reverse))
        elif step[0] == "put":
            tx.put(*step[1], step[2])
        elif step[0] == "add":
            tx.add(*step[1], *step[2])
        else:
            tx.delete(*step[1])
    return answers


def steps_on_dict(rows: Model, steps: list[Any]) -> list[Any]:
    answers: list[Any] = []
    for step in steps:
        if step[0] == "get":
            answers.append(rows.get(step[1]))
        elif step[0] == "scan":
            answers.append(scan(rows, *step[1]))
        elif step[0] == "put":
            rows[step[1]] = step[2]
        elif step[0] == "add":
            add_to_dict(rows, *step[1:])
        else:
            rows.pop(step[1], None)
    return answers


def add_to_dict(rows: Model, key: Key, deltas: list[int]) -> None:
    if not any(deltas):
        return
    row = rows.pop(key, b"")
    counts = [int.from_bytes(row[n : n + 8], "big", signed=True) for n in range(0, len(row), 8)]
    counts += [0] * (len(deltas) - len(counts))
    for n, delta in enumerate(deltas):
        counts[n] += delta
    while counts and not counts[-1]:
        counts.pop()
    if counts:
        rows[key] = b"".join(count.to_bytes(8, "big", signed=True) for count in counts)


class StoreMachine(RuleBasedStateMachine):
    """One client, and at times several at once, on one store."""

    def new_store(self) -> Store:
        return MemoryStore()

    def __init__(self) -> None:
        super().__init__()
        self.model: Model = {}
        self.runner = asyncio.Runner()
        self.store = self.runner.run(self._made(self.new_store))
        self.view: Any = None
        self.seen: Model = {}

    @staticmethod
    async def _made(make: Callable[[], Store]) -> Store:
        return make()

    @rule(
        puts=st.lists(st.tuples(SHELVES, PARTS, VALUES), max_size=4),
        deletes=st.lists(KEYS, max_size=3),
        checked=st.lists(st.tuples(KEYS, st.booleans()), max_size=2),
    )
    def write(self, puts: list[Any], deletes: list[Key], checked: list[tuple[Key, bool]]) -> None:
        checks = []
        for key, true in checked:
            found: Any = self.model.get(key, ABSENT)
            checks.append((*key, found if true else (b"not this" if found is ABSENT else ABSENT)))
        try:
            self.runner.run(self.store.write(puts, deletes, checks))
        except Conflict:
            assert not all(true for _, true in checked)
            return
        assert all(true for _, true in checked)
        for key in deletes:
            self.model.pop(key, None)
        self.model.update({(p, k): v for p, k, v in puts})

    @rule(steps=STEPS, fails=st.booleans())
    def transaction(self, steps: list[Any], fails: bool) -> None:
        async def fn(tx: Tx) -> list[Any]:
            answers = await steps_on_tx(tx, steps)
            if fails:
                raise LookupError(answers)
            return answers

        changed = dict(self.model)
        expected = steps_on_dict(changed, steps)
        if fails:
            with pytest.raises(LookupError) as raised:
                self.runner.run(self.store.run(fn))
            assert raised.value.args == (expected,)
        else:
            assert self.runner.run(self.store.run(fn)) == expected
            self.model = changed

    @rule(all_steps=st.lists(STEPS, min_size=2, max_size=4))
    def transactions_at_once(self, all_steps: list[list[Any]]) -> None:
        """What they answer, and what they leave, is what some order of them one after the other would."""

        async def together() -> list[list[Any]]:
            return await asyncio.gather(*(self.store.run(lambda tx, s=s: steps_on_tx(tx, s)) for s in all_steps))

        answers = self.runner.run(together())
        found = self.runner.run(self._rows())
        pending = [(dict(self.model), frozenset(range(len(all_steps))))]
        while pending:
            rows, left = pending.pop()
            if not left and rows == found:
                self.model = rows
                return
            for n in left:
                after = dict(rows)
                if steps_on_dict(after, all_steps[n]) == answers[n]:
                    pending.append((after, left - {n}))
        raise AssertionError("no order explains what the transactions saw")

    @rule(wanted=st.lists(KEYS, max_size=5))
    def get(self, wanted: list[Key]) -> None:
        assert self.runner.run(self.store.get_many(wanted)) == [self.model.get(key) for key in wanted]
        for key in wanted:
            assert self.runner.run(self.store.get(*key)) == self.model.get(key)

    @rule(asked=RANGES)
    def scan_range(self, asked: Any) -> None:
        p, lo, hi, limit, reverse = asked
        assert self.runner.run(self.store.scan(p, lo, hi, limit, reverse=reverse)) == scan(self.model, *asked)

    @precondition(lambda self: self.view is None)
    @rule()
    def open_snapshot(self) -> None:
        self.context = self.store.snapshot()
        self.view = self.runner.run(self.context.__aenter__())
        self.seen = dict(self.model)
        self.runner.run(self.view.get(b"", b""))  # A view is as of its first read.

    @precondition(lambda self: self.view is not None)
    @rule(asked=RANGES, key=KEYS)
    def read_snapshot(self, asked: Any, key: Key) -> None:
        p, lo, hi, limit, reverse = asked
        assert self.runner.run(self.view.get(*key)) == self.seen.get(key)
        assert self.runner.run(self.view.scan(p, lo, hi, limit, reverse=reverse)) == scan(self.seen, *asked)

    @precondition(lambda self: self.view is not None)
    @rule()
    def leave_snapshot(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.view = None

    @invariant()
    def all_rows_are_the_dict(self) -> None:
        assert self.runner.run(self._rows()) == self.model

    async def _rows(self) -> Model:
        shelves = [b"", b"a", b"a\x00", b"b", b"\xff", SUMS]
        return {(p, k): v for p in shelves for k, v in await self.store.scan(p, b"", None, 1000)}

    def teardown(self) -> None:
        if self.view is not None:
            self.leave_snapshot()
        self.runner.run(self.store.close())
        self.runner.close()


class SqliteMachine(StoreMachine):
    def new_store(self) -> Store:
        self.directory = tempfile.mkdtemp()
        return SqliteStore(os.path.join(self.directory, "atoll.db"))

    @rule()
    def restart(self) -> None:
        if self.view is not None:
            self.leave_snapshot()
        self.runner.run(self.store.close())
        self.store = self.runner.run(self._made(lambda: SqliteStore(os.path.join(self.directory, "atoll.db"))))

    @rule(short=st.sampled_from([0, 1, 2, 128]))
    def wait(self, short: int) -> None:
        """How many may wait while transactions still run in the commit thread alone."""
        sqlite_commit.QUEUE_SHORT_OPERATIONS = short

    @rule()
    def checkpoint(self) -> None:
        self.store._checkpointer.run()

    def teardown(self) -> None:
        super().teardown()
        sqlite_commit.QUEUE_SHORT_OPERATIONS = QUEUE_SHORT
        shutil.rmtree(self.directory)


TestMemoryMachine = StoreMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


TEXTS = st.binary(max_size=6) | st.lists(st.sampled_from([b"\x00", b"\x01", b"\xff", b"a"]), max_size=6).map(b"".join)
NUMBERS = st.integers(0, 2**64 - 1)


@given(st.data())
def test_packed_keys_sort_as_their_parts_do(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.sampled_from([TEXTS, NUMBERS]), min_size=1, max_size=4))
    first, second = data.draw(st.tuples(*shape)), data.draw(st.tuples(*shape))
    assert (keys.pack(*first) < keys.pack(*second)) == (first < second)
    assert (keys.pack(*first) == keys.pack(*second)) == (first == second)


@given(TEXTS, TEXTS, TEXTS)
def test_a_range_of_packed_keys_holds_just_those_that_start_alike(start: bytes, rest: bytes, other: bytes) -> None:
    def within(key: bytes, lo: bytes) -> bool:
        hi = keys.after(lo)
        return lo <= key and (hi is None or key < hi)

    assert within(keys.pack(start, rest), keys.pack(start))
    assert within(keys.pack(other, rest), keys.pack(start)) == (other == start)
    assert within(keys.pack(start + rest), keys.open_text(start))
    assert within(keys.pack(other), keys.open_text(start)) == other.startswith(start)


@given(st.binary(max_size=8))
def test_after_a_prefix_comes_the_least_key_above_it(prefix: bytes) -> None:
    hi = keys.after(prefix)
    if hi is None:
        assert set(prefix) <= {0xFF}
    else:
        assert prefix + b"\xff" * 20 < hi
        assert not hi.startswith(prefix)


@given(TEXTS, TEXTS, NUMBERS)
def test_packed_texts_are_unpacked_as_they_were(first: bytes, second: bytes, number: int) -> None:
    packed = keys.pack(number, first, second)
    text, start = keys.unpack_text(packed, 8)
    assert text == first
    assert keys.unpack_text(packed, start) == (second, len(packed))
