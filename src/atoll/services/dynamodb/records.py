"""DynamoDB's rows: their keys, their shapes, and how they are read and written.

    shelf (p)                                key (k)                              record
    {account}/{region}/dynamodb/tables       pack(name)                           Table
    {account}/{region}/dynamodb/i/{uid}      item place                           item
    {account}/{region}/dynamodb/x/{index}    entry place                          item, as far as it is projected
    {account}/{region}/dynamodb/g/{uid}      shard (1 byte) + stamp (8 bytes)     Change     (while streams or recovery want it)
    {account}/{region}/dynamodb/c/{uid}      counter name                         counters   (kept by Tx.add)
    {account}/{region}/dynamodb/e/{uid}      expiry (8 bytes) + item place        b""        (while TTL is on)
    {account}/{region}/dynamodb/tokens       pack(token)                          Token      (of TransactWriteItems)
    {account}/{region}/dynamodb/streams      pack(name, label)                    Table      (dropped; its stream can still be read)
    {account}/{region}/dynamodb/marks        pack(name) + stamp                   b""        (see `moments`)
    {account}/{region}/dynamodb/u/{id}       item place                           old item   (see `moments`)
    {account}/{region}/dynamodb/kept         pack(uid)                            Table      (see `moments`)
    {account}/{region}/dynamodb/backups      pack(table name, id)                 Backup     (see `backups`)
    {account}/{region}/dynamodb/b/{id}       number                               Chunk      (see `archives`)
    {account}/{region}/dynamodb/exports      pack(id)                             Export     (see `exports`)
    {account}/{region}/dynamodb/imports      pack(id)                             Import     (see `imports`)
    {account}/{region}/dynamodb/f/{id}       number                               a line of a manifest (see `export_jobs`)
    {account}/{region}/dynamodb/n/{uid}      minute, index, rule, key             counts     (see `contributors`)
    global/dynamodb/jobs                     pack(kind, account, region, id)      msgpack    (work a reconciler has to finish)
    global/dynamodb/expiring                 pack(account, region, name)          b""        (tables with TTL on)
    global/dynamodb/tokens                   pack(seconds, account, region, token) b""      (when each token may go)
    global/dynamodb/logging                  pack(account, region, uid)           name       (tables that have a log to trim)

`uid` is a table's or an index's own random id, so one made again under an old name starts empty, and what a dropped one leaves can
be swept in peace. Places are made by `places`; a stamp by the store, in the order of commits.

An item's row is VERSION (1 byte), its size by DynamoDB's rules (4 bytes) and its JSON as it goes over the wire: attribute values
keep their type names ({"N": "5"}), binary stays base64, numbers are in their one canonical form. So a whole item is answered
without being parsed, and its size is known without being computed.
"""

from functools import lru_cache
from typing import Any, Literal

import msgspec
import orjson

from atoll.store import Reader, Tx, keys

Value = dict[str, Any]
"""An attribute value as on the wire, of exactly one member: {"S": ...}, {"N": ...}, {"B": base64}, {"BOOL": ...}, {"NULL": true},
{"SS": [...]}, {"NS": [...]}, {"BS": [...]}, {"L": [...]}, {"M": {...}}."""
Item = dict[str, Value]

JOBS = b"global/dynamodb/jobs"
EXPIRING = b"global/dynamodb/expiring"
LOGGING = b"global/dynamodb/logging"
TOKENS = b"global/dynamodb/tokens"

ACTIVE, CREATING, UPDATING, DELETING = "ACTIVE", "CREATING", "UPDATING", "DELETING"
"""What a table or an index can be."""

VERSION = 1
ITEM_BYTES_MAX = 400 * 1024
_HEAD_BYTES = 5

Projection = Literal["ALL", "KEYS_ONLY", "INCLUDE"]
ViewType = Literal["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"]


