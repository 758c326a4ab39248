"""Whatever the AST can say, text can say: parsing what was spelled gives the same tree."""

from hypothesis import given, settings
from search_strategies import (
    experiment_filters,
    experiment_orders,
    filters,
    orders,
    runs,
    unparse,
    unparse_order,
)

from tracklane_server.search.ast import And, Not, Or
from tracklane_server.search.grammar import (
    parse_experiment_filter,
    parse_experiment_order,
    parse_run_filter,
    parse_run_order,
)
from tracklane_server.search.predicate import run_predicate
from tracklane_server.search.rows import aggregates_used

# Trees are compared by `repr`, because 1 == 1.0.


@given(filters())
def test_run_filter(filter):
    assert repr(parse_run_filter(unparse(filter))) == repr(filter)


@given(experiment_filters())
def test_experiment_filter(filter):
    assert repr(parse_experiment_filter(unparse(filter))) == repr(filter)


@given(orders())
def test_run_order(order):
    assert parse_run_order(unparse_order(order)) == order


@given(experiment_orders())
def test_experiment_order(order):
    assert parse_experiment_order(unparse_order(order)) == order


@settings(max_examples=50)
@given(filters(3), filters(3), runs())
def test_structure_obeys_the_laws_of_logic(a, b, logged):
    used = aggregates_used(Or((a, b)))
    rows = [run.row(used) for run in logged]

    def matching(filter):
        return [row.run.info.run_id for row in rows if run_predicate(filter)(row)]

    assert matching(Not(And((a, b)))) == matching(Or((Not(a), Not(b))))
    assert sorted(matching(a) + matching(Not(a))) == sorted(row.run.info.run_id for row in rows)
