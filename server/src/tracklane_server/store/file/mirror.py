"""Runs as rows of the SQL store's tables, in the index beside the files.

Points are left out: a search needs no more of a metric than its latest, first, lowest and highest. Beside those tables
is one of our own, which says what each run's files looked like when they were read.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Table

from tracklane_server.contract.entities import Metric, Run
from tracklane_server.store.file.metric_lines import Summary
from tracklane_server.store.sql import tables
from tracklane_server.store.sql.doubles import split, split_text

# Changes whenever rows are made otherwise than before: an index of another version is made anew.
VERSION = 1

# Where experiment ids go that no SQL store would have given: far above the 18 digits of ours.
_FOREIGN_IDS = 9 * 10**18
_FOREIGN_RANGE = 2 * 10**17

_PARTS_OF_RUNS = (
    tables.params,
    tables.tags,
    tables.metrics,
    tables.input_tags,
    tables.inputs,
    tables.model_inputs,
    tables.model_outputs,
)


class Unusable(Exception):
    """The index is not one of this version; another must be made."""


class MirroredRun(NamedTuple):
    """A run as its files tell it."""

    run: Run
    summaries: Sequence[Summary]


class Mirrored(NamedTuple):
    """What the index holds of one run; `signature` is that of the files, before they were read."""

    name: str
    signature: int
    is_running: bool


def index_id(experiment_id: str) -> int:
    """The number of an experiment in the index: its id, where that is a number as the SQL store gives them."""
    if experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) <= 18:
        number = int(experiment_id)
        if str(number) == experiment_id:
            return number
    return _FOREIGN_IDS + int.from_bytes(blake2b(experiment_id.encode(), digest_size=8).digest()) % _FOREIGN_RANGE


class Mirror:
    """Writes to the index; the caller holds its lock."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA cache_size = -16000")
        self._sources: dict[tuple[str | None, str | None], int] = {(None, None): 0}

    @classmethod
    def make_ready(cls, path: str) -> "Mirror":
        """Raises:
        Unusable: the index is of another version.
        """
        mirror = cls(path)
        (version,) = mirror._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            mirror.close()
            raise Unusable(f"it is of version {version}, not {VERSION}")
        mirror._connection.execute(
            "CREATE TABLE IF NOT EXISTS mirrored_runs "
            "(name TEXT PRIMARY KEY, signature INTEGER NOT NULL, is_running INTEGER NOT NULL) WITHOUT ROWID"
        )
        mirror._connection.execute(f"PRAGMA user_version = {VERSION}")
        return mirror

    def close(self) -> None:
        self._connection.close()

    def known(self) -> list[Mirrored]:
        """Every run in the index, the newest running ones last."""
        rows = self._connection.execute(
            "SELECT name, signature, is_running FROM mirrored_runs LEFT JOIN runs "
            "ON is_running AND run_id = substr(name, instr(name, '/') + 1) ORDER BY start_time"
        )
        return [Mirrored(name, signature, bool(is_running)) for name, signature, is_running in rows]

    def find(self, name: str) -> Mirrored | None:
        query = "SELECT name, signature, is_running FROM mirrored_runs WHERE name = ?"
        row = self._connection.execute(query, (name,)).fetchone()
        return Mirrored(row[0], row[1], bool(row[2])) if row else None

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._sources = {(None, None): 0}

    def put(self, mirrored: Mirrored, its: MirroredRun | None) -> None:
        """The run at this place is this one, or none that could be read."""
        experiment_id, _, run_id = mirrored.name.partition("/")
        row = self._connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if its is None:
            self._remove_run(mirrored.name, row)
        else:
            if row is not None:
                self._clear(row[0], _PARTS_OF_RUNS)
            self._insert_run(row[0] if row else None, index_id(experiment_id), its)
        self._connection.execute("REPLACE INTO mirrored_runs VALUES (?, ?, ?)", mirrored)

    def remove(self, name: str) -> None:
        """There is no run at this place any more."""
        run_id = name.partition("/")[2]
        self._remove_run(name, self._connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone())
        self._connection.execute("DELETE FROM mirrored_runs WHERE name = ?", (name,))

    def _remove_run(self, name: str, row: tuple[int] | None) -> None:
        if row is not None:
            experiment = index_id(name.partition("/")[0])
            if self._connection.execute(
                "DELETE FROM runs WHERE id = ? AND experiment_id = ?", (row[0], experiment)
            ).rowcount:
                self._clear(row[0], _PARTS_OF_RUNS)

    def _clear(self, number: int, parts: Iterable[Table]) -> None:
        for part in parts:
            self._connection.execute(f"DELETE FROM {part.name} WHERE run_id = ?", (number,))  # noqa: S608

    def _insert_run(self, number: int | None, experiment: int, its: MirroredRun) -> None:
        run = its.run
        self._connection.execute(
            "INSERT OR IGNORE INTO experiments (id, name, artifact_location, lifecycle_stage) "
            "VALUES (?, ?, '', 'active')",
            (experiment, str(experiment)),
        )
        values = {"id": number, **run.info._asdict(), "experiment_id": experiment}
        cursor = self._connection.execute(_replace(tables.runs), [values[name] for name in _RUN_COLUMNS])
        number = cursor.lastrowid
        self._many(tables.params, [(number, key, value, *split_text(value)) for key, value in run.params.items()])
        self._many(tables.tags, [(number, key, value, *split_text(value)) for key, value in run.tags.items()])
        self._many(tables.metrics, [self._metric(number, *it) for it in enumerate(its.summaries, 1)])
        if run.dataset_inputs:
            self._insert_inputs(number, experiment, run)
        self._many(tables.model_inputs, [(number, id, at) for at, id in enumerate(run.model_inputs)])
        outputs = [(number, model_id, at, step) for at, (model_id, step) in enumerate(run.model_outputs)]
        self._many(tables.model_outputs, outputs)

    def _insert_inputs(self, number: int | None, experiment: int, run: Run) -> None:
        for position, (dataset, its_tags) in enumerate(run.dataset_inputs):
            self._connection.execute(
                "INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET source_type = excluded.source_type, "
                "source = excluded.source, schema = excluded.schema, profile = excluded.profile",
                (experiment, *dataset),
            )
            (dataset_number,) = self._connection.execute(
                "SELECT id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?",
                (experiment, dataset.name, dataset.digest),
            ).fetchone()
            self._many(tables.inputs, [(number, dataset_number, position)])
            self._many(tables.input_tags, [(number, dataset_number, *tag) for tag in its_tags.items()])

    def _metric(self, number: int | None, series: int, summary: Summary) -> tuple[Any, ...]:
        row: tuple[Any, ...] = (number, summary.latest.key, series, self._source(summary.latest), 0, 0)
        for point in summary:
            row += (*split(point.value), point.step, point.timestamp)
        return tuple(map(row.__getitem__, _METRIC_COLUMNS))

    def _source(self, point: Metric) -> int:
        """The number of the dataset that a point names."""
        source = (point.dataset_name, point.dataset_digest)
        if source not in self._sources:
            columns = "dataset_name IS ? AND dataset_digest IS ?"
            row = self._connection.execute(f"SELECT id FROM metric_sources WHERE {columns}", source).fetchone()  # noqa: S608
            insert = "INSERT INTO metric_sources (dataset_name, dataset_digest) VALUES (?, ?)"
            self._sources[source] = row[0] if row else self._connection.execute(insert, source).lastrowid or 0
        return self._sources[source]

    def _many(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._connection.executemany(_replace(table), rows)


_RUN_COLUMNS = tuple(column.name for column in tables.runs.columns)

# A row of `metrics` as made here, and where the table's columns are in it. What only helps to read points is left at 0.
_METRIC_ROW = ["run_id", "key", "series", "latest_source", "in_step", "plain"]
for _aggregate in ("latest", "first", "min", "max"):
    _METRIC_ROW += [f"{_aggregate}_{part}" for part in ("special", "value", "step", "timestamp")]
_METRIC_COLUMNS = tuple(_METRIC_ROW.index(column.name) for column in tables.metrics.columns)


@cache
def _replace(table: Table) -> str:
    columns = ", ".join(column.name for column in table.columns)
    return f"REPLACE INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608
