"""Whether a run's files may have changed: a number made of their sizes and times, without opening one.

Params are written once: for them a new name, seen from its folder's time, is enough.
"""

import os
import time

from tracklane_server.store.file.layout import INPUTS, META, METRICS, OUTPUTS, PARAMS, TAGS, spare

# Stands for "may have changed": a file so fresh that another change within one tick of the clock would not show.
UNSURE = 0
_CLOCK_TICK = 20_000_000

_FILES = frozenset({META, spare(METRICS), spare(PARAMS), spare(TAGS)})
_FOLDERS = frozenset({METRICS, TAGS, PARAMS, INPUTS, OUTPUTS})
_WRITTEN_ONCE = frozenset({PARAMS, INPUTS, OUTPUTS})


def signature(run_folder: str) -> int:
    """A number that differs after any change; UNSURE when it might not.

    Raises:
        FileNotFoundError: the folder is gone.
    """
    now = time.time_ns()
    facts: list[int] = []
    newest = 0
    with os.scandir(run_folder) as entries:
        for entry in entries:
            if entry.name in _FILES:
                status = entry.stat()
                newest = max(newest, status.st_mtime_ns)
                facts += (status.st_ino, status.st_size, status.st_mtime_ns)
            elif entry.name in _FOLDERS:
                newest = max(newest, _add_folder(entry.path, entry.name in _WRITTEN_ONCE, facts))
    return UNSURE if newest > now - _CLOCK_TICK else hash(tuple(facts)) or 1


def _add_folder(folder: str, written_once: bool, facts: list[int]) -> int:
    """Add what there is to say about a folder; the newest time in it."""
    newest = os.stat(folder).st_mtime_ns
    facts.append(newest)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                newest = max(newest, _add_folder(entry.path, written_once, facts))
            elif not written_once and entry.is_file():
                status = entry.stat()
                newest = max(newest, status.st_mtime_ns)
                facts += (status.st_size, status.st_mtime_ns)
    return newest
