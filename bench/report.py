"""The results as a person reads them: one table, each server beside the first, and both beside the machine's limits."""

from typing import Any


def print_limits(limits: dict[str, Any]) -> None:
    print("what the machine can do")
    for name, value in limits.items():
        print(f"  {name.replace('_', ' '):52} {value:12,.0f}" if isinstance(value, float) else f"  {name:52} {value}")


def print_table(results: dict[str, Any]) -> None:
    rows = results["rows"]
    servers = list(dict.fromkeys(row["server"] for row in rows))
    if not servers:
        return
    first = servers[0]
    by_place = {(row["server"], row["workload"], row["connections"]): row for row in rows}
    places = list(dict.fromkeys((row["workload"], row["connections"]) for row in rows))
    print(f"\nops a second (CPU ms an operation); in brackets how many times {first} does what the other does")
    print(f"{'':16}" + "".join(f"{name:>32}" for name in servers))
    for workload, connections in places:
        line = f"{workload + ' c=' + str(connections):16}"
        ours = by_place.get((first, workload, connections))
        for server in servers:
            line += f"{_cell(by_place.get((server, workload, connections)), ours if server != first else None):>32}"
        print(line)
    if "limits" in results:
        _print_shares(results["limits"], by_place, first)


def _cell(row: dict[str, Any] | None, ours: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    text = f"{row['ops_per_second']:,.1f}"
    if row["server_cpu_ms_per_op"] is not None:
        text += f" ({row['server_cpu_ms_per_op']:.2f})"
    if ours is not None and row["ops_per_second"]:
        ratio = ours["ops_per_second"] / row["ops_per_second"]
        text += f" [{ratio:.1f}x"
        if row["server_cpu_ms_per_op"] and ours["server_cpu_ms_per_op"]:
            text += f", cpu {row['server_cpu_ms_per_op'] / ours['server_cpu_ms_per_op']:.1f}x"
        text += "]"
    return text + (" E" if row["errors"] else "")


# (our workload, connections, our column, the limit, what it says)
_SHARES = [
    (
        "get_4k",
        16,
        "ops_per_server_cpu_second",
        "nginx_get_4k_c16_per_cpu_second",
        "GET 4 KiB, of nginx's a CPU-second",
    ),
    (
        "get_64m",
        1,
        "mb_per_server_cpu_second",
        "nginx_get_64m_c1_mb_per_cpu_second",
        "GET 64 MiB, of nginx's MB a CPU-second",
    ),
    ("put_64m", 1, "mb_per_server_cpu_second", "md5_mb_per_cpu_second", "PUT 64 MiB, of MD5's MB a CPU-second"),
    ("put_64m", 4, "mb_per_second", "write_64m_fdatasync_mb_per_second", "PUT 64 MiB, of the disk's MB a second"),
    (
        "put_4k",
        1,
        "ops_per_second",
        "fdatasync_4k_per_second",
        "PUT 4 KiB, one client, of the disk's fdatasyncs a second",
    ),
    (
        "put_4k",
        16,
        "ops_per_second",
        "durable_4k_in_groups_of_16_per_second",
        "PUT 4 KiB, 16 clients, of 16 in one fdatasync",
    ),
]


def _print_shares(limits: dict[str, Any], by_place: dict[Any, dict[str, Any]], server: str) -> None:
    print(f"\n{server} beside the machine")
    for workload, connections, column, limit, words in _SHARES:
        row = by_place.get((server, workload, connections))
        if row is None or not isinstance(limits.get(limit), float):
            continue
        cpu = row["server_cpu_ms_per_op"]
        value = (1000 / cpu if cpu else 0.0) if column == "ops_per_server_cpu_second" else row[column]
        print(f"  {words:58} {value:10,.0f} of {limits[limit]:10,.0f} = {value / limits[limit]:6.1%}")
