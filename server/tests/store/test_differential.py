"""Random runs, filters and orders: what a store finds is what the predicate and the ordering of `search` say.

A store joins with one more name in `STORES`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from search_strategies import (
    LoggedRun,
    experiment_filters,
    experiment_orders,
    experiments,
    filters,
    orders,
    runs,
)

from tracklane_server.contract.entities import ACTIVE, DELETED, Experiment, Run, RunBatch
from tracklane_server.search.ast import Filter, OrderTerm
from tracklane_server.search.order import experiment_ordering, run_ordering
from tracklane_server.search.paging import decode_token, encode_token
from tracklane_server.search.predicate import experiment_predicate, run_predicate
from tracklane_server.search.rows import aggregates_used
from tracklane_server.store import Page, Search, TrackingStore, open_store

STORES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder}/store.db",
    "file": lambda folder: f"file:{folder}/mlruns",
}

RELAXED = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TrackingStore]:
    store = open_store(STORES[request.param](tmp_path))
    yield store
    store.close()


def clear(store: TrackingStore) -> None:
    """Remove what an earlier example made; experiment 0 stays."""
    for old in store.search_experiments(everything(())).items:
        if old.experiment_id != "0":
            store.update_experiment(old.experiment_id, lambda it: it._replace(lifecycle_stage=DELETED))
            store.purge_experiment(old.experiment_id)


def log(store: TrackingStore, logged: list[LoggedRun], cut: int) -> str:
    """The runs in a new experiment of their own, their points in two batches."""
    clear(store)
    experiment = store.create_experiment("experiment", {}, 0, lambda it: f"mlflow-artifacts:/{it}").experiment_id
    for run in logged:
        info = run.info._replace(experiment_id=experiment)
        store.create_run(experiment, lambda _, info=info, run=run: Run(info, tags=run.tags))
        given = RunBatch(run.points[:cut], tuple(run.params.items()), dataset_inputs=run.dataset_inputs)
        store.log_batch(info.run_id, given)
        store.log_batch(info.run_id, RunBatch(run.points[cut:]))
    return experiment


def everything(order: tuple[OrderTerm, ...], filter: Filter | None = None, limit: int = 10_000) -> Search:
    return Search(filter, order, frozenset({ACTIVE}), limit)


def all_pages(search: Callable[[Search], Page[Any]], query: Search) -> list[Any]:
    """All that a search finds, continued through page tokens as a client does."""
    found = []
    while True:
        page = search(query)
        assert len(page.items) <= query.max_results
        found += page.items
        if page.next is None:
            return found
        query = query._replace(after=decode_token(encode_token(page.next, "q"), "q"))


@RELAXED
@given(
    logged=runs(),
    asked=st.lists(st.tuples(st.none() | filters(), orders()), min_size=1, max_size=6),
    cut=st.integers(0, 8),
    limit=st.integers(1, 3),
)
def test_runs_found_are_those_of_the_definition(
    store: TrackingStore,
    logged: list[LoggedRun],
    asked: list[tuple[Filter | None, tuple[OrderTerm, ...]]],
    cut: int,
    limit: int,
) -> None:
    experiment = log(store, logged, cut)
    for wanted, order in asked:
        rows = [run.row(aggregates_used(wanted, order)) for run in logged]
        matching = sorted(filter(run_predicate(wanted), rows), key=run_ordering(order).sort_key)
        expected = [row.run.info.run_id for row in matching]
        for most in (limit, 100):
            query = everything(order, wanted, most)
            found = all_pages(lambda search: store.search_runs([experiment], search), query)
            assert [run.info.run_id for run in found] == expected, (wanted, order, most)


@RELAXED
@given(
    made=experiments(),
    asked=st.lists(st.tuples(st.none() | experiment_filters(), experiment_orders()), min_size=1, max_size=6),
    limit=st.integers(1, 3),
)
def test_experiments_found_are_those_of_the_definition(
    store: TrackingStore,
    made: list[Experiment],
    asked: list[tuple[Filter | None, tuple[OrderTerm, ...]]],
    limit: int,
) -> None:
    clear(store)
    rows = [store.get_experiment("0")]
    for it in made:
        new = store.create_experiment(it.name, it.tags, it.creation_time or 0, lambda it: f"mlflow-artifacts:/{it}")
        change = it._replace(experiment_id=new.experiment_id)
        rows.append(store.update_experiment(new.experiment_id, lambda _, change=change: change))
    for wanted, order in asked:
        matching = sorted(filter(experiment_predicate(wanted), rows), key=experiment_ordering(order).sort_key)
        for most in (limit, 100):
            found = all_pages(store.search_experiments, everything(order, wanted, most))
            assert found == matching, (wanted, order, most)
