"""Doubles as two columns: exact, and compared with numbers as Python compares."""

import math

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Double, Integer, create_engine, literal, select

from tracklane_server.contract.entities import Metric, Run, RunInfo
from tracklane_server.search.ast import Comparison, Entity, Key, Operator
from tracklane_server.search.dialect import OPERATORS, ValueType
from tracklane_server.search.predicate import run_predicate
from tracklane_server.search.rows import RunRow
from tracklane_server.store.sql.doubles import compare, compare_int, join, split

ENGINE = create_engine("sqlite://")
INT64 = st.integers(-(2**63), 2**63 - 1)
NEAR = st.sampled_from([2**53, 2**53 + 1, 2**53 + 2, 2**62 + 1, 2**63 - 1, -(2**63), -(2**53) - 1, 0, 1, -1])
LITERALS = NEAR | INT64 | st.floats(allow_nan=False) | NEAR.map(float) | NEAR.map(lambda it: it + 0.5)
OPERATOR = st.sampled_from([it for it in OPERATORS[ValueType.NUMBER] if "NULL" not in it])
INFO = RunInfo("r", "0", "", "", "RUNNING", 0, None, "")


def literals_for(operator: Operator, drawn: list[float]) -> tuple[float, ...]:
    if operator in (Operator.IN, Operator.NOT_IN):
        return tuple(drawn)
    return tuple(drawn[:2]) if operator in (Operator.BETWEEN, Operator.NOT_BETWEEN) else tuple(drawn[:1])


@given(value=st.floats())
def test_splitting_loses_nothing(value: float) -> None:
    back = join(*split(value))
    assert back == value or (math.isnan(back) and math.isnan(value))


@given(left=st.floats(), right=st.floats())
def test_pairs_order_as_numbers_with_nan_above_all(left: float, right: float) -> None:
    expected = left < right or (math.isnan(right) and not math.isnan(left))
    assert (split(left) < split(right)) == expected


@given(value=st.floats() | NEAR.map(float), operator=OPERATOR, drawn=st.lists(LITERALS, min_size=2, max_size=4))
def test_doubles_compare_as_the_predicate_says(value: float, operator: Operator, drawn: list[float]) -> None:
    literals = literals_for(operator, drawn)
    special, number = split(value)
    condition = compare(literal(special, Integer), literal(number, Double), operator, literals)
    row = RunRow(Run(INFO, metrics=(Metric("m", value, 0),)))
    expected = run_predicate(Comparison(Key(Entity.METRIC, "m"), operator, literals))(row)
    assert holds(condition) == expected


@given(value=NEAR | INT64, operator=OPERATOR, drawn=st.lists(LITERALS, min_size=2, max_size=4))
def test_ints_compare_as_the_predicate_says(value: int, operator: Operator, drawn: list[float]) -> None:
    literals = literals_for(operator, drawn)
    row = RunRow(Run(INFO._replace(start_time=value)))
    expected = run_predicate(Comparison(Key(Entity.ATTRIBUTE, "start_time"), operator, literals))(row)
    assert holds(compare_int(literal(value, Integer), operator, literals)) == expected


def holds(condition: object) -> bool:
    with ENGINE.connect() as connection:
        return connection.execute(select(1).where(condition)).first() is not None  # type: ignore[arg-type]
