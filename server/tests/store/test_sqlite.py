"""SQLite keeps every store's promises."""

from pathlib import Path

from store_contract import StoreContract


class TestSqlite(StoreContract):
    def uri_in(self, folder: Path) -> str:
        return f"sqlite:///{folder}/new/store.db"
