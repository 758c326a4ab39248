"""What a key means in a run or an experiment: its values, none when the key is absent.

The in-memory half of the definition; the SQL store reads columns instead. It must not know text, operators or stores.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from tracklane_server.contract.entities import DATASET_CONTEXT_TAG, DatasetInput, Experiment, Metric, Run, RunInfo
from tracklane_server.search.ast import Aggregate, And, Comparison, Entity, Filter, Key, Literal, Not, Or, OrderTerm

Row = TypeVar("Row")
Values: TypeAlias = Sequence[Literal]

# Which value of a metric: (metric key, aggregate).
MetricValue: TypeAlias = tuple[str, Aggregate]

_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")


class RunRow(NamedTuple):
    """A run as a search sees it.

    `aggregates` has what `aggregates_used` asked for of the metrics that the run has; the latest values are the run's.
    """

    run: Run
    aggregates: Mapping[MetricValue, float] = {}


def read_run(key: Key) -> Callable[[RunRow], Values]:
    """How to get the values of `key` from a run: several only for datasets, one for each input that has the field."""
    name = key.name
    if key.entity is Entity.METRIC:
        if key.aggregate is Aggregate.LATEST:
            return lambda row: [point.value for point in row.run.metrics if point.key == name]
        return lambda row: _present(row.aggregates.get((name, key.aggregate)))
    if key.entity is Entity.PARAM:
        return lambda row: _present(row.run.params.get(name))
    if key.entity is Entity.TAG:
        return lambda row: _present(row.run.tags.get(name))
    if key.entity is Entity.DATASET:
        return lambda row: [v for source in row.run.dataset_inputs for v in _present(_dataset_field(source, name))]
    if name == "duration":
        return lambda row: _present(_duration(row.run.info))
    return lambda row: _present(getattr(row.run.info, name))


def read_experiment(key: Key) -> Callable[[Experiment], Values]:
    name = key.name
    if key.entity is Entity.TAG:
        return lambda experiment: _present(experiment.tags.get(name))
    return lambda experiment: _present(getattr(experiment, name))


def read_number(text: str) -> float | None:
    """A param or tag as a number: the nearest double when all of `text` is one, else None.

    `1e400` is infinite. Blanks, `nan`, `inf`, `1_000`, `0x10` and digits beyond ASCII make no number.
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def aggregates_used(filter: Filter | None, order: Iterable[OrderTerm] = ()) -> frozenset[MetricValue]:
    """What a `RunRow` must have in `aggregates` for this search: all but the latest values."""
    keys = [term.key for term in order] + (list(_keys(filter)) if filter is not None else [])
    return frozenset(
        (key.name, key.aggregate)
        for key in keys
        if key.entity is Entity.METRIC and key.aggregate is not Aggregate.LATEST
    )


def aggregate(points: Iterable[Metric], which: Aggregate) -> float:
    """One value for a history that is not empty, as `Aggregate` defines it."""
    points = list(points)
    if which is Aggregate.LATEST:
        return max(points, key=lambda p: (p.step, p.timestamp, p.value == p.value, _sortable(p.value))).value
    if which is Aggregate.FIRST:
        return min(points, key=lambda p: (p.step, p.timestamp, p.value != p.value, _sortable(p.value))).value
    numbers = [p.value for p in points if p.value == p.value]
    if not numbers:
        return float("nan")
    return min(numbers) if which is Aggregate.MIN else max(numbers)


def _keys(filter: Filter) -> Iterable[Key]:
    if isinstance(filter, Comparison):
        yield filter.key
    elif isinstance(filter, Not):
        yield from _keys(filter.term)
    elif isinstance(filter, (And, Or)):
        for term in filter.terms:
            yield from _keys(term)


def _present(value: Literal | None) -> Values:
    return () if value is None else (value,)


def _sortable(value: float) -> float:
    return value if value == value else 0.0


def _dataset_field(source: DatasetInput, name: str) -> str | None:
    if name == "context":
        return source.tags.get(DATASET_CONTEXT_TAG)
    return source.dataset.name if name == "name" else source.dataset.digest


def _duration(info: RunInfo) -> int | None:
    return None if info.end_time is None else info.end_time - info.start_time
