"""Runs, their params and tags, within a transaction that the caller holds."""

from collections.abc import Callable, Mapping

from sqlalchemy import bindparam, delete, insert, select, update

from tracklane_server.contract.entities import RUN_NAME_TAG, Experiment, Run, RunInfo
from tracklane_server.store import rules
from tracklane_server.store.sql import experiments
from tracklane_server.store.sql.doubles import split_text
from tracklane_server.store.sql.statement import Connection, Row, Statement
from tracklane_server.store.sql.tables import points, runs, tags
from tracklane_server.store.sql.upsert import insert_or_replace

_EDITABLE = (
    runs.c.run_name,
    runs.c.user_id,
    runs.c.status,
    runs.c.start_time,
    runs.c.end_time,
    runs.c.artifact_uri,
    runs.c.lifecycle_stage,
    runs.c.deleted_time,
)
# The surrogate key, then the fields of a `RunInfo`.
COLUMNS = (runs.c.id, runs.c.run_id, runs.c.experiment_id, *_EDITABLE)

_BY_RUN_ID = Statement(select(*COLUMNS).where(runs.c.run_id == bindparam("run_id")))
_INSERT = Statement(insert(runs).values({field: bindparam(f"new_{field.name}") for field in COLUMNS[1:]}))
_UPDATE = Statement(
    update(runs)
    .where(runs.c.id == bindparam("run"))
    .values({field: bindparam(f"new_{field.name}") for field in _EDITABLE})
)
_RENAME = Statement(update(runs).where(runs.c.id == bindparam("run")).values(run_name=bindparam("new_name")))
_DELETE = Statement(delete(runs).where(runs.c.id == bindparam("run")))
_DELETE_POINTS = Statement(delete(points).where(points.c.run_id == bindparam("run")))

_TAG = Statement(select(tags.c.value).where(tags.c.run_id == bindparam("run"), tags.c.key == bindparam("of_key")))
_SET_TAG = insert_or_replace(tags)
_DELETE_TAG = Statement(delete(tags).where(tags.c.run_id == bindparam("run"), tags.c.key == bindparam("of_key")))


def info_of(row: Row) -> RunInfo:
    """The info in a row that begins with `COLUMNS`."""
    return RunInfo(row[1], str(row[2]), *row[3:11])


def row_of(connection: Connection, run_id: str) -> Row:
    """The run as `COLUMNS`.

    Raises:
        ResourceDoesNotExist: no run has this id.
    """
    row = connection.row(_BY_RUN_ID, run_id=run_id)
    if row is None:
        raise rules.no_run(run_id)
    return row


def active(connection: Connection, run_id: str) -> tuple[int, RunInfo]:
    """The surrogate key and the info of a run that may be written to."""
    row = row_of(connection, run_id)
    info = info_of(row)
    rules.require_active_run(info)
    return row[0], info


def create(connection: Connection, experiment_id: str, build: Callable[[Experiment], Run]) -> Run:
    run = build(experiments.get(connection, experiment_id))
    info = run.info
    if connection.row(_BY_RUN_ID, run_id=info.run_id) is not None:
        raise rules.run_taken(info.run_id)
    values = {f"new_{field}": value for field, value in info._asdict().items()}
    number = connection.insert(_INSERT, **{**values, "new_experiment_id": int(experiment_id)})
    _set_tags(connection, number, run.tags)
    return run


def update_by(connection: Connection, run_id: str, edit: Callable[[RunInfo], RunInfo]) -> RunInfo:
    row = row_of(connection, run_id)
    old = info_of(row)
    new = edit(old)._replace(run_id=run_id, experiment_id=old.experiment_id)
    if new != old:
        connection.run(_UPDATE, run=row[0], **{f"new_{field.name}": getattr(new, field.name) for field in _EDITABLE})
    if new.run_name != old.run_name:
        _set_tags(connection, row[0], {RUN_NAME_TAG: new.run_name})
    return new


def write_tags(connection: Connection, run: int, given: Mapping[str, str]) -> None:
    """Set tags; the one that names the run names it, or is passed over when it is empty."""
    name = given.get(RUN_NAME_TAG)
    if name:
        connection.run(_RENAME, run=run, new_name=name)
    elif name == "":
        given = {key: value for key, value in given.items() if key != RUN_NAME_TAG}
    _set_tags(connection, run, given)


def edit_tag(connection: Connection, run_id: str, key: str, edit: Callable[[str | None], str | None]) -> None:
    run, _ = active(connection, run_id)
    row = connection.row(_TAG, run=run, of_key=key)
    old = row[0] if row else None
    new = edit(old)
    if new is None:
        connection.run(_DELETE_TAG, run=run, of_key=key)
    elif new != old:
        write_tags(connection, run, {key: new})


def purge(connection: Connection, run_id: str) -> None:
    run = row_of(connection, run_id)[0]
    connection.run(_DELETE_POINTS, run=run)
    connection.run(_DELETE, run=run)


def _set_tags(connection: Connection, run: int, given: Mapping[str, str]) -> None:
    connection.many(_SET_TAG, [(run, key, value, *split_text(value)) for key, value in given.items()])
