"""The four runs of the wire contract's search examples."""

import math
from collections.abc import Callable

import pytest

from tracklane_server.contract.entities import DATASET_CONTEXT_TAG, Dataset, DatasetInput, Metric, Run, RunInfo
from tracklane_server.search.ast import Aggregate
from tracklane_server.search.grammar import parse_run_filter, parse_run_order
from tracklane_server.search.order import run_ordering
from tracklane_server.search.predicate import run_predicate
from tracklane_server.search.rows import RunRow, aggregate

# The metrics' histories, latest point last; the other runs have one point for each metric.
ALPHA_HISTORY = {"acc": [0.2, 0.95, 0.9], "loss": [0.7, math.nan, 0.1], "cpu usage": [5.0], "a/b": [1.0]}


def _run(
    run_id: str,
    name: str,
    times: tuple[int, int | None],
    status: str,
    user: str,
    params: dict[str, str],
    metrics: dict[str, list[float]],
    tags: dict[str, str],
    dataset: tuple[str, str, str] | None,
) -> RunRow:
    histories = {
        key: [Metric(key, value, 1, step) for step, value in enumerate(values)] for key, values in metrics.items()
    }
    inputs = ()
    if dataset:
        inputs = (DatasetInput(Dataset(*dataset[:2], "local", "{}"), {DATASET_CONTEXT_TAG: dataset[2]}),)
    info = RunInfo(run_id, "1", name, user, status, *times, f"mlflow-artifacts:/1/{run_id}/artifacts")
    latest = tuple(points[-1] for points in histories.values())
    run = Run(info, latest, params, {"mlflow.runName": name, **tags}, inputs)
    return RunRow(
        run, {(key, which): aggregate(points, which) for key, points in histories.items() for which in Aggregate}
    )


@pytest.fixture(scope="session")
def rows() -> list[RunRow]:
    return [
        _run(
            *("a", "alpha", (100, 500), "FINISHED", "u1"),
            {"lr": "0.01", "opt": "Adam", "layer.size": "5", "my param": "x"},
            ALPHA_HISTORY,
            {"mlflow.source.type": "JOB", "team": "Red", "we:ird": "O'Brien", "dash-tag": "d"},
            ("ds1", "dig1", "train"),
        ),
        _run(
            *("b", "beta", (200, 600), "FINISHED", "u2", {"lr": "0.1", "opt": "sgd"}),
            {"acc": [0.5], "loss": [math.nan]},
            {"team": "blue", "pct": "50%_x"},
            ("ds2", "dig2", "eval"),
        ),
        _run(
            *("g", "Gamma run", (300, None), "RUNNING", "", {"lr": "1"}),
            *({"acc": [math.inf], "loss": [-1.0]}, {"team": ""}, None),
        ),
        _run("d", "delta", (300, None), "RUNNING", "", {}, {"acc": [0.0]}, {}, None),
    ]


@pytest.fixture(scope="session")
def search(rows: list[RunRow]) -> Callable[..., str]:
    """The ids of the matching runs as one string, in the order asked for."""

    def ids(filter: str, *order: str) -> str:
        found = [row for row in rows if run_predicate(parse_run_filter(filter))(row)]
        found.sort(key=run_ordering(parse_run_order(order)).sort_key)
        return "".join(row.run.info.run_id for row in found)

    return ids
