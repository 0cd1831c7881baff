"""Which blobs are in use: a row a (blob, owner), and a row a drop that tells the sweeper where to look.

blobs/refs      pack(blob id, owner)              b""   a blob lives while it has one
blobs/dropped   pack(time in ms) + pack(blob id)  b""   the sweeper looks whether it still has one
"""

from collections.abc import Iterable

from atoll.store import Tx, keys

REFS = b"blobs/refs"
DROPPED = b"blobs/dropped"


def adopt(tx: Tx, blob_ids: Iterable[str], owner: str) -> None:
    """In the transaction that names the blobs. An owner that adopts twice holds once."""
    for blob_id in blob_ids:
        tx.put(REFS, keys.pack(blob_id, owner), b"")


def drop(tx: Tx, blob_ids: Iterable[str], owner: str, now: float) -> None:
    """In the transaction that forgets the blobs. `now` in Unix seconds."""
    for blob_id in blob_ids:
        tx.delete(REFS, keys.pack(blob_id, owner))
        tx.put(DROPPED, keys.pack(int(now * 1000)) + keys.pack(blob_id), b"")
