"""Doubles as two columns, `special` and `value`, that every database stores and orders alike.

`special` is 0 for a number, 1 for +Infinity, -1 for -Infinity, 2 for NaN, whose `value` is then 0. So ordering by
(special, value) is numeric order with NaN above all. -0.0 becomes 0.0, its equal.
"""

import math
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, false, literal, or_, true

from tracklane_server.search.ast import Literal, Operator
from tracklane_server.search.rows import read_number

FINITE = 0
POSITIVE = 1
NEGATIVE = -1
NAN = 2

_VALUES = {POSITIVE: math.inf, NEGATIVE: -math.inf, NAN: math.nan}

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


def split(value: float) -> tuple[int, float]:
    if value - value == 0:
        return FINITE, value + 0.0
    return special_of(value), 0.0


def special_of(value: float) -> int:
    if value != value:
        return NAN
    if value - value == 0:
        return FINITE
    return POSITIVE if value > 0 else NEGATIVE


def join(special: int, value: float) -> float:
    return _VALUES[special] if special else value


def split_text(text: str) -> tuple[int | None, float | None]:
    """The pair for text that is a number, as a filter that compares it with one understands it; else nulls."""
    number = read_number(text)
    return (None, None) if number is None else split(number)


def compare(
    special: ColumnElement[Any], value: ColumnElement[Any], operator: Operator, literals: tuple[Literal, ...]
) -> ColumnElement[bool]:
    """A comparison of the pair with numbers, exact also where an int literal has no double of its own."""
    if operator in _NEGATED:
        return ~compare(special, value, _NEGATED[operator], literals)
    if operator is Operator.BETWEEN:
        low, high = literals
        return and_(
            compare(special, value, Operator.GE, (low,)),
            compare(special, value, Operator.LE, (high,)),
        )
    if operator in (Operator.EQ, Operator.IN):
        return _equal(special, value, literals)
    operator, literal = _exact(operator, literals[0])
    return _ordered(special, value, operator, literal)


def compare_int(column: ColumnElement[Any], operator: Operator, literals: tuple[Literal, ...]) -> ColumnElement[bool]:
    """A comparison of an int64 column with numbers, without a detour through doubles."""
    if operator in _NEGATED:
        return ~compare_int(column, _NEGATED[operator], literals)
    if operator is Operator.BETWEEN:
        low, high = literals
        return and_(compare_int(column, Operator.GE, (low,)), compare_int(column, Operator.LE, (high,)))
    if operator in (Operator.EQ, Operator.IN):
        return any_of(column, {int(it) for it in literals if _is_int64(it)})
    bound: Any = literals[0]
    if bound > INT64_MAX or bound < INT64_MIN:
        return true() if (bound > 0) == (operator in (Operator.LT, Operator.LE)) else false()
    rounded = math.floor(bound) if operator in (Operator.GT, Operator.LE) else math.ceil(bound)
    return _OPERATIONS[operator](column, rounded)


def any_of(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    if len(values) > 1:
        return column.in_([literal(value, column.type) for value in sorted(values)])
    return column == next(iter(values)) if values else false()


_NEGATED = {
    Operator.NE: Operator.EQ,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
}


def _equal(
    special: ColumnElement[Any], value: ColumnElement[Any], literals: tuple[Literal, ...]
) -> ColumnElement[bool]:
    pairs = [split(float(it)) for it in literals if float(it) == it]
    codes = {code for code, _ in pairs if code != FINITE}
    finite = {number for code, number in pairs if code == FINITE}
    return or_(and_(special == FINITE, any_of(value, finite)), any_of(special, codes))


def _ordered(
    special: ColumnElement[Any], value: ColumnElement[Any], operator: Operator, literal: float
) -> ColumnElement[bool]:
    code, number = split(literal)
    above = operator in (Operator.GT, Operator.GE)
    beyond = any_of(special, [it for it in (NEGATIVE, FINITE, POSITIVE) if (it > code if above else it < code)])
    if code == FINITE:
        return or_(and_(special == FINITE, _OPERATIONS[operator](value, number)), beyond)
    return or_(special == code, beyond) if operator in (Operator.GE, Operator.LE) else beyond


_OPERATIONS: dict[Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    Operator.GT: lambda column, number: column > number,
    Operator.GE: lambda column, number: column >= number,
    Operator.LT: lambda column, number: column < number,
    Operator.LE: lambda column, number: column <= number,
}


def _exact(operator: Operator, literal: Any) -> tuple[Operator, float]:
    """The same condition on doubles; an int between two of them moves to its neighbour, which is then in or out."""
    number = float(literal)
    if number == literal:
        return operator, number
    if number > literal:
        return (Operator.GE if operator in (Operator.GT, Operator.GE) else Operator.LT), number
    return (Operator.GT if operator in (Operator.GT, Operator.GE) else Operator.LE), number


def _is_int64(literal: Any) -> bool:
    return bool(INT64_MIN <= literal <= INT64_MAX and literal == math.floor(literal))
