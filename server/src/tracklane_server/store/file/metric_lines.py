"""The lines of a metric file: `timestamp value step[ dataset_name dataset_digest]` (wire-contract, section 6.4).

Of a file whose last line has no end, that line does not count: its writer died over it.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice, repeat
from operator import attrgetter, eq, lt
from typing import NamedTuple
from urllib.parse import quote, unquote

from tracklane_server.contract.entities import Metric

_log = logging.getLogger(__name__)

# Before dataset names and digests that a line cannot hold as they are. What is absent while its fellow is there is "-".
_QUOTED = "%%"
_ABSENT = "%%-"

_INT64 = range(-(2**63), 2**63)
_FIELD_COUNTS = (2, 3, 5)


class Summary(NamedTuple):
    """What a search may ask of a history: points as `search.ast.Aggregate` defines them."""

    latest: Metric
    first: Metric
    lowest: Metric
    highest: Metric


def write_line(point: Metric) -> str:
    if point.dataset_name is None and point.dataset_digest is None:
        return f"{point.timestamp} {float(point.value)!r} {point.step}\n"
    fields = _quoted(point.dataset_name), _quoted(point.dataset_digest)
    return f"{point.timestamp} {float(point.value)!r} {point.step} {fields[0]} {fields[1]}\n"


def read_points(key: str, content: bytes) -> list[Metric]:
    """The points in the order of the lines; a line that is none is passed over with a warning."""
    content = content[: content.rfind(b"\n") + 1]
    if content.count(b"\n") > 1 and (columns := _plain_columns(content)) is not None:
        return _points(key, *columns)
    return [point for line in content.split(b"\n")[:-1] if (point := _read_line(key, line)) is not None]


def read_history(key: str, content: bytes) -> list[Metric]:
    """Distinct points, ascending (timestamp, step, value; NaN above all); of equal ones the first."""
    content = content[: content.rfind(b"\n") + 1]
    columns = _plain_columns(content)
    if columns is not None:
        rows = list(zip(*columns, strict=True))
        if all(map(lt, rows, islice(rows, 1, None))):
            return _points(key, *columns)
        if all(map(eq, columns[2], columns[2])):
            rows.sort()
            return _points(key, *zip(*dict.fromkeys(rows), strict=True))
    return in_order(read_points(key, content))


def in_order(points: Iterable[Metric]) -> list[Metric]:
    distinct: dict[tuple[int, int, float | None], Metric] = {}
    for point in points:
        value = point.value
        distinct.setdefault((point.timestamp, point.step, value if value == value else None), point)
    return sorted(distinct.values(), key=history_key)


def history_key(point: Metric) -> tuple[int, int, bool, float]:
    value = point.value
    return (point.timestamp, point.step, True, 0.0) if value != value else (point.timestamp, point.step, False, value)


def summarise(points: Sequence[Metric], before: Summary | None = None) -> Summary:
    """The summary of a history that is not empty, perhaps continuing one that has been read `before`."""
    if len(points) == 1 and before is None:
        return Summary(points[0], points[0], points[0], points[0])
    candidates = points if before is None else [*before, *points]
    numbers = [point for point in candidates if point.value == point.value] or candidates
    return Summary(
        max(candidates, key=_newness),
        min(candidates, key=_oldness),
        min(numbers, key=attrgetter("value")),
        max(numbers, key=attrgetter("value")),
    )


def _newness(point: Metric) -> tuple[int, int, bool, float]:
    value = point.value
    return (point.step, point.timestamp, True, value) if value == value else (point.step, point.timestamp, False, 0.0)


def _oldness(point: Metric) -> tuple[int, int, bool, float]:
    value = point.value
    return (point.step, point.timestamp, False, value) if value == value else (point.step, point.timestamp, True, 0.0)


def _plain_columns(content: bytes) -> tuple[list[int], list[int], list[float]] | None:
    """Times, steps and values of lines of three fields each; None if any line is another."""
    count = content.count(b"\n")
    fields = content.split()
    if not count or len(fields) != 3 * count or content.count(b" ") != 2 * count:
        return None
    if any(line.count(b" ") != 2 for line in content.split(b"\n")[:-1]):
        return None
    try:
        times, steps, values = (
            list(map(int, fields[0::3])),
            list(map(int, fields[2::3])),
            list(map(float, fields[1::3])),
        )
    except ValueError:
        return None
    in_range = _INT64.start <= min(min(times), min(steps)) and max(max(times), max(steps)) < _INT64.stop
    return (times, steps, values) if in_range else None


# Makes named tuples without a call into Python for each.
_make_point = partial(tuple.__new__, Metric)


def _points(key: str, times: Iterable[int], steps: Iterable[int], values: Iterable[float]) -> list[Metric]:
    return list(map(_make_point, zip(repeat(key), values, times, steps, repeat(None), repeat(None), strict=False)))


def _read_line(key: str, line: bytes) -> Metric | None:
    fields = line.decode("utf-8", "replace").strip().split(" ")
    try:
        timestamp, value = int(fields[0]), float(fields[1])
        step = int(fields[2]) if len(fields) > 2 else 0
        if len(fields) not in _FIELD_COUNTS or timestamp not in _INT64 or step not in _INT64:
            raise ValueError
    except (ValueError, IndexError):
        _log.warning("Metric '%s' has a line that is no point, passed over: %.100r", key, line)
        return None
    if len(fields) < 5:
        return Metric(key, value, timestamp, step)
    return Metric(key, value, timestamp, step, _unquoted(fields[3]), _unquoted(fields[4]))


def _quoted(text: str | None) -> str:
    if text is None:
        return _ABSENT
    if text and text.isprintable() and " " not in text and not text.startswith(_QUOTED):
        return text
    return _QUOTED + quote(text, safe="")


def _unquoted(field: str) -> str | None:
    if field == _ABSENT:
        return None
    return unquote(field[len(_QUOTED) :]) if field.startswith(_QUOTED) else field
