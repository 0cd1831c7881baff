"""Tags: the same three operations for every noun that has them."""

from collections.abc import Awaitable, Callable
from typing import Any

from atoll.operation import Call, Reply, Request
from atoll.services.iam import rules
from atoll.services.iam.pages import page_of
from atoll.services.iam.service import iam


def register_tagging(
    noun: str, find: Callable[[Call, str], Awaitable[Any]], put: Callable[[Call, Any], None], member: str = ""
) -> None:
    """Makes Tag{noun}, Untag{noun} and List{noun}Tags. `member` names the record in requests: {noun}Name by default."""
    member = member or f"{noun}Name"

    async def tag(call: Call, request: Request) -> Reply:
        record = await find(call, request[member])
        record.tags = rules.merge_tags(record.tags, request["Tags"])
        put(call, record)
        return {}

    async def untag(call: Call, request: Request) -> Reply:
        record = await find(call, request[member])
        record.tags = rules.without_tags(record.tags, request["TagKeys"])
        put(call, record)
        return {}

    async def list_tags(call: Call, request: Request) -> Reply:
        record = await find(call, request[member])
        page, rest = page_of(rules.tag_list(record.tags), request, lambda tag: str(tag["Key"]))
        return {"Tags": page, **rest}

    iam.write(f"Tag{noun}")(tag)
    iam.write(f"Untag{noun}")(untag)
    iam.read(f"List{noun}Tags")(list_tags)
