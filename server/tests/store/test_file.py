"""The file store keeps what every store promises."""

from pathlib import Path

from store_contract import StoreContract


class TestFile(StoreContract):
    def uri_in(self, folder: Path) -> str:
        return f"file:{folder}/mlruns"
