"""Benchmarks S3: Atoll, any --endpoint, and the --peers that are installed, beside what the machine itself can do.

    python bench/s3.py                      Atoll alone, with the limits
    python bench/s3.py --peers --quick      the peers too, in short runs
    python bench/s3.py --endpoint rgw=http://127.0.0.1:8000 --no-atoll
    python bench/s3.py --huge               a 5 GiB object in and out, with the server's memory watched

Every request is signed, bodies included. CPU is user and system time of all the server's processes; it hardly depends on what else
the machine does, so compare that first. Raw results go to bench/results/.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import limits
from huge import move_huge
from peers import S3_PEERS, Endpoint
from report import print_limits, print_table
from runs import add_options, measure, run_all, write_results
from workloads import Workloads

WORKLOADS = ("put_4k", "get_4k", "list_1000", "mixed", "put_64m", "get_64m")


def plan(quick: bool) -> list[tuple[str, int]]:  # noqa: FBT001
    """(workload, connections). 64 connections of 64 MiB are left to the full run: some servers hold them in memory."""
    connections = (1, 16) if quick else (1, 16, 64)
    small = [(name, count) for name in WORKLOADS[:4] for count in connections]
    large = [(name, count) for name in WORKLOADS[4:] for count in ((1, 4) if quick else (1, 4, 16, 64))]
    return small + large


def run_endpoint(endpoint: Endpoint, options: argparse.Namespace) -> list[dict[str, Any]]:
    if options.huge:
        return move_huge(endpoint, options.huge_bytes)
    workloads = Workloads(endpoint)
    workloads.prepare()
    rows = []
    for name, connections in plan(options.quick):
        if options.only and name not in options.only:
            continue
        seconds = options.seconds or (1.5 if options.quick else 5.0)
        row = measure(endpoint, name, workloads.requests(name), connections=connections, seconds=seconds)
        moved_mb = row["ops"] * workloads.op_bytes(name) / 1e6
        row["mb_per_second"] = row["ops_per_second"] * workloads.op_bytes(name) / 1e6
        row["mb_per_server_cpu_second"] = moved_mb / max(row["server_cpu_seconds"], 0.01)
        rows.append(row)
    return rows


def main() -> None:
    options = _parse()
    measured: dict[str, Any] = {}
    if not options.huge:
        place = Path(tempfile.mkdtemp(prefix="atoll-limits-", dir=options.directory))
        try:
            measured["limits"] = limits.measure(place, 0.5 if options.quick else 2.0)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        print_limits(measured["limits"])
    results = {**run_all(options, S3_PEERS, lambda endpoint: run_endpoint(endpoint, options)), **measured}
    if not options.huge:
        print_table(results)
    write_results(results, "s3-huge" if options.huge else "s3")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark S3 servers side by side.")
    add_options(parser, S3_PEERS, WORKLOADS)
    parser.add_argument("--huge", action="store_true", help="only move one huge object in and out")
    parser.add_argument("--huge-bytes", type=int, default=5 << 30, metavar="N", help="its size (5 GiB)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
