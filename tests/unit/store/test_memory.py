"""The memory store keeps the contract: what unit tests learn on it holds for the real one."""

from collections.abc import Callable

import pytest
from tests.store_contract import StoreContract

from atoll.store import Store
from atoll.store.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store_factory(self) -> Callable[[], Store]:
        return MemoryStore
