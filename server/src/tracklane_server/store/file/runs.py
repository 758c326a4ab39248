"""The folders of runs: finding, reading, making and removing them."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from tracklane_server.contract.entities import ACTIVE, RUN_NAME_TAG, Experiment, Run, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue, ResourceDoesNotExist
from tracklane_server.store.file.change import Change, Content, commit, read_committed, recover, replace
from tracklane_server.store.file.experiments import ExperimentFolders
from tracklane_server.store.file.inputs import read_inputs, read_outputs
from tracklane_server.store.file.layout import META, PARAMS, RUN_FOLDERS, TAGS, is_run_id, runs_in
from tracklane_server.store.file.lock import acquire, locked, release
from tracklane_server.store.file.meta_files import MetaFiles
from tracklane_server.store.file.meta_yaml import Unreadable, dump
from tracklane_server.store.file.metric_files import MetricFiles
from tracklane_server.store.file.metric_lines import Summary
from tracklane_server.store.file.records import read_run_info, run_record
from tracklane_server.store.file.values import plan_values, read_value, read_values
from tracklane_server.store.rules import no_run, run_taken

T = TypeVar("T")

_log = logging.getLogger(__name__)

_REMEMBERED = 100_000

# How often a run is looked for anew when its folder moves away at the last moment.
_ATTEMPTS = 20


def settle_runs(metas: MetaFiles, experiment_folder: str, experiment: Experiment) -> None:
    """Give every run of an experiment its stage, and its last update as the time of deletion."""
    stage = experiment.lifecycle_stage
    deleted_time = None if stage == ACTIVE else experiment.last_update_time
    for run_id in runs_in(experiment_folder):
        folder = f"{experiment_folder}/{run_id}"
        with suppress(FileNotFoundError, Unreadable):
            os.stat(f"{folder}/{META}")
            with locked(folder):
                recover(folder)
                record = metas.read(folder)
                info = read_run_info(record, experiment.experiment_id, run_id)
                settled = info._replace(lifecycle_stage=stage, deleted_time=deleted_time)
                if settled != info:
                    replace(folder, META, dump(run_record(settled, record)))


class RunFolders:
    """The runs of all experiments."""

    def __init__(self, metas: MetaFiles, experiments: ExperimentFolders) -> None:
        self._metas = metas
        self._metrics = MetricFiles()
        self._experiments = experiments
        self._folders: dict[str, str] = {}
        self._warned: set[str] = set()

    def folder(self, run_id: str) -> str:
        """The folder of a run that is there and readable, in an experiment that is in its place.

        Raises:
            ResourceDoesNotExist: there is none.
        """
        known = self._folders.get(run_id)
        if known is not None and self._experiments.is_in_place(known.rpartition("/")[0]):
            return known
        if is_run_id(run_id):
            for experiment_folder in self._experiments.all():
                folder = f"{experiment_folder}/{run_id}"
                if self._is_readable(folder):
                    self._remember(run_id, folder)
                    return folder
        raise no_run(run_id)

    def is_taken(self, run_id: str) -> bool:
        return any(os.path.lexists(f"{folder}/{run_id}") for folder in self._experiments.places())

    def read(self, run_id: str, read: Callable[[str], T]) -> T:
        """What `read(folder)` finds when no change of the run is under way."""
        for _ in range(_ATTEMPTS):
            folder = self.folder(run_id)
            with suppress(FileNotFoundError, NotADirectoryError):
                return read_committed(folder, partial(read, folder))
            self._folders.pop(run_id, None)
        raise no_run(run_id)

    @contextmanager
    def locked(self, run_id: str) -> Iterator[str]:
        """Hold the lock of a run, its folder in place.

        Raises:
            ResourceDoesNotExist: there is none.
        """
        lock, folder = self._acquire(run_id)
        try:
            recover(folder)
            yield folder
        finally:
            release(lock)

    def _acquire(self, run_id: str) -> tuple[int, str]:
        for _ in range(_ATTEMPTS):
            folder = self.folder(run_id)
            with suppress(FileNotFoundError, NotADirectoryError):
                lock = acquire(folder)
                if os.path.exists(f"{folder}/{META}"):
                    return lock, folder
                release(lock)
            self._folders.pop(run_id, None)
        raise no_run(run_id)

    def info(self, folder: str) -> RunInfo:
        """The run's info; where mlflow 1.x wrote it, the name comes from the tag."""
        experiment_folder, _, run_id = folder.rpartition("/")
        try:
            info = read_run_info(self._metas.read(folder), os.path.basename(experiment_folder), run_id)
        except Unreadable as fault:
            raise no_run(run_id) from fault
        if info.run_name:
            return info
        return info._replace(run_name=read_value(folder, TAGS, RUN_NAME_TAG) or "")

    def run(self, folder: str) -> Run:
        return self._run_and_summaries(folder)[0]

    def read_folder(self, folder: str) -> tuple[Run, list[Summary]]:
        """The run, and what there is to know of its metrics, when no change is under way.

        Raises:
            FileNotFoundError: it is gone.
            ResourceDoesNotExist: it cannot be read.
        """
        return read_committed(folder, partial(self._run_and_summaries, folder))

    def create(self, experiment_id: str, build: Callable[[Experiment], Run]) -> tuple[str, Run]:
        """The new run's folder, and the run."""
        with self._experiments.locked(experiment_id) as experiment_folder:
            run = build(self._experiments.read_here(experiment_folder))
            run_id = run.info.run_id
            if not is_run_id(run_id):
                raise InvalidParameterValue(f"'{run_id[:100]}' is no run id: it must be a plain name")
            if self.is_taken(run_id):
                raise run_taken(run_id)
            folder = f"{experiment_folder}/{run_id}"
            _make(folder, run)
        self._remember(run_id, folder)
        return folder, run

    def write_info(self, folder: str, new: RunInfo, old: RunInfo) -> None:
        """Replace the run's info, its name in step with the tag; the caller holds the run's lock."""
        contents = self.plan_info(folder, new)
        if new.run_name != old.run_name:
            contents += plan_values(folder, TAGS, {RUN_NAME_TAG: new.run_name})
        commit(folder, Change([], contents))

    def plan_info(self, folder: str, new: RunInfo) -> list[Content]:
        return [Content(META, dump(run_record(new, self._metas.read(folder))))]

    def purge(self, run_id: str) -> str:
        """The folder that is no more."""
        with self.locked(run_id) as folder:
            os.unlink(f"{folder}/{META}")
            shutil.rmtree(folder, ignore_errors=True)
        return folder

    def _run_and_summaries(self, folder: str) -> tuple[Run, list[Summary]]:
        summaries = self._metrics.summaries(folder)
        run = Run(
            self.info(folder),
            tuple(summary.latest for summary in summaries),
            read_values(folder, PARAMS),
            read_values(folder, TAGS),
            *read_inputs(folder),
            read_outputs(folder),
        )
        return run, summaries

    def _is_readable(self, folder: str) -> bool:
        try:
            self.info(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except ResourceDoesNotExist as fault:
            if folder not in self._warned:
                self._warned.add(folder)
                _log.warning("Malformed run in %s is passed over: %s", folder, fault.__cause__)
            return False
        return True

    def _remember(self, run_id: str, folder: str) -> None:
        if len(self._folders) >= _REMEMBERED:
            self._folders.clear()
        self._folders[run_id] = folder


def _make(folder: str, run: Run) -> None:
    """The record comes last: a folder without one is no run."""
    os.mkdir(folder)
    try:
        for name in (*RUN_FOLDERS, TAGS):
            os.mkdir(f"{folder}/{name}")
        for content in plan_values(folder, TAGS, run.tags):
            replace(folder, content.path, content.text or "")
        replace(folder, META, dump(run_record(run.info)))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
