"""Statements of SQLAlchemy Core, compiled once to the driver's own text: running one costs what the driver costs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, bindparam
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.expression import ClauseElement

Row: TypeAlias = tuple[Any, ...]

# What is to be run, or how to say it in the SQL of a dialect.
Clause: TypeAlias = ClauseElement | Callable[[Dialect], ClauseElement]


class Prepared(NamedTuple):
    """SQL text with positional parameters: their names in order, and the values that the statement itself fixes."""

    text: str
    names: tuple[str, ...]
    fixed: dict[str, Any]


class Statement:
    """A statement that is compiled when it is first run; its `bindparam`s are given by name at each run."""

    def __init__(self, clause: Clause) -> None:
        self._clause = clause
        self._prepared: dict[str, Prepared] = {}

    def prepared(self, dialect: Dialect) -> Prepared:
        found = self._prepared.get(dialect.name)
        if found is None:
            found = self._prepared[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> Prepared:
        clause = self._clause if isinstance(self._clause, ClauseElement) else self._clause(dialect)
        compiled: Any = clause.compile(dialect=dialect)
        names = tuple(compiled.positiontup or ())
        fixed = compiled.construct_params(_check=False)
        return Prepared(str(compiled), names, {name: fixed[name] for name in names})


class Connection:
    """A driver's connection that runs statements; who holds it decides about transactions."""

    __slots__ = ("dialect", "raw")

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw = raw
        self.dialect = dialect

    def rows(self, statement: Statement, **values: Any) -> list[Row]:
        return self._run(statement, values).fetchall()  # type: ignore[no-any-return]

    def row(self, statement: Statement, **values: Any) -> Row | None:
        return self._run(statement, values).fetchone()  # type: ignore[no-any-return]

    def run(self, statement: Statement, **values: Any) -> int:
        """The number of rows that it changed."""
        return self._run(statement, values).rowcount  # type: ignore[no-any-return]

    def insert(self, statement: Statement, **values: Any) -> int:
        """The id that the new row was given."""
        return self._run(statement, values).lastrowid  # type: ignore[no-any-return]

    def many(self, statement: Statement, rows: Iterable[Sequence[Any]]) -> int:
        """Run it for each row, its values in the order of the statement's parameters; how many rows changed."""
        cursor = self.raw.cursor()
        cursor.executemany(statement.prepared(self.dialect).text, rows)
        return cursor.rowcount  # type: ignore[no-any-return]

    def execute(self, text: str) -> None:
        self.raw.cursor().execute(text)

    def _run(self, statement: Statement, values: dict[str, Any]) -> Any:
        text, names, fixed = statement.prepared(self.dialect)
        cursor = self.raw.cursor()
        cursor.execute(text, [values[name] if name in values else fixed[name] for name in names])
        return cursor


class Listed:
    """A select of the rows whose `column` is in a list of any length.

    It runs in slices, each filled up to a power of two by repeating a value: so there are few texts to compile.
    """

    _MOST = 1024

    def __init__(self, query: Select[Any], column: ColumnElement[Any]) -> None:
        self._query = query
        self._column = column
        self._statements: dict[int, Statement] = {}

    def rows(self, connection: Connection, wanted: Iterable[Any], **values: Any) -> list[Row]:
        rest = list(wanted)
        if len(rest) == 1:
            return connection.rows(self._statement(1), **values, of_0=rest[0])
        found: list[Row] = []
        for start in range(0, len(rest), self._MOST):
            part = rest[start : start + self._MOST]
            size = 1 << (len(part) - 1).bit_length()
            part += part[-1:] * (size - len(part))
            found += connection.rows(self._statement(size), **values, **{f"of_{i}": it for i, it in enumerate(part)})
        return found

    def _statement(self, size: int) -> Statement:
        found = self._statements.get(size)
        if found is None:
            binds: list[Any] = [bindparam(f"of_{i}") for i in range(size)]
            condition = self._column == binds[0] if size == 1 else self._column.in_(binds)
            found = self._statements[size] = Statement(self._query.where(condition))
        return found
