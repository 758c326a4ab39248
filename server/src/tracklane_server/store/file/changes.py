"""Telling searchers which runs our writers changed: a file of names, one a line.

A writer adds a run's name once; it need not again before a searcher has taken the file away, which the writer sees
from the file at the path being another one. It tells after its change is made, and a searcher reads the runs after
taking the file: so no change is missed. While there is no index there is nothing to tell: making one reads everything.
"""

import contextlib
import logging
import os
import threading
from collections import deque

from tracklane_server.store.file.layout import INDEX, Layout

_log = logging.getLogger(__name__)


class ChangedRuns:
    """Names are `<experiment id>/<run id>`, or `<experiment id>/` for all runs of an experiment."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.changes
        self._taken = layout.changes_taken
        self._index = f"{layout.root}/{INDEX}"
        self._guard = threading.Lock()
        self._fd: int | None = None
        self._inode = 0
        self._told: set[str] = set()
        self._kept: deque[str] | None = None

    def tell(self, name: str) -> None:
        """Say that a run has changed; a fault is left to the searchers' own looking."""
        if self._kept is not None:
            self._kept.append(name)
        try:
            while not (name in self._told and self._is_current()):
                if not os.path.exists(self._index):
                    return
                self._add(name)
        except OSError as fault:
            _log.warning("Searches will notice late that %s changed: %s", name, fault)

    def keep(self) -> None:
        """From now on the searcher is this process alone, and the file is others' to take."""
        self._kept = deque()

    def is_empty(self) -> bool:
        if self._kept is not None:
            return not self._kept and not os.path.exists(self._path)
        return not (os.path.exists(self._path) or os.path.exists(self._taken))

    def take(self) -> set[str]:
        """Names told since the last `forget`; the caller holds the index's lock."""
        if self._kept is not None:
            names = _read(self._path)
            with contextlib.suppress(IndexError):
                while True:
                    names.add(self._kept.popleft())
            return names
        if not os.path.exists(self._taken):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._path, self._taken)
        return _read(self._taken)

    def forget(self) -> None:
        """What was taken has been dealt with."""
        if self._kept is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._taken)

    def close(self) -> None:
        with self._guard:
            if self._fd is not None:
                os.close(self._fd)
            self._fd = None
            self._told.clear()

    def _is_current(self) -> bool:
        try:
            return self._fd is not None and os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _add(self, name: str) -> None:
        with self._guard:
            if not self._is_current():
                if self._fd is not None:
                    os.close(self._fd)
                    self._fd = None
                self._told.clear()
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                self._inode = os.fstat(self._fd).st_ino
            assert self._fd is not None
            os.write(self._fd, f"{name}\n".encode())
            self._told.add(name)


def _read(path: str) -> set[str]:
    try:
        with open(path, "rb") as file:
            return set(file.read().decode("utf-8", "replace").split("\n")) - {""}
    except FileNotFoundError:
        return set()
