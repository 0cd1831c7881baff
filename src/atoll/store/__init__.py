"""The one source of truth: an ordered, transactional table of rows. See `contract`."""

from atoll.store.contract import ABSENT, Busy, Check, Conflict, Full, Reader, Row, Store, Tx, Unknown

__all__ = ["ABSENT", "Busy", "Check", "Conflict", "Full", "Reader", "Row", "Store", "Tx", "Unknown"]
