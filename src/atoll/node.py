"""One node, wired: the only module that picks engines and knows every service."""

import asyncio
import gc
import importlib
import os
import pkgutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from socket import socket
from typing import Any

from atoll import services
from atoll.aws.errors import AwsError
from atoll.base.clock import Clock, SystemClock
from atoll.base.settings import Settings, read_facts, write_facts
from atoll.blobs.files import FileBlobs
from atoll.blobs.scrub import scrub as scrub_blobs
from atoll.blobs.sweep import DROPPED_GRACE_SECONDS, ORPHAN_GRACE_SECONDS, Sweeper
from atoll.gateway import http
from atoll.gateway.authentication import Authenticator
from atoll.gateway.dispatch import Gateway
from atoll.gateway.workers import WorkerControl
from atoll.operation import Cloud, Credential, Service
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import background as dynamodb_background
from atoll.services.dynamodb.service import dynamodb, dynamodbstreams
from atoll.services.iam import access_keys, accounts
from atoll.services.iam.authorise import Authoriser
from atoll.services.iam.service import iam
from atoll.services.s3.scrub import scrub as scrub_objects
from atoll.services.s3.service import s3
from atoll.services.sts import sessions
from atoll.services.sts.service import sts
from atoll.store import Store
from atoll.store.sqlite import SqliteStore

SERVICES: tuple[Service, ...] = (dynamodb, dynamodbstreams, iam, s3, sts)
ROOT_ACCOUNT_NAME = "root"
GC_OBJECTS = 20_000


def load_operations() -> None:
    """Imports every module of every service: an operation is registered by its own file."""
    for folder in pkgutil.iter_modules(services.__path__):
        package = importlib.import_module(f"{services.__name__}.{folder.name}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A worker that can't write any more ends, as if told to: its parent starts another.
    store = SqliteStore(settings.data / "store.db", broken=lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield store
    finally:
        await store.close()


async def prepare(settings: Settings) -> dict[str, Any]:
    """Makes the root account at the first start. Answers its keys."""
    facts = read_facts(settings.root_file)
    if facts is not None:
        return facts
    async with opened(settings) as store:
        account = await accounts.create_account(store, ROOT_ACCOUNT_NAME)
    facts = asdict(account)
    write_facts(settings.root_file, facts)
    return facts


async def add_account(
    settings: Settings,
    name: str,
    *,
    account_id: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
) -> dict[str, Any]:
    """Raises ValueError when the account or the key is there already."""
    await prepare(settings)
    async with opened(settings) as store:
        try:
            account = await accounts.create_account(
                store, name, account_id=account_id, access_key_id=access_key_id, secret_access_key=secret_access_key
            )
            return asdict(account)
        except AwsError as refusal:
            raise ValueError(refusal.message) from refusal


async def list_accounts(settings: Settings) -> list[dict[str, str]]:
    await prepare(settings)
    async with opened(settings) as store:
        found = await accounts.list_accounts(store)
    return [{"name": a.name, "account_id": a.account_id, "canonical_id": a.canonical_id} for a in found]


async def scrub(settings: Settings, bytes_per_second: float) -> AsyncIterator[dict[str, str]]:
    """Every blob and every row of inline bytes once. Yields each object version that can't be trusted, and why."""
    blobs = FileBlobs(settings.data / "blobs")
    async with opened(settings) as store:
        found = scrub_blobs(store, blobs, SystemClock(), bytes_per_second=bytes_per_second)
        bad_blobs = {damage.blob_id: damage.reason async for damage in found}
        async for damaged in scrub_objects(store, bad_blobs):
            yield asdict(damaged)


def cloud_of(settings: Settings, store: Store, blobs: FileBlobs) -> Cloud:
    table = {service.name: service for service in SERVICES}
    return Cloud(store, blobs, table, Authoriser(store), SystemClock().now, settings.region)


def gateway_of(settings: Settings, cloud: Cloud) -> Gateway:
    store = cloud.store

    async def find(access_key_id: str) -> Credential | None:
        if access_key_id.startswith("ASIA"):
            return await sessions.find_credential(store, access_key_id)
        return await access_keys.find_credential(store, access_key_id)

    authenticator = Authenticator(find, cloud.now, settings.region, settings.dev, settings.domains)
    return Gateway(cloud, authenticator, settings.domains)


async def serve(settings: Settings, sock: socket, control: WorkerControl) -> None:
    """One worker, until it is told to end. It also keeps the house clean, whenever it is its turn among the workers."""
    load_operations()
    # What is loaded now stays, so no collection need look at it; and one every 700 objects is one for each listed page.
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    clock = SystemClock()
    async with opened(settings) as store, asyncio.TaskGroup() as tasks:
        blobs = FileBlobs(settings.data / "blobs")
        cloud = cloud_of(settings, store, blobs)
        own = [*_sweepers(settings, store, blobs, clock), *dynamodb_background.reconcilers(cloud, clock)]
        keepers = [tasks.create_task(keeper.run()) for keeper in own]
        gateway = gateway_of(settings, cloud)
        await http.serve(sock, gateway.handle, control, ready=control.ready)
        for keeper in keepers:
            keeper.cancel()


def _sweepers(settings: Settings, store: Store, blobs: FileBlobs, clock: Clock) -> list[Reconciler]:
    grace = settings.sweep_grace_seconds
    orphans = grace * ORPHAN_GRACE_SECONDS / DROPPED_GRACE_SECONDS
    sweeper = Sweeper(store, blobs, clock, dropped_grace_seconds=grace, orphan_grace_seconds=orphans)

    async def dropped(_: int) -> None:
        await sweeper.sweep_dropped()

    async def orphaned(_: int) -> None:
        await sweeper.sweep_orphans()

    return [
        Reconciler("sweep-dropped", dropped, store, clock, every_seconds=max(0.1, grace / 4)),
        Reconciler("sweep-orphans", orphaned, store, clock, every_seconds=max(0.1, orphans / 4)),
    ]
