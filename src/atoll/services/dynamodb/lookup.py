"""Finds tables for work in the background, which has no call: by the parts of a key of EXPIRING or LOGGING."""

from atoll.services.dynamodb import records
from atoll.services.dynamodb.records import Table
from atoll.store import Reader, keys


async def table(reader: Reader, account: str, region: str, name: str) -> Table | None:
    row = await reader.get(records.tables_shelf(account, region), records.table_key(name))
    return None if row is None else records.decode_table(row)


def parts(key: bytes) -> tuple[str, str, str]:
    """(account, region, and the table's name or uid)."""
    account, start = keys.unpack_text(key)
    region, start = keys.unpack_text(key, start)
    last, _ = keys.unpack_text(key, start)
    return account.decode(), region.decode(), last.decode()
