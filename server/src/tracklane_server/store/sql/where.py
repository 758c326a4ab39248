"""A filter as an SQL condition, true for the same rows as `search.predicate`.

Every comparison here is true or false, never NULL, so that NOT is the complement. NOT is carried down to the
comparisons and the deepest term comes first, which keeps the statement within what SQL parsers take.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, true

from tracklane_server.search.ast import Comparison, Entity, Filter, Key, Literal, Not, Operator, Or
from tracklane_server.store.sql import doubles
from tracklane_server.store.sql.sqlite import SqliteDriver

Condition: TypeAlias = ColumnElement[bool]

# Makes a condition on a key's columns one on the row searched for, false where the key is absent.
Holds: TypeAlias = Callable[[Condition], Condition]


class Subject(NamedTuple):
    """What a key stands for in SQL.

    Attributes:
        text, integer: the column, if the key is of this type.
        number: the two columns of a double, if the key can be compared as one.
    """

    holds: Holds
    text: ColumnElement[Any] | None = None
    integer: ColumnElement[Any] | None = None
    number: tuple[ColumnElement[Any], ColumnElement[Any]] | None = None


def column_subject(column: ColumnElement[Any], *, is_text: bool, nullable: bool) -> Subject:
    def holds(condition: Condition) -> Condition:
        return and_(column.is_not(None), condition) if nullable else condition

    return Subject(holds, text=column) if is_text else Subject(holds, integer=column)


def exists_with(condition: Condition) -> Holds:
    """For a key whose value is in a row of another table that `condition` ties to the row searched for."""
    return lambda test: exists().where(condition, test)


class Conditions:
    """Makes conditions; `subject` says what keys stand for."""

    def __init__(self, driver: SqliteDriver, subject: Callable[[Key], Subject]) -> None:
        self._subject = subject
        self._text_tests: Mapping[Operator, Callable[[ColumnElement[Any], Any], Condition]] = {
            Operator.LIKE: driver.like,
            Operator.ILIKE: driver.ilike,
            Operator.GT: lambda column, text: column > text,
            Operator.GE: lambda column, text: column >= text,
            Operator.LT: lambda column, text: column < text,
            Operator.LE: lambda column, text: column <= text,
        }

    def of(self, filter: Filter, negated: bool = False) -> Condition:
        if isinstance(filter, Comparison):
            condition = self._comparison(filter)
            return not_(condition) if negated else condition
        if isinstance(filter, Not):
            return self.of(filter.term, not negated)
        terms = [self.of(term, negated) for term in sorted(filter.terms, key=_depth, reverse=True)]
        if isinstance(filter, Or) != negated:
            return or_(false(), *terms)
        return and_(true(), *terms)

    def _comparison(self, comparison: Comparison) -> Condition:
        key, operator, literals = comparison
        subject = self._subject(key)
        if operator is Operator.IS_NULL:
            return not_(subject.holds(true()))
        if operator is Operator.IS_NOT_NULL:
            return subject.holds(true())
        if isinstance(literals[0], str):
            assert subject.text is not None
            return subject.holds(self._text(subject.text, operator, literals))
        if subject.integer is not None:
            return subject.holds(doubles.compare_int(subject.integer, operator, literals))
        assert subject.number is not None
        if key.entity is Entity.METRIC:
            return subject.holds(doubles.compare(*subject.number, operator, literals))
        test = doubles.compare(*subject.number, operator, tuple(float(it) for it in literals))
        return subject.holds(and_(subject.number[0].is_not(None), test))

    def _text(self, text: ColumnElement[Any], operator: Operator, literals: tuple[Literal, ...]) -> Condition:
        if operator in _NEGATED:
            return not_(self._text(text, _NEGATED[operator], literals))
        if operator in (Operator.EQ, Operator.IN):
            return doubles.any_of(text, set(literals))
        if operator is Operator.BETWEEN:
            low, high = literals
            return and_(text >= low, text <= high)
        return self._text_tests[operator](text, literals[0])


_NEGATED = {
    Operator.NE: Operator.EQ,
    Operator.NOT_LIKE: Operator.LIKE,
    Operator.NOT_ILIKE: Operator.ILIKE,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
}


def _depth(filter: Filter) -> int:
    if isinstance(filter, Comparison):
        return 0
    if isinstance(filter, Not):
        return _depth(filter.term)
    return 1 + max(map(_depth, filter.terms), default=0)
