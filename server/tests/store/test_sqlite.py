"""SQLite keeps every store's promises."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("store_contract")

from store_contract import StoreContract  # noqa: E402


class TestSqlite(StoreContract):
    def uri_in(self, folder: Path) -> str:
        return f"sqlite:///{folder}/new/store.db"
