"""`atoll env`: the lines that point AWS clients at this cloud, and nothing else, so that a shell can eval them."""

import argparse
import shlex
import sys
from typing import Any

from atoll.base.settings import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_REGION, Settings, read_facts


def run(chosen: argparse.Namespace) -> int:
    settings = Settings(chosen.data)
    root = read_facts(settings.root_file)
    if root is None:
        print(f"atoll: no cloud in {settings.data} yet; `atoll up` makes one", file=sys.stderr)
        return 1
    running = read_facts(settings.run_file) or {}
    host = chosen.host or running.get("host", DEFAULT_HOST)
    port = chosen.port or running.get("port", DEFAULT_PORT)
    print("\n".join(lines(root, host, port, running.get("region", DEFAULT_REGION))))
    return 0


def lines(root: dict[str, Any], host: str, port: int, region: str) -> list[str]:
    values = {
        "AWS_ENDPOINT_URL": endpoint(host, port),
        "AWS_ACCESS_KEY_ID": root["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": root["secret_access_key"],
        "AWS_DEFAULT_REGION": region,
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def endpoint(host: str, port: int) -> str:
    """Where a client on this machine reaches a node that listens on `host`."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - it is compared with, not bound to.
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
