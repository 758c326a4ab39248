"""Metrics: each history a file named by its key; those whose key cannot be a name share the spare file.

A line of the spare file is the key as JSON, a tab, and the line that the key's own file would hold.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import orjson

from tracklane_server.contract.entities import Metric
from tracklane_server.store.file.change import Append, read_bytes
from tracklane_server.store.file.layout import METRICS, Placement, spare
from tracklane_server.store.file.metric_lines import Summary, read_points, summarise, write_line
from tracklane_server.store.file.values import key_files

# Shorter files are read again each time; longer ones from where they ended when last read.
_SHORT = 8192
_REMEMBERED = 20_000


class _Progress(NamedTuple):
    """How far a file has been read, and what it said."""

    inode: int
    size: int
    mtime_ns: int
    summary: Summary


class MetricFiles:
    """Reads the histories of runs; remembers the summaries of long ones."""

    def __init__(self) -> None:
        self._progress: dict[str, _Progress] = {}

    def summaries(self, run_folder: str) -> list[Summary]:
        """What there is to know of each metric, in order of the keys."""
        found = {}
        for key, points in groupby(sorted(read_spare(run_folder), key=attrgetter("key")), attrgetter("key")):
            found[key] = summarise(list(points))
        for key, path in key_files(f"{run_folder}/{METRICS}"):
            if (summary := self._summary(key, path)) is not None:
                found[key] = summary
        return [summary for _, summary in sorted(found.items())]

    def _summary(self, key: str, path: str) -> Summary | None:
        fd = os.open(path, os.O_RDONLY)
        try:
            status = os.fstat(fd)
            if status.st_size <= _SHORT:
                points = read_points(key, os.read(fd, _SHORT))
                return summarise(points) if points else None
            return self._continued(key, path, fd, status)
        finally:
            os.close(fd)

    def _continued(self, key: str, path: str, fd: int, status: os.stat_result) -> Summary | None:
        before = self._progress.get(path)
        if before is not None and not _continues(fd, status, before):
            before = None
        start = before.size if before else 0
        content = _read_range(fd, start, status.st_size)
        content = content[: content.rfind(b"\n") + 1]
        points = read_points(key, content)
        if points:
            summary = summarise(points, before.summary if before else None)
        elif before:
            summary = before.summary
        else:
            return None
        if len(self._progress) >= _REMEMBERED:
            self._progress.clear()
        self._progress[path] = _Progress(status.st_ino, start + len(content), status.st_mtime_ns, summary)
        return summary


def history_lines(run_folder: str, key: str) -> bytes:
    """The lines of one metric."""
    path = Placement(run_folder, METRICS).find(key)
    if path is None:
        return b"".join(line for name, line in _spare_lines(run_folder) if name == key)
    with open(f"{run_folder}/{path}", "rb") as file:
        return file.read()


def read_spare(run_folder: str) -> Iterator[Metric]:
    for key, line in _spare_lines(run_folder):
        yield from read_points(key, line)


def plan_metrics(folder: str, points: Iterable[Metric]) -> list[Append]:
    """What to append to which file; a last line without an end is cut off here, so the caller holds the lock."""
    lines: dict[str, list[str]] = {}
    for point in points:
        lines.setdefault(point.key, []).append(write_line(point))
    placement = Placement(folder, METRICS)
    appends: list[Append] = []
    spared: list[str] = []
    spare_keys: set[str] | None = None
    for key, texts in lines.items():
        path = placement.find(key)
        if path is None:
            spare_keys = {name for name, _ in _spare_lines(folder)} if spare_keys is None else spare_keys
            path = None if key in spare_keys else placement.make(key)
        if path is not None:
            appends.append(Append(path, _cut_torn_end(f"{folder}/{path}"), "".join(texts)))
        else:
            spared += [f"{orjson.dumps(key).decode()}\t{text}" for text in texts]
    if spared:
        appends.append(Append(spare(METRICS), _cut_torn_end(f"{folder}/{spare(METRICS)}"), "".join(spared)))
    return appends


def _spare_lines(run_folder: str) -> Iterator[tuple[str, bytes]]:
    try:
        content = read_bytes(f"{run_folder}/{spare(METRICS)}")
    except FileNotFoundError:
        return
    for line in content.split(b"\n")[:-1]:
        key, _, rest = line.partition(b"\t")
        yield orjson.loads(key), rest + b"\n"


def _cut_torn_end(path: str) -> int:
    """The size of the file, which then ends with a whole line."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(fd).st_size
        if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
            return size
        whole = _read_range(fd, 0, size).rfind(b"\n") + 1
        os.ftruncate(fd, whole)
        return whole
    finally:
        os.close(fd)


def _continues(fd: int, status: os.stat_result, before: _Progress) -> bool:
    """Whether the file has only grown since."""
    if status.st_ino != before.inode or status.st_size < before.size:
        return False
    if status.st_size == before.size:
        return status.st_mtime_ns == before.mtime_ns
    return os.pread(fd, 1, before.size - 1) == b"\n"


def _read_range(fd: int, start: int, end: int) -> bytes:
    content = b""
    while start + len(content) < end and (more := os.pread(fd, end - start - len(content), start + len(content))):
        content += more
    return content
