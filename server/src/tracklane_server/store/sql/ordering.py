"""An order as SQL: columns to sort by, the condition of what comes after a cursor, the cursor of a row."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, case, or_

from tracklane_server.search.order import MISSING, NAN, PRESENT
from tracklane_server.store.sql import doubles


class SortColumn(NamedTuple):
    """One column of ORDER BY; `parameter` names its value in a cursor."""

    column: ColumnElement[Any]
    ascending: bool
    parameter: str

    @property
    def sorted(self) -> ColumnElement[Any]:
        return self.column.asc() if self.ascending else self.column.desc()

    def beyond(self) -> ColumnElement[bool]:
        return self.column > self._bound if self.ascending else self.column < self._bound

    def beyond_or_at(self) -> ColumnElement[bool]:
        return self.column >= self._bound if self.ascending else self.column <= self._bound

    @property
    def _bound(self) -> ColumnElement[Any]:
        return bindparam(self.parameter, type_=self.column.type)


class Place(NamedTuple):
    """Where one term of the order puts a row.

    `values` are the columns that are selected: one, or the two of a double, whose places are `rank`ed first: numbers,
    NaN, nothing. A column that is never null needs no rank.
    """

    number: int
    ascending: bool
    values: tuple[ColumnElement[Any], ...]
    nullable: bool

    def sort_columns(self, rank: int = PRESENT) -> list[SortColumn]:
        """What distinguishes rows whose place has this rank, and those from the rest."""
        columns = [SortColumn(self._rank(), True, f"rank_{self.number}")] if self.nullable else []
        if rank == PRESENT:
            for index, value in enumerate(self.values):
                columns.append(SortColumn(value, self.ascending, f"place_{self.number}_{index}"))
        return columns

    def parameters(self, rank: int, value: Any) -> dict[str, Any]:
        parts = doubles.split(float(value)) if rank == PRESENT and len(self.values) == 2 else (value,)
        return {f"rank_{self.number}": rank, **{f"place_{self.number}_{i}": part for i, part in enumerate(parts)}}

    def cursor(self, values: Sequence[Any]) -> tuple[int, Any]:
        if values[0] is None:
            return MISSING, None
        if len(values) == 1:
            return PRESENT, values[0]
        return (NAN, None) if values[0] == doubles.NAN else (PRESENT, doubles.join(*values))

    def _rank(self) -> ColumnElement[Any]:
        first = self.values[0]
        if len(self.values) == 1:
            return case((first.is_(None), MISSING), else_=PRESENT)
        return case((first.is_(None), MISSING), (first == doubles.NAN, NAN), else_=PRESENT)


def sort_columns(places: Sequence[Place]) -> list[ColumnElement[Any]]:
    return [column.sorted for place in places for column in place.sort_columns()]


def after(places: Sequence[Place], ranks: Sequence[int]) -> ColumnElement[bool]:
    """Whether a row comes after a cursor with these ranks; `parameters` gives it the cursor's values."""
    columns = [column for place, rank in zip(places, ranks, strict=True) for column in place.sort_columns(rank)]
    condition = columns[-1].beyond()
    for column in reversed(columns[:-1]):
        condition = and_(column.beyond_or_at(), or_(column.beyond(), condition))
    return condition


def parameters(places: Sequence[Place], cursor: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, rank, value in zip(places, cursor[::2], cursor[1::2], strict=True):
        found |= place.parameters(rank, value)
    return found


def cursor_of(places: Sequence[Place], values: Sequence[Any]) -> tuple[Any, ...]:
    """The cursor of a row, from the columns `values` of all places one after the other."""
    cursor: list[Any] = []
    position = 0
    for place in places:
        cursor += place.cursor(values[position : position + len(place.values)])
        position += len(place.values)
    return tuple(cursor)
