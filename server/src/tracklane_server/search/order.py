"""The effect of an order: where a row stands, and what a cursor says.

A **cursor** is the place of one row as a flat tuple of JSON values, `(rank, value, rank, value, …)`, a pair for each
term of the order. Ranks ascend in both directions, `value` is None but for rank PRESENT, and only values turn round
with DESC. Every store builds and reads cursors of this form.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic

from tracklane_server.contract.entities import Experiment
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.ast import Key, Literal, OrderTerm
from tracklane_server.search.dialect import ValueType, value_type
from tracklane_server.search.rows import Row, RunRow, Values, read_experiment, read_run

PRESENT = 0
NAN = 1
MISSING = 2

_INT64 = range(-(2**63), 2**63)


class Ordering(Generic[Row]):
    """An order made ready for rows of one sort; see `run_ordering` and `experiment_ordering`."""

    def __init__(self, order: Sequence[OrderTerm], read: Callable[[Key], Callable[[Row], Values]]) -> None:
        self._order = order
        self._readers = [read(term.key) for term in order]

    def cursor(self, row: Row) -> tuple[Any, ...]:
        return tuple(part for reader in self._readers for part in _place(reader(row)))

    def sort_key(self, row: Row) -> tuple[Any, ...]:
        """A tuple by which rows sort ascending into this order."""
        return self._turned(self.cursor(row))

    def after(self, cursor: tuple[Any, ...]) -> Callable[[Row], bool]:
        """Whether a row comes after the one that `cursor` was made of, which may be gone by now.

        Raises:
            InvalidParameterValue: not a cursor of this order.
        """
        check_cursor(self._order, cursor)
        bound = self._turned(cursor)
        return lambda row: self.sort_key(row) > bound

    def _turned(self, cursor: tuple[Any, ...]) -> tuple[Any, ...]:
        turned = list(cursor)
        for i, term in enumerate(self._order):
            value = cursor[2 * i + 1]
            if not term.ascending and value is not None:
                turned[2 * i + 1] = _Descending(value) if isinstance(value, str) else -value
        return tuple(turned)


def run_ordering(order: Sequence[OrderTerm]) -> Ordering[RunRow]:
    return Ordering(order, read_run)


def experiment_ordering(order: Sequence[OrderTerm]) -> Ordering[Experiment]:
    return Ordering(order, read_experiment)


def check_cursor(order: Sequence[OrderTerm], cursor: tuple[Any, ...]) -> None:
    """Refuse what no row can have given; a page token that someone made up leads here.

    Raises:
        InvalidParameterValue: the wrong length, rank or type of value for this order.
    """
    pairs = list(zip(cursor[::2], cursor[1::2], strict=False))
    if len(cursor) != 2 * len(order) or not all(
        _is_place(rank, value, value_type(term.key)) for (rank, value), term in zip(pairs, order, strict=True)
    ):
        raise InvalidParameterValue(
            "Invalid page_token: it is not one that this search gave; start again without a page_token"
        )


def _place(values: Values) -> tuple[int, Literal | None]:
    if not values:
        return MISSING, None
    value = values[0]
    return (PRESENT, value) if value == value else (NAN, None)


def _is_place(rank: Any, value: Any, its_type: ValueType) -> bool:
    if type(rank) is not int or rank not in (PRESENT, NAN, MISSING):
        return False
    if rank != PRESENT:
        return value is None
    if its_type is not ValueType.NUMBER:
        return isinstance(value, str) and _is_unicode(value)
    return (type(value) is int and value in _INT64) or (isinstance(value, float) and value == value)


def _is_unicode(text: str) -> bool:
    """False for lone surrogates: JSON can spell them, no store can take them."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


class _Descending:
    """Text that sorts the other way round."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __lt__(self, other: "_Descending") -> bool:
        return other._text < self._text

    def __gt__(self, other: "_Descending") -> bool:
        return other._text > self._text
