"""What is known of a metric without its history: its latest, first, lowest and highest point, kept up as points come.

Pure computation on rows of the tables `points` and `metrics`. Within a row of `points`, (step, timestamp, special,
value) sort as the history does by step, NaN above all.
"""

from typing import NamedTuple

from tracklane_server.store.sql.doubles import NAN
from tracklane_server.store.sql.statement import Row


class Point(NamedTuple):
    """One point in the columns' order of the table `metrics`."""

    special: int
    value: float
    step: int
    timestamp: int


class Series(NamedTuple):
    """A row of `metrics`; see `row` and `of_row`."""

    run: int
    key: str
    number: int
    in_step: int
    latest: Point
    source: int
    first: Point
    low: Point
    high: Point

    @classmethod
    def of_row(cls, row: Row) -> "Series":
        return cls(*row[:4], Point(*row[4:8]), row[8], Point(*row[9:13]), Point(*row[13:17]), Point(*row[17:21]))

    def row(self) -> Row:
        return (*self[:4], *self.latest, self.source, *self.first, *self.low, *self.high)


def summarise(run: int, key: str, number: int, rows: list[Row]) -> Series:
    """The series of these rows of `points`, which ascend and are not empty."""
    last = _latest(rows)
    lowest, highest = _extremes(rows)
    times = [row[3] for row in rows]
    in_step = 1 if len(rows) == 1 or times == sorted(times) else 0
    return Series(run, key, number, in_step, _point(last), last[6], _point(rows[0]), _point(lowest), _point(highest))


def extend(old: Series, new: Series) -> Series:
    """The series of the points of both."""
    later = _recency(new.latest) > _recency(old.latest)
    follows = new.first.step >= old.latest.step and new.first.timestamp >= old.latest.timestamp
    return Series(
        old.run,
        old.key,
        old.number,
        1 if old.in_step and new.in_step and follows else 0,
        new.latest if later else old.latest,
        new.source if later else old.source,
        min(old.first, new.first, key=_position),
        min(old.low, new.low, key=_lowness),
        max(old.high, new.high, key=_highness),
    )


def _point(row: Row) -> Point:
    return Point(row[4], row[5], row[2], row[3])


def _latest(rows: list[Row]) -> Row:
    """The last, unless it is NaN and there is a number of the same step and time."""
    last = rows[-1]
    if last[4] == NAN:
        for row in reversed(rows):
            if row[2:4] != last[2:4]:
                break
            if row[4] != NAN:
                return row
    return last


def _extremes(rows: list[Row]) -> tuple[Row, Row]:
    """The lowest and the highest number, of equal ones the first; NaN only where there is no number."""
    if len(rows) == 1:
        return rows[0], rows[0]
    if not any(row[4] for row in rows):
        values = [row[5] for row in rows]
        return rows[values.index(min(values))], rows[values.index(max(values))]
    numbers = [row for row in rows if row[4] != NAN] or rows[:1]
    return min(numbers, key=_magnitude), max(numbers, key=_magnitude)


def _magnitude(row: Row) -> tuple[int, float]:
    return row[4], row[5]


def _recency(point: Point) -> tuple[int, int, bool, int, float]:
    return point.step, point.timestamp, point.special != NAN, point.special, point.value


def _position(point: Point) -> tuple[int, int, int, float]:
    return point.step, point.timestamp, point.special, point.value


def _lowness(point: Point) -> tuple[int, float, int, int]:
    return point.special, point.value, point.step, point.timestamp


def _highness(point: Point) -> tuple[bool, int, float, int, int]:
    return point.special != NAN, point.special, point.value, -point.step, -point.timestamp
