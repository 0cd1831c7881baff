"""Identifiers: random, and so never a name for anything but what they were made for."""

import os
import secrets
from base64 import b32encode


def new_hex(characters: int) -> str:
    return secrets.token_hex((characters + 1) // 2)[:characters]


def new_base32(characters: int) -> str:
    """Upper-case letters and digits, as in access key and user ids."""
    raw = os.urandom((characters * 5 + 7) // 8)
    return b32encode(raw).decode("ascii")[:characters]


def new_secret(characters: int) -> str:
    """URL-safe characters, as in secret access keys and session tokens."""
    return secrets.token_urlsafe(characters)[:characters]


def new_request_id() -> str:
    """Sixteen upper-case characters, the shape S3 answers with."""
    return os.urandom(8).hex().upper()
