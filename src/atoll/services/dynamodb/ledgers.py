"""What has been asked for in bulk, exports and imports: who asked for what when, and what became of it.

    {account}/{region}/dynamodb/exports   pack(id)   Export     (see `exports`)
    {account}/{region}/dynamodb/imports   pack(id)   Import     (see `imports`)

An id starts with the millisecond it was given in, so the newest come last, and those a client token may still speak of are
found from the end.
"""

from typing import Any, Generic, Protocol, TypeVar

import msgspec

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import names, records
from atoll.services.dynamodb.refusals import validation
from atoll.store import Reader, Tx, keys

IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"
TOKEN_SECONDS = 8 * 3600
LISTED_SECONDS = 90 * 86400
_SCAN_ROWS = 200
_TOKEN_BYTES = 56  # AWS's own tokens are of at least 112 hexadecimal digits, and its SDKs may hold us to that.


class Entry(Protocol):
    id: str
    table_arn: str
    started: float
    token: str
    asked: dict[str, Any]  # the request as it came, but for its token

    @property
    def arn(self) -> str: ...


E = TypeVar("E", bound=Entry)


def new_id(now: float) -> str:
    return f"{int(now * 1000):014d}-{ids.new_hex(8)}"


class Ledger(Generic[E]):
    def __init__(self, kind: str, entry_type: type[E]) -> None:
        """`kind`, Export or Import, is what the names of members, of exceptions and of what ARNs tell begin with."""
        self._kind = kind
        self._decode = msgspec.msgpack.Decoder(entry_type).decode

    def put(self, tx: Tx, account: str, region: str, entry: E) -> None:
        tx.put(self._shelf(account, region), keys.pack(entry.id), msgspec.msgpack.encode(entry))

    async def get(self, reader: Reader, account: str, region: str, entry_id: str) -> E | None:
        row = await reader.get(self._shelf(account, region), keys.pack(entry_id))
        return None if row is None else self._decode(row)

    async def find(self, call: Call, arn: str) -> E:
        """Raises ValidationException, ExportNotFoundException or ImportNotFoundException."""
        address = names.read_arn(arn)
        entry_id = None if address is None else address.within(self._kind.lower())
        if address is None or entry_id is None:
            raise validation(f"Invalid {self._kind}Arn: {arn}")
        entry = await self.get(call.tx, call.account, call.region, entry_id)
        if entry is None or entry.arn != arn or address.account != call.account:
            raise AwsError(f"{self._kind}NotFoundException", f"{self._kind} not found: {arn}")
        return entry

    async def asked_before(self, call: Call, token: str, asked: dict[str, Any]) -> E | None:
        """What this request has begun already. Raises when its token stood for something else in the last hours."""
        known = await self._of_token(call, token) if token else None
        if known is not None and known.asked != asked:
            raise AwsError(f"{self._kind}ConflictException", "The ClientToken was used before, with other parameters")
        return known

    async def _of_token(self, call: Call, token: str) -> E | None:
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
        self, call: Call, table_arn: str | None, limit: int, token: str | None
    ) -> tuple[list[E], str | None]:
        """The newest first, of one table or of all: a page of them, and the token that asks for the next."""
        low = keys.open_text(f"{int((call.now - LISTED_SECONDS) * 1000):014d}")
        high = None if token is None else keys.pack(_read_token(token))
        found: list[E] = []
        while len(found) <= limit:
            rows = await call.tx.scan(self._shelf(call.account, call.region), low, high, _SCAN_ROWS, reverse=True)
            found += [entry for _, row in rows if table_arn in (None, (entry := self._decode(row)).table_arn)]
            if len(rows) < _SCAN_ROWS:
                break
            high = rows[-1][0]
        following = _token(found[limit - 1].id) if len(found) > limit else None
        return found[:limit], following

    def _shelf(self, account: str, region: str) -> bytes:
        return records.shelf(account, region, f"{self._kind.lower()}s")


def _token(entry_id: str) -> str:
    return entry_id.encode().ljust(_TOKEN_BYTES, b"\x00").hex()


def _read_token(token: str) -> str:
    try:
        return bytes.fromhex(token).rstrip(b"\x00").decode("ascii")
    except ValueError:
        raise validation("Invalid NextToken") from None
