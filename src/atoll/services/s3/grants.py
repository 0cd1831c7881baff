"""Access control lists as values: canned ones, grants given by header or document, and how they are told. Pure.

Where nothing was ever said, a list is None: its owner has FULL_CONTROL, and nobody else anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.s3 import names
from atoll.services.s3.records import Grants

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
PUBLIC_GROUPS = frozenset({ALL_USERS, AUTHENTICATED_USERS})
FULL_CONTROL = "FULL_CONTROL"
GRANTS_MAX = 100

_GROUPS = PUBLIC_GROUPS | {LOG_DELIVERY}
_PERMISSIONS = frozenset({FULL_CONTROL, "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}")
_HEADERS = (
    ("GrantFullControl", "x-amz-grant-full-control", FULL_CONTROL),
    ("GrantRead", "x-amz-grant-read", "READ"),
    ("GrantReadACP", "x-amz-grant-read-acp", "READ_ACP"),
    ("GrantWrite", "x-amz-grant-write", "WRITE"),
    ("GrantWriteACP", "x-amz-grant-write-acp", "WRITE_ACP"),
)
MEMBERS = frozenset({"ACL", *(member for member, _, _ in _HEADERS)})
_CANNED: dict[str, Grants] = {
    "private": [],
    "public-read": [(ALL_USERS, "READ")],
    "public-read-write": [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")],
    "authenticated-read": [(AUTHENTICATED_USERS, "READ")],
}
_CANNED_FOR_BUCKETS: dict[str, Grants] = {
    **_CANNED,
    "log-delivery-write": [(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")],
}
_GIVEN = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*')


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose list it is, by account. A bucket's own list has no other bucket to name."""

    owner: str
    bucket_owner: str | None = None


def asked(request: Mapping[str, Any]) -> bool:
    """Whether the request says anything of access by header."""
    return not MEMBERS.isdisjoint(request)


def by_header(request: Mapping[str, Any], parties: Parties) -> Grants | None:
    """The list that x-amz-acl or x-amz-grant-* ask for; None when they say nothing, or what goes without saying."""
    given = [(value, name, permission) for member, name, permission in _HEADERS if (value := request.get(member))]
    canned = request.get("ACL")
    if canned is None and not given:
        return None
    if canned is not None and given:
        raise AwsError("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed", 400)
    if canned is not None:
        more = _canned(canned, parties)
        return [(names.canonical_id(parties.owner), FULL_CONTROL), *more] if more else None
    return _limited([(who, permission) for value, name, permission in given for who in _grantees(name, value)])


def by_document(policy: Mapping[str, Any], owner: str) -> Grants:
    """The list of an AccessControlPolicy. Its owner must be who it is: ownership is not given away so."""
    said = (policy.get("Owner") or {}).get("ID")
    if said is None:
        raise _malformed()
    if said != names.canonical_id(owner):
        raise AwsError("AccessDenied", "Access Denied", 403)
    return _limited(
        [(_grantee(grant.get("Grantee") or {}), _permission(grant)) for grant in policy.get("Grants") or []]
    )


def told(acl: Grants | None, owner: str, *others: str) -> dict[str, Any]:
    """Groups first. Of accounts, the owner and `others` can be told by their numbers too."""
    known = {names.canonical_id(account): account for account in (*others, owner)}
    whole = sorted(effective(acl, owner), key=lambda grant: grant[0] not in _GROUPS)
    return {
        "Owner": names.owner(owner),
        "Grants": [{"Grantee": _told_grantee(who, known), "Permission": permission} for who, permission in whole],
    }


def effective(acl: Grants | None, owner: str) -> Grants:
    return [(names.canonical_id(owner), FULL_CONTROL)] if acl is None else acl


def is_public(acl: Grants | None) -> bool:
    return acl is not None and any(who in PUBLIC_GROUPS for who, _ in acl)


