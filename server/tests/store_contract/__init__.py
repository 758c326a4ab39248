"""The suite that every tracking store passes: subclass `StoreContract`, give the URI of a new store, done.

    class TestFile(StoreContract):
        def uri_in(self, folder):
            return f"file:{folder}/mlruns"

It speaks the interface of `tracklane_server.store` only, and says nothing that one kind of store alone could keep.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store_contract.concurrency import ConcurrencyContract
from store_contract.experiments import ExperimentContract
from store_contract.history import HistoryContract
from store_contract.inputs import InputContract
from store_contract.logging import LoggingContract
from store_contract.ordering import OrderingContract
from store_contract.runs import RunContract
from store_contract.search import SearchContract
from tracklane_server.store import TrackingStore, open_store


class StoreContract(
    ExperimentContract,
    RunContract,
    LoggingContract,
    HistoryContract,
    InputContract,
    SearchContract,
    OrderingContract,
    ConcurrencyContract,
):
    def uri_in(self, folder: Path) -> str:
        """The URI of a store that does not exist yet, all of it within `folder`."""
        raise NotImplementedError

    @pytest.fixture
    def uri(self, tmp_path: Path) -> str:
        return self.uri_in(tmp_path)

    @pytest.fixture
    def store(self, uri: str) -> Iterator[TrackingStore]:
        store = open_store(uri)
        yield store
        store.close()
