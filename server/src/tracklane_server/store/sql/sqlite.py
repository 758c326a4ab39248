"""All that is particular to SQLite: its URI, connections, transactions, patterns, and the faults it reports."""

import sqlite3
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, and_, cast, func, literal, or_
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tracklane_server.contract.errors import (
    InvalidParameterValue,
    StorageFull,
    TemporarilyUnavailable,
    TrackingError,
)
from tracklane_server.search.predicate import like
from tracklane_server.store.sql.statement import Connection

# How long a writer waits for those of other processes [s].
PATIENCE = 60.0

_SYNCHRONOUS = ("off", "normal", "full", "extra")

_PRAGMAS = (
    "foreign_keys = ON",
    "cache_size = -16000",  # [KiB], negated
    "mmap_size = 268435456",
    "temp_store = MEMORY",
    "journal_size_limit = 67108864",
)

# The primary result codes (https://www.sqlite.org/rescode.html) of faults that lie outside this program.
_FULL = 13
_FAULTS = {
    3: "access to the database file is denied",
    5: "the database is busy with writes of another process",
    6: "the database is locked",
    8: "the database file or its folder is read-only",
    10: "reading or writing the database file failed",
    11: "the database file is damaged",
    14: "the database file cannot be opened",
    15: "the database file is locked in a way that this file system cannot handle",
    26: "the file is not a database",
}


class SqliteDriver:
    """Makes connections to one database file.

    A URI may end in `?synchronous=full`: then a commit survives power loss too, at the price of a flush to disk. The
    default, `normal`, survives the death of the process at any moment.
    """

    name = "sqlite"
    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"

    def __init__(self, path: Path, synchronous: str) -> None:
        self.path = path
        self.dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
        self._pragmas = (f"synchronous = {synchronous}", *_PRAGMAS)

    @classmethod
    def of(cls, uri: str) -> "SqliteDriver":
        try:
            url = make_url(uri)
        except ArgumentError:
            url = None
        if url is None or url.host or not url.database or url.database == ":memory:":
            raise InvalidParameterValue(
                f"Backend store URI '{uri}' names no database file; write sqlite:///relative.db or sqlite:////absolute.db"
            )
        options = {key.lower(): str(value).lower() for key, value in url.query.items()}
        synchronous = options.pop("synchronous", "normal")
        if options or synchronous not in _SYNCHRONOUS:
            raise InvalidParameterValue(
                f"Backend store URI '{uri}' has an unknown option; allowed is synchronous={'|'.join(_SYNCHRONOUS)}"
            )
        return cls(Path(url.database), synchronous)

    def exists(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size > 0

    def connect(self) -> Connection:
        raw = sqlite3.connect(
            self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            for pragma in self._pragmas:
                raw.execute(f"PRAGMA {pragma}")
            raw.create_function("ilike", 2, _ilike, deterministic=True)
        except BaseException:
            raw.close()
            raise
        return Connection(raw, self.dialect)

    def prepare(self) -> None:
        """Make the file, with the journal that lets readers and a writer work at the same time."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TemporarilyUnavailable(
                f"The folder '{self.path.parent}' for the database cannot be made: {error.strerror}"
            ) from error
        deadline = time.monotonic() + PATIENCE
        while True:
            raw = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            try:
                if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    raw.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # Others are making it at the same moment; this switch alone does not wait for its turn.
                if error.sqlite_errorcode & 0xFF not in (5, 6) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            finally:
                raw.close()

    @staticmethod
    def like(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        """LIKE that tells case: GLOB, its own wildcards taken literally."""
        return text.op("GLOB", is_comparison=True)(literal("".join(_GLOB.get(char, char) for char in pattern)))

    @staticmethod
    def ilike(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        """ILIKE. SQLite itself folds ASCII only, so any other text goes to Python, which costs more."""
        folded = pattern.lower()
        characters, size = func.length(text), func.length(cast(text, LargeBinary))
        in_ascii = and_(characters == size, text.op("LIKE", is_comparison=True)(literal(folded)))
        return or_(in_ascii, and_(characters != size, func.ilike(text, literal(folded)) == literal(1)))

    def fault(self, error: BaseException) -> TrackingError | None:
        """What a driver's error means to a caller; None when it is no fault of the world but of ours."""
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF
        if code == _FULL:
            return StorageFull("There is no space left for the database; what was stored is still there to be read")
        if code in _FAULTS:
            return TemporarilyUnavailable(f"The backend store is not available now: {_FAULTS[code]}")
        return None


_GLOB = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


def _ilike(text: Any, folded: str) -> bool:
    return _pattern(folded)(text.lower()) is not None


@lru_cache(maxsize=256)
def _pattern(folded: str) -> Any:
    return like(folded).fullmatch
