"""ClientRequestToken: a transaction that is sent twice within ten minutes happens once.

The token's row is written with the transaction, and so is one that says when it may go; a reconciler takes both.
"""

from hashlib import sha256
from typing import Any

import orjson

from atoll.aws.errors import AwsError
from atoll.base.clock import Clock
from atoll.operation import Call, Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import records
from atoll.services.dynamodb.records import TOKENS, Token
from atoll.store import Store, Tx, keys

KEPT_SECONDS = 600
EVERY_SECONDS = 30.0
_TOKENS_PER_COMMIT = 500
_MISMATCH = "Idempotent request is being retried with different parameters."


def digest(wanted: Any) -> bytes:
    """Of what a request asks for, its values taken: numbers that are the same are written the same."""
    return sha256(orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS)).digest()


async def kept(call: Call, token: str, wanted: bytes) -> bytes | None:
    """What was kept when this was done already; None when it was not. Raises when the token stood for something else."""
    row = await call.tx.get(_shelf(call), keys.pack(token))
    if row is None:
        return None
    found = records.decode_token(row)
    if found.expires <= call.now:
        return None
    if found.digest != wanted:
        raise AwsError("IdempotentParameterMismatchException", _MISMATCH)
    return found.reply


def keep(call: Call, token: str, wanted: bytes, reply: bytes) -> None:
    expires = int(call.now) + KEPT_SECONDS
    call.tx.put(_shelf(call), keys.pack(token), records.encode(Token(wanted, expires, reply)))
    call.tx.put(TOKENS, keys.pack(expires, call.account, call.region, token), b"")


def _shelf(call: Call) -> bytes:
    return records.shelf(call.account, call.region, "tokens")


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    async def work(_: int) -> None:
        await sweep(cloud.store, clock.now())

    return [Reconciler("dynamodb-tokens", work, cloud.store, clock, every_seconds=EVERY_SECONDS)]


async def sweep(store: Store, now: float) -> None:
    async def attempt(tx: Tx) -> bool:
        return await _sweep_some(tx, now)

    while await store.run(attempt):
        pass


async def _sweep_some(tx: Tx, now: float) -> bool:
    """Whether there may be more to do."""
    rows = await tx.scan(TOKENS, b"", keys.pack(int(now)), _TOKENS_PER_COMMIT)
    for key, _ in rows:
        account, region, token = _parts(key)
        shelf, place = records.shelf(account, region, "tokens"), keys.pack(token)
        row = await tx.get(shelf, place)
        # The same token may have been used again since.
        if row is not None and records.decode_token(row).expires <= now:
            tx.delete(shelf, place)
        tx.delete(TOKENS, key)
    return len(rows) == _TOKENS_PER_COMMIT


def _parts(key: bytes) -> list[str]:
    parts, start = [], len(keys.pack(0))
    while start < len(key):
        raw, start = keys.unpack_text(key, start)
        parts.append(raw.decode("utf-8", "surrogateescape"))
    return parts
