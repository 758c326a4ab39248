"""Random filters, orders and rows over small alphabets, so that they meet; with the text that spells a filter.

    filters(), orders()                          for runs
    experiment_filters(), experiment_orders()    for experiments
    runs(), experiments()                        what is searched, as lists with distinct ids
    unparse(filter), unparse_order(order)        text that parses to the same

A `LoggedRun` has all points that were logged; `row(aggregates_used(filter, order))` is what predicates take.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tracklane_server.contract.entities import (
    DATASET_CONTEXT_TAG,
    RUN_NAME_TAG,
    Dataset,
    DatasetInput,
    Experiment,
    Metric,
    Run,
    RunInfo,
)
from tracklane_server.search.ast import (
    Aggregate,
    And,
    Comparison,
    Entity,
    Filter,
    Key,
    Literal,
    Not,
    Operator,
    Or,
    OrderTerm,
)
from tracklane_server.search.dialect import (
    DATASET_FIELDS,
    EXPERIMENT_FILTER,
    EXPERIMENT_TIE_BREAK,
    LIST_OPERATORS,
    NULL_OPERATORS,
    OPERATORS,
    ORDER_OPERATORS,
    RANGE_OPERATORS,
    RUN_FILTER,
    RUN_TIE_BREAK,
    TEXT_OPERATORS,
    ValueType,
    value_type,
)
from tracklane_server.search.rows import MetricValue, RunRow, aggregate

T = TypeVar("T")

# Values meet literals: case, accents, wildcards, quotes, text that is or nearly is a number.
TEXTS = (
    *("", "a", "A", "ab", "aB", "b", "é", "É", "ß", "日本", "😀", "\uffff", "İ"),
    *("50%", "a_b", "a%b", "%", "_", "o'b", 'say "hi"', 'it\'s "x"', "a\\b", "a\\", "x y", " "),
    *("1", "01", "1.0", "0.1", "-5", "+5", "1e3", ".5", "5.", "1e400", "10", "9", "9007199254740993"),
    *(" 1", "1 ", "nan", "inf", "1_0", "0x1", "１", "1e", "."),
)
PATTERNS = ("%", "_", "a%", "%b", "%a%", "a_b", "_%_", "%A%b%", "é%", "__", "%\\%", "İ")
NUMBERS: tuple[int | float, ...] = (
    *(0, 1, 2, -5, 5, 10, 100, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(0.1, 0.5, 1.0, -0.0, 1e-300, 1e308, 2.0**53, 2.0**63, math.inf, -math.inf),
)
TIMES = (0, 1, 2, 5, 100, 1_700_000_000_000, 2**53 + 1)
METRIC_KEYS = ("m", "loss", "loss.min", "sys/cpu usage")
PARAM_KEYS = ("p", "lr", "layer.size", "my param")
TAG_KEYS = ("t", "team", "mlflow.source.type", "we:ird", "é", RUN_NAME_TAG)
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


class LoggedRun(NamedTuple):
    """A run and everything that was logged to it; `points` are distinct in (key, timestamp, step, value)."""

    info: RunInfo
    points: tuple[Metric, ...]
    params: dict[str, str]
    tags: dict[str, str]
    dataset_inputs: tuple[DatasetInput, ...]

    @property
    def histories(self) -> dict[str, list[Metric]]:
        return {key: [p for p in self.points if p.key == key] for key in dict.fromkeys(p.key for p in self.points)}

    def row(self, aggregates: Iterable[MetricValue] = ()) -> RunRow:
        histories = self.histories
        latest = tuple(Metric(k, aggregate(points, Aggregate.LATEST), 0) for k, points in histories.items())
        run = Run(self.info, latest, self.params, self.tags, self.dataset_inputs)
        return RunRow(run, {(k, which): aggregate(histories[k], which) for k, which in aggregates if k in histories})


def _make(of: Callable[..., T], *parts: SearchStrategy[Any]) -> SearchStrategy[T]:
    """`of` called with these parts and nothing else; `st.builds` would invent the fields that have defaults."""
    return st.tuples(*parts).map(lambda drawn: of(*drawn))


# --- filters and orders ---


def filters(max_comparisons: int = 6) -> SearchStrategy[Filter]:
    return _filters(_run_keys(), max_comparisons)


def experiment_filters(max_comparisons: int = 6) -> SearchStrategy[Filter]:
    return _filters(_experiment_keys(), max_comparisons)


def orders(max_terms: int = 3) -> SearchStrategy[tuple[OrderTerm, ...]]:
    """Total orders as `parse_run_order` gives them."""
    sortable = _run_keys().filter(lambda key: key.entity is not Entity.DATASET)
    return _orders(sortable, RUN_TIE_BREAK, max_terms)


def experiment_orders(max_terms: int = 3) -> SearchStrategy[tuple[OrderTerm, ...]]:
    return _orders(_experiment_keys().filter(lambda k: k.entity is Entity.ATTRIBUTE), EXPERIMENT_TIE_BREAK, max_terms)


def _orders(keys: SearchStrategy[Key], tie_break: tuple[OrderTerm, ...], max_terms: int) -> SearchStrategy:
    terms = st.lists(_make(OrderTerm, keys, st.booleans()), max_size=max_terms, unique_by=lambda term: term.key)

    def total(own: list[OrderTerm]) -> tuple[OrderTerm, ...]:
        taken = {term.key for term in own}
        return (*own, *(term for term in tie_break if term.key not in taken))

    return terms.map(total)


def _attribute_keys(attributes: Iterable[str]) -> SearchStrategy[Key]:
    return st.sampled_from([Key(Entity.ATTRIBUTE, name) for name in dict.fromkeys(attributes)])


def _run_keys() -> SearchStrategy[Key]:
    return st.one_of(
        _make(Key, st.just(Entity.METRIC), st.sampled_from(METRIC_KEYS), st.sampled_from(Aggregate)),
        _make(Key, st.just(Entity.PARAM), st.sampled_from(PARAM_KEYS)),
        _make(Key, st.just(Entity.TAG), st.sampled_from(TAG_KEYS)),
        _make(Key, st.just(Entity.DATASET), st.sampled_from(DATASET_FIELDS)),
        _attribute_keys(RUN_FILTER.attributes.values()),
    )


def _experiment_keys() -> SearchStrategy[Key]:
    tags = _make(Key, st.just(Entity.TAG), st.sampled_from(TAG_KEYS))
    return tags | _attribute_keys(EXPERIMENT_FILTER.attributes.values())


def _filters(keys: SearchStrategy[Key], max_comparisons: int) -> SearchStrategy[Filter]:
    def extend(inner: SearchStrategy[Filter]) -> SearchStrategy[Filter]:
        terms = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return terms.map(And) | terms.map(Or) | inner.map(Not)

    return st.recursive(keys.flatmap(_comparisons), extend, max_leaves=max_comparisons)


def _comparisons(key: Key) -> SearchStrategy[Comparison]:
    operators = st.sampled_from(OPERATORS[value_type(key)])
    return operators.flatmap(lambda operator: _values(key, operator).map(lambda v: Comparison(key, operator, v)))


def _values(key: Key, operator: Operator) -> SearchStrategy[tuple[Literal, ...]]:
    if operator in NULL_OPERATORS:
        return st.just(())
    texts = st.sampled_from([text for text in (*TEXTS, *STATUSES, "ds1", "train", "run-1", "2") if _can_spell(text)])
    if operator in TEXT_OPERATORS:
        texts = texts | st.sampled_from(PATTERNS)
    numbers = st.sampled_from((*NUMBERS, *TIMES))
    fewest, most = (1, 3) if operator in LIST_OPERATORS else (2, 2) if operator in RANGE_OPERATORS else (1, 1)
    lists = []
    if value_type(key) is not ValueType.NUMBER and operator not in ORDER_OPERATORS:
        lists.append(st.lists(texts, min_size=fewest, max_size=most))
    if value_type(key) is not ValueType.TEXT and operator not in TEXT_OPERATORS:
        lists.append(st.lists(numbers, min_size=fewest, max_size=most))
    return st.one_of(lists).map(tuple)


def _can_spell(text: str) -> bool:
    """Nothing escapes in the language, so text with both quotes, or that ends in a backslash, has no spelling."""
    return not ("'" in text and '"' in text) and not text.endswith("\\")


# --- what is searched ---


def runs(max_size: int = 6) -> SearchStrategy[list[LoggedRun]]:
    """Runs of experiment 0 with ids of their own."""
    ids = st.sampled_from([f"run-{i}" for i in range(9)])
    return st.lists(ids.flatmap(_runs), max_size=max_size, unique_by=lambda run: run.info.run_id)


def experiments(max_size: int = 6) -> SearchStrategy[list[Experiment]]:
    """Experiments with ids and names of their own; ids begin at 1, names are no one's default."""
    times = st.sampled_from(TIMES)
    name = st.sampled_from([text for text in TEXTS if text.strip() and "'" not in text])
    tags = st.dictionaries(st.sampled_from(TAG_KEYS), st.sampled_from(TEXTS), max_size=3)
    ids = st.integers(1, 12).map(str)
    drawn = _make(Experiment, ids, name, st.just("mlflow-artifacts:/"), st.just("active"), times, times, tags)
    return st.lists(drawn, max_size=max_size, unique_by=(lambda e: e.experiment_id, lambda e: e.name))


