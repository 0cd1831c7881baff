"""Identifiers: random, and so never a name for anything but what they were made for."""

import os
import random
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
    """Sixteen upper-case characters, the shape S3 answers with. Unlike the others it may be guessed: it only finds log lines."""
    return f"{_requests.getrandbits(64):016X}"


def new_long_request_id() -> str:
    """Fifty-two upper-case characters, the shape DynamoDB answers with. No more secret than the short ones."""
    return f"{_requests.getrandbits(208):052X}"


# Asking the kernel gives up the interpreter's lock, and getting that back costs a busy worker more than the request's parsing.
_requests = random.Random()  # noqa: S311 - see above: nothing rests on it.
os.register_at_fork(after_in_child=_requests.seed)
