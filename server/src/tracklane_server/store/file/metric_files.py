"""Metrics: each history a file named by its key; those whose key cannot be a name share the spare file.

A line of the spare file is the key as JSON, a tab, and the line that the key's own file would hold.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import orjson

from tracklane_server.contract.entities import Metric
from tracklane_server.store.file.change import Append, read_bytes
from tracklane_server.store.file.growing import Mark, cut_torn_end, read_on
from tracklane_server.store.file.layout import METRICS, Placement, spare
from tracklane_server.store.file.metric_lines import Summary, read_points, summarise, write_line
from tracklane_server.store.file.values import key_files

# Shorter files are read again each time; longer ones from where they ended when last read.
_SHORT = 8192
_REMEMBERED = 20_000


class _Known(NamedTuple):
    mark: Mark
    summary: Summary


class MetricFiles:
    """Reads what there is to know of metrics; remembers it of those with long histories."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def summaries(self, run_folder: str) -> list[Summary]:
        """One for each metric that has a point, in order of the keys."""
        found = {}
        for key, points in groupby(sorted(read_spare(run_folder), key=attrgetter("key")), attrgetter("key")):
            found[key] = summarise(list(points))
        for key, path in key_files(f"{run_folder}/{METRICS}"):
            if (summary := self._summary(key, path)) is not None:
                found[key] = summary
        return [summary for _, summary in sorted(found.items())]

    def _summary(self, key: str, path: str) -> Summary | None:
        known = self._known.get(path)
        growth = read_on(path, known.mark if known else None)
        before = known.summary if known and growth.since else None
        points = read_points(key, growth.content)
        summary = summarise(points, before) if points else before
        if summary is not None and growth.now.size > _SHORT:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[path] = _Known(growth.now, summary)
        return summary


def read_spare(run_folder: str) -> Iterator[Metric]:
    for key, line in spare_lines(run_folder):
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
            spare_keys = {name for name, _ in spare_lines(folder)} if spare_keys is None else spare_keys
            path = None if key in spare_keys else placement.make(key)
        if path is not None:
            appends.append(Append(path, cut_torn_end(f"{folder}/{path}"), "".join(texts)))
        else:
            spared += [f"{orjson.dumps(key).decode()}\t{text}" for text in texts]
    if spared:
        appends.append(Append(spare(METRICS), cut_torn_end(f"{folder}/{spare(METRICS)}"), "".join(spared)))
    return appends


def spare_lines(run_folder: str) -> Iterator[tuple[str, bytes]]:
    """(key, line) of each point in the spare file."""
    try:
        content = read_bytes(f"{run_folder}/{spare(METRICS)}")
    except FileNotFoundError:
        return
    for line in content.split(b"\n")[:-1]:
        key, _, rest = line.partition(b"\t")
        yield orjson.loads(key), rest + b"\n"