class Throughput(msgspec.Struct, omit_defaults=True):
    """Units a second. None: not set. Provisioned, on-demand maximum and warm are three separate things."""

    read: int | None = None
    write: int | None = None
    max_read: int | None = None  # OnDemandThroughput
    max_write: int | None = None
    warm_read: int | None = None
    warm_write: int | None = None
    increased: float = 0.0  # When it was last changed, Unix seconds; 0 is never
    decreased: float = 0.0
    decreases_today: int = 0


class Index(msgspec.Struct, omit_defaults=True):
    """A secondary index. A local one's `hash` is the table's."""

    name: str
    uid: str
    is_global: bool
    hash: list[str]  # attribute names, in order: a global index may have up to four of each
    range: list[str]
    projection: Projection
    include: list[str] = []
    status: str = ACTIVE
    backfilling: bool = False
    backfilled: bytes = b""  # the item place up to which the backfill has come
    throughput: Throughput = msgspec.field(default_factory=Throughput)
    created: float = 0.0


class Stream(msgspec.Struct, omit_defaults=True):
    label: str
    view: ViewType
    enabled: bool = True
    created: float = 0.0
    disabled: float = 0.0  # its records stay readable for 24 hours


class Table(msgspec.Struct, omit_defaults=True):
    name: str
    id: str  # TableId, a UUID
    uid: str
    account: str
    region: str
    created: float
    attributes: dict[str, str]  # AttributeDefinitions: name -> S, N or B
    hash: str
    range: str | None = None
    indexes: list[Index] = []
    status: str = ACTIVE
    billing: str = "PROVISIONED"  # or PAY_PER_REQUEST
    billing_changed: float = 0.0
    throughput: Throughput = msgspec.field(default_factory=Throughput)
    table_class: str = "STANDARD"
    table_class_changed: float = 0.0
    deletion_protection: bool = False
    streams: list[Stream] = []  # newest last; at most one is enabled
    ttl: str | None = None  # the attribute, while TTL is enabled
    ttl_changed: float = 0.0
    recovery_since: float = 0.0  # Unix seconds from which on point-in-time recovery can go back; 0 is off
    recovery_days: int = 35
    tags: dict[str, str] = {}
    policy: str = ""  # the resource policy's document
    policy_revision: str = ""
    policy_known: dict[str, str] = {}  # the unique ids of the users and roles that its policies name, by ARN
    stream_policies: dict[str, tuple[str, str]] = {}  # by stream label: document, revision
    sse: dict[str, Any] = {}
    insights: dict[str, dict[str, Any]] = {}  # contributor insights by index name ("" is the table)
    restored: dict[str, Any] = {}  # RestoreSummary
    vectors: list[dict[str, Any]] = []  # vector indexes
    copies: list[
        str
    ] = []  # what is reading it as it was at a moment (see `moments`), and needs the log until it is through

    @property
    def arn(self) -> str:
        return f"arn:aws:dynamodb:{self.region}:{self.account}:table/{self.name}"

    def index_arn(self, name: str) -> str:
        return f"{self.arn}/index/{name}"

    def stream_arn(self, label: str) -> str:
        return f"{self.arn}/stream/{label}"

    @property
    def stream(self) -> Stream | None:
        """The one that takes records now."""
        return self.streams[-1] if self.streams and self.streams[-1].enabled else None

    @property
    def key_names(self) -> tuple[str, ...]:
        return (self.hash,) if self.range is None else (self.hash, self.range)

    @property
    def logs(self) -> bool:
        """Whether changes are kept."""
        return self.recovery_since > 0 or self.stream is not None or bool(self.copies)


class Change(msgspec.Struct, array_like=True):
    """One change of one item. Its key is its shard and its stamp; a stamp's time is when it was committed."""

    old: bytes | None  # the item's row before: None is INSERT
    new: bytes | None  # after: None is REMOVE
    by_ttl: bool = False
    # When the stream that was on at the time was created (Stream.created): a log outlives its streams, and recovery
    # fills it without one. 0: none was on.
    stream: float = 0.0


