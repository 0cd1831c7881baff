"""Keys whose bytes sort as their parts do.

    text   its UTF-8 bytes, 00 -> 00 FF, ended by 00 01
    number eight bytes, big-endian

So no part can run into the next, and a prefix of parts is a prefix of bytes.
"""

_END = b"\x00\x01"


def pack(*parts: str | bytes | int) -> bytes:
    # Most keys are of one part, and every read makes one.
    return _pack_one(parts[0]) if len(parts) == 1 else b"".join([_pack_one(part) for part in parts])


def _pack_one(part: str | bytes | int) -> bytes:
    if isinstance(part, int):
        return part.to_bytes(8, "big")
    raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
    return raw.replace(b"\x00", b"\x00\xff") + _END


def open_text(part: str | bytes) -> bytes:
    """The bytes with which every text that starts with `part` is packed: for scans by prefix."""
    raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
    return raw.replace(b"\x00", b"\x00\xff")


def after(prefix: bytes) -> bytes | None:
    """The least key that is above every key with this prefix; None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def unpack_text(packed: bytes, start: int = 0) -> tuple[bytes, int]:
    """The raw bytes of the text part at `start`, and where the next part starts."""
    end = packed.index(_END, start)
    # 00 01 can't stand inside an escaped text: every 00 there is followed by FF.
    return packed[start:end].replace(b"\x00\xff", b"\x00"), end + len(_END)
