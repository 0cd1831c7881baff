"""`atoll VERB`: parses the line and hands over to the verb's module, imported only when it is asked for."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from atoll import __version__
from atoll.base import settings

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name.


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    verb = importlib.import_module(f"atoll.cli.{chosen.module}")
    try:
        status: int = verb.run(chosen)
    except BrokenPipeError:
        return 0  # `atoll ... | head` is no fault of anyone's.
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atoll", description="A cloud of your own, in one Python package.")
    parser.add_argument("--version", action="version", version=f"atoll {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_up(verbs)
    _add_reading_verbs(verbs)
    _add_account(verbs)
    return parser


def _verb(verbs: Verbs, name: str, summary: str, module: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=summary, description=summary)
    verb.set_defaults(module=module)
    verb.add_argument(
        "--data",
        type=Path,
        default=settings.default_data(),
        metavar="DIR",
        help="where everything is kept (%(default)s)",
    )
    return verb


def _add_up(verbs: Verbs) -> None:
    up = _verb(verbs, "up", "Start the cloud and print how to reach it.", "up")
    up.add_argument("--host", default=settings.DEFAULT_HOST, help="address to listen on (%(default)s)")
    up.add_argument(
        "--port", type=int, default=settings.DEFAULT_PORT, help="port to listen on; 0 picks a free one (%(default)s)"
    )
    up.add_argument("--workers", type=_workers, default=1, metavar="N", help="processes that serve (%(default)s)")
    up.add_argument("--dev", action="store_true", help="accept any key pair, on loopback only: for tests")
    up.add_argument("--region", default=settings.DEFAULT_REGION, help="the region this cloud is (%(default)s)")
    up.add_argument(
        "--domain",
        action="append",
        default=[],
        help="a domain under which buckets are hosts (bucket.DOMAIN); may be repeated",
    )
    up.add_argument(
        "--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"], help="(%(default)s)"
    )


def _workers(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("1 to 64")
    return number


def _add_reading_verbs(verbs: Verbs) -> None:
    env = _verb(verbs, "env", "Print the lines that point AWS clients here: eval $(atoll env).", "env")
    env.add_argument("--port", type=int, help="the node's port (default: the running node's)")
    env.add_argument("--host", help="the node's address (default: the running node's)")
    _verb(verbs, "status", "Tell whether the cloud runs, where, and how it is.", "status")
    scrub = _verb(verbs, "scrub", "Read every stored byte and name what is damaged.", "scrub")
    scrub.add_argument(
        "--rate", type=float, default=0, metavar="MIB", help="at most so many MiB a second (0: no limit)"
    )


def _add_account(verbs: Verbs) -> None:
    account = _verb(verbs, "account", "Make and list the cloud's accounts. Needs the data directory.", "account")
    actions = account.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account and print its root keys as JSON")
    add.add_argument("name")
    add.add_argument("--data", type=Path, default=argparse.SUPPRESS, metavar="DIR")
    add.add_argument("--id", dest="account_id", metavar="ID", help="12 digits (default: random)")
    add.add_argument("--access-key-id", metavar="ID", help="(default: random)")
    add.add_argument("--secret-access-key", metavar="KEY", help="(default: random)")
    listing = actions.add_parser("list", help="print the accounts as JSON, without secrets")
    listing.add_argument("--data", type=Path, default=argparse.SUPPRESS, metavar="DIR")


if __name__ == "__main__":
    sys.exit(main())
