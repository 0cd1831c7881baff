"""The work DynamoDB does by itself: each module that has some says what, and `node` runs it."""

from importlib import import_module
from typing import TYPE_CHECKING

from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES: tuple[str, ...] = (
    "backfill",
    "backup_jobs",
    "contributors",
    "export_jobs",
    "import_jobs",
    "log_trim",
    "restore_jobs",
    "tokens",
    "ttl",
)
"""Each has `reconcilers(cloud, clock)`."""


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    found: list[Reconciler] = []
    for module in _MODULES:
        make: Callable[[Cloud, Clock], list[Reconciler]] = import_module(f"{__package__}.{module}").reconcilers
        found += make(cloud, clock)
    return found
