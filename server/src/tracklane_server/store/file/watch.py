"""Noticing what others did to the folders, at a price that a search can pay.

Where nobody tells of changes there is only looking. New and vanished runs show in the time of the experiment's folder,
which every search looks at. Changes within runs show in the signature of each: those of runs that are running or have
just changed are compared often, all others in rounds that take a small share of the time. Where a round is cheap,
because there are few runs, every search makes one.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tracklane_server.store.file.layout import is_run_id
from tracklane_server.store.file.signature import UNSURE, signature

# What a search may spend on looking when there is no hurry, and how often it looks otherwise [s].
_CHEAP = 0.003
_LIVELY_INTERVAL = 1.0
_LONGEST_INTERVAL = 30.0
# Of the time that passes, rounds may take one part in so many.
_ROUND_SHARE = 50

# How long a run counts as lively after it changed [s], and how many runs may.
_LIVELY_FOR = 30.0
_MOST_LIVELY = 100

_CLOCK_TICK = 20_000_000


class _Place(NamedTuple):
    """An experiment's folder as it was when its runs were listed."""

    folder: str
    mtime_ns: int
    listed_ns: int


class Watch:
    """What this process knows of every run's files; names are `<experiment id>/<run id>`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._lively: dict[str, float] = {}
        self._lively_due = 0.0
        self._round: Iterator[str] | None = None
        self._round_due = 0.0
        self._round_cost = 0.0
        self._first_round = True

    def learn(self, name: str, its_signature: int | None, is_running: bool = False) -> None:
        """A run's files looked like this before they were read; None when they are gone."""
        experiment_id, _, run_id = name.partition("/")
        known = self._known.setdefault(experiment_id, {})
        if its_signature is None:
            known.pop(run_id, None)
            self._lively.pop(name, None)
            return
        known[run_id] = its_signature
        if is_running:
            self._enliven(name, math.inf)
        elif its_signature == UNSURE or name in self._lively:
            self._enliven(name, self._clock() + _LIVELY_FOR)

    def _enliven(self, name: str, until: float) -> None:
        """Look at this run often; of too many, those that were so for longest are not."""
        self._lively.pop(name, None)
        self._lively[name] = until
        while len(self._lively) > _MOST_LIVELY:
            del self._lively[next(iter(self._lively))]

    def runs_of(self, experiment_id: str) -> set[str]:
        """Names of the runs that an experiment has or had."""
        run_ids = set(self._known.get(experiment_id, ()))
        place = self._places.get(experiment_id)
        if place is not None:
            run_ids.update(filter(is_run_id, _names_in(place.folder)))
        return {f"{experiment_id}/{run_id}" for run_id in run_ids}

    def folder(self, name: str) -> str | None:
        experiment_id, _, run_id = name.partition("/")
        place = self._places.get(experiment_id)
        return f"{place.folder}/{run_id}" if place is not None else None

    def look(self, experiment_folders: Iterable[str]) -> set[str]:
        """Names of the runs that may have changed since they were learned."""
        changed = self._look_at_experiments(experiment_folders)
        now = self._clock()
        if now >= self._lively_due:
            changed |= self._look_at_lively()
            cost = self._clock() - now
            self._lively_due = now + (0 if cost < _CHEAP else _LIVELY_INTERVAL)
        return changed | self._look_around()

    def _look_at_experiments(self, folders: Iterable[str]) -> set[str]:
        changed: set[str] = set()
        gone = set(self._known)
        for folder in folders:
            experiment_id = os.path.basename(folder)
            gone.discard(experiment_id)
            changed |= self._look_at_experiment(experiment_id, folder)
        for experiment_id in gone:
            self._places.pop(experiment_id, None)
            changed |= {f"{experiment_id}/{run_id}" for run_id in self._known[experiment_id]}
        return changed

    def _look_at_experiment(self, experiment_id: str, folder: str) -> set[str]:
        try:
            mtime_ns = os.stat(folder).st_mtime_ns
        except FileNotFoundError:
            return set()
        place = self._places.get(experiment_id)
        stays = place is not None and place.folder == folder
        if place and stays and place.mtime_ns == mtime_ns and mtime_ns < place.listed_ns - _CLOCK_TICK:
            return set()
        self._places[experiment_id] = _Place(folder, mtime_ns, time.time_ns())
        known = self._known.setdefault(experiment_id, {}).keys()
        listed = _names_in(folder)
        changed = known - listed | set(filter(is_run_id, listed - known))
        if place and not stays:
            changed |= known
        return {f"{experiment_id}/{run_id}" for run_id in changed}

    def _look_at_lively(self) -> set[str]:
        now = self._clock()
        for name in [name for name, until in self._lively.items() if until < now]:
            del self._lively[name]
        return {name for name in list(self._lively) if self._may_have_changed(name)}

    def _look_around(self) -> set[str]:
        """Go on with a round, or begin one that is due; the first is made at once, for nobody looked before."""
        began = self._clock()
        if self._round is None:
            if began < self._round_due:
                return set()
            names = [f"{experiment_id}/{run_id}" for experiment_id, runs in self._known.items() for run_id in runs]
            self._round, self._round_cost = iter(names), 0.0
        changed = set()
        until = math.inf if self._first_round else began + _CHEAP
        for name in self._round:
            if self._may_have_changed(name):
                changed.add(name)
            if self._clock() > until:
                self._round_cost += self._clock() - began
                return changed
        self._round_cost += self._clock() - began
        self._round, self._first_round = None, False
        pause = 0 if self._round_cost < _CHEAP else min(_LONGEST_INTERVAL, _ROUND_SHARE * self._round_cost)
        self._round_due = self._clock() + pause
        return changed

    def _may_have_changed(self, name: str) -> bool:
        experiment_id, _, run_id = name.partition("/")
        known = self._known.get(experiment_id, {}).get(run_id)
        folder = self.folder(name)
        if known is None or folder is None:
            return known is not None
        try:
            return known == UNSURE or signature(folder) != known
        except FileNotFoundError:
            return True


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
