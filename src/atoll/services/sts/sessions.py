"""Sessions: keys that end. Each is a row; keys that ended long ago go as new ones come.

global/sts/sessions    pack(access key id)                      Session   (read at every request with such a key)
global/sts/endings     expiry in ms (8 bytes) + pack(key id)    b""
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from atoll.base import ids
from atoll.operation import Call, Credential, Identity
from atoll.store import Reader, Tx, keys

SESSIONS = b"global/sts/sessions"
ENDINGS = b"global/sts/endings"

TOKEN_CHARACTERS = 128
KEY_ID_CHARACTERS = 16  # after ASIA
SECRET_CHARACTERS = 40
# An ended key is told "expired" for a day, and is unknown afterwards.
REMEMBERED_SECONDS = 86_400
# Each new session buries up to this many: more than one, so that their number falls back after a rush.
BURIED_PER_SESSION_MAX = 4


class Session(msgspec.Struct, array_like=True, omit_defaults=True):
    access_key_id: str
    secret_key: str
    token: str
    account: str
    arn: str
    user_id: str
    kind: str  # as in Identity
    issued: float
    expires: float
    facts: dict[str, Any] = {}  # Identity.session: policies, tags, transitive, source_identity, temporary, issuer...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Session).decode


async def find_credential(reader: Reader, access_key_id: str) -> Credential | None:
    row = await reader.get(SESSIONS, keys.pack(access_key_id))
    if row is None:
        return None
    one = _decode(row)
    identity = Identity(one.account, one.arn, one.user_id, access_key_id, one.kind, {**one.facts, "issued": one.issued})
    return Credential(one.secret_key, identity, one.token, one.expires)


def new_session(
    call: Call, identity: Identity, seconds: int, facts: Mapping[str, Any], token_characters: int = TOKEN_CHARACTERS
) -> Session:
    """`identity` says who the session speaks for; its own key and facts do not count."""
    return Session(
        access_key_id=f"ASIA{ids.new_base32(KEY_ID_CHARACTERS)}",
        secret_key=ids.new_secret(SECRET_CHARACTERS),
        token=ids.new_secret(max(TOKEN_CHARACTERS, token_characters)),
        account=identity.account,
        arn=identity.arn,
        user_id=identity.user_id,
        kind=identity.kind,
        issued=call.now,
        expires=float(int(call.now) + seconds),
        facts=dict(facts),
    )


async def put(tx: Tx, session: Session, now: float) -> None:
    await _bury(tx, now - REMEMBERED_SECONDS)
    tx.put(SESSIONS, keys.pack(session.access_key_id), _encode(session))
    tx.put(ENDINGS, keys.pack(int(session.expires * 1000), session.access_key_id), b"")


async def _bury(tx: Tx, before: float) -> None:
    for key, _ in await tx.scan(ENDINGS, b"", keys.pack(int(before * 1000)), BURIED_PER_SESSION_MAX):
        access_key_id, _end = keys.unpack_text(key, 8)
        tx.delete(ENDINGS, key)
        tx.delete(SESSIONS, keys.pack(access_key_id))


def describe(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_key,
        "SessionToken": session.token,
        "Expiration": datetime.fromtimestamp(session.expires, UTC),
    }
