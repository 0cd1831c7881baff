"""What may be the policy of a table or a stream, whom it names, and its revisions.

A revision is the moment it was made, in milliseconds, and always a later one than the last.
"""

import json

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, compile_policy
from atoll.facts import unique_id
from atoll.operation import Call
from atoll.services.dynamodb.refusals import invalid, validation

POLICY_BYTES_MAX = 20 * 1024  # White space that means nothing is not counted.


def check(text: str) -> None:
    """Raises ValidationException unless the text is a resource's policy."""
    try:
        compile_policy(text, Use.RESOURCE)
    except AwsError as error:
        raise validation(f"Invalid policy document: {error.message}") from None
    if len(json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).encode()) > POLICY_BYTES_MAX:
        raise invalid(f"The policy exceeds the limit of {POLICY_BYTES_MAX} bytes")


async def identified(call: Call, text: str) -> dict[str, str]:
    """The unique ids of the users and roles it names. Raises ValidationException when one does not exist."""
    compiled = compile_policy(text, Use.RESOURCE)
    named: set[str] = set()
    for statement in (*compiled.denies, *compiled.allows):
        assert statement.principals is not None, "a resource's policy has principals"
        named |= statement.principals.names.get("AWS", frozenset())
    known: dict[str, str] = {}
    for arn in sorted(name for name in named if name.startswith("arn:aws:iam::")):
        found = await unique_id(call, arn)
        if found is None:
            raise validation(f'Invalid policy document: Invalid principal in policy: "AWS":"{arn}"')
        known[arn] = found
    return known


def next_revision(now: float, last: str) -> str:
    return str(max(int(now * 1000), int(last or 0) + 1))
