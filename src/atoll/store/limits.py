"""What every engine refuses, so that a row one engine takes is a row all of them take."""

from atoll.store.contract import KEY_BYTES_MAX, SCAN_ROWS_MAX

VALUE_BYTES_MAX = 16 * 1024 * 1024
"""Far above any record of ours. It keeps one row from filling a group commit, or memory."""


def check_key(p: bytes, k: bytes) -> None:
    if len(p) + len(k) > KEY_BYTES_MAX:
        raise ValueError(f"a key of {len(p)} + {len(k)} bytes is above {KEY_BYTES_MAX}")


def check_row(p: bytes, k: bytes, v: bytes) -> None:
    if len(p) + len(k) > KEY_BYTES_MAX:
        raise ValueError(f"a key of {len(p)} + {len(k)} bytes is above {KEY_BYTES_MAX}")
    # SQLite would keep a str as text, and give back text: another value than was put.
    if not isinstance(v, bytes) or len(v) > VALUE_BYTES_MAX:
        raise ValueError(f"a value must be at most {VALUE_BYTES_MAX} bytes, not {type(v).__name__} of {len(v)}")


def check_limit(limit: int) -> None:
    # Cut down silently, a scan would look complete to a caller who asked for more.
    if limit > SCAN_ROWS_MAX:
        raise ValueError(f"a scan of {limit} rows is above {SCAN_ROWS_MAX}: go on from the last key instead")
