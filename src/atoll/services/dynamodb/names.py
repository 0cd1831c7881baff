"""The names of tables and indexes, and the ARNs that may stand for them."""

import re
from functools import lru_cache
from typing import NamedTuple

from atoll.aws import constraints
from atoll.services.dynamodb.refusals import invalid, validation

ADDRESSES_KEPT_MAX = 4096
_ARN = re.compile(r"arn:aws:dynamodb:([a-z0-9-]+):(\d{12}):table/([a-zA-Z0-9_.-]{3,255})(/.+)?")


class Address(NamedTuple):
    """Whose table it is, where, and what it is called. `inside` is what an ARN names within it: "/stream/label" or ""."""

    account: str
    region: str
    name: str
    inside: str = ""

    @property
    def arn(self) -> str:
        """Of the table itself."""
        return f"arn:aws:dynamodb:{self.region}:{self.account}:table/{self.name}"

    def within(self, kind: str) -> str | None:
        """The stream's label, or the id of the backup, export or import. None: the ARN names none of that kind."""
        start = f"/{kind}/"
        return self.inside.removeprefix(start) if self.inside.startswith(start) else None


@lru_cache(maxsize=ADDRESSES_KEPT_MAX)
def read_arn(arn: str) -> Address | None:
    """None when it is not the ARN of a table, or of anything in one."""
    match = _ARN.fullmatch(arn)
    return None if match is None else Address(match[2], match[1], match[3], match[4] or "")


def check_table_arn(arn: str) -> None:
    """Raises ValidationException unless it is the ARN of a table itself."""
    if not arn.startswith("arn:"):
        raise invalid(f"ARNs must start with 'arn:': {arn}")
    address = read_arn(arn)
    if address is None:
        raise validation(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if address.inside:
        raise invalid(f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}")


# A refusal is not kept: only names that are well formed take room.
@lru_cache(maxsize=ADDRESSES_KEPT_MAX)
def locate(account: str, region: str, given: str) -> Address:
    """The table that `given`, a name or an ARN, means to this account. Raises ValidationException."""
    if given.startswith("arn:"):
        address = read_arn(given)
        if address is None or address.inside:
            raise validation(f"Invalid TableArn: Invalid ResourceArn provided as input {given}")
        if address.region != region:
            raise invalid(f"Invalid TableArn: the ARN is of region {address.region}, this endpoint of {region}")
        return address
    check_name(given)
    return Address(account, region, given)


def check_name(name: str, member: str = "tableName") -> None:
    """Raises ValidationException that tells all that is wrong with the name."""
    constraints.hold(name, member, constraints.TABLE_NAME)
