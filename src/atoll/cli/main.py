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
    _add_dynamodb(verbs)
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


def _add_dynamodb(verbs: Verbs) -> None:
    dynamodb = _verb(verbs, "dynamodb", "Put items into tables of DynamoDB, and get them out.", "dynamodb")
    actions = dynamodb.add_subparsers(dest="action", metavar="ACTION", required=True)
    scan = _table_action(actions, "scan", "print a table's items as JSON lines")
    query = _table_action(actions, "query", "print the items of one partition key as JSON lines")
    query.add_argument("--key", required=True, metavar="CONDITION", help='such as "p = :p AND begins_with(c, :c)"')
    query.add_argument("--reverse", action="store_true", help="from the highest sort key down")
    for reading in (scan, query):
        for option, text in (("--index", "an index instead of the table"), ("--filter", "an expression")):
            reading.add_argument(option, help=text)
        reading.add_argument("--projection", help="the attributes wanted")
        reading.add_argument("--names", metavar="JSON", help="what the expressions' #names are")
        reading.add_argument("--values", metavar="JSON", help="what the expressions' :values are")
        reading.add_argument("--limit", type=_count, metavar="N", help="at most so many items")
        reading.add_argument("--consistent", action="store_true", help="a consistent read")
    export = _table_action(actions, "export", "write all items of a table to a file")
    bring = _table_action(actions, "import", "put the items of a file into a table")
    for moving in (export, bring):
        moving.add_argument("file", nargs="?", default="-", help="may end in .gz (default: -, the standard one)")
    for reading, segments in ((scan, 1), (export, 4)):
        reading.add_argument(
            "--segments", type=_count, default=segments, metavar="N", help="so many reads at once (%(default)s)"
        )
    bring.add_argument("--format", choices=["json", "csv"], help="(default: by the file's name, or json)")
    bring.add_argument("--types", metavar="NAME=TYPE,...", help="of columns of CSV that are not text: N, B, BOOL")
    bring.add_argument("--skip", type=int, default=0, metavar="N", help="go on after line N, where an import stopped")
    bring.add_argument("--threads", type=_count, default=4, metavar="N", help="so many writes at once (%(default)s)")


def _table_action(actions: Verbs, name: str, summary: str) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=summary, description=summary)
    action.add_argument("table")
    action.add_argument("--plain", action="store_true", help='plain JSON, {"a": 1}, instead of {"a": {"N": "1"}}')
    action.add_argument(
        "--endpoint", metavar="URL", help="any cloud's, with the keys AWS clients find (default: this one)"
    )
    action.add_argument("--region", help="(default: the cloud's)")
    action.add_argument("--data", type=Path, default=argparse.SUPPRESS, metavar="DIR")
    return action


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
