"""Writing a batch to a run: points with what is known of their metrics, params, tags, inputs."""

from collections.abc import Iterable, Sequence
from itertools import count, groupby
from operator import itemgetter

from sqlalchemy import bindparam, select

from tracklane_server.contract.entities import Metric, RunBatch
from tracklane_server.store import rules
from tracklane_server.store.sql import inputs, runs, sources
from tracklane_server.store.sql.doubles import special_of, split_text
from tracklane_server.store.sql.series import extend, summarise
from tracklane_server.store.sql.statement import Connection, Listed, Row, Statement
from tracklane_server.store.sql.tables import metrics, params, points
from tracklane_server.store.sql.upsert import insert_or_keep, insert_or_replace

_KNOWN_PARAMS = Listed(select(params.c.key, params.c.value).where(params.c.run_id == bindparam("run")), params.c.key)
_INSERT_PARAM = insert_or_keep(params)

_KNOWN_SERIES = Listed(select(metrics).where(metrics.c.run_id == bindparam("run")), metrics.c.key)
_HIGHEST_SERIES = Statement(
    select(points.c.series).where(points.c.run_id == bindparam("run")).order_by(points.c.series.desc()).limit(1)
)
_INSERT_POINT = insert_or_keep(points)
_SET_SERIES = insert_or_replace(metrics)


def log(connection: Connection, run_id: str, batch: RunBatch) -> None:
    run, info = runs.active(connection, run_id)
    if batch.params:
        _log_params(connection, run, batch.params)
    if batch.metrics:
        _log_metrics(connection, run, batch.metrics)
    if batch.tags:
        runs.write_tags(connection, run, dict(batch.tags))
    if batch.dataset_inputs:
        inputs.log_datasets(connection, run, int(info.experiment_id), batch.dataset_inputs)
    if batch.model_inputs:
        inputs.log_model_inputs(connection, run, batch.model_inputs)
    if batch.model_outputs:
        inputs.log_model_outputs(connection, run, batch.model_outputs)


def _log_params(connection: Connection, run: int, given: tuple[tuple[str, str], ...]) -> None:
    known: dict[str, str] = dict(_KNOWN_PARAMS.rows(connection, dict.fromkeys(key for key, _ in given), run=run))
    fresh = rules.changed_params(known, given)
    connection.many(_INSERT_PARAM, [(run, key, value, *split_text(value)) for key, value in fresh])


def _log_metrics(connection: Connection, run: int, given: Sequence[Metric]) -> None:
    wanted = dict.fromkeys(it.key for it in given)
    known: dict[str, Row] = {row[1]: row for row in _KNOWN_SERIES.rows(connection, wanted, run=run)}
    numbers = _numbers(connection, run, known, wanted)
    rows = _rows(run, numbers, given, sources.numbers(connection, given))
    # Of equal points the first one given counts, whatever dataset the others name.
    rows = sorted({row[:-1]: row for row in reversed(rows)}.values())
    if connection.many(_INSERT_POINT, rows) == 0:
        return  # a batch that came a second time
    keys = {number: key for key, number in numbers.items()}
    changed = []
    for number, own in groupby(rows, key=itemgetter(1)):
        key = keys[number]
        series = summarise(key, list(own))
        changed.append(extend(known[key], series) if key in known else series)
    connection.many(_SET_SERIES, changed)


def _numbers(connection: Connection, run: int, known: dict[str, Row], wanted: Iterable[str]) -> dict[str, int]:
    """The number of each key's series; new ones go on from the highest of the run."""
    numbers = {key: row[2] for key, row in known.items()}
    fresh = [key for key in wanted if key not in known]
    if fresh:
        highest = connection.row(_HIGHEST_SERIES, run=run)
        numbers.update(zip(fresh, count(highest[0] + 1 if highest else 1), strict=False))
    return numbers


def _rows(
    run: int, numbers: dict[str, int], given: Sequence[Metric], named: dict[tuple[str | None, str | None], int]
) -> list[Row]:
    """Rows of `points`."""
    rows = []
    for key, value, timestamp, step, name, digest in given:
        source = 0 if name is None and digest is None else named[name, digest]
        if value - value == 0:
            rows.append((run, numbers[key], step, timestamp, 0, value + 0.0, source))
        else:
            rows.append((run, numbers[key], step, timestamp, special_of(value), 0.0, source))
    return rows
