"""Benchmarks DynamoDB: Atoll, any --endpoint, and the --peers that are installed.

    python bench/dynamodb.py                       Atoll alone
    python bench/dynamodb.py --peers --quick       the peers too, in short runs
    python bench/dynamodb.py --items 1000000       only: what a point read costs as the table grows, at each power of ten

Every request is signed, none is made by an SDK. DynamoDB Local is looked for in the folder that DYNAMODB_LOCAL names. CPU is user
and system time of all the server's processes; it hardly depends on what else the machine does. Raw results go to bench/results/.
"""

import argparse

from items import BATCH_ITEMS, Workloads
from peers import DYNAMODB_PEERS, Endpoint
from report import print_table
from runs import Row, add_options, measure, run_all, write_results

WORKLOADS = ("put_1k", "put_gsi", "get_1k", "query_10", "update", "transact_2", "batch_25")


def run_endpoint(endpoint: Endpoint, options: argparse.Namespace) -> list[Row]:
    workloads = Workloads(endpoint)
    workloads.prepare()
    seconds = options.seconds or (1.5 if options.quick else 5.0)
    if options.items:
        return _grow(endpoint, workloads, options.items, seconds)
    return [
        measure(endpoint, name, workloads.requests(name), connections=connections, seconds=seconds)
        for name in options.only or WORKLOADS
        for connections in ((1, 16) if options.quick else (1, 16, 64))
    ]


def _grow(endpoint: Endpoint, workloads: Workloads, items: int, seconds: float) -> list[Row]:
    rows = []
    have, want = 0, 1000
    while have < items:
        want = min(want, items)
        workloads.grow(have, want)
        for connections in (1, 16):
            name = f"get of {want:,}"
            requests = workloads.growth_requests(want)
            row = measure(endpoint, name, requests, connections=connections, seconds=seconds)
            rows.append({**row, "items": want})
        have, want = want, want * 10
    return rows


def main() -> None:
    options = _parse()
    results = run_all(options, DYNAMODB_PEERS, lambda endpoint: run_endpoint(endpoint, options))
    print_table(results)
    write_results(results, "dynamodb-growth" if options.items else "dynamodb")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark DynamoDB servers side by side.")
    add_options(parser, DYNAMODB_PEERS, WORKLOADS)
    parser.add_argument("--items", type=int, metavar="N", help="grow a table to N small items and read from it")
    options = parser.parse_args()
    if options.items and options.items % BATCH_ITEMS:
        parser.error(f"--items is written in batches of {BATCH_ITEMS}")
    return options


if __name__ == "__main__":
    main()
