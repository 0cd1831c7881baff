"""`atoll account`: accounts are made by whoever owns the data directory; over the wire nobody can."""

import argparse
import asyncio
import json
import sys

from atoll import node
from atoll.base.settings import Settings


def run(chosen: argparse.Namespace) -> int:
    settings = Settings(chosen.data)
    if chosen.action == "list":
        print(json.dumps(asyncio.run(node.list_accounts(settings)), indent=2))
        return 0
    try:
        account = asyncio.run(
            node.add_account(
                settings,
                chosen.name,
                account_id=chosen.account_id,
                access_key_id=chosen.access_key_id,
                secret_access_key=chosen.secret_access_key,
            )
        )
    except ValueError as refusal:
        print(f"atoll: {refusal}", file=sys.stderr)
        return 1
    print(json.dumps(account, indent=2))
    return 0
