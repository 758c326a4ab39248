"""Errors point at the first thing that does not fit, say what would, and come fast whatever the text."""

import contextlib
import time

import pytest

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.grammar import (
    MAX_COMPARISONS,
    MAX_DEPTH,
    MAX_LITERALS,
    parse_experiment_filter,
    parse_run_filter,
    parse_run_order,
)

AT = [
    ("metrics.acc > '0.4'", 15, "a number without quotes", "'0.4'"),
    ("metrics.acc > 0.4 AND OR params.lr = '1'", 23, "a comparison, NOT or (", "OR"),
    ("metrics.acc > 0.4 AND params.lr = lr", 35, "text in quotes or a number without", "lr"),
    ("status == 'x'", 8, "one of =, !=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN,", "=="),
    ("é日本", 1, "metrics.<key>", "é日本"),
    ("😀", 1, "metrics.<key>", "😀"),
    ("tags.t = 'x' AND attributes.foo = 1", 18, "an attribute (run_id, run_name, status,", "attributes.foo"),
    ("dataset.foo = 'x'", 1, "dataset.name or dataset.digest or dataset.context", "dataset.foo"),
    ("metrics.5 > 1", 1, "quotes round a key with a number in it, as in metrics.`5`", "metrics.5"),
    ("(metrics.acc > 1", 17, "AND, OR or )", "the end"),
    ("metrics.acc > 1) ", 16, "AND, OR or the end", ")"),
    ("metrics.acc BETWEEN 1 OR 2", 23, "AND and the upper end of the range", "OR"),
    ("params.lr IN 1", 14, "( and a list of values", "1"),
    ("params.lr IN (1 2)", 17, "a comma or )", "2"),
    ("tags.t IS TRUE", 11, "NULL or NOT NULL", "TRUE"),
    ("tags.t NOT NULL", 12, "LIKE, ILIKE, IN or BETWEEN", "NULL"),
    ("min(params.lr) < 1", 5, "metrics.<key>", "params.lr"),
    ("tags.t = 'open", 10, "text in quotes", "'open"),
]


@pytest.mark.parametrize(("filter", "position", "expected", "found"), AT)
def test_error_names_position_and_choices(filter, position, expected, found):
    with pytest.raises(InvalidParameterValue) as error:
        parse_run_filter(filter)
    assert error.value.message.startswith(f"Invalid filter '{filter}': at position {position}: expected {expected}")
    assert error.value.message.endswith(f", but found {found}")


def test_order_error_names_the_item():
    with pytest.raises(
        InvalidParameterValue, match=r"^Invalid order_by\[1\] 'tags\.t DOWN': at position 8: expected ASC"
    ):
        parse_run_order(["start_time", "tags.t DOWN"])


def test_experiment_error_names_what_experiments_have():
    with pytest.raises(InvalidParameterValue, match=r"expected tags\.<key>, an attribute \(name, experiment_id, "):
        parse_experiment_filter("metrics.acc > 1")


def test_long_text_is_cut_in_errors():
    with pytest.raises(InvalidParameterValue) as error:
        parse_run_filter("tags.t = 'x' " + "y" * 10_000)
    assert len(error.value.message) < 700
    assert "yyy…" in error.value.message


def test_bounds_are_far_enough_and_enforced():
    clause = "metrics.acc > 1"
    assert parse_run_filter(" OR ".join([clause] * MAX_COMPARISONS))
    assert parse_run_filter("(" * MAX_DEPTH + clause + ")" * MAX_DEPTH)
    assert parse_run_filter("run_id IN (" + ",".join(["'x'"] * MAX_LITERALS) + ")")
    for filter, bound in [
        (" OR ".join([clause] * (MAX_COMPARISONS + 1)), "at most 200 comparisons"),
        ("(" * 100_000 + clause, "at most 50 nested parentheses and NOTs"),
        ("NOT " * 100_000 + clause, "at most 50 nested parentheses and NOTs"),
        ("run_id IN (" + ",".join(["'x'"] * (MAX_LITERALS + 1)) + ")", "at most 10000 values"),
    ]:
        with pytest.raises(InvalidParameterValue, match=bound):
            parse_run_filter(filter)


@pytest.mark.parametrize(
    "piece",
    [
        "'",
        '"',
        "`",
        "\\'",
        "''",
        "\\''",
        "'\\",
        "a",
        ".",
        "a.",
        "1",
        "1e",
        "-",
        "((",
        "=",
        " ",
        "AND ",
        "é\u0301",
        "``.",
        "tags.`",
    ],
)
def test_hostile_text_is_refused_in_linear_time(piece):
    text = "tags.t = 'x" + piece * (100_000 // len(piece))
    started = time.process_time()
    for filter in (text, text[11:]):
        with contextlib.suppress(InvalidParameterValue):
            parse_run_filter(filter)
    assert time.process_time() - started < 2
