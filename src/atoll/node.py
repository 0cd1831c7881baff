"""One node, wired: the only module that picks engines and knows every service."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from atoll.aws.errors import AwsError
from atoll.base.clock import SystemClock
from atoll.base.settings import Settings, read_facts, write_facts
from atoll.blobs.files import FileBlobs
from atoll.gateway.authentication import Authenticator
from atoll.gateway.dispatch import Gateway
from atoll.operation import Cloud, Credential, Service
from atoll.services.iam import access_keys, accounts
from atoll.services.iam.authorise import Authoriser
from atoll.services.iam.service import iam
from atoll.services.s3.service import s3
from atoll.services.sts import sessions
from atoll.services.sts.service import sts
from atoll.store import Store
from atoll.store.sqlite import SqliteStore

SERVICES: tuple[Service, ...] = (iam, s3, sts)
ROOT_ACCOUNT_NAME = "root"


def load_operations() -> None:
    """Imports every module of every service: an operation is registered by its own file."""
    for service in SERVICES:
        package = importlib.import_module(f"atoll.services.{service.name}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = SqliteStore(settings.data / "store.db")
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


async def add_account(settings: Settings, name: str, **given: str | None) -> dict[str, Any]:
    """Raises ValueError when the account or the key is there already."""
    await prepare(settings)
    async with opened(settings) as store:
        try:
            return asdict(await accounts.create_account(store, name, **given))
        except AwsError as refusal:
            raise ValueError(refusal.message) from refusal


async def list_accounts(settings: Settings) -> list[dict[str, str]]:
    await prepare(settings)
    async with opened(settings) as store:
        found = await accounts.list_accounts(store)
    return [{"name": a.name, "account_id": a.account_id, "canonical_id": a.canonical_id} for a in found]


def cloud_of(settings: Settings, store: Store, blobs: FileBlobs) -> Cloud:
    services = {service.name: service for service in SERVICES}
    return Cloud(store, blobs, services, Authoriser(store), SystemClock().now, settings.region)


def gateway_of(settings: Settings, cloud: Cloud) -> Gateway:
    store = cloud.store

    async def find(access_key_id: str) -> Credential | None:
        if access_key_id.startswith("ASIA"):
            return await sessions.find_credential(store, access_key_id)
        return await access_keys.find_credential(store, access_key_id)

    authenticator = Authenticator(find, cloud.now, settings.region, settings.dev)
    return Gateway(cloud, authenticator, settings.domains)
