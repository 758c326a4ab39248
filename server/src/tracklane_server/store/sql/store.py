"""The tracking store on a database. Each method is one transaction over what its module does."""

import time
from collections.abc import Callable, Sequence

from tracklane_server.contract.entities import DatasetSummary, Experiment, Metric, Run, RunBatch, RunInfo
from tracklane_server.store import Cursor, Page, Search, TrackingStore
from tracklane_server.store.sql import batch as batches
from tracklane_server.store.sql import experiments, fill, history, inputs, migrate, runs
from tracklane_server.store.sql import search as searches
from tracklane_server.store.sql.database import Database
from tracklane_server.store.sql.sqlite import SqliteDriver


def _proxied(experiment_id: str) -> str:
    return f"mlflow-artifacts:/{experiment_id}"


class SqlStore(TrackingStore):
    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, uri: str, locate: Callable[[str], str] | None = None) -> "SqlStore":
        """The store of a database URI, made and migrated where needed; `locate` says where experiment 0 has artifacts.

        Raises:
            InvalidParameterValue: the URI is malformed, or the database is another program's or a later version's.
            TemporarilyUnavailable: the database cannot be reached.
        """
        driver = SqliteDriver.of(uri)
        database = Database(driver)
        location = (locate or _proxied)("0")
        now = time.time_ns() // 1_000_000
        with database.faults():
            migrate.make_ready(driver, lambda connection: experiments.create_default(connection, now, location))
        return cls(database)

    def create_experiment(self, name: str, tags: dict[str, str], now: int, locate: Callable[[str], str]) -> Experiment:
        return self._database.write(lambda connection: experiments.create(connection, name, tags, now, locate))

    def get_experiment(self, experiment_id: str) -> Experiment:
        return self._database.read(lambda connection: experiments.get(connection, experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment:
        return self._database.read(lambda connection: experiments.get_named(connection, name))

    def update_experiment(self, experiment_id: str, edit: Callable[[Experiment], Experiment]) -> Experiment:
        return self._database.write(lambda connection: experiments.update_by(connection, experiment_id, edit))

    def search_experiments(self, search: Search) -> Page[Experiment]:
        driver = self._database.driver
        return self._database.read(lambda connection: searches.search_experiments(driver, connection, search))

    def create_run(self, experiment_id: str, build: Callable[[Experiment], Run]) -> Run:
        return self._database.write(lambda connection: runs.create(connection, experiment_id, build))

    def get_run(self, run_id: str) -> Run:
        return self._database.read(lambda connection: fill.runs_of(connection, [runs.row_of(connection, run_id)])[0])

    def get_run_info(self, run_id: str) -> RunInfo:
        return self._database.read(lambda connection: runs.info_of(runs.row_of(connection, run_id)))

    def update_run(self, run_id: str, edit: Callable[[RunInfo], RunInfo]) -> RunInfo:
        return self._database.write(lambda connection: runs.update_by(connection, run_id, edit))

    def edit_tag(self, run_id: str, key: str, edit: Callable[[str | None], str | None]) -> None:
        self._database.write(lambda connection: runs.edit_tag(connection, run_id, key, edit))

    def search_runs(self, experiment_ids: Sequence[str], search: Search) -> Page[Run]:
        driver = self._database.driver
        return self._database.read(lambda connection: searches.search_runs(driver, connection, experiment_ids, search))

    def log_batch(self, run_id: str, batch: RunBatch) -> None:
        self._database.write(lambda connection: batches.log(connection, run_id, batch))

    def get_metric_history(
        self, run_id: str, key: str, max_results: int | None = None, after: Cursor | None = None
    ) -> Page[Metric]:
        return self._database.read(lambda connection: history.page(connection, run_id, key, max_results, after))

    def sample_metric_history(
        self, run_id: str, key: str, max_points: int, first_step: int | None = None, last_step: int | None = None
    ) -> list[Metric]:
        return self._database.read(
            lambda connection: history.sample(connection, run_id, key, max_points, first_step, last_step)
        )

    def search_datasets(self, experiment_ids: Sequence[str], max_results: int) -> list[DatasetSummary]:
        return self._database.read(lambda connection: inputs.summaries(connection, experiment_ids, max_results))

    def purge_run(self, run_id: str) -> None:
        self._database.write(lambda connection: runs.purge(connection, run_id))

    def purge_experiment(self, experiment_id: str) -> None:
        self._database.write(lambda connection: experiments.purge(connection, experiment_id))

    def close(self) -> None:
        self._database.close()
