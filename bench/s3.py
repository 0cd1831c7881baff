"""Benchmarks S3: Atoll, any --endpoint, and the --peers that are installed, beside what the machine itself can do.

    python bench/s3.py                      Atoll alone, with the limits
    python bench/s3.py --peers --quick      the peers too, in short runs
    python bench/s3.py --endpoint rgw=http://127.0.0.1:8000 --no-atoll
    python bench/s3.py --huge               a 5 GiB object in and out, with the server's memory watched

Every request is signed, bodies included. CPU is user and system time of all the server's processes; it hardly depends on what else
the machine does, so compare that first. Raw results go to bench/results/.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import limits
from huge import move_huge
from load import drive
from peers import PEERS, Endpoint, at_url, start_atoll, start_peer
from report import print_limits, print_table
from workloads import Workloads

RESULTS = Path(__file__).resolve().parent / "results"


def plan(quick: bool) -> list[tuple[str, int]]:  # noqa: FBT001
    """(workload, connections). 64 connections of 64 MiB are left to the full run: some servers hold them in memory."""
    connections = (1, 16) if quick else (1, 16, 64)
    small = [(name, count) for name in ("put_4k", "get_4k", "list_1000", "mixed") for count in connections]
    large = [(name, count) for name in ("put_64m", "get_64m") for count in ((1, 4) if quick else (1, 4, 16, 64))]
    return small + large


def run_endpoint(endpoint: Endpoint, options: argparse.Namespace) -> list[dict[str, Any]]:
    print(f"\n{endpoint.name} {endpoint.version} at {endpoint.host}:{endpoint.port}", flush=True)
    workloads = Workloads(endpoint)
    workloads.prepare()
    rows = []
    for name, connections in plan(options.quick):
        if options.only and name not in options.only:
            continue
        seconds = options.seconds or (1.5 if options.quick else 5.0)
        outcome = drive(
            endpoint.address,
            workloads.requests(name),
            connections=connections,
            seconds=seconds,
            server=endpoint.group,
        )
        done = len(outcome.latencies)
        row = {
            "server": endpoint.name,
            "workload": name,
            "connections": connections,
            "ops": done,
            "ops_per_second": done / outcome.seconds,
            "p50_ms": outcome.percentile_ms(0.50),
            "p99_ms": outcome.percentile_ms(0.99),
            "server_cpu_ms_per_op": outcome.server_cpu_seconds * 1000 / done if done else None,
            "client_cpu_us_per_op": outcome.client_cpu_seconds * 1e6 / done if done else None,
            "mb_per_second": done * workloads.op_bytes(name) / 1e6 / outcome.seconds,
            "mb_per_server_cpu_second": done * workloads.op_bytes(name) / 1e6 / max(outcome.server_cpu_seconds, 0.01),
            "server_rss_max_mb": outcome.server_rss_max_bytes / 1e6,
            "errors": outcome.errors,
        }
        print(
            f"  {name:10} c={connections:<3} {row['ops_per_second']:9.1f}/s  p50 {row['p50_ms']:8.2f}  p99 {row['p99_ms']:8.2f} ms"
            f"  cpu {row['server_cpu_ms_per_op'] or float('nan'):8.3f} ms/op  rss {row['server_rss_max_mb']:6.0f} MB"
            f"  client {row['client_cpu_us_per_op'] or float('nan'):6.0f} us/op {outcome.errors or ''}",
            flush=True,
        )
        rows.append(row)
    return rows


def endpoints(options: argparse.Namespace, place: Path) -> Any:
    """One after the other, so that only one server runs at a time."""
    if not options.no_atoll:
        for workers in options.workers:
            room = place / f"atoll-{workers}"
            yield lambda workers=workers, room=room: start_atoll(room / "data", workers, room / "log")
    for name in PEERS if options.peers else ():
        yield lambda name=name: start_peer(name, place / name)
    for url in options.endpoint:
        yield lambda url=url: at_url(url)


def machine() -> dict[str, Any]:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


def main() -> None:
    options = _parse()
    place = Path(tempfile.mkdtemp(prefix="atoll-bench-", dir=options.directory))
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rows": [],
        "servers": [],
    }
    try:
        if not options.huge:
            results["limits"] = limits.measure(place, 0.5 if options.quick else 2.0)
            print_limits(results["limits"])
        for start in endpoints(options, place):
            endpoint = start()
            if endpoint is None:
                continue
            try:
                results["servers"].append(
                    {"name": endpoint.name, "version": endpoint.version, "acknowledged_survives": endpoint.durable}
                )
                if options.huge:
                    results["rows"] += move_huge(endpoint, options.huge_bytes)
                else:
                    results["rows"] += run_endpoint(endpoint, options)
            finally:
                endpoint.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if not options.huge:
        print_table(results)
    name = f"{datetime.now(UTC).date()}-s3{'-huge' if options.huge else ''}.json"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: bench/results/{name}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark S3 servers side by side.")
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="[NAME=]URL",
        help="a server that runs already; may be repeated",
    )
    parser.add_argument("--peers", action="store_true", help=f"start those of {', '.join(PEERS)} that are installed")
    parser.add_argument("--no-atoll", action="store_true", help="leave Atoll itself out")
    parser.add_argument(
        "--workers", type=int, action="append", metavar="N", help="Atoll's processes; may be repeated (1)"
    )
    parser.add_argument("--quick", action="store_true", help="short runs, no 64 connections")
    parser.add_argument("--seconds", type=float, help="length of each run")
    parser.add_argument(
        "--only", action="append", metavar="WORKLOAD", help="put_4k, get_4k, list_1000, mixed, put_64m or get_64m"
    )
    parser.add_argument("--directory", type=Path, help="where servers keep their data (the temporary directory)")
    parser.add_argument("--huge", action="store_true", help="only move one huge object in and out")
    parser.add_argument("--huge-bytes", type=int, default=5 << 30, metavar="N", help="its size (5 GiB)")
    options = parser.parse_args()
    options.workers = options.workers or [1]
    return options


if __name__ == "__main__":
    main()
