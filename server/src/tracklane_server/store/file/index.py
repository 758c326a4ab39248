"""The index for searches: what the files say, once more, in a database that may be deleted at any time.

It is a SQL store, so that filters, orders and cursors mean exactly what they mean there. Before a search it is brought
up to date with the files: runs that our writers told of (`changes`), and runs that look otherwise than when they were
read (`watch`). Where the folder cannot be written it lies in a temporary one.

This is the one module of the file store that knows the SQL store, together with `mirror`; both are loaded by the first
search, so that a script that only logs never loads SQLAlchemy.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from tracklane_server.contract.entities import DatasetSummary, Run
from tracklane_server.contract.errors import (
    InvalidParameterValue,
    ResourceDoesNotExist,
    StorageFull,
    TemporarilyUnavailable,
)
from tracklane_server.store import Page, Search
from tracklane_server.store.file.changes import ChangedRuns
from tracklane_server.store.file.experiments import ExperimentFolders
from tracklane_server.store.file.layout import INDEX, INDEX_LOCK, Layout, is_run_id
from tracklane_server.store.file.lock import file_locked
from tracklane_server.store.file.mirror import Mirror, Mirrored, MirroredRun, Unusable, index_id
from tracklane_server.store.file.runs import RunFolders
from tracklane_server.store.file.signature import UNSURE, signature
from tracklane_server.store.file.watch import Watch
from tracklane_server.store.sql.store import SqlStore

T = TypeVar("T")

_log = logging.getLogger(__name__)

# What an index that is damaged, cannot be written or belongs to another version gives rise to.
_FAULTS = (sqlite3.Error, OSError, Unusable, TemporarilyUnavailable, StorageFull)

# Runs written to the index in one transaction.
_GROUP = 1000


class RunIndex:
    """Answers searches over runs."""

    def __init__(self, layout: Layout, experiments: ExperimentFolders, runs: RunFolders, changes: ChangedRuns) -> None:
        self._experiments = experiments
        self._runs = runs
        self._changes = changes
        self._guard = threading.RLock()
        self._own_folder: str | None = None
        self._clean_up: weakref.finalize[..., RunIndex] | None = None
        self._path = f"{layout.root}/{INDEX}"
        self._lock = f"{layout.root}/{INDEX_LOCK}"
        self._inode = 0
        self._store: SqlStore | None = None
        self._mirror: Mirror | None = None
        self._watch = Watch()
        if not os.access(layout.root, os.W_OK):
            self._move()

    def search(self, experiment_ids: Sequence[str], search: Search) -> Page[Run]:
        names = self._names(experiment_ids)
        page = self._ask(lambda store: store.search_runs(list(names), search))
        return Page([_renamed(run, names[run.info.experiment_id]) for run in page.items], page.next)

    def datasets(self, experiment_ids: Sequence[str], max_results: int) -> list[DatasetSummary]:
        names = self._names(experiment_ids)
        summaries = self._ask(lambda store: store.search_datasets(list(names), max_results))
        return [summary._replace(experiment_id=names[summary.experiment_id]) for summary in summaries]

    def close(self) -> None:
        with self._guard:
            self._close()
            if self._clean_up is not None:
                self._clean_up()

    def _names(self, experiment_ids: Iterable[str]) -> dict[str, str]:
        """Experiment ids by what the index calls them."""
        return {str(index_id(experiment_id)): experiment_id for experiment_id in experiment_ids}

    def _ask(self, ask: Callable[[SqlStore], T]) -> T:
        """An answer of the index as it is now. One that is damaged is made anew, then elsewhere."""
        for repair in (self._delete, self._move):
            try:
                return ask(self._current())
            except _FAULTS as fault:
                _log.warning("The search index %s is made anew: %s", self._path, fault)
                with self._guard:
                    repair()
        return ask(self._current())

    def _current(self) -> SqlStore:
        with self._guard:
            store = self._opened()
            changed = self._watch.look(self._experiments.all())
            if changed or not self._changes.is_empty():
                with file_locked(self._lock):
                    self._catch_up(changed)
            return store

    def _opened(self) -> SqlStore:
        """The index at the path; another one than last time when somebody deleted that."""
        if self._store is None or _inode(self._path) != self._inode:
            with file_locked(self._lock):
                self._close()
                self._open()
        assert self._store is not None
        return self._store

    def _open(self) -> None:
        try:
            self._store = SqlStore.open(f"sqlite:///{self._path}", lambda experiment_id: "")
        except (InvalidParameterValue, SQLAlchemyError) as fault:
            raise Unusable(str(fault)) from fault
        self._mirror = Mirror.make_ready(self._path)
        self._inode = _inode(self._path)
        self._watch = Watch()
        for its in self._mirror.known():
            self._watch.learn(*its)

    def _delete(self) -> None:
        self._close()
        with contextlib.suppress(OSError), file_locked(self._lock):
            for suffix in ("", "-wal", "-shm", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path + suffix)

    def _move(self) -> None:
        """Have the index in a folder of this process, where the disk may have room and locks."""
        self._close()
        if self._own_folder is None:
            self._own_folder = tempfile.mkdtemp(prefix="tracklane-index-")
            self._clean_up = weakref.finalize(self, _remove, self._own_folder, os.getpid())
            self._changes.keep()
        self._path = f"{self._own_folder}/{INDEX}"
        self._lock = f"{self._own_folder}/{INDEX_LOCK}"

    def _close(self) -> None:
        if self._mirror is not None:
            self._mirror.close()
        if self._store is not None:
            self._store.close()
        self._store = self._mirror = None

    def _catch_up(self, changed: set[str]) -> None:
        """Read the runs that changed; the caller holds the index's lock."""
        told = self._changes.take()
        names = changed | {name for name in told if not name.endswith("/")}
        for name in told - names:
            names |= self._watch.runs_of(name[:-1])
        ordered = sorted(name for name in names if is_run_id(name.partition("/")[2]))
        for start in range(0, len(ordered), _GROUP):
            self._read_group(ordered[start : start + _GROUP])
        self._changes.forget()

    def _read_group(self, names: list[str]) -> None:
        assert self._mirror is not None
        self._mirror.begin()
        try:
            for name in names:
                self._read(self._mirror, name)
            self._mirror.commit()
        except BaseException:
            self._mirror.roll_back()
            raise

    def _read(self, mirror: Mirror, name: str) -> None:
        folder = self._watch.folder(name)
        now = _signature(folder)
        if now is None:
            folder = self._moved(name)
            now = _signature(folder)
        if folder is None or now is None:
            mirror.remove(name)
            self._watch.learn(name, None)
            return
        mirrored = mirror.find(name)
        if mirrored is None or now == UNSURE or mirrored.signature != now:
            its = self._whole(folder)
            mirrored = Mirrored(name, now, its is not None and its.run.info.status == "RUNNING")
            mirror.put(mirrored, its)
        self._watch.learn(*mirrored)

    def _moved(self, name: str) -> str | None:
        """Where the run lies when its experiment has come or moved since the watch looked."""
        experiment_id, _, run_id = name.partition("/")
        try:
            return f"{self._experiments.folder(experiment_id)}/{run_id}"
        except ResourceDoesNotExist:
            return None

    def _whole(self, folder: str) -> MirroredRun | None:
        try:
            return MirroredRun(*self._runs.read_folder(folder))
        except (FileNotFoundError, NotADirectoryError, ResourceDoesNotExist):
            return None
        except PermissionError as fault:
            _log.warning("The run in %s cannot be read and is passed over: %s", folder, fault)
            return None


def _signature(folder: str | None) -> int | None:
    if folder is None:
        return None
    try:
        return signature(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _renamed(run: Run, experiment_id: str) -> Run:
    if run.info.experiment_id == experiment_id:
        return run
    return run._replace(info=run.info._replace(experiment_id=experiment_id))


def _remove(folder: str, process: int) -> None:
    """At the end of the process that made the folder, not of a child that was forked from it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0