@st.composite
def _runs(draw: st.DrawFn, run_id: str) -> LoggedRun:
    texts = st.sampled_from(TEXTS)
    name = draw(texts.filter(bool))
    info = RunInfo(
        run_id=run_id,
        experiment_id="0",
        run_name=name,
        user_id=draw(texts),
        status=draw(st.sampled_from(STATUSES)),
        start_time=draw(st.sampled_from(TIMES)),
        end_time=draw(st.none() | st.sampled_from(TIMES)),
        artifact_uri=f"mlflow-artifacts:/0/{run_id}/artifacts",
    )
    tags = draw(st.dictionaries(st.sampled_from(TAG_KEYS), texts, max_size=4)) | {RUN_NAME_TAG: name}
    params = draw(st.dictionaries(st.sampled_from(PARAM_KEYS), texts, max_size=3))
    return LoggedRun(info, draw(_points()), params, tags, draw(_dataset_inputs()))


def _points() -> SearchStrategy[tuple[Metric, ...]]:
    values = st.sampled_from([float(number) for number in NUMBERS] + [math.nan])
    point = _make(Metric, st.sampled_from(METRIC_KEYS), values, st.integers(0, 2), st.integers(-1, 1))
    return st.lists(point, max_size=8, unique_by=lambda p: (p.key, p.timestamp, p.step, repr(p.value + 0.0))).map(tuple)


