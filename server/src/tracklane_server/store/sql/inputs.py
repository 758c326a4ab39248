"""Datasets and models that runs used or made, within a transaction that the caller holds."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, func, insert, select

from tracklane_server.contract.entities import (
    DATASET_CONTEXT_TAG,
    Dataset,
    DatasetInput,
    DatasetSummary,
    ModelOutput,
)
from tracklane_server.store.sql.experiments import numbers_of
from tracklane_server.store.sql.statement import Connection, Listed, Statement
from tracklane_server.store.sql.tables import datasets, input_tags, inputs, model_inputs, model_outputs, runs
from tracklane_server.store.sql.upsert import insert_or_keep

_FIND_DATASET = Statement(
    select(datasets.c.id).where(
        datasets.c.experiment_id == bindparam("experiment"),
        datasets.c.name == bindparam("of_name"),
        datasets.c.digest == bindparam("of_digest"),
    )
)
_INSERT_DATASET = Statement(
    insert(datasets).values({it: bindparam(f"new_{it.name}") for it in datasets.c if it.name != "id"})
)
_HAS_INPUT = Statement(
    select(inputs.c.position).where(inputs.c.run_id == bindparam("run"), inputs.c.dataset_id == bindparam("dataset"))
)
_INSERT_INPUT = Statement(insert(inputs))
_INSERT_INPUT_TAG = Statement(insert(input_tags))
_NEXT_INPUT, _NEXT_MODEL_INPUT, _NEXT_MODEL_OUTPUT = (
    Statement(select(func.coalesce(func.max(table.c.position) + 1, 0)).where(table.c.run_id == bindparam("run")))
    for table in (inputs, model_inputs, model_outputs)
)
_INSERT_MODEL_INPUT = insert_or_keep(model_inputs)
_INSERT_MODEL_OUTPUT = insert_or_keep(model_outputs)

_INPUTS = Listed(
    select(
        inputs.c.run_id,
        inputs.c.dataset_id,
        datasets.c.name,
        datasets.c.digest,
        datasets.c.source_type,
        datasets.c.source,
        datasets.c.schema,
        datasets.c.profile,
    )
    .join_from(inputs, datasets, datasets.c.id == inputs.c.dataset_id)
    .order_by(inputs.c.run_id, inputs.c.position),
    inputs.c.run_id,
)
_INPUT_TAGS = Listed(
    select(input_tags.c.run_id, input_tags.c.dataset_id, input_tags.c.key, input_tags.c.value), input_tags.c.run_id
)
_MODEL_INPUTS = Listed(
    select(model_inputs.c.run_id, model_inputs.c.model_id).order_by(model_inputs.c.run_id, model_inputs.c.position),
    model_inputs.c.run_id,
)
_MODEL_OUTPUTS = Listed(
    select(model_outputs.c.run_id, model_outputs.c.model_id, model_outputs.c.step).order_by(
        model_outputs.c.run_id, model_outputs.c.position
    ),
    model_outputs.c.run_id,
)

_context = input_tags.alias("context")
_SUMMARIES = Listed(
    select(runs.c.experiment_id, datasets.c.name, datasets.c.digest, _context.c.value)
    .select_from(runs)
    .join(inputs, inputs.c.run_id == runs.c.id)
    .join(datasets, datasets.c.id == inputs.c.dataset_id)
    .outerjoin(
        _context,
        (_context.c.run_id == inputs.c.run_id)
        & (_context.c.dataset_id == inputs.c.dataset_id)
        & (_context.c.key == DATASET_CONTEXT_TAG),
    )
    .distinct(),
    runs.c.experiment_id,
)


def log_datasets(connection: Connection, run: int, experiment: int, given: Sequence[DatasetInput]) -> None:
    for dataset, tags in given:
        number = _dataset(connection, experiment, dataset)
        if connection.row(_HAS_INPUT, run=run, dataset=number) is None:
            connection.many(_INSERT_INPUT, [(run, number, _next(connection, _NEXT_INPUT, run))])
            connection.many(_INSERT_INPUT_TAG, [(run, number, key, value) for key, value in tags.items()])


def log_model_inputs(connection: Connection, run: int, given: Sequence[str]) -> None:
    start = _next(connection, _NEXT_MODEL_INPUT, run)
    connection.many(_INSERT_MODEL_INPUT, [(run, model_id, start + i) for i, model_id in enumerate(given)])


def log_model_outputs(connection: Connection, run: int, given: Sequence[ModelOutput]) -> None:
    start = _next(connection, _NEXT_MODEL_OUTPUT, run)
    rows = [(run, model_id, start + i, step) for i, (model_id, step) in enumerate(given)]
    connection.many(_INSERT_MODEL_OUTPUT, rows)


def datasets_of(connection: Connection, of_runs: Sequence[int]) -> dict[int, list[DatasetInput]]:
    """The dataset inputs of each run that has any."""
    found: dict[int, list[DatasetInput]] = {}
    tags_of: dict[tuple[int, int], dict[str, str]] = {}
    for run, number, *fields in _INPUTS.rows(connection, of_runs):
        tags: dict[str, str] = {}
        tags_of[run, number] = tags
        found.setdefault(run, []).append(DatasetInput(Dataset(*fields), tags))
    for run, number, key, value in _INPUT_TAGS.rows(connection, found):
        tags_of[run, number][key] = value
    return found


def model_inputs_of(connection: Connection, of_runs: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for run, model_id in _MODEL_INPUTS.rows(connection, of_runs):
        found.setdefault(run, []).append(model_id)
    return found


def model_outputs_of(connection: Connection, of_runs: Sequence[int]) -> dict[int, list[ModelOutput]]:
    found: dict[int, list[ModelOutput]] = {}
    for run, model_id, step in _MODEL_OUTPUTS.rows(connection, of_runs):
        found.setdefault(run, []).append(ModelOutput(model_id, step))
    return found


def summaries(connection: Connection, experiment_ids: Iterable[str], max_results: int) -> list[DatasetSummary]:
    rows = _SUMMARIES.rows(connection, numbers_of(experiment_ids))
    found = {DatasetSummary(str(experiment), name, digest, context) for experiment, name, digest, context in rows}
    return sorted(found, key=lambda it: (it.experiment_id, it.name, it.digest, it.context or ""))[:max_results]


def _dataset(connection: Connection, experiment: int, given: Dataset) -> int:
    row = connection.row(_FIND_DATASET, experiment=experiment, of_name=given.name, of_digest=given.digest)
    if row is not None:
        return row[0]  # type: ignore[no-any-return]
    values = {f"new_{field}": value for field, value in given._asdict().items()}
    return connection.insert(_INSERT_DATASET, new_experiment_id=experiment, **values)


def _next(connection: Connection, statement: Statement, run: int) -> int:
    row = connection.row(statement, run=run)
    return row[0] if row else 0
