"""Reading the points of one metric: page by page in the order of time, or a few that stand for all.

Points are clustered by step. While a series is `in_step` that is the order of time too, so that a page is one walk.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, func, literal, select, tuple_

from tracklane_server.contract.entities import Metric
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.store import Cursor, Page, sampling
from tracklane_server.store.sql import runs, sources
from tracklane_server.store.sql.doubles import FINITE, INT64_MAX, INT64_MIN, NAN, NEGATIVE, POSITIVE, join, split
from tracklane_server.store.sql.statement import Connection, Row, Statement
from tracklane_server.store.sql.tables import metrics, points

_BY_STEP = (points.c.step, points.c.timestamp, points.c.special, points.c.value)
_BY_TIME = (points.c.timestamp, points.c.step, points.c.special, points.c.value)
_COLUMNS = (*_BY_STEP, points.c.source)
_EVERYTHING = -1  # as a LIMIT

# A page of so many points that only what differs is read; `plain` series have nothing else.
_PLAIN = (points.c.value, points.c.timestamp, points.c.step)
_OF_SERIES = (points.c.run_id == bindparam("run"), points.c.series == bindparam("series"))
_FROM, _TO = points.c.step >= bindparam("first_step"), points.c.step <= bindparam("last_step")

_SERIES = Statement(select(metrics).where(metrics.c.run_id == bindparam("run"), metrics.c.key == bindparam("of_key")))


def _points(columns: Sequence[Any], order: Sequence[Any], *condition: Any) -> Statement:
    return Statement(select(*columns).where(*_OF_SERIES, *condition).order_by(*order).limit(bindparam("most")))


def _after(order: Sequence[Any]) -> Any:
    return tuple_(*order) > tuple_(*(bindparam(f"after_{column.name}", type_=column.type) for column in order))


# By (plain, in_step).
_FIRST_PAGE, _NEXT_PAGE = (
    {
        (plain, in_step): _points(columns, order, *([_after(order)] if is_next else []))
        for plain, columns in ((0, _COLUMNS), (1, _PLAIN))
        for in_step, order in ((0, _BY_TIME), (1, _BY_STEP))
    }
    for is_next in (False, True)
)

_STEPS = _points(_COLUMNS, _BY_STEP, _FROM, _TO)
_LAST = _points(_COLUMNS, [column.desc() for column in _BY_STEP], _FROM, _TO)
_IN_RANGE = (*_OF_SERIES, _FROM, _TO)
_finite = case((points.c.special == FINITE, points.c.value))
# The lowest and highest special and number, by `plain`.
_RANGE = {
    0: Statement(
        select(func.min(points.c.special), func.max(points.c.special), func.min(_finite), func.max(_finite)).where(
            *_IN_RANGE, points.c.special != NAN
        )
    ),
    1: Statement(
        select(literal(FINITE), literal(FINITE), func.min(points.c.value), func.max(points.c.value)).where(*_IN_RANGE)
    ),
}
_EARLIEST = _points(
    _COLUMNS,
    _BY_STEP,
    _FROM,
    _TO,
    points.c.special == bindparam("of_special"),
    points.c.value == bindparam("of_value"),
)


def page(connection: Connection, run_id: str, key: str, max_results: int | None, after: Cursor | None) -> Page[Metric]:
    run = runs.row_of(connection, run_id)[0]
    found = connection.row(_SERIES, run=run, of_key=key)
    if found is None:
        return Page([])
    series, in_step, plain = found[2:5]
    statements, bounds = (_FIRST_PAGE, {}) if after is None else (_NEXT_PAGE, _bounds(after))
    most = _EVERYTHING if max_results is None else max_results + 1
    rows = connection.rows(statements[plain, in_step], run=run, series=series, most=most, **bounds)
    is_whole = max_results is None or len(rows) <= max_results
    if not is_whole:
        del rows[max_results:]
    points = _plain_metrics(key, rows) if plain else _metrics(connection, key, rows)
    return Page(points, None if is_whole else _cursor(points[-1]))


def _cursor(point: Metric) -> Cursor:
    return (point.timestamp, point.step, *split(point.value))


def _bounds(cursor: Cursor) -> dict[str, Any]:
    """A cursor of `page` as parameters; a page token that someone made up leads here too."""
    types = (int, int, int, float)
    if len(cursor) == len(types) and all(type(part) is its for part, its in zip(cursor, types, strict=True)):
        timestamp, step, special, value = cursor
        if all(INT64_MIN <= number <= INT64_MAX for number in (timestamp, step, special)) and value - value == 0:
            return {"after_timestamp": timestamp, "after_step": step, "after_special": special, "after_value": value}
    raise InvalidParameterValue("Invalid page_token: it is not one that this history gave; start again without it")


def sample(
    connection: Connection, run_id: str, key: str, max_points: int, first_step: int | None, last_step: int | None
) -> list[Metric]:
    """What `sampling.sample` would choose, by one look-up for each point."""
    run = runs.row_of(connection, run_id)[0]
    found = connection.row(_SERIES, run=run, of_key=key)
    if found is None:
        return []
    scope = {
        "run": run,
        "series": found[2],
        "first_step": INT64_MIN if first_step is None else first_step,
        "last_step": INT64_MAX if last_step is None else last_step,
    }
    rows = connection.rows(_STEPS, **scope, most=max_points + 1)
    if len(rows) > max_points:
        last = connection.rows(_LAST, **scope, most=1)[0]
        musts = [last, rows[0], *_extremes(connection, found, scope)][:max_points]
        chosen = {*musts, *_of_buckets(connection, scope, rows, last, max_points - sampling.KEPT_EXTREMES)}
        rows = sorted(chosen)
    return _metrics(connection, key, rows)


def _extremes(connection: Connection, series: Row, scope: dict[str, int]) -> list[Row]:
    """The lowest and the highest number in the scope, of equal ones the first; none where there is only NaN."""
    is_whole = scope["first_step"] <= series[10] and scope["last_step"] >= series[5]
    if is_whole:
        low, high = series[14:18], series[18:22]
        steps = [{"first_step": extreme[2], "last_step": extreme[2]} for extreme in (low, high)]
    else:
        low, high = _range(connection, series[4], scope)
        steps = [{}, {}]
    return [
        row
        for extreme, step in zip((low, high), steps, strict=True)
        for row in connection.rows(_EARLIEST, **{**scope, **step}, of_special=extreme[0], of_value=extreme[1], most=1)
        if extreme[0] != NAN
    ]


def _range(connection: Connection, plain: int, scope: dict[str, int]) -> tuple[Row, Row]:
    """The lowest and the highest number in the scope as (special, value)."""
    row = connection.row(_RANGE[plain], **scope)
    if row is None or row[0] is None:
        return (NAN, 0.0), (NAN, 0.0)
    lowest, highest, low, high = row
    return (
        (FINITE, low) if lowest != NEGATIVE and low is not None else (lowest, 0.0),
        (FINITE, high) if highest != POSITIVE and high is not None else (highest, 0.0),
    )


def _of_buckets(connection: Connection, scope: dict[str, int], known: list[Row], last: Row, count: int) -> list[Row]:
    """The first point of each bucket that has any; `known` are the first points of the range."""
    if count < 1:
        return []
    starts = sampling.bucket_starts(known[0][0], last[0], count)
    chosen: list[Row] = []
    ahead = known[::-1]
    for start, end in zip(starts, [*starts[1:], last[0] + 1], strict=True):
        while ahead and ahead[-1][0] < start:
            ahead.pop()
        if not ahead:
            ahead = connection.rows(_STEPS, **{**scope, "first_step": start}, most=1)
        if ahead and ahead[-1][0] < end:
            chosen.append(ahead[-1])
    return chosen


def _plain_metrics(key: str, rows: list[Row]) -> list[Metric]:
    """Points of `_PLAIN` columns; it passes over Metric's own constructor because there may be 100,000 of them."""
    make = tuple.__new__
    return [make(Metric, (key, value, timestamp, step, None, None)) for value, timestamp, step in rows]


def _metrics(connection: Connection, key: str, rows: list[Row]) -> list[Metric]:
    named = sources.named(connection, {row[4] for row in rows})
    return [
        Metric(key, join(special, value), timestamp, step, *named[source])
        for step, timestamp, special, value, source in rows
    ]
