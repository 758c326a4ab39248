"""What is known of a metric without its history: its latest, first, lowest and highest point, kept up as points come.

Pure computation on rows of the tables `points` and `metrics`, in their columns' order. That order is chosen so that
slices of rows compare as they must: (step, timestamp, special, value) is the history's order by step, NaN above all,
and (special, value, step, timestamp) that of size.
"""

from tracklane_server.store.sql.doubles import FINITE, NAN
from tracklane_server.store.sql.statement import Row


def summarise(key: str, rows: list[Row]) -> Row:
    """The row of `metrics` for these rows of `points` of one series, which ascend and are not empty."""
    run, number, step, timestamp, special, value, source = rows[-1]
    if len(rows) == 1:
        plain = 1 if special == FINITE and source == 0 else 0
        size = (special, value, step, timestamp)
        at = (step, timestamp, special, value)
        return (run, key, number, 1, plain, *at, source, *at, *size, *size)
    times = [row[3] for row in rows]
    in_step = 1 if times == sorted(times) else 0
    plain = 0 if any([row[4] or row[6] for row in rows]) else 1  # noqa: C419 - a list is faster
    low, high = _extremes(rows, plain)
    return (run, key, number, in_step, plain, *_latest(rows)[2:], *rows[0][2:6], *_size(low), *_size(high))


def extend(old: Row, new: Row) -> Row:
    """The row of `metrics` for the points of both, where `old` has been stored."""
    run, key, number, in_step, plain, *_ = old
    latest, first, low, high = old[5:10], old[10:14], old[14:18], old[18:22]
    its_latest, its_first, its_low, its_high = new[5:10], new[10:14], new[14:18], new[18:22]
    follows = its_first[0] >= latest[0] and its_first[1] >= latest[1]
    return (
        run,
        key,
        number,
        1 if in_step and new[3] and follows else 0,
        1 if plain and new[4] else 0,
        *(its_latest if _is_later(its_latest, latest) else latest),
        *(its_first if its_first < first else first),
        *(its_low if its_low < low else low),
        *(its_high if _is_higher(its_high, high) else high),
    )


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


def _is_later(its: Row, stored: Row) -> bool:
    if its[:2] == stored[:2] and NAN in (its[2], stored[2]):
        return bool(its[2] < stored[2])
    return its[:4] > stored[:4]  # what follows is no part of a point: an equal one changes nothing


def _is_higher(its: Row, stored: Row) -> bool:
    """Larger, or as large and earlier; a number beats NaN."""
    if its[:2] == stored[:2]:
        return its < stored
    return bool(stored[0] == NAN or (its[0] != NAN and its > stored))


def _extremes(rows: list[Row], plain: int) -> tuple[Row, Row]:
    """The lowest and the highest number, of equal ones the first; NaN only where there is no number."""
    if plain:
        values = [row[5] for row in rows]
        return rows[values.index(min(values))], rows[values.index(max(values))]
    numbers = [row for row in rows if row[4] != NAN] or rows[:1]
    return min(numbers, key=_magnitude), max(numbers, key=_magnitude)


def _magnitude(row: Row) -> Row:
    return row[4:6]


def _size(row: Row) -> Row:
    return row[4:6] + row[2:4]
