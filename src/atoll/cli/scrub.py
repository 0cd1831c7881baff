"""`atoll scrub`: reads every stored byte, beside the running node or without it, and names what is damaged."""

import argparse
import asyncio
import json
import sys

from atoll import node
from atoll.base.settings import Settings, read_facts

MIB = 1024 * 1024


def run(chosen: argparse.Namespace) -> int:
    settings = Settings(chosen.data)
    if read_facts(settings.root_file) is None:
        print(f"atoll: no cloud in {settings.data}", file=sys.stderr)
        return 2
    return asyncio.run(_scrub(settings, chosen.rate * MIB or float("inf")))


async def _scrub(settings: Settings, bytes_per_second: float) -> int:
    """One JSON line for each damaged version, so that scripts can read on."""
    damaged = 0
    async for found in node.scrub(settings, bytes_per_second):
        damaged += 1
        print(json.dumps(found), flush=True)
    print("nothing is damaged" if not damaged else f"{damaged} damaged", file=sys.stderr)
    return int(damaged > 0)