def _dataset_inputs() -> SearchStrategy[tuple[DatasetInput, ...]]:
    names = st.sampled_from(("ds1", "a", "A", "é", "50%"))
    contexts = st.just({}) | st.sampled_from(("train", "a", "")).map(lambda context: {DATASET_CONTEXT_TAG: context})
    dataset = _make(Dataset, names, st.sampled_from(("d1", "a")), st.just("local"), st.just("{}"))
    inputs = _make(DatasetInput, dataset, contexts)
    return st.lists(inputs, max_size=2, unique_by=lambda i: (i.dataset.name, i.dataset.digest)).map(tuple)


# --- text ---


def unparse(filter: Filter) -> str:
    """Text that parses to `filter`, for filters that have a spelling (those of `filters()` have one)."""
    if isinstance(filter, Comparison):
        return _unparse_comparison(filter)
    if isinstance(filter, Not):
        return f"NOT {_unparse_term(filter.term)}"
    return (" AND " if isinstance(filter, And) else " OR ").join(_unparse_term(term) for term in filter.terms)


def unparse_order(order: Iterable[OrderTerm]) -> list[str]:
    return [f"{_unparse_key(term.key)} {'ASC' if term.ascending else 'DESC'}" for term in order]


def _unparse_term(filter: Filter) -> str:
    return f"({unparse(filter)})" if isinstance(filter, (And, Or)) else unparse(filter)


def _unparse_comparison(comparison: Comparison) -> str:
    values = [_unparse_literal(value) for value in comparison.values]
    head = f"{_unparse_key(comparison.key)} {comparison.operator}"
    if comparison.operator in LIST_OPERATORS:
        return f"{head} ({', '.join(values)})"
    return " ".join([head, " AND ".join(values)]).strip()


def _unparse_key(key: Key) -> str:
    name = key.name if re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", key.name) else f"`{key.name}`"
    if key.entity is Entity.ATTRIBUTE:
        return name
    if key.entity is Entity.METRIC and key.aggregate is not Aggregate.LATEST:
        return f"{key.aggregate}({key.entity}s.{name})"
    return f"{key.entity}s.{name}"


def _unparse_literal(value: Literal) -> str:
    if isinstance(value, str):
        return f'"{value}"' if "'" in value else f"'{value}'"
    return repr(value).replace("inf", "1e400")
