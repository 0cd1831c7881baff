"""An item as it lies in its row: the row is what moves, and it is parsed only when somebody looks inside."""

from atoll.services.dynamodb import records
from atoll.services.dynamodb.records import Item


class Stored:
    __slots__ = ("_item", "row", "size_bytes")

    def __init__(self, row: bytes, size_bytes: int, item: Item | None = None) -> None:
        self.row = row
        self.size_bytes = size_bytes
        self._item = item

    @property
    def item(self) -> Item:
        """Not to be changed: the row would not follow."""
        if self._item is None:
            self._item = records.decode_item(self.row)
        return self._item

    @property
    def json(self) -> bytes:
        return records.item_json(self.row)


def row_of(stored: Stored | None) -> bytes | None:
    return None if stored is None else stored.row


def size_of(stored: Stored | None) -> int | None:
    return None if stored is None else stored.size_bytes


def read(row: bytes) -> Stored:
    return Stored(row, records.item_size(row))


def new(item: Item, size_bytes: int) -> Stored:
    return Stored(records.encode_item(item, size_bytes), size_bytes, item)
