"""The store over an `mlruns` folder: the files are the truth, whoever writes them."""

import os
import threading
import time
import weakref
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tracklane_server.contract.entities import (
    ACTIVE,
    DatasetSummary,
    Experiment,
    Metric,
    Run,
    RunBatch,
    RunInfo,
)
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.order import experiment_ordering
from tracklane_server.search.predicate import experiment_predicate
from tracklane_server.store import Cursor, Page, Search, TrackingStore
from tracklane_server.store.file.change import Change, commit
from tracklane_server.store.file.changes import ChangedRuns
from tracklane_server.store.file.experiments import ExperimentFolders
from tracklane_server.store.file.faults import faults_told
from tracklane_server.store.file.histories import Histories
from tracklane_server.store.file.layout import DEFAULT_EXPERIMENT, TAGS, Layout, local_path
from tracklane_server.store.file.meta_files import MetaFiles
from tracklane_server.store.file.metric_lines import history_key
from tracklane_server.store.file.runs import RunFolders, settle_runs
from tracklane_server.store.file.sample import sample_history
from tracklane_server.store.file.values import plan_values, read_value
from tracklane_server.store.file.writing import plan_batch
from tracklane_server.store.rules import require_active_run

if TYPE_CHECKING:
    from tracklane_server.store.file.index import RunIndex

# What a forked child must neither use nor close, since its parent still has it.
_OF_PARENTS: list[object] = []

_CURSOR_TYPES = ((int,), (int,), (int, float))


