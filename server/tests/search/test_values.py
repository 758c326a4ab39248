"""How single values are read and matched."""

import math
import time

import pytest

from tracklane_server.contract.entities import Experiment, Metric
from tracklane_server.search.ast import Aggregate, Comparison, Entity, Key, Operator
from tracklane_server.search.grammar import parse_experiment_filter, parse_run_filter
from tracklane_server.search.predicate import experiment_predicate, like
from tracklane_server.search.rows import aggregate, read_number


def _tag_matches(comparison: str, value: str) -> bool:
    return experiment_predicate(parse_experiment_filter(f"tags.t {comparison}"))(
        Experiment("1", "e", "x:/", tags={"t": value})
    )


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        *(("%", "", True), ("", "", True), ("", "a", False), ("_", "", False), ("_", "é", True), ("_", "\n", True)),
        *(("a%b", "a\n\nb", True), ("a%b", "ab", True), ("a%b%c", "acb", False), ("%a_c%", "xxabcxx", True)),
        *(
            ("%ab%b", "ab", False),
            ("%%", "x", True),
            ("a.c", "abc", False),
            ("50\\%", "50%", False),
            ("[a]", "a", False),
        ),
        *(("50\\%", "50\\x", True), ("%aab", "aaab", True), ("%a%a", "a", False), ("é", "e\u0301", False)),
    ],
)
def test_like(pattern, text, matches):
    assert bool(like(pattern).fullmatch(text)) == matches


def test_like_does_not_backtrack():
    started = time.process_time()
    assert not like("%a" * 500 + "b").fullmatch("a" * 5000)
    assert not like("%_" * 500 + "b").fullmatch("a" * 5000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("é%", "École", True),
        ("STRASSE", "straße", False),
        ("日_", "日本", True),
        ("İ", "i\u0307", True),
        ("ß", "ẞ", True),
    ],
)
def test_ilike_lowers_both_sides_as_unicode_says(pattern, value, matches):
    assert _tag_matches(f"ILIKE '{pattern}'", value) == matches


@pytest.mark.parametrize("text", ["0.1", "+.1", ".1", "1e-1", "00.10", "1.E-1"])
def test_text_that_is_a_number(text):
    assert read_number(text) == 0.1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 0.1",
        "0.1 ",
        "0.1\n",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1_0",
        "0x1",
        "１",
        "1e",
        ".",
        "-",
        "1.2.3",
        "1,5",
        "e5",
    ],
)
def test_text_that_is_no_number_never_matches_one(text):
    assert read_number(text) is None
    assert not any(_tag_matches(f"{operator} 1", text) for operator in ("=", "!=", "<", "<=", ">", ">="))
    assert not _tag_matches("NOT IN (1)", text)
    assert not _tag_matches("NOT BETWEEN 1 AND 2", text)


def test_params_and_tags_compare_with_numbers_as_doubles():
    assert _tag_matches("= 9007199254740993", "9007199254740993")
    assert _tag_matches("= 9007199254740993", "9007199254740992")
    assert _tag_matches("= 1e400", "1e999")


def test_times_compare_exactly():
    def matches(filter: str) -> bool:
        row = Experiment("1", "e", "x:/", creation_time=2**53 + 1)
        return experiment_predicate(parse_experiment_filter(filter))(row)

    assert matches("creation_time = 9007199254740993")
    assert not matches("creation_time = 9007199254740992")
    assert not matches("creation_time = 9007199254740993.0")
    assert matches("creation_time > 9007199254740992.0")
    assert matches("attributes.creation_time < 99999999999999999999 AND last_update_time IS NULL")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("007", 7), ("-0", 0), ("-5", -5), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("1e2", 100.0)),
        *(("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("9223372036854775808", 2.0**63)),
        *(("1e400", math.inf), ("-1e400", -math.inf), ("9" * 5000, math.inf), ("0" * 5000 + "1", 1), ("1E+2", 100.0)),
    ],
)
def test_number_literal(text, value):
    comparison = parse_run_filter(f"metrics.m={text}")
    assert comparison == Comparison(Key(Entity.METRIC, "m"), Operator.EQ, (value,))
    assert type(comparison.values[0]) is type(value)


def _points(*points: tuple[float, int, int]) -> list[Metric]:
    return [Metric("m", value, timestamp, step) for value, timestamp, step in points]


def test_aggregates_of_a_history():
    history = _points((1, 10, 0), (2, 5, 0), (3, 10, 0), (9, 1, -1), (0, 1, 1), (7, 0, 1))
    assert {which: aggregate(history, which) for which in Aggregate} == {"latest": 0, "first": 9, "min": 0, "max": 9}


def test_nan_gives_way_to_numbers():
    history = _points((math.nan, 1, 0), (-3, 1, 0), (math.nan, 0, 0))
    assert aggregate(history, Aggregate.LATEST) == -3
    assert aggregate(history[:2], Aggregate.FIRST) == -3
    assert math.isnan(aggregate(history, Aggregate.FIRST))
    assert aggregate(history, Aggregate.MIN) == aggregate(history, Aggregate.MAX) == -3
    assert all(math.isnan(aggregate(history[:1], which)) for which in Aggregate)
    assert aggregate(_points((math.inf, 1, 0), (math.nan, 1, 0)), Aggregate.FIRST) == math.inf
