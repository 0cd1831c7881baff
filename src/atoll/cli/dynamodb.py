"""`atoll dynamodb`: items in and out of tables, by DynamoDB's own API, of this cloud or of any (--endpoint)."""

import argparse
import contextlib
import gzip
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from atoll.cli import dynamodb_lines as lines
from atoll.cli.dynamodb_api import BATCH_ITEMS_MAX, Api, Failed, Item, connect, pages, put_in_batches
from atoll.cli.progress import Progress

_BATCHES_PER_THREAD = 4


def run(chosen: argparse.Namespace) -> int:
    try:
        api = connect(chosen, max(getattr(chosen, "segments", 1), getattr(chosen, "threads", 1)))
        _ACTIONS[chosen.action](api, chosen)
    except Failed as failure:
        print(f"atoll: {failure}", file=sys.stderr)
        return 1
    return 0


def _scan(api: Api, chosen: argparse.Namespace) -> None:
    _print(pages(api, "Scan", _reading(chosen), chosen.segments), chosen)


def _query(api: Api, chosen: argparse.Namespace) -> None:
    request = {**_reading(chosen), "KeyConditionExpression": chosen.key, "ScanIndexForward": not chosen.reverse}
    _print(pages(api, "Query", request), chosen)


def _reading(chosen: argparse.Namespace) -> dict[str, Any]:
    wanted = {
        "TableName": chosen.table,
        "IndexName": chosen.index,
        "FilterExpression": chosen.filter,
        "ProjectionExpression": chosen.projection,
        "ConsistentRead": chosen.consistent or None,
        # A page need not be longer than what is wanted; with a filter, it is what is looked at that counts.
        "Limit": None if chosen.filter else chosen.limit,
    }
    request = {member: value for member, value in wanted.items() if value is not None}
    if chosen.names is not None:
        names = lines.item_of(chosen.names, "--names", {}, plain=True)
        request["ExpressionAttributeNames"] = {name: next(iter(value.values())) for name, value in names.items()}
    if chosen.values is not None:
        request["ExpressionAttributeValues"] = lines.item_of(chosen.values, "--values", {}, plain=chosen.plain)
    return request


def _print(found: Iterator[list[Item]], chosen: argparse.Namespace) -> None:
    left = chosen.limit
    with contextlib.closing(found):  # type: ignore[type-var]
        for page in found:
            wanted = page if left is None else page[:left]
            sys.stdout.buffer.write(b"".join(lines.line(item, plain=chosen.plain) for item in wanted))
            sys.stdout.buffer.flush()
            if left is not None:
                left -= len(wanted)
                if not left:
                    return


def _export(api: Api, chosen: argparse.Namespace) -> None:
    described = api.call("DescribeTable", TableName=chosen.table)["Table"]
    progress = Progress(f"export {chosen.table}", described.get("ItemCount"))
    request: dict[str, Any] = {"TableName": chosen.table, "ConsistentRead": True}
    with _output(chosen.file) as file:
        for page in pages(api, "Scan", request, chosen.segments):
            file.write(b"".join(lines.line(item, plain=chosen.plain) for item in page))
            progress.add(len(page))
    progress.close()
    print(f"{progress.count} items", file=sys.stderr)


@contextlib.contextmanager
def _output(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Under its own name only when it is whole, so that nobody takes a half of a table for a table.
    part = Path(file + ".part")
    with part.open("wb") as raw, gzip.open(raw, "wb") if file.endswith(".gz") else raw as output:
        yield output  # type: ignore[misc]
    part.replace(file)


def _import(api: Api, chosen: argparse.Namespace) -> None:
    described = api.call("DescribeTable", TableName=chosen.table)["Table"]
    kinds = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in described["AttributeDefinitions"]}
    kinds |= lines.column_types(chosen.types)
    key_names = [part["AttributeName"] for part in described["KeySchema"]]
    with _input(chosen.file) as text:
        rows = lines.read_csv(text, kinds) if _is_csv(chosen) else lines.read_json(text, kinds, plain=chosen.plain)
        _put_rounds(api, chosen, rows, key_names)


def _put_rounds(api: Api, chosen: argparse.Namespace, rows: Iterator[tuple[int, Item]], key_names: list[str]) -> None:
    """Round by round, so that all lines before a round are stored, and of lines of one key the last one stays."""
    progress = Progress(f"import {chosen.table}", None)
    stored = chosen.skip
    try:
        for last, items in _rounds(rows, key_names, chosen):
            put_in_batches(api, chosen.table, items, chosen.threads, progress.add)
            stored = last
    except (Failed, KeyboardInterrupt) as failure:
        progress.close()
        raise Failed(
            f"{failure or 'interrupted'}\natoll: the lines up to {stored} are stored; go on with --skip {stored}"
        ) from failure
    progress.close()
    print(f"{progress.count} items", file=sys.stderr)


def _rounds(
    rows: Iterator[tuple[int, Item]], key_names: list[str], chosen: argparse.Namespace
) -> Iterator[tuple[int, list[Item]]]:
    """(the last line's number, items of different keys)."""
    wanted = chosen.threads * _BATCHES_PER_THREAD * BATCH_ITEMS_MAX
    found: dict[str, Item] = {}
    last = chosen.skip
    for number, item in rows:
        if number <= chosen.skip:
            continue
        missing = [name for name in key_names if name not in item]
        if missing:
            raise Failed(f"line {number} has no {missing[0]}, which is of the table's key")
        found[repr([item[name] for name in key_names])] = item
        last = number
        if len(found) == wanted:
            yield last, list(found.values())
            found = {}
    if found:
        yield last, list(found.values())


def _is_csv(chosen: argparse.Namespace) -> bool:
    if chosen.format is not None:
        return bool(chosen.format == "csv")
    return str(chosen.file).removesuffix(".gz").endswith(".csv")


@contextlib.contextmanager
def _input(file: str) -> Iterator[TextIO]:
    try:
        raw = os.fdopen(os.dup(sys.stdin.fileno()), "rb") if file == "-" else open(file, "rb")  # noqa: SIM115
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from error
    with raw, gzip.open(raw) if file.endswith(".gz") else raw as unpacked:
        # newline="": CSV has line ends within cells. A byte-order mark is what spreadsheets put in front.
        yield io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")


_ACTIONS = {"scan": _scan, "query": _query, "export": _export, "import": _import}
