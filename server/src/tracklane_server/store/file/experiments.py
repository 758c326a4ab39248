"""The folders of experiments: finding, reading, writing, and the way to the trash and back.

Where a folder lies follows from its record: the deleted ones lie in the trash. To delete or restore an experiment its
record is rewritten first; then its runs, then its place. So a folder that lies in the wrong place tells of a process
that is at work on it, or that died over it: whoever meets one waits for the lock and finishes.
"""

import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tracklane_server.contract.entities import ACTIVE, DELETED, Experiment
from tracklane_server.contract.errors import ResourceDoesNotExist
from tracklane_server.store.file.change import Change, Content, commit, read_committed, recover, replace
from tracklane_server.store.file.layout import META, TAGS, Layout, is_experiment_id
from tracklane_server.store.file.lock import acquire, locked, release
from tracklane_server.store.file.meta_files import MetaFiles
from tracklane_server.store.file.meta_yaml import Unreadable, dump
from tracklane_server.store.file.records import Record, experiment_record, read_experiment
from tracklane_server.store.file.values import plan_values, read_values
from tracklane_server.store.rules import name_taken, no_experiment, no_experiment_named

_log = logging.getLogger(__name__)

# How often an experiment is looked for anew when its folder moves away at the last moment.
_ATTEMPTS = 20

# Gives every run of an experiment's folder the experiment's stage, and its time of deletion.
SettleRuns = Callable[[str, Experiment], None]