def grants(acl: Iterable[tuple[str, str]], grantees: frozenset[str], permission: str) -> bool:
    return any(who in grantees and what in {permission, FULL_CONTROL} for who, what in acl)


def _canned(name: str, parties: Parties) -> Grants:
    if parties.bucket_owner is None:
        if name in _CANNED_FOR_BUCKETS:
            return _CANNED_FOR_BUCKETS[name]
        # S3 takes the names that are about objects for a bucket too, where they add nothing.
        if name in {"bucket-owner-read", "bucket-owner-full-control"}:
            return []
    elif name in {"bucket-owner-read", "bucket-owner-full-control"}:
        if parties.bucket_owner == parties.owner:
            return []
        return [(names.canonical_id(parties.bucket_owner), "READ" if name.endswith("read") else FULL_CONTROL)]
    if name in _CANNED:
        return _CANNED[name]
    if name == "aws-exec-read":  # A grant to EC2's own account, which there is none of here.
        raise AwsError(
            "NotImplemented", "A header or query you provided implies functionality that is not implemented", 501
        )
    raise AwsError("InvalidArgument", "", 400, ArgumentName="x-amz-acl", ArgumentValue=name)


def _grantees(header: str, value: str) -> list[str]:
    """`id="...", uri="...", emailAddress="..."`"""
    found = []
    for item in value.split(","):
        match = _GIVEN.fullmatch(item)
        if match is None:
            raise AwsError(
                "InvalidArgument", "Argument format not recognized", 400, ArgumentName=header, ArgumentValue=value
            )
        kind, quoted, bare = match.groups()
        text = quoted if quoted is not None else bare
        if kind.lower() == "id":
            found.append(_canonical(text))
        elif kind.lower() == "uri":
            found.append(_group(text))
        elif kind.lower() == "emailaddress":
            raise _unresolvable(text)
        else:
            raise AwsError(
                "InvalidArgument", "Argument format not recognized", 400, ArgumentName=header, ArgumentValue=value
            )
    return found


def _grantee(grantee: Mapping[str, Any]) -> str:
    kind = grantee.get("Type")
    if kind == "CanonicalUser" and grantee.get("ID"):
        return _canonical(grantee["ID"])
    if kind == "Group" and grantee.get("URI"):
        return _group(grantee["URI"])
    if kind == "AmazonCustomerByEmail" and grantee.get("EmailAddress"):
        raise _unresolvable(grantee["EmailAddress"])
    raise _malformed()


def _permission(grant: Mapping[str, Any]) -> str:
    permission = grant.get("Permission")
    if permission not in _PERMISSIONS:
        raise _malformed()
    return str(permission)


def _canonical(text: str) -> str:
    if not _CANONICAL_ID.fullmatch(text) and text != names.ANONYMOUS_ID:
        raise AwsError("InvalidArgument", "Invalid id", 400, ArgumentName="CanonicalUser/ID", ArgumentValue=text)
    return text


def _group(uri: str) -> str:
    if uri not in _GROUPS:
        raise AwsError("InvalidArgument", "Invalid group uri", 400, ArgumentName="Group/URI", ArgumentValue=uri)
    return uri


def _unresolvable(address: str) -> AwsError:
    # Accounts have no e-mail address here.
    return AwsError(
        "UnresolvableGrantByEmailAddress",
        "The e-mail address you provided does not match any account on record.",
        400,
        EmailAddress=address,
    )


def _malformed() -> AwsError:
    return AwsError(
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def _limited(acl: Grants) -> Grants:
    if len(acl) > GRANTS_MAX:
        raise AwsError("MalformedACLError", f"An ACL can't have more than {GRANTS_MAX} grants.", 400)
    return acl


def _told_grantee(who: str, known: Mapping[str, str]) -> dict[str, str]:
    if who in _GROUPS:
        return {"Type": "Group", "URI": who}
    named = {"DisplayName": known[who]} if who in known else {}
    return {"Type": "CanonicalUser", "ID": who, **named}
