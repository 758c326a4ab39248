"""Experiments and their tags, within a transaction that the caller holds."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal, select, update

from tracklane_server.contract.entities import DELETED, Experiment
from tracklane_server.store import rules
from tracklane_server.store.sql.doubles import INT64_MAX, split_text
from tracklane_server.store.sql.statement import Connection, Listed, Row, Statement
from tracklane_server.store.sql.tables import experiment_tags, experiments, points, runs

_FIELDS = (
    experiments.c.name,
    experiments.c.artifact_location,
    experiments.c.lifecycle_stage,
    experiments.c.creation_time,
    experiments.c.last_update_time,
)
COLUMNS = (experiments.c.id, *_FIELDS)

_GIVEN: dict[Any, Any] = {field: bindparam(f"new_{field.name}") for field in _FIELDS}
_BY_ID = Statement(select(*COLUMNS).where(experiments.c.id == bindparam("id")))
_BY_NAME = Statement(select(*COLUMNS).where(experiments.c.name == bindparam("name")))
_INSERT = Statement(insert(experiments).values(_GIVEN))
_INSERT_DEFAULT = Statement(insert(experiments).values({experiments.c.id: literal(0), **_GIVEN}))
_UPDATE = Statement(update(experiments).where(experiments.c.id == bindparam("of_id")).values(_GIVEN))
_DELETE = Statement(delete(experiments).where(experiments.c.id == bindparam("of_id")))

_TAGS = Listed(
    select(experiment_tags.c.experiment_id, experiment_tags.c.key, experiment_tags.c.value),
    experiment_tags.c.experiment_id,
)
_INSERT_TAG = Statement(insert(experiment_tags))
_DELETE_TAGS = Statement(delete(experiment_tags).where(experiment_tags.c.experiment_id == bindparam("of_id")))

_STAGE_RUNS = Statement(
    update(runs)
    .where(runs.c.experiment_id == bindparam("of_id"))
    .values(lifecycle_stage=bindparam("new_stage"), deleted_time=bindparam("new_deleted_time"))
)
_DELETE_POINTS = Statement(
    delete(points).where(points.c.run_id.in_(select(runs.c.id).where(runs.c.experiment_id == bindparam("of_id"))))
)
_DELETE_RUNS = Statement(delete(runs).where(runs.c.experiment_id == bindparam("of_id")))


def number_of(experiment_id: str) -> int | None:
    """The id as it is stored; None for text that is no id of ours, which then is simply unknown."""
    if experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) <= len(str(INT64_MAX)):
        number = int(experiment_id)
        if str(number) == experiment_id and number <= INT64_MAX:
            return number
    return None


def get(connection: Connection, experiment_id: str) -> Experiment:
    number = number_of(experiment_id)
    row = None if number is None else connection.row(_BY_ID, id=number)
    if row is None:
        raise rules.no_experiment(experiment_id)
    return with_tags(connection, [row])[0]


def get_named(connection: Connection, name: str) -> Experiment:
    found = _find_named(connection, name)
    if found is None:
        raise rules.no_experiment_named(name)
    return found


def numbers_of(experiment_ids: Iterable[str]) -> list[int]:
    """The ids that can be stored at all, each once."""
    return sorted({number for it in experiment_ids if (number := number_of(it)) is not None})


def with_tags(connection: Connection, rows: Iterable[Row]) -> list[Experiment]:
    """Entities for rows that begin with `COLUMNS`, in their order."""
    found = {row[0]: Experiment(*(str(row[0]), *row[1:6], {})) for row in rows}
    for number, key, value in _TAGS.rows(connection, found):
        found[number].tags[key] = value
    return list(found.values())


def create(
    connection: Connection, name: str, tags: Mapping[str, str], now: int, locate: Callable[[str], str]
) -> Experiment:
    _require_free(connection, name)
    unplaced = Experiment("", name, "", creation_time=now, last_update_time=now, tags=dict(tags))
    number = connection.insert(_INSERT, **_values(unplaced))
    made = unplaced._replace(experiment_id=str(number), artifact_location=locate(str(number)))
    connection.run(_UPDATE, of_id=number, **_values(made))
    _insert_tags(connection, number, tags)
    return made


def create_default(connection: Connection, now: int, location: str) -> None:
    """Make experiment 0 in a new database."""
    made = Experiment("0", "Default", location, creation_time=now, last_update_time=now)
    connection.run(_INSERT_DEFAULT, **_values(made))


def update_by(connection: Connection, experiment_id: str, edit: Callable[[Experiment], Experiment]) -> Experiment:
    old = get(connection, experiment_id)
    new = edit(old)._replace(experiment_id=experiment_id)
    number = int(experiment_id)
    if new.name != old.name:
        _require_free(connection, new.name)
    connection.run(_UPDATE, of_id=number, **_values(new))
    if new.tags != old.tags:
        connection.run(_DELETE_TAGS, of_id=number)
        _insert_tags(connection, number, new.tags)
    if new.lifecycle_stage != old.lifecycle_stage:
        deleted_time = new.last_update_time if new.lifecycle_stage == DELETED else None
        connection.run(_STAGE_RUNS, of_id=number, new_stage=new.lifecycle_stage, new_deleted_time=deleted_time)
    return new


def purge(connection: Connection, experiment_id: str) -> None:
    number = number_of(experiment_id)
    if number is not None:
        connection.run(_DELETE_POINTS, of_id=number)
        connection.run(_DELETE_RUNS, of_id=number)
        if connection.run(_DELETE, of_id=number):
            return
    raise rules.no_experiment(experiment_id)


def _find_named(connection: Connection, name: str) -> Experiment | None:
    row = connection.row(_BY_NAME, name=name)
    return with_tags(connection, [row])[0] if row else None


def _require_free(connection: Connection, name: str) -> None:
    holder = _find_named(connection, name)
    if holder is not None:
        raise rules.name_taken(name, holder)


def _insert_tags(connection: Connection, number: int, tags: Mapping[str, str]) -> None:
    connection.many(_INSERT_TAG, [(number, key, value, *split_text(value)) for key, value in tags.items()])


def _values(experiment: Experiment) -> dict[str, object]:
    return {f"new_{field.name}": getattr(experiment, field.name) for field in _FIELDS}
