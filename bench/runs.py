"""What every benchmark does alike: one workload measured, servers one after the other, results written with machine and date."""

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from load import NextRequest, drive
from peers import Endpoint, at_url, start_atoll, start_peer

RESULTS = Path(__file__).resolve().parent / "results"
Row = dict[str, Any]


def measure(endpoint: Endpoint, name: str, requests: NextRequest, *, connections: int, seconds: float) -> Row:
    outcome = drive(endpoint.address, requests, connections=connections, seconds=seconds, server=endpoint.group)
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
        "server_cpu_seconds": outcome.server_cpu_seconds,
        "client_cpu_us_per_op": outcome.client_cpu_seconds * 1e6 / done if done else None,
        "server_rss_max_mb": outcome.server_rss_max_bytes / 1e6,
        "errors": outcome.errors,
    }
    print(
        f"  {name:12} c={connections:<3} {row['ops_per_second']:9.1f}/s  p50 {row['p50_ms']:8.2f}  p99 {row['p99_ms']:8.2f} ms"
        f"  cpu {row['server_cpu_ms_per_op'] or float('nan'):8.3f} ms/op  rss {row['server_rss_max_mb']:6.0f} MB"
        f"  client {row['client_cpu_us_per_op'] or float('nan'):6.0f} us/op {outcome.errors or ''}",
        flush=True,
    )
    return row


def endpoints(
    options: argparse.Namespace, peers: tuple[str, ...], place: Path
) -> Iterator[Callable[[], Endpoint | None]]:
    """One after the other, so that only one server runs at a time."""
    if not options.no_atoll:
        for workers in options.workers or [1]:
            room = place / f"atoll-{workers}"
            yield lambda workers=workers, room=room: start_atoll(room / "data", workers, room / "log")
    for name in peers if options.peers else ():
        yield lambda name=name: start_peer(name, place / name)
    for url in options.endpoint:
        yield lambda url=url: at_url(url)


def run_all(
    options: argparse.Namespace, peers: tuple[str, ...], run_endpoint: Callable[[Endpoint], list[Row]]
) -> dict[str, Any]:
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "rows": [],
        "servers": [],
    }
    place = Path(tempfile.mkdtemp(prefix="atoll-bench-", dir=options.directory))
    try:
        for start in endpoints(options, peers, place):
            endpoint = start()
            if endpoint is None:
                continue
            print(f"\n{endpoint.name} {endpoint.version} at {endpoint.host}:{endpoint.port}", flush=True)
            try:
                results["servers"].append(
                    {"name": endpoint.name, "version": endpoint.version, "acknowledged_survives": endpoint.durable}
                )
                results["rows"] += run_endpoint(endpoint)
            finally:
                endpoint.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return results


def write_results(results: dict[str, Any], name: str) -> None:
    file = f"{datetime.now(UTC).date()}-{name}.json"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / file).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: bench/results/{file}")


def add_options(parser: argparse.ArgumentParser, peers: tuple[str, ...], workloads: tuple[str, ...]) -> None:
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="[NAME=]URL",
        help="a server that runs already; may be repeated",
    )
    parser.add_argument("--peers", action="store_true", help=f"start those of {', '.join(peers)} that are installed")
    parser.add_argument("--no-atoll", action="store_true", help="leave Atoll itself out")
    parser.add_argument(
        "--workers", type=int, action="append", metavar="N", help="Atoll's processes; may be repeated (1)"
    )
    parser.add_argument("--quick", action="store_true", help="short runs, no 64 connections")
    parser.add_argument("--seconds", type=float, help="length of each run")
    parser.add_argument("--only", action="append", choices=workloads, help="may be repeated")
    parser.add_argument("--directory", type=Path, help="where servers keep their data (the temporary directory)")


def _machine() -> dict[str, Any]:
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
