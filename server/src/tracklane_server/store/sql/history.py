"""Reading the points of one metric: page by page in the order of time, or a few that stand for all.

Points are clustered by step. While a series is `in_step` that is the order of time too, so that a page is one walk.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, select, tuple_

from tracklane_server.contract.entities import Metric
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.store import Cursor, Page, sampling
from tracklane_server.store.sql import runs, sources
from tracklane_server.store.sql.doubles import INT64_MAX, INT64_MIN, NAN, join
from tracklane_server.store.sql.statement import Connection, Row, Statement
from tracklane_server.store.sql.tables import metrics, points

_BY_STEP = (points.c.step, points.c.timestamp, points.c.special, points.c.value)
_BY_TIME = (points.c.timestamp, points.c.step, points.c.special, points.c.value)
_COLUMNS = (*_BY_STEP, points.c.source)
_EVERYTHING = -1  # as a LIMIT

_own: Select[Any] = select(*_COLUMNS).where(points.c.run_id == bindparam("run"), points.c.series == bindparam("series"))
_SERIES = Statement(
    select(metrics.c.series, metrics.c.in_step).where(
        metrics.c.run_id == bindparam("run"), metrics.c.key == bindparam("of_key")
    )
)


def _page(order: Sequence[Any], *condition: Any) -> Statement:
    return Statement(_own.where(*condition).order_by(*order).limit(bindparam("most")))


def _after(order: Sequence[Any]) -> Any:
    return tuple_(*order) > tuple_(*(bindparam(f"after_{column.name}", type_=column.type) for column in order))


_FIRST_PAGE = {1: _page(_BY_STEP), 0: _page(_BY_TIME)}
_NEXT_PAGE = {1: _page(_BY_STEP, _after(_BY_STEP)), 0: _page(_BY_TIME, _after(_BY_TIME))}

_from, _to = points.c.step >= bindparam("first_step"), points.c.step <= bindparam("last_step")
_STEPS = _page(_BY_STEP, _from, _to)
_LAST = _page([column.desc() for column in _BY_STEP], _from, _to)
_LOWEST = _page((points.c.special, points.c.value, *_BY_STEP), _from, _to, points.c.special != NAN)
_HIGHEST = _page((points.c.special.desc(), points.c.value.desc(), *_BY_STEP), _from, _to, points.c.special != NAN)
_low, _high = (
    [getattr(metrics.c, f"{which}_{field}") for field in ("step", "timestamp", "special", "value")]
    for which in ("min", "max")
)
_EXTREMES = Statement(
    select(*_low, *_high, metrics.c.first_step, metrics.c.latest_step).where(
        metrics.c.run_id == bindparam("run"), metrics.c.key == bindparam("of_key")
    )
)
_ONE = Statement(_own.where(*(column == bindparam(f"at_{column.name}") for column in _BY_STEP)))


def page(connection: Connection, run_id: str, key: str, max_results: int | None, after: Cursor | None) -> Page[Metric]:
    run = runs.row_of(connection, run_id)[0]
    found = connection.row(_SERIES, run=run, of_key=key)
    if found is None:
        return Page([])
    series, in_step = found
    most = _EVERYTHING if max_results is None else max_results + 1
    if after is None:
        rows = connection.rows(_FIRST_PAGE[in_step], run=run, series=series, most=most)
    else:
        rows = connection.rows(_NEXT_PAGE[in_step], run=run, series=series, most=most, **_bounds(after))
    following = None
    if max_results is not None and len(rows) > max_results:
        del rows[max_results:]
        step, timestamp, special, value, _ = rows[-1]
        following = (timestamp, step, special, value)
    return Page(_metrics(connection, key, rows), following)


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
        "series": found[0],
        "first_step": INT64_MIN if first_step is None else first_step,
        "last_step": INT64_MAX if last_step is None else last_step,
    }
    rows = connection.rows(_STEPS, **scope, most=max_points + 1)
    if len(rows) > max_points:
        last = connection.rows(_LAST, **scope, most=1)[0]
        musts = [last, rows[0], *_extremes(connection, key, scope)][:max_points]
        chosen = {*musts, *_of_buckets(connection, scope, rows, last, max_points - sampling.KEPT_EXTREMES)}
        rows = sorted(chosen)
    return _metrics(connection, key, rows)


def _extremes(connection: Connection, key: str, scope: dict[str, int]) -> list[Row]:
    """The lowest and the highest number; none when there are only NaN. Known without a search for the whole range."""
    low_and_high = connection.row(_EXTREMES, run=scope["run"], of_key=key)
    assert low_and_high is not None
    *extremes, first, last = low_and_high
    if scope["first_step"] > first or scope["last_step"] < last:
        return connection.rows(_LOWEST, **scope, most=1) + connection.rows(_HIGHEST, **scope, most=1)
    if extremes[2] == NAN:
        return []
    places = [
        dict(zip(("at_step", "at_timestamp", "at_special", "at_value"), it, strict=True))
        for it in (extremes[:4], extremes[4:])
    ]
    return [row for at in places for row in connection.rows(_ONE, run=scope["run"], series=scope["series"], **at)]


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


def _metrics(connection: Connection, key: str, rows: list[Row]) -> list[Metric]:
    """Rows as points; written out plainly because a history may have 100,000 of them."""
    make = tuple.__new__
    if not any([row[2] or row[4] for row in rows]):
        return [make(Metric, (key, value, timestamp, step, None, None)) for step, timestamp, _, value, _ in rows]
    named = sources.named(connection, {row[4] for row in rows})
    return [
        Metric(key, join(special, value), timestamp, step, *named[source])
        for step, timestamp, special, value, source in rows
    ]
