"""Runs: create, find, change, and what is logged to them."""

import json

from tracklane_server.artifacts.locations import run_artifact_uri
from tracklane_server.contract import LIMITS, OPERATIONS
from tracklane_server.contract.entities import (
    ACTIVE,
    DELETED,
    RUN_NAME_TAG,
    DatasetInput,
    Experiment,
    Metric,
    ModelOutput,
    Run,
    RunBatch,
    RunInfo,
)
from tracklane_server.contract.errors import InvalidParameterValue, no_model
from tracklane_server.search.grammar import parse_run_filter, parse_run_order
from tracklane_server.service.backend import Backend, Handlers, Reply
from tracklane_server.service.distinct import distinct
from tracklane_server.service.names import random_run_name
from tracklane_server.service.searching import paged
from tracklane_server.store.rules import no_tag, require_active_run

Pairs = tuple[tuple[str, str], ...]

LOG_MODEL_TAG = "mlflow.log-model.history"
MODEL_FIELDS = ("artifact_path", "flavors", "utc_time_created", "run_id")
MOST_NAME_CHARACTERS: int = OPERATIONS["updateRun"].request["properties"]["run_name"]["maxLength"]


def create_run(
    backend: Backend,
    experiment_id: str,
    user_id: str = "",
    run_name: str = "",
    start_time: int = 0,
    tags: Pairs = (),
) -> Reply:
    """Spec: createRun"""
    run_id = backend.new_id()
    _require_short_name(tags)
    given = distinct(tags)
    name = _agreed_name(run_name, given.get(RUN_NAME_TAG, "")) or random_run_name()

    def build(experiment: Experiment) -> Run:
        if experiment.lifecycle_stage != ACTIVE:
            raise InvalidParameterValue(
                f"Experiment '{experiment_id}' must be active to take a new run, but it is deleted; restore it first"
            )
        uri = run_artifact_uri(experiment.artifact_location, run_id)
        info = RunInfo(run_id, experiment.experiment_id, name, user_id, "RUNNING", start_time, None, uri)
        return Run(info, tags={**given, RUN_NAME_TAG: name})

    return {"run": backend.store.create_run(experiment_id, build)}


def _agreed_name(run_name: str, tagged: str) -> str:
    if run_name and tagged and run_name != tagged:
        raise InvalidParameterValue(
            f"run_name '{run_name}' and tag {RUN_NAME_TAG} '{tagged}' differ; give one of them, or the same text"
        )
    return run_name or tagged


def update_run(
    backend: Backend, run_id: str, status: str | None = None, end_time: int | None = None, run_name: str | None = None
) -> Reply:
    """Spec: updateRun"""

    def edit(info: RunInfo) -> RunInfo:
        require_active_run(info)
        if end_time is not None:
            info = info._replace(end_time=end_time or None)
        return info._replace(status=status or info.status, run_name=run_name or info.run_name)

    return {"run_info": backend.store.update_run(run_id, edit)}


def delete_run(backend: Backend, run_id: str) -> Reply:
    """Spec: deleteRun"""

    def edit(info: RunInfo) -> RunInfo:
        if info.lifecycle_stage == DELETED:
            return info
        return info._replace(lifecycle_stage=DELETED, deleted_time=backend.clock())

    backend.store.update_run(run_id, edit)
    return {}


def restore_run(backend: Backend, run_id: str) -> Reply:
    """Spec: restoreRun"""
    backend.store.update_run(run_id, lambda info: info._replace(lifecycle_stage=ACTIVE, deleted_time=None))
    return {}


def get_run(backend: Backend, run_id: str) -> Reply:
    """Spec: getRun"""
    return {"run": backend.store.get_run(run_id)}


def search_runs(
    backend: Backend,
    experiment_ids: list[str] | None = None,
    filter: str = "",
    run_view_type: str = "ACTIVE_ONLY",
    max_results: int = 1000,
    order_by: list[str] | None = None,
    page_token: str | None = None,
) -> Reply:
    """Spec: searchRuns"""
    ids = experiment_ids or []
    return paged(
        "runs",
        lambda search: backend.store.search_runs(ids, search),
        scope=sorted(set(ids)),
        filter=parse_run_filter(filter),
        order=parse_run_order(order_by or []),
        view=run_view_type,
        max_results=max_results,
        page_token=page_token,
    )


