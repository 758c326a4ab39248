"""Where rows stand, what a cursor holds, and what comes after it."""

import math

import pytest
from hypothesis import given, settings
from search_strategies import experiment_orders, experiments, orders, runs

from tracklane_server.contract.entities import Experiment, Metric, Run, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.ast import Aggregate, Entity, Key, OrderTerm
from tracklane_server.search.grammar import parse_experiment_order, parse_run_order
from tracklane_server.search.order import experiment_ordering, run_ordering
from tracklane_server.search.paging import decode_token, encode_token
from tracklane_server.search.rows import RunRow, aggregates_used

START_TIME_DESC = OrderTerm(Key(Entity.ATTRIBUTE, "start_time"), False)
RUN_ID = OrderTerm(Key(Entity.ATTRIBUTE, "run_id"))


def test_order_ends_with_start_time_and_run_id():
    assert parse_run_order([]) == (START_TIME_DESC, RUN_ID)
    assert parse_run_order(["metrics.a.b desc"]) == (
        OrderTerm(Key(Entity.METRIC, "a.b"), False),
        START_TIME_DESC,
        RUN_ID,
    )


def test_key_given_again_is_ignored():
    start_time = OrderTerm(Key(Entity.ATTRIBUTE, "start_time"))
    assert parse_run_order(["created", "attributes.start_time DESC", "run_id", "Created"]) == (start_time, RUN_ID)


def test_aggregates_are_keys_of_their_own():
    order = parse_run_order(["min(metrics.a) DESC", "metrics.a", "last(metrics.a) DESC", "duration"])
    assert [(term.key.name, term.key.aggregate, term.ascending) for term in order[:3]] == [
        ("a", Aggregate.MIN, False),
        ("a", Aggregate.LATEST, True),
        ("duration", Aggregate.LATEST, True),
    ]
    assert aggregates_used(None, order) == {("a", Aggregate.MIN)}


def test_experiments_end_with_their_id():
    def spelled(*items):
        return [(term.key.name, term.ascending) for term in parse_experiment_order(items)]

    assert spelled() == [("creation_time", False), ("experiment_id", True)]
    assert spelled("attribute.name DESC") == [("name", False), ("experiment_id", False)]
    assert spelled("experiment_id") == [("experiment_id", True)]


@pytest.mark.parametrize(
    "item",
    [
        *(
            "",
            " ",
            "metrics.a, metrics.b",
            "metrics.a b",
            "metrics.a DESC DESC",
            "metrics.a NULLS LAST",
            "metrics.a;",
            "asc",
        ),
        *(
            "`run name`",
            "dataset.name",
            "experiment_id",
            "lifecycle_stage",
            "metrics.a/b",
            "'start_time'",
            "(metrics.a)",
        ),
        *("-metrics.a", "metrics.a = 1", "start_time AND run_id", "min(params.a)"),
    ],
)
def test_what_runs_cannot_be_ordered_by_is_refused(item):
    with pytest.raises(InvalidParameterValue, match=r"^Invalid order_by\[0\] '"):
        parse_run_order([item])


@pytest.mark.parametrize("item", ["tags.t", "run_id", "`nope`"])
def test_what_experiments_cannot_be_ordered_by_is_refused(item):
    with pytest.raises(InvalidParameterValue):
        parse_experiment_order([item])


def _row(run_id: str, value: float | None = None, param: str | None = None) -> RunRow:
    info = RunInfo(run_id, "0", "n", "u", "RUNNING", 7, None, "x:/")
    metrics = () if value is None else (Metric("m", value, 0),)
    return RunRow(Run(info, metrics, {} if param is None else {"p": param}))


def _ids(rows, *order):
    return "".join(row.run.info.run_id for row in sorted(rows, key=run_ordering(parse_run_order(order)).sort_key))


def test_metric_order_puts_nan_and_missing_last_both_ways():
    rows = [_row(i, v) for i, v in zip("abcdef", [1.5, math.nan, None, math.inf, -math.inf, 2.0], strict=True)]
    assert _ids(rows, "metrics.m") == "eafdbc"
    assert _ids(rows, "metrics.m DESC") == "dfaebc"


def test_params_sort_as_text_by_code_point_with_missing_last():
    texts = ["9", "10", None, "", "é", "a", "B", "\uffff", "😀"]
    rows = [_row(i, param=text) for i, text in zip("abcdefghi", texts, strict=True)]
    assert _ids(rows, "params.p") == "dbagfehic"
    assert _ids(rows, "params.p DESC") == "ihefgabdc"


def test_cursor_layout():
    order = parse_run_order(["metrics.m DESC", "metrics.nope", "params.p DESC"])
    assert run_ordering(order).cursor(_row("a", math.nan, "x")) == (1, None, 2, None, 0, "x", 0, 7, 0, "a")
    assert run_ordering(order).cursor(_row("a", math.inf)) == (0, math.inf, 2, None, 2, None, 0, 7, 0, "a")


@pytest.mark.parametrize(
    "cursor",
    [
        *((), (0, 7), (0, 7, 0, "a", 0), (0, 7, 0, "a", 0, 1), (0, "7", 0, "a"), (0, 7, 0, 7), (0, True, 0, "a")),
        *(
            (True, 7, 0, "a"),
            (3, None, 0, "a"),
            (0, None, 0, "a"),
            (2, 7, 0, "a"),
            (0, 2**63, 0, "a"),
            (0, 7, 0, "\ud800"),
        ),
        *((0, math.nan, 0, "a"), (0.0, 7, 0, "a"), ("0", 7, 0, "a")),
    ],
)
def test_made_up_cursor_is_refused(cursor):
    with pytest.raises(InvalidParameterValue, match="page_token"):
        run_ordering(parse_run_order([])).after(cursor)


def _assert_pages_agree(ordering, rows):
    in_order = sorted(rows, key=ordering.sort_key)
    for i, row in enumerate(in_order):
        token = encode_token(ordering.cursor(row), "q")
        after = ordering.after(decode_token(token, "q"))
        assert [r for r in in_order if after(r)] == in_order[i + 1 :]


@settings(max_examples=50)
@given(orders(), runs())
def test_every_run_comes_after_the_ones_before(order, logged):
    _assert_pages_agree(run_ordering(order), [run.row(aggregates_used(None, order)) for run in logged])


@settings(max_examples=50)
@given(experiment_orders(), experiments())
def test_every_experiment_comes_after_the_ones_before(order, found: list[Experiment]):
    _assert_pages_agree(experiment_ordering(order), found)
