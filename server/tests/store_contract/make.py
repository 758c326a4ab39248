"""Small makers of what the contract tests log and ask for."""

import math
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from tracklane_server.contract.entities import (
    ACTIVE,
    DELETED,
    Dataset,
    DatasetInput,
    Experiment,
    Metric,
    ModelOutput,
    Run,
    RunBatch,
    RunInfo,
)
from tracklane_server.search.ast import Aggregate, Comparison, Entity, Filter, Key, Operator, OrderTerm
from tracklane_server.store import Cursor, Page, Search, TrackingStore

NOW = 1_700_000_000_000
INT64_MAX = 2**63 - 1
ALL_STAGES = frozenset({ACTIVE, DELETED})
NEWEST = (
    OrderTerm(Key(Entity.ATTRIBUTE, "start_time"), ascending=False),
    OrderTerm(Key(Entity.ATTRIBUTE, "run_id")),
)
NEWEST_EXPERIMENTS = (
    OrderTerm(Key(Entity.ATTRIBUTE, "creation_time"), ascending=False),
    OrderTerm(Key(Entity.ATTRIBUTE, "experiment_id")),
)


CONTEXT_TAGS = {"mlflow.data.context": "train"}


def locate(experiment_id: str) -> str:
    return f"mlflow-artifacts:/{experiment_id}"


def new_experiment(store: TrackingStore, name: str, now: int = NOW, **tags: str) -> str:
    return store.create_experiment(name, tags, now, locate).experiment_id


def new_run(
    store: TrackingStore, experiment_id: str = "0", tags: Mapping[str, str] | None = None, **fields: Any
) -> str:
    """The id of a new run; `fields` are those of its `RunInfo`."""

    def build(experiment: Experiment) -> Run:
        run_id = fields.get("run_id") or uuid.uuid4().hex
        name = fields.get("run_name", "a run")
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment.experiment_id,
            run_name=name,
            user_id=fields.get("user_id", "ann"),
            status=fields.get("status", "RUNNING"),
            start_time=fields.get("start_time", NOW),
            end_time=fields.get("end_time"),
            artifact_uri=f"{experiment.artifact_location}/{run_id}/artifacts",
        )
        return Run(info, tags={"mlflow.runName": name, **(tags or {})})

    return store.create_run(experiment_id, build).info.run_id


def metrics(*points: tuple[Any, ...]) -> RunBatch:
    """A batch of points, each (key, value, timestamp, step)."""
    return RunBatch(metrics=tuple(Metric(*point) for point in points))


def params(**values: str) -> RunBatch:
    return RunBatch(params=tuple(values.items()))


def tags(*pairs: tuple[str, str]) -> RunBatch:
    return RunBatch(tags=pairs)


def dataset(name: str, digest: str = "d1", source: str = "{}", **context_tags: str) -> DatasetInput:
    return DatasetInput(Dataset(name, digest, "local", source), context_tags)


def datasets(*inputs: DatasetInput) -> RunBatch:
    return RunBatch(dataset_inputs=inputs)


def models(inputs: Iterable[str] = (), outputs: Iterable[ModelOutput] = ()) -> RunBatch:
    return RunBatch(model_inputs=tuple(inputs), model_outputs=tuple(outputs))


def set_stage(store: TrackingStore, run_id: str, stage: str) -> RunInfo:
    deleted_time = NOW if stage == DELETED else None
    return store.update_run(run_id, lambda info: info._replace(lifecycle_stage=stage, deleted_time=deleted_time))


def set_experiment_stage(store: TrackingStore, experiment_id: str, stage: str, now: int) -> Experiment:
    return store.update_experiment(experiment_id, lambda it: it._replace(lifecycle_stage=stage, last_update_time=now))


def key(text: str, aggregate: Aggregate = Aggregate.LATEST) -> Key:
    """`metric.acc` as a key; a bare word is an attribute."""
    entity, dot, name = text.partition(".")
    return Key(Entity(entity), name, aggregate) if dot else Key(Entity.ATTRIBUTE, text)


def where(text: str, operator: str, *values: Any, aggregate: Aggregate = Aggregate.LATEST) -> Comparison:
    return Comparison(key(text, aggregate), Operator(operator), values)


def search(
    filter: Filter | None = None,
    order: tuple[OrderTerm, ...] = NEWEST,
    stages: Iterable[str] = (ACTIVE,),
    limit: int = 1000,
    after: Cursor | None = None,
) -> Search:
    return Search(filter, order, frozenset(stages), limit, after)


def pages_of_runs(store: TrackingStore, experiment_ids: list[str], query: Search) -> list[list[Run]]:
    """Every page of a search, followed by its cursors to the end."""
    pages: list[list[Run]] = []
    while True:
        page: Page[Run] = store.search_runs(experiment_ids, query)
        pages.append(page.items)
        if page.next is None:
            return pages
        query = query._replace(after=page.next)


def found(store: TrackingStore, filter: Filter | None = None, experiment_id: str = "0", **query: Any) -> list[str]:
    """Ids of the runs that match, in order."""
    return [run.info.run_id for page in pages_of_runs(store, [experiment_id], search(filter, **query)) for run in page]


def comparable(points: Iterable[Metric]) -> list[tuple[Any, ...]]:
    """Points such that NaN equals NaN."""
    return [
        tuple("NaN" if isinstance(field, float) and math.isnan(field) else field for field in point) for point in points
    ]


def history(store: TrackingStore, run_id: str, key: str) -> list[Metric]:
    return store.get_metric_history(run_id, key).items


def latest(store: TrackingStore, run_id: str) -> dict[str, float]:
    return {metric.key: metric.value for metric in store.get_run(run_id).metrics}
