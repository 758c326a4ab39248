"""Reading `meta.yaml` files, each parsed once for as long as it does not change."""

import os
import time
from typing import NamedTuple

from tracklane_server.store.file.change import read_bytes
from tracklane_server.store.file.layout import META
from tracklane_server.store.file.meta_yaml import Unreadable, load
from tracklane_server.store.file.records import Record

# A file that changes twice within one tick of the file system's clock may look the same; so what was read this soon
# after a change is read again [ns].
_CLOCK_TICK = 20_000_000

# mlflow empties a meta.yaml before it writes it anew [s].
_PATIENCE = (0.002, 0.01, 0.05)

_REMEMBERED = 20_000


class _Known(NamedTuple):
    mtime_ns: int
    size: int
    inode: int
    read_ns: int
    record: Record


class MetaFiles:
    """The records of folders; they are shared, so nobody may change one.

    Threads need no lock here: each step on the dictionary is atomic, and a lost entry is only read again.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def read(self, folder: str) -> Record:
        """The folder's record.

        Raises:
            FileNotFoundError: it has none.
            Unreadable: it is no mapping.
        """
        path = f"{folder}/{META}"
        status = os.stat(path)
        known = self._known.get(path)
        if (
            known is not None
            and known.mtime_ns == status.st_mtime_ns
            and known.size == status.st_size
            and known.inode == status.st_ino
            and known.mtime_ns < known.read_ns - _CLOCK_TICK
        ):
            return known.record
        read_ns = time.time_ns()
        record = _read_patiently(path)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[path] = _Known(status.st_mtime_ns, status.st_size, status.st_ino, read_ns, record)
        return record


def _read_patiently(path: str) -> Record:
    for pause in _PATIENCE:
        try:
            return _read(path)
        except Unreadable:
            if time.time() - os.stat(path).st_mtime > 1:
                break
            time.sleep(pause)
    return _read(path)


def _read(path: str) -> Record:
    try:
        return load(read_bytes(path).decode())
    except UnicodeDecodeError as fault:
        raise Unreadable(str(fault)) from fault