class Token(msgspec.Struct, array_like=True):
    digest: bytes
    expires: float
    reply: bytes  # what is needed to answer again


_table_decoder = msgspec.msgpack.Decoder(Table)
_change_decoder = msgspec.msgpack.Decoder(Change)
_token_decoder = msgspec.msgpack.Decoder(Token)
_encode = msgspec.msgpack.Encoder().encode

_TABLES_KEPT_MAX = 1024


def shelf(account: str, region: str, name: str) -> bytes:
    return f"{account}/{region}/dynamodb/{name}".encode()


def tables_shelf(account: str, region: str) -> bytes:
    return shelf(account, region, "tables")


def items_shelf(table: Table) -> bytes:
    return shelf(table.account, table.region, f"i/{table.uid}")


def index_shelf(table: Table, index: Index) -> bytes:
    return shelf(table.account, table.region, f"x/{index.uid}")


def log_shelf(table: Table) -> bytes:
    return shelf(table.account, table.region, f"g/{table.uid}")


def counters_shelf(table: Table) -> bytes:
    return shelf(table.account, table.region, f"c/{table.uid}")


def expiry_shelf(table: Table) -> bytes:
    return shelf(table.account, table.region, f"e/{table.uid}")


def streams_shelf(account: str, region: str) -> bytes:
    return shelf(account, region, "streams")


def kept_shelf(account: str, region: str) -> bytes:
    """Dropped tables whose items and logs are still being read (see `moments`)."""
    return shelf(account, region, "kept")


def table_key(name: str) -> bytes:
    return keys.pack(name)


def encode(record: Table | Change | Token) -> bytes:
    return _encode(record)


@lru_cache(maxsize=_TABLES_KEPT_MAX)
def decode_table(row: bytes) -> Table:
    """Shared by all who read the same row: never to be changed. Who wants to change one takes `decode_own_table`."""
    return _table_decoder.decode(row)


def decode_own_table(row: bytes) -> Table:
    return _table_decoder.decode(row)


def decode_change(row: bytes) -> Change:
    return _change_decoder.decode(row)


def decode_token(row: bytes) -> Token:
    return _token_decoder.decode(row)


async def get_table(reader: Reader, account: str, region: str, name: str) -> Table | None:
    """Shared, as `decode_table` says. For work in the background: an operation asks `tables`, which asks who may."""
    row = await reader.get(tables_shelf(account, region), table_key(name))
    return None if row is None else decode_table(row)


async def get_own_table(reader: Reader, account: str, region: str, name: str) -> Table | None:
    row = await reader.get(tables_shelf(account, region), table_key(name))
    return None if row is None else decode_own_table(row)


def put_table(tx: Tx, table: Table) -> None:
    tx.put(tables_shelf(table.account, table.region), table_key(table.name), encode(table))


def delete_table(tx: Tx, table: Table) -> None:
    tx.delete(tables_shelf(table.account, table.region), table_key(table.name))


def read_key(key: bytes) -> tuple[str, str, str]:
    """Of EXPIRING and LOGGING: (account, region, and the table's name or uid)."""
    account, start = keys.unpack_text(key)
    region, start = keys.unpack_text(key, start)
    last, _ = keys.unpack_text(key, start)
    return account.decode(), region.decode(), last.decode()


def encode_item(item: Item, size_bytes: int) -> bytes:
    return bytes((VERSION,)) + size_bytes.to_bytes(4, "big") + orjson.dumps(item)


def item_size(row: bytes) -> int:
    return int.from_bytes(row[1:_HEAD_BYTES], "big")


def item_json(row: bytes) -> bytes:
    assert row[0] == VERSION, f"an item's row of version {row[0]}"
    return row[_HEAD_BYTES:]


def decode_item(row: bytes) -> Item:
    item: Item = orjson.loads(item_json(row))
    return item