def log_metric(
    backend: Backend,
    run_id: str,
    key: str,
    value: float | str,
    timestamp: int,
    step: int = 0,
    model_id: str | None = None,
    dataset_name: str | None = None,
    dataset_digest: str | None = None,
) -> Reply:
    """Spec: logMetric"""
    if model_id:
        raise no_model(model_id)
    metric = Metric(key, float(value) + 0.0, timestamp, step, dataset_name, dataset_digest)  # no -0.0, as in codec
    backend.store.log_batch(run_id, RunBatch(metrics=(metric,)))
    return {}


def log_param(backend: Backend, run_id: str, key: str, value: str = "") -> Reply:
    """Spec: logParam"""
    backend.store.log_batch(run_id, RunBatch(params=((key, value),)))
    return {}


def set_tag(backend: Backend, run_id: str, key: str, value: str = "") -> Reply:
    """Spec: setTag"""
    _require_short_name(((key, value),))
    backend.store.log_batch(run_id, RunBatch(tags=((key, value),)))
    return {}


def delete_tag(backend: Backend, run_id: str, key: str) -> Reply:
    """Spec: deleteTag"""

    def edit(value: str | None) -> None:
        if value is None:
            raise no_tag(run_id, key)

    backend.store.edit_tag(run_id, key, edit)
    return {}


def log_batch(
    backend: Backend,
    run_id: str,
    metrics: tuple[Metric, ...] = (),
    params: Pairs = (),
    tags: Pairs = (),
) -> Reply:
    """Spec: logBatch"""
    total = len(metrics) + len(params) + len(tags)
    if total > LIMITS["BATCH_TOTAL"]:
        raise InvalidParameterValue(
            f"Invalid batch: it holds {total} metrics, params and tags; at most {LIMITS['BATCH_TOTAL']} together"
        )
    distinct(params, "params")
    _require_short_name(tags)
    backend.store.log_batch(run_id, RunBatch(metrics, params, tags))
    return {}


def log_model(backend: Backend, run_id: str, model_json: str) -> Reply:
    """Spec: logModel"""
    try:
        model = json.loads(model_json)
    except (ValueError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise InvalidParameterValue(f"Invalid value for parameter 'model_json': not a JSON object: {model_json[:100]}")
    missing = [field for field in MODEL_FIELDS if field not in model]
    if missing:
        raise InvalidParameterValue(f"Invalid value for parameter 'model_json': it lacks {', '.join(missing)}")
    backend.store.edit_tag(run_id, LOG_MODEL_TAG, lambda history: _appended(history or "[]", model))
    return {}


def log_inputs(
    backend: Backend,
    run_id: str,
    datasets: tuple[DatasetInput, ...] = (),
    models: tuple[ModelOutput, ...] = (),
) -> Reply:
    """Spec: logInputs"""
    ids = tuple(model.model_id for model in models)
    backend.store.log_batch(run_id, RunBatch(dataset_inputs=datasets, model_inputs=ids))
    return {}


def log_outputs(backend: Backend, run_id: str, models: tuple[ModelOutput, ...]) -> Reply:
    """Spec: logOutputs"""
    backend.store.log_batch(run_id, RunBatch(model_outputs=models))
    return {}


def _require_short_name(tags: Pairs) -> None:
    """Hold a run's name to its length when it comes as a tag, whose value may be longer."""
    for key, value in tags:
        if key == RUN_NAME_TAG and len(value) > MOST_NAME_CHARACTERS:
            raise InvalidParameterValue(
                f"Invalid value of tag {RUN_NAME_TAG}: a run's name has at most {MOST_NAME_CHARACTERS} characters, "
                f"but this has {len(value)}"
            )


def _appended(history: str, model: dict[str, object]) -> str:
    try:
        models = json.loads(history)
    except (ValueError, RecursionError):
        models = None
    if not isinstance(models, list):
        raise InvalidParameterValue(f"The tag {LOG_MODEL_TAG} of this run is no JSON list; delete it first")
    text = json.dumps([*models, model])
    if len(text) > LIMITS["MODEL_HISTORY_CHARS"]:
        raise InvalidParameterValue(
            f"Invalid model_json: the tag {LOG_MODEL_TAG} would have {len(text)} characters, over its limit of "
            f"{LIMITS['MODEL_HISTORY_CHARS']}"
        )
    return text


HANDLERS: Handlers = {
    "createRun": create_run,
    "updateRun": update_run,
    "deleteRun": delete_run,
    "restoreRun": restore_run,
    "getRun": get_run,
    "searchRuns": search_runs,
    "logMetric": log_metric,
    "logParam": log_param,
    "setTag": set_tag,
    "deleteTag": delete_tag,
    "logBatch": log_batch,
    "logModel": log_model,
    "logInputs": log_inputs,
    "logOutputs": log_outputs,
}
