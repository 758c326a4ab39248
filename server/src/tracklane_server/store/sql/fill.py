"""Rows of runs as entities with all that was logged to them: a few queries for any number of runs."""

from collections.abc import Sequence

from sqlalchemy import select

from tracklane_server.contract.entities import Metric, Run
from tracklane_server.store.sql import inputs, sources
from tracklane_server.store.sql.doubles import join
from tracklane_server.store.sql.runs import info_of
from tracklane_server.store.sql.statement import Connection, Listed, Row
from tracklane_server.store.sql.tables import metrics, params, tags

_METRICS = Listed(
    select(
        metrics.c.run_id,
        metrics.c.key,
        metrics.c.latest_special,
        metrics.c.latest_value,
        metrics.c.latest_timestamp,
        metrics.c.latest_step,
        metrics.c.latest_source,
    ),
    metrics.c.run_id,
)
_PARAMS = Listed(select(params.c.run_id, params.c.key, params.c.value), params.c.run_id)
_TAGS = Listed(select(tags.c.run_id, tags.c.key, tags.c.value), tags.c.run_id)


def runs_of(connection: Connection, rows: Sequence[Row]) -> list[Run]:
    """Runs for rows that begin with `runs.COLUMNS`, in their order."""
    ids = [row[0] for row in rows]
    latest = _latest(connection, ids)
    params_of = _texts(connection, _PARAMS, ids)
    tags_of = _texts(connection, _TAGS, ids)
    datasets_of = inputs.datasets_of(connection, ids)
    model_inputs_of = inputs.model_inputs_of(connection, ids)
    model_outputs_of = inputs.model_outputs_of(connection, ids)
    return [
        Run(
            info_of(row),
            tuple(latest.get(row[0], ())),
            params_of[row[0]],
            tags_of[row[0]],
            tuple(datasets_of.get(row[0], ())),
            tuple(model_inputs_of.get(row[0], ())),
            tuple(model_outputs_of.get(row[0], ())),
        )
        for row in rows
    ]


def _latest(connection: Connection, ids: Sequence[int]) -> dict[int, list[Metric]]:
    found: dict[int, list[Metric]] = {}
    rows = _METRICS.rows(connection, ids)
    named = sources.named(connection, {row[6] for row in rows})
    for run, key, special, value, timestamp, step, source in rows:
        number = join(special, value) if special else value
        found.setdefault(run, []).append(Metric(key, number, timestamp, step, *named[source]))
    return found


def _texts(connection: Connection, query: Listed, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {number: {} for number in ids}
    for run, key, value in query.rows(connection, ids):
        found[run][key] = value
    return found