class ExperimentFolders:
    """The experiments of one root folder."""

    def __init__(self, layout: Layout, metas: MetaFiles, settle_runs: SettleRuns) -> None:
        self._layout = layout
        self._metas = metas
        self._settle_runs = settle_runs
        self._warned: set[str] = set()
        self._readable: dict[str, Record] = {}

    def folder(self, experiment_id: str) -> str:
        """The folder of an experiment that is there and readable.

        Raises:
            ResourceDoesNotExist: there is none.
        """
        folder = self._place(experiment_id)
        return folder if self._is_settled(folder) else self._settled(experiment_id)

    def places(self) -> Iterator[str]:
        """Every folder that may be an experiment, nobody waited for, nothing finished."""
        return self._layout.experiments()

    def is_in_place(self, folder: str) -> bool:
        """Whether the folder is that of an experiment and lies where its record says."""
        return self._is_readable(folder) and self._is_settled(folder)

    def all(self) -> list[str]:
        """The folders of every readable experiment."""
        return self._all(self._settled)

    def get(self, experiment_id: str) -> Experiment:
        for _ in range(_ATTEMPTS):
            folder = self.folder(experiment_id)
            with suppress(FileNotFoundError, NotADirectoryError):
                return self._read(folder)
        raise no_experiment(experiment_id)

    def named(self, name: str) -> Experiment:
        for folder in self.all():
            if self._name(folder) == name:
                return self.get(os.path.basename(folder))
        raise no_experiment_named(name)

    def every(self) -> list[Experiment]:
        experiments = []
        for folder in self.all():
            with suppress(FileNotFoundError):
                experiments.append(self._read(folder))
        return experiments

    def create(self, name: str, tags: dict[str, str], now: int, locate: Callable[[str], str]) -> Experiment:
        with locked(self._layout.root):
            self._require_free(name)
            experiment_id = self._free_id()
            experiment = Experiment(experiment_id, name, locate(experiment_id), ACTIVE, now, now, tags)
            self._make(experiment)
        return experiment

    def make_default(self, experiment: Experiment) -> None:
        """Make this experiment unless its id is taken, by whatever."""
        with locked(self._layout.root):
            if not any(os.path.exists(self._layout.experiment(experiment.experiment_id, d)) for d in (False, True)):
                self._make(experiment)

    def update(self, experiment_id: str, edit: Callable[[Experiment], Experiment]) -> tuple[Experiment, Experiment]:
        """The experiment before and after."""
        with locked(self._layout.root):
            folder = self._finish(experiment_id)
            with locked(folder):
                recover(folder)
                old = self.read_here(folder)
                new = edit(old)._replace(experiment_id=old.experiment_id)
                if new.name != old.name:
                    self._require_free(new.name)
                self._write(folder, new, old)
                if new.lifecycle_stage != old.lifecycle_stage:
                    self._change_stage(folder, new, old)
        return old, new

    def purge(self, experiment_id: str) -> None:
        with locked(self._layout.root):
            folder = self._finish(experiment_id)
            with locked(folder):
                os.unlink(f"{folder}/{META}")
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def locked(self, experiment_id: str) -> Iterator[str]:
        """Hold the lock of an experiment, its folder in its place.

        Raises:
            ResourceDoesNotExist: there is none.
        """
        lock, folder = self._acquire(experiment_id)
        try:
            recover(folder)
            yield folder
        finally:
            release(lock)

    def _acquire(self, experiment_id: str) -> tuple[int, str]:
        for _ in range(_ATTEMPTS):
            folder = self.folder(experiment_id)
            with suppress(FileNotFoundError, NotADirectoryError):
                lock = acquire(folder)
                if self.is_in_place(folder):
                    return lock, folder
                release(lock)
        raise no_experiment(experiment_id)

    def _all(self, settle: Callable[[str], str]) -> list[str]:
        folders = []
        for folder in self._layout.experiments():
            with suppress(ResourceDoesNotExist):
                if self._is_readable(folder):
                    folders.append(folder if self._is_settled(folder) else settle(os.path.basename(folder)))
        return list(dict.fromkeys(folders))

    def _place(self, experiment_id: str) -> str:
        """Where the folder lies now, be it in its place or not."""
        if is_experiment_id(experiment_id):
            for deleted in (False, True):
                folder = self._layout.experiment(experiment_id, deleted)
                if self._is_readable(folder):
                    return folder
        raise no_experiment(experiment_id)

    def _is_readable(self, folder: str) -> bool:
        """A malformed experiment is told of once."""
        try:
            record = self._metas.read(folder)
            if self._readable.get(folder) is not record:
                read_experiment(record, os.path.basename(folder), {})
                self._readable[folder] = record
        except (FileNotFoundError, NotADirectoryError):
            return False
        except Unreadable as fault:
            if folder not in self._warned:
                self._warned.add(folder)
                _log.warning("Malformed experiment in %s is passed over: %s", folder, fault)
            return False
        return True

    def _is_settled(self, folder: str) -> bool:
        record = self._readable.get(folder, {})
        return (record.get("lifecycle_stage") == DELETED) == self._layout.is_trashed(folder)

    def _read(self, folder: str) -> Experiment:
        return read_committed(folder, lambda: self.read_here(folder))

    def _name(self, folder: str) -> str | None:
        try:
            return str(self._metas.read(folder).get("name"))
        except (FileNotFoundError, Unreadable):
            return None

    def read_here(self, folder: str) -> Experiment:
        """The experiment in a folder whose lock the caller holds."""
        record = self._metas.read(folder)
        return read_experiment(record, os.path.basename(folder), read_values(folder, TAGS))

    def _make(self, experiment: Experiment) -> None:
        folder = self._layout.experiment(experiment.experiment_id)
        os.makedirs(folder)
        try:
            commit(folder, Change([], plan_values(folder, TAGS, experiment.tags)))
            replace(folder, META, dump(experiment_record(experiment)))
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _write(self, folder: str, new: Experiment, old: Experiment) -> None:
        edits: dict[str, str | None] = {key: None for key in old.tags if key not in new.tags}
        edits |= {key: value for key, value in new.tags.items() if old.tags.get(key) != value}
        contents = plan_values(folder, TAGS, edits)
        if new._replace(tags={}) != old._replace(tags={}):
            contents.append(Content(META, dump(experiment_record(new, self._metas.read(folder)))))
        commit(folder, Change([], contents))

    def _change_stage(self, folder: str, new: Experiment, old: Experiment) -> None:
        try:
            self._settle(folder, new)
        except OSError:
            _log.exception("Experiment %s cannot become %s", new.experiment_id, new.lifecycle_stage)
            self._write(folder, old, new)
            self._settle(folder, old)
            raise

    def _settled(self, experiment_id: str) -> str:
        """Where the folder lies when whoever is at work on it has finished."""
        with locked(self._layout.root):
            return self._finish(experiment_id)

    def _finish(self, experiment_id: str) -> str:
        """Finish what a dead process began, and say where the folder lies; the caller holds the root's lock."""
        folder = self._place(experiment_id)
        if self._is_settled(folder):
            return folder
        with locked(folder):
            recover(folder)
            return self._settle(folder, self.read_here(folder))

    def _settle(self, folder: str, experiment: Experiment) -> str:
        self._settle_runs(folder, experiment)
        place = self._layout.experiment(experiment.experiment_id, experiment.lifecycle_stage == DELETED)
        if place != folder:
            os.makedirs(self._layout.trash, exist_ok=True)
            os.rename(folder, place)
        return place

    def _require_free(self, name: str) -> None:
        for folder in self._all(self._finish):
            if self._name(folder) == name:
                raise name_taken(name, self.read_here(folder))

    def _free_id(self) -> str:
        while True:
            experiment_id = str(random.randrange(10**17, 10**18))
            if not any(os.path.exists(self._layout.experiment(experiment_id, deleted)) for deleted in (False, True)):
                return experiment_id
