"""The effect of a filter in memory, and the definition that the SQL store is tested against.

A comparison is true when one of the key's values satisfies it; so it is false for an absent key, whatever the operator,
IS NULL apart. NaN satisfies the negated operators only. int and float compare exactly, text by Unicode code point.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tracklane_server.contract.entities import Experiment
from tracklane_server.search.ast import And, Comparison, Entity, Filter, Key, Literal, Not, Operator
from tracklane_server.search.rows import RunRow, Values, read_experiment, read_number, read_run

Row = TypeVar("Row")
Test = Callable[[Any], bool]


def run_predicate(filter: Filter | None) -> Callable[[RunRow], bool]:
    """Whether a run matches; rows need `aggregates` as `rows.aggregates_used(filter)` says. None matches all."""
    return _predicate(filter, read_run)


def experiment_predicate(filter: Filter | None) -> Callable[[Experiment], bool]:
    return _predicate(filter, read_experiment)


def like(pattern: str) -> re.Pattern[str]:
    """What `LIKE` matches, for `fullmatch`: `%` any characters, `_` one, newlines too; nothing escapes.

    Each piece between two `%` takes its first match and never gives it back, which keeps matching from backtracking.
    """
    first, *rest = ["".join("." if c == "_" else re.escape(c) for c in piece) for piece in pattern.split("%")]
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}", re.DOTALL)


def _predicate(filter: Filter | None, read: Callable[[Key], Callable[[Row], Values]]) -> Callable[[Row], bool]:
    if filter is None:
        return lambda row: True
    if isinstance(filter, Not):
        term = _predicate(filter.term, read)
        return lambda row: not term(row)
    if isinstance(filter, Comparison):
        return _comparison(filter, read(filter.key))
    terms = [_predicate(each, read) for each in filter.terms]
    if isinstance(filter, And):
        return lambda row: all(term(row) for term in terms)
    return lambda row: any(term(row) for term in terms)


def _comparison(comparison: Comparison, values: Callable[[Row], Values]) -> Callable[[Row], bool]:
    operator, literals = comparison.operator, comparison.values
    if operator is Operator.IS_NULL:
        return lambda row: not values(row)
    if operator is Operator.IS_NOT_NULL:
        return lambda row: bool(values(row))
    if comparison.key.entity in (Entity.PARAM, Entity.TAG) and not isinstance(literals[0], str):
        test = _as_number(_test(operator, tuple(float(value) for value in literals)))
    else:
        test = _test(operator, literals)
    return lambda row: any(test(value) for value in values(row))


def _as_number(test: Test) -> Test:
    """Both sides become doubles, so that '0.1' equals 0.1 and '9007199254740993' equals 9007199254740993."""

    def test_number(text: str) -> bool:
        number = read_number(text)
        return number is not None and test(number)

    return test_number


def _test(operator: Operator, values: tuple[Literal, ...]) -> Test:
    if operator in _NEGATIONS:
        plain = _TESTS[_NEGATIONS[operator]](*values)
        return lambda value: not plain(value)
    return _TESTS[operator](*values)


def _like(pattern: Any) -> Test:
    fullmatch = like(pattern).fullmatch
    return lambda value: fullmatch(value) is not None


def _ilike(pattern: Any) -> Test:
    fullmatch = like(pattern.lower()).fullmatch
    return lambda value: fullmatch(value.lower()) is not None


_NEGATIONS = {
    Operator.NE: Operator.EQ,
    Operator.NOT_LIKE: Operator.LIKE,
    Operator.NOT_ILIKE: Operator.ILIKE,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
}

_TESTS: Mapping[Operator, Callable[..., Test]] = {
    Operator.EQ: lambda literal: lambda value: bool(value == literal),
    Operator.GT: lambda literal: lambda value: bool(value > literal),
    Operator.GE: lambda literal: lambda value: bool(value >= literal),
    Operator.LT: lambda literal: lambda value: bool(value < literal),
    Operator.LE: lambda literal: lambda value: bool(value <= literal),
    Operator.LIKE: _like,
    Operator.ILIKE: _ilike,
    Operator.IN: lambda *literals: frozenset(literals).__contains__,
    Operator.BETWEEN: lambda low, high: lambda value: bool(low <= value <= high),
}
