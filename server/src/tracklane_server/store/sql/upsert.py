"""Inserts that meet a row of the same primary key: the one kind of statement that each dialect says its own way."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.expression import ClauseElement

from tracklane_server.store.sql.statement import Statement


def insert_or_keep(table: Table) -> Statement:
    """Insert a row unless one with its key is there; parameters in the order of the table's columns."""
    return Statement(lambda dialect: _INSERTS[dialect.name](table).on_conflict_do_nothing())


def insert_or_replace(table: Table) -> Statement:
    """Insert a row, or give the one with its key these values; parameters in the order of the table's columns."""

    def build(dialect: Dialect) -> ClauseElement:
        insert = _INSERTS[dialect.name](table)
        changed = {it.name: insert.excluded[it.name] for it in table.columns if not it.primary_key}
        result: ClauseElement = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
        return result

    return Statement(build)


def _sqlite(table: Table) -> Any:
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)


_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": _sqlite}