class FileStore(TrackingStore):
    """A folder that any number of processes, mlflow's among them, read and write at once."""

    def __init__(self, root: str) -> None:
        self._layout = Layout(root)
        metas = MetaFiles()
        self._experiments = ExperimentFolders(self._layout, metas, partial(settle_runs, metas))
        self._runs = RunFolders(metas, self._experiments)
        self._histories = Histories()
        self._guard = threading.Lock()
        self._changes = ChangedRuns(self._layout)
        self._index: RunIndex | None = None
        self_or_none = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (self_or_none() or _nothing)())

    @classmethod
    def open(cls, uri: str, locate: Callable[[str], str] | None = None) -> "FileStore":
        """The store in the folder that a path or `file:` URI names; a new one has experiment 0, `Default`.

        Raises:
            InvalidParameterValue: the URI names no local folder.
            TemporarilyUnavailable: the folder cannot be made or read.
        """
        root = local_path(uri)
        store = cls(root)
        with faults_told():
            if not os.path.isdir(root):
                os.makedirs(root, exist_ok=True)
            if not store._experiments.all():
                os.makedirs(store._layout.trash, exist_ok=True)
                location = locate(DEFAULT_EXPERIMENT) if locate else f"file://{root}/{DEFAULT_EXPERIMENT}"
                now = time.time_ns() // 1_000_000
                default = Experiment(DEFAULT_EXPERIMENT, "Default", location, ACTIVE, now, now)
                store._experiments.make_default(default)
        return store

    def create_experiment(self, name: str, tags: dict[str, str], now: int, locate: Callable[[str], str]) -> Experiment:
        with faults_told():
            return self._experiments.create(name, tags, now, locate)

    def get_experiment(self, experiment_id: str) -> Experiment:
        with faults_told():
            return self._experiments.get(experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment:
        with faults_told():
            return self._experiments.named(name)

    def update_experiment(self, experiment_id: str, edit: Callable[[Experiment], Experiment]) -> Experiment:
        with faults_told():
            old, new = self._experiments.update(experiment_id, edit)
        if new.lifecycle_stage != old.lifecycle_stage:
            self._changes.tell(f"{experiment_id}/")
        return new

    def search_experiments(self, search: Search) -> Page[Experiment]:
        ordering = experiment_ordering(search.order)
        is_after = ordering.after(search.after) if search.after is not None else None
        matches = experiment_predicate(search.filter)
        with faults_told():
            experiments = self._experiments.every()
        found = [
            experiment
            for experiment in experiments
            if experiment.lifecycle_stage in search.lifecycle_stages
            and matches(experiment)
            and (is_after is None or is_after(experiment))
        ]
        found.sort(key=ordering.sort_key)
        items = found[: search.max_results]
        return Page(items, ordering.cursor(items[-1]) if len(found) > len(items) else None)

    def create_run(self, experiment_id: str, build: Callable[[Experiment], Run]) -> Run:
        with faults_told():
            folder, run = self._runs.create(experiment_id, build)
        self._tell(folder)
        return run

    def get_run(self, run_id: str) -> Run:
        with faults_told():
            return self._runs.read(run_id, self._runs.run)

    def get_run_info(self, run_id: str) -> RunInfo:
        with faults_told():
            return self._runs.read(run_id, self._runs.info)

    def update_run(self, run_id: str, edit: Callable[[RunInfo], RunInfo]) -> RunInfo:
        with faults_told(), self._runs.locked(run_id) as folder:
            old = self._runs.info(folder)
            new = edit(old)._replace(run_id=old.run_id, experiment_id=old.experiment_id)
            if new != old:
                self._runs.write_info(folder, new, old)
        self._tell(folder)
        return new

    def edit_tag(self, run_id: str, key: str, edit: Callable[[str | None], str | None]) -> None:
        with faults_told(), self._runs.locked(run_id) as folder:
            info = self._runs.info(folder)
            require_active_run(info)
            old = read_value(folder, TAGS, key)
            new = edit(old)
            if new is None:
                commit(folder, Change([], plan_values(folder, TAGS, {key: None})))
            elif new != old:
                commit(folder, plan_batch(folder, info, RunBatch(tags=((key, new),)), self._runs.plan_info))
        self._tell(folder)

    def search_runs(self, experiment_ids: Sequence[str], search: Search) -> Page[Run]:
        with faults_told():
            return self._searched().search(experiment_ids, search)

    def log_batch(self, run_id: str, batch: RunBatch) -> None:
        with faults_told(), self._runs.locked(run_id) as folder:
            info = self._runs.info(folder)
            require_active_run(info)
            commit(folder, plan_batch(folder, info, batch, self._runs.plan_info))
        self._tell(folder)

    def get_metric_history(
        self, run_id: str, key: str, max_results: int | None = None, after: Cursor | None = None
    ) -> Page[Metric]:
        points = self._history(run_id, key)
        start = 0 if after is None else bisect_right(points, _history_bound(after), key=history_key)
        if max_results is None or len(points) - start <= max_results:
            return Page(points[start:])
        items = points[start : start + max_results]
        last = items[-1]
        return Page(items, (last.timestamp, last.step, last.value))

    def sample_metric_history(
        self, run_id: str, key: str, max_points: int, first_step: int | None = None, last_step: int | None = None
    ) -> list[Metric]:
        return sample_history(self._history(run_id, key), max_points, first_step, last_step)

    def search_datasets(self, experiment_ids: Sequence[str], max_results: int) -> list[DatasetSummary]:
        with faults_told():
            return self._searched().datasets(experiment_ids, max_results)

    def purge_run(self, run_id: str) -> None:
        with faults_told():
            folder = self._runs.purge(run_id)
        self._tell(folder)

    def purge_experiment(self, experiment_id: str) -> None:
        with faults_told():
            self._experiments.purge(experiment_id)
        self._changes.tell(f"{experiment_id}/")

    def close(self) -> None:
        with self._guard:
            if self._index is not None:
                self._index.close()
            self._index = None
            self._changes.close()

    def _searched(self) -> "RunIndex":
        """The index, which the first search opens."""
        with self._guard:
            if self._index is None:
                from tracklane_server.store.file.index import RunIndex

                self._index = RunIndex(self._layout, self._experiments, self._runs, self._changes)
            return self._index

    def _after_fork(self) -> None:
        """In a child: leave the parent's files and connections alone."""
        _OF_PARENTS.append((self._changes, self._index))
        self._guard = threading.Lock()
        self._changes = ChangedRuns(self._layout)
        self._index = None

    def _tell(self, run_folder: str) -> None:
        experiment_folder, _, run_id = run_folder.rpartition("/")
        self._changes.tell(f"{os.path.basename(experiment_folder)}/{run_id}")

    def _history(self, run_id: str, key: str) -> list[Metric]:
        with faults_told():
            lines = self._runs.read(run_id, lambda folder: self._histories.read(folder, key))
        return self._histories.points(key, lines)


def _history_bound(cursor: Cursor) -> tuple[int, int, bool, float]:
    """Raises:
    InvalidParameterValue: not a cursor of a history.
    """
    if len(cursor) != 3 or not all(type(part) in kinds for part, kinds in zip(cursor, _CURSOR_TYPES, strict=True)):
        raise InvalidParameterValue("Invalid page_token: it is not one that this history gave; start again without it")
    timestamp, step, value = cursor
    return history_key(Metric("", value, timestamp, step))


def _nothing() -> None: ...
