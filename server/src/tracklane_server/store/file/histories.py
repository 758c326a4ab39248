"""Whole histories of metrics; the last long ones are remembered, for they come page by page, and again as they grow."""

from typing import NamedTuple

from tracklane_server.contract.entities import Metric
from tracklane_server.store.file.growing import Growth, Mark, read_on
from tracklane_server.store.file.layout import METRICS, Placement
from tracklane_server.store.file.metric_files import spare_lines
from tracklane_server.store.file.metric_lines import history_key, in_order, read_history

# Shorter histories are not worth remembering; of longer ones so many points are, about 20 MB of them.
_LONG = 5_000
_REMEMBERED_POINTS = 100_000


class _Known(NamedTuple):
    mark: Mark
    points: list[Metric]


class Lines(NamedTuple):
    """What was read of a metric's file; `known` is what it said before that."""

    path: str
    known: list[Metric]
    growth: Growth


class Histories:
    """Points ascend (timestamp, step, value; NaN above all)."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def read(self, run_folder: str, key: str) -> Lines:
        """Read what is new, and no more, for the caller holds the run's lock; `points` does the work."""
        found = Placement(run_folder, METRICS).find(key)
        if found is None:
            content = b"".join(line for name, line in spare_lines(run_folder) if name == key)
            return Lines("", [], Growth(None, content, Mark(0, 0, 0)))
        path = f"{run_folder}/{found}"
        known = self._known.get(path)
        growth = read_on(path, known.mark if known else None)
        return Lines(path, known.points if known and growth.since else [], growth)

    def points(self, key: str, lines: Lines) -> list[Metric]:
        """The whole history; the list is shared, so nobody may change it."""
        if lines.known and not lines.growth.content:
            return lines.known
        points = read_history(key, lines.growth.content)
        if lines.known and points:
            follows = history_key(points[0]) > history_key(lines.known[-1])
            points = lines.known + points if follows else in_order(lines.known + points)
        if len(points) >= _LONG:
            self._remember(lines.path, _Known(lines.growth.now, points))
        return points

    def _remember(self, path: str, known: _Known) -> None:
        self._known.pop(path, None)
        others = sum(len(other.points) for other in list(self._known.values()))
        if others + len(known.points) > _REMEMBERED_POINTS:
            self._known = {}
        self._known[path] = known
