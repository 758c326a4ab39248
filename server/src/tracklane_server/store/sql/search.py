"""Searches as statements: which rows of a page match, in their order, and the cursor of its last."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Select, String, Table, and_, bindparam, cast, select

from tracklane_server.contract.entities import ACTIVE, DATASET_CONTEXT_TAG, DELETED, Experiment, Run
from tracklane_server.search.ast import And, Comparison, Entity, Filter, Key, Operator, OrderTerm
from tracklane_server.search.order import check_cursor
from tracklane_server.store import Page, Search
from tracklane_server.store.sql import experiments, fill, ordering, runs, tables
from tracklane_server.store.sql.doubles import any_of
from tracklane_server.store.sql.ordering import Place
from tracklane_server.store.sql.sqlite import SqliteDriver
from tracklane_server.store.sql.statement import Connection, Listed, Row, Statement
from tracklane_server.store.sql.where import Conditions, Holds, Subject, column_subject, exists_with

# A key whatever its aggregate: all aggregates of a metric are in one row.
_Name: TypeAlias = tuple[Entity, str]


class Attribute(NamedTuple):
    column: ColumnElement[Any]
    is_text: bool = True
    nullable: bool = False


class Scope(NamedTuple):
    """What one kind of search reads: the table, its attributes, and the tables of keys that belong to its rows.

    Attributes:
        whole: rows by their ids, with all that an entity is made of.
    """

    table: Table
    whole: Listed
    attributes: dict[str, Attribute]
    keyed: dict[Entity, tuple[Table, str]]


_RUNS = Scope(
    tables.runs,
    Listed(select(*runs.COLUMNS), tables.runs.c.id),
    {
        **{
            name: Attribute(tables.runs.c[name]) for name in ("run_id", "run_name", "status", "user_id", "artifact_uri")
        },
        "start_time": Attribute(tables.runs.c.start_time, is_text=False),
        "end_time": Attribute(tables.runs.c.end_time, is_text=False, nullable=True),
        "duration": Attribute(tables.runs.c.end_time - tables.runs.c.start_time, is_text=False, nullable=True),
    },
    {
        Entity.METRIC: (tables.metrics, "run_id"),
        Entity.PARAM: (tables.params, "run_id"),
        Entity.TAG: (tables.tags, "run_id"),
    },
)

_EXPERIMENTS = Scope(
    tables.experiments,
    Listed(select(*experiments.COLUMNS), tables.experiments.c.id),
    {
        "name": Attribute(tables.experiments.c.name),
        "experiment_id": Attribute(cast(tables.experiments.c.id, String)),
        "creation_time": Attribute(tables.experiments.c.creation_time, is_text=False, nullable=True),
        "last_update_time": Attribute(tables.experiments.c.last_update_time, is_text=False, nullable=True),
    },
    {Entity.TAG: (tables.experiment_tags, "experiment_id")},
)


class _Query(NamedTuple):
    """A statement that selects ids and the values of the places: what a page needs is read for its rows alone."""

    statement: Statement
    places: tuple[Place, ...]


def search_runs(
    driver: SqliteDriver, connection: Connection, experiment_ids: Sequence[str], search: Search
) -> Page[Run]:
    numbers = experiments.numbers_of(experiment_ids)
    if not numbers:
        return Page([])
    rows, following = _page(driver, connection, _RUNS_SCOPE, search, tuple(numbers))
    return Page(fill.runs_of(connection, rows), following)


def search_experiments(driver: SqliteDriver, connection: Connection, search: Search) -> Page[Experiment]:
    rows, following = _page(driver, connection, _EXPERIMENTS_SCOPE, search, None)
    return Page(experiments.with_tags(connection, rows), following)


# Scopes hold dicts, which cannot be part of a cache's key; their names can.
_RUNS_SCOPE, _EXPERIMENTS_SCOPE = "runs", "experiments"
_SCOPES = {_RUNS_SCOPE: _RUNS, _EXPERIMENTS_SCOPE: _EXPERIMENTS}


def _page(
    driver: SqliteDriver, connection: Connection, scope: str, search: Search, numbers: tuple[int, ...] | None
) -> tuple[list[Row], tuple[Any, ...] | None]:
    ranks = None
    if search.after is not None:
        check_cursor(search.order, search.after)
        ranks = search.after[::2]
    query = _query(
        driver, scope, search.filter, repr(search.filter), search.order, search.lifecycle_stages, numbers, ranks
    )
    values = ordering.parameters(query.places, search.after) if search.after is not None else {}
    found = connection.rows(query.statement, most=search.max_results + 1, **values)
    following = None
    if len(found) > search.max_results:
        del found[search.max_results :]
        following = ordering.cursor_of(query.places, found[-1][1:])
    ids = [row[0] for row in found]
    rows = {row[0]: row for row in _SCOPES[scope].whole.rows(connection, ids)}
    return [rows[number] for number in ids], following


@lru_cache(maxsize=256)
def _query(
    driver: SqliteDriver,
    scope_name: str,
    filter: Filter | None,
    spelled: str,
    order: tuple[OrderTerm, ...],
    stages: frozenset[str],
    numbers: tuple[int, ...] | None,
    ranks: tuple[int, ...] | None,
) -> _Query:
    """The statement for searches that differ in nothing but their cursor's values.

    `spelled` keeps filters apart in the cache, since And(x) and Or(x) are equal as tuples.
    """
    scope = _SCOPES[scope_name]
    places, joined, source = _places(scope, order, _needed(filter))
    query: Select[Any] = select(scope.table.c.id, *(value for place in places for value in place.values))
    query = query.select_from(source)
    if numbers is not None:
        query = query.where(any_of(tables.runs.c.experiment_id, numbers))
    if stages != {ACTIVE, DELETED}:
        query = query.where(any_of(scope.table.c.lifecycle_stage, stages))
    if filter is not None:
        query = query.where(Conditions(driver, lambda key: _subject(scope, joined, key)).of(filter))
    if ranks is not None:
        query = query.where(ordering.after(places, ranks))
    query = query.order_by(*ordering.sort_columns(places)).limit(bindparam("most"))
    return _Query(Statement(query), places)


def _needed(filter: Filter | None) -> set[_Name]:
    """The keys without which no row matches."""
    if isinstance(filter, And):
        return {key for term in filter.terms for key in _needed(term)}
    if isinstance(filter, Comparison) and filter.operator is not Operator.IS_NULL:
        return {filter.key[:2]}
    return set()


def _places(
    scope: Scope, order: Sequence[OrderTerm], needed: set[_Name]
) -> tuple[tuple[Place, ...], dict[_Name, FromClause], FromClause]:
    """The places of an order, the tables that they need, and the scope's table joined with those."""
    source: FromClause = scope.table
    joined: dict[_Name, FromClause] = {}
    places = []
    for number, (key, ascending) in enumerate(order):
        if key.entity is Entity.ATTRIBUTE:
            attribute = scope.attributes[key.name]
            places.append(Place(number, ascending, (attribute.column,), attribute.nullable))
            continue
        name = key[:2]
        if name not in joined:
            table, owner = scope.keyed[key.entity]
            row = table.alias(f"order_{number}")
            condition = (row.c[owner] == scope.table.c.id) & (row.c.key == key.name)
            source = source.join(row, condition, isouter=name not in needed)
            joined[name] = row
        its = joined[name]
        values = _number(its, key) if key.entity is Entity.METRIC else (its.c.value,)
        places.append(Place(number, ascending, values, nullable=True))
    return tuple(places), joined, source


