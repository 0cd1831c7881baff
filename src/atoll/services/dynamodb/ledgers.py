"""What has been asked for in bulk (exports, imports, bulk puts): who asked for what when, and what became of it.

    {account}/{region}/dynamodb/{ledger}   pack(id)   the ledger's own record

An id starts with the millisecond it was given in, so the newest come last, and those a client token may still speak of are
found from the end.
"""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import names, records
from atoll.services.dynamodb.refusals import validation
from atoll.store import Reader, Tx, keys

TOKEN_SECONDS = 8 * 3600
LISTED_SECONDS = 90 * 86400
_SCAN_ROWS = 200
_TOKEN_BYTES = 56  # AWS's own tokens are of at least 112 hexadecimal digits, and its SDKs may hold us to that.


class Entry(Protocol):
    id: str
    started: float
    token: str
    asked: dict[str, Any]  # the request as it came, but for its token


E = TypeVar("E", bound=Entry)


def new_id(now: float) -> str:
    return f"{int(now * 1000):014d}-{ids.new_hex(8)}"


class Ledger(Generic[E]):
    def __init__(self, name: str, entry_type: type[E]) -> None:
        self._name = name
        self._decode = msgspec.msgpack.Decoder(entry_type).decode

    def put(self, tx: Tx, account: str, region: str, entry: E) -> None:
        tx.put(self._shelf(account, region), keys.pack(entry.id), msgspec.msgpack.encode(entry))

    async def get(self, reader: Reader, account: str, region: str, entry_id: str) -> E | None:
        row = await reader.get(self._shelf(account, region), keys.pack(entry_id))
        return None if row is None else self._decode(row)

    async def of_token(self, call: Call, token: str) -> E | None:
        """What the same token has asked for in the last hours."""
        since = keys.open_text(f"{int((call.now - TOKEN_SECONDS) * 1000):014d}")
        high: bytes | None = None
        while True:
            rows = await call.tx.scan(self._shelf(call.account, call.region), since, high, _SCAN_ROWS, reverse=True)
            for _, row in rows:
                entry = self._decode(row)
                if entry.token == token:
                    return entry
            if len(rows) < _SCAN_ROWS:
                return None
            high = rows[-1][0]

    async def page(
        self, call: Call, limit: int, token: str | None, wanted: Callable[[E], bool]
    ) -> tuple[list[E], str | None]:
        """The newest first: a page of them, and the token that asks for the next."""
        low = keys.open_text(f"{int((call.now - LISTED_SECONDS) * 1000):014d}")
        high = None if token is None else keys.pack(_read_token(token))
        found: list[E] = []
        while len(found) <= limit:
            rows = await call.tx.scan(self._shelf(call.account, call.region), low, high, _SCAN_ROWS, reverse=True)
            found += [entry for _, row in rows if wanted(entry := self._decode(row))]
            if len(rows) < _SCAN_ROWS:
                break
            high = rows[-1][0]
        following = _token(found[limit - 1].id) if len(found) > limit else None
        return found[:limit], following

    def _shelf(self, account: str, region: str) -> bytes:
        return records.shelf(account, region, self._name)


def inside(arn: str, kind: str) -> tuple[names.Place, str] | None:
    """The table and the id of an ARN like .../table/name/export/id."""
    place = names.read_arn(arn)
    if place is None or not place.inside.startswith(f"/{kind}/"):
        return None
    return place, place.inside.removeprefix(f"/{kind}/")


def _token(entry_id: str) -> str:
    return entry_id.encode().ljust(_TOKEN_BYTES, b"\x00").hex()


def _read_token(token: str) -> str:
    try:
        return bytes.fromhex(token).rstrip(b"\x00").decode("ascii")
    except ValueError:
        raise validation("Invalid NextToken") from None