def _subject(scope: Scope, joined: dict[_Name, FromClause], key: Key) -> Subject:
    if key.entity is Entity.ATTRIBUTE:
        attribute = scope.attributes[key.name]
        return column_subject(attribute.column, is_text=attribute.is_text, nullable=attribute.nullable)
    if key.entity is Entity.DATASET:
        return _dataset_subject(key.name)
    its = joined.get(key[:2])
    if its is not None:
        present = its.c.key.is_not(None)
        return _keyed_subject(lambda test: and_(present, test), its, key)
    table, owner = scope.keyed[key.entity]
    its = table.alias()
    condition = (its.c[owner] == scope.table.c.id) & (its.c.key == key.name)
    return _keyed_subject(exists_with(condition), its, key)


def _keyed_subject(holds: Holds, its: FromClause, key: Key) -> Subject:
    if key.entity is Entity.METRIC:
        return Subject(holds, number=_number(its, key))
    return Subject(holds, text=its.c.value, number=(its.c.number_special, its.c.number))


def _dataset_subject(field: str) -> Subject:
    its, dataset, tag = tables.inputs.alias(), tables.datasets.alias(), tables.input_tags.alias()
    condition = its.c.run_id == tables.runs.c.id
    if field != "context":
        return Subject(exists_with(condition & (dataset.c.id == its.c.dataset_id)), text=dataset.c[field])
    context = (tag.c.run_id == tables.runs.c.id) & (tag.c.key == DATASET_CONTEXT_TAG)
    return Subject(exists_with(context), text=tag.c.value)


def _number(table: FromClause, key: Key) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return table.c[f"{key.aggregate}_special"], table.c[f"{key.aggregate}_value"]
