"""Measures workloads on systems in turn: A B C, A B C, each after a warm-up that does not count."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from measure import Sample, cpu_seconds, measured, memory_bytes, wait_until_quiet
from stage import Sizes, Stage
from systems import SYSTEMS
from workloads import SERVERS, WORKLOADS, Workload

START = "start"
COLD_INDEX = "cold-index"
START_SYSTEMS = (*SERVERS, "mlflow-shipped")
COLD_INDEX_SYSTEMS = ("tracklane-file",)

# What took longer than this in one round is not repeated in the next ones.
REPEAT_LIMIT_SECONDS = 20

Samples = dict[str, dict[str, list[Sample]]]


class Bench:
    """The running systems and, by workload and system, what was measured on them."""

    def __init__(self, sizes: Sizes, systems: Iterable[str], only: Iterable[str], say: Callable[[str], None]) -> None:
        self.sizes = sizes
        self.systems = tuple(systems)
        self.only = set(only)
        self.samples: Samples = defaultdict(lambda: defaultdict(list))
        self._say = say
        self._stages: dict[str, Stage] = {}
        self._unready: dict[str, str] = {}
        self._warm: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Measure everything that was asked for; whatever happens, stop the systems."""
        try:
            if self._wanted(START):
                self._rounds(START, self._here(START_SYSTEMS), self._start)
            workloads = [workload for workload in WORKLOADS if self._wanted(workload.key) and self._sized(workload)]
            while workloads:
                needs = workloads[0].needs
                self._group(needs, [workload for workload in workloads if workload.needs == needs])
                workloads = [workload for workload in workloads if workload.needs != needs]
                self._close_unless({key for later in workloads for key in later.systems})
            if self._wanted(COLD_INDEX):
                self._rounds(COLD_INDEX, self._here(COLD_INDEX_SYSTEMS), self._cold_index)
        finally:
            self._close_unless(set())

    def _wanted(self, key: str) -> bool:
        return not self.only or key in self.only

    def _sized(self, workload: Workload) -> bool:
        return workload.needs != "more runs" or self.sizes.more_runs > 0

    def _here(self, systems: Iterable[str]) -> list[str]:
        return [key for key in systems if key in self.systems]

    def _group(self, needs: str, workloads: list[Workload]) -> None:
        """Workloads that need the same seeds: first make these on all their systems, which may take minutes."""
        systems = {workload.key: self._offering(workload) for workload in workloads}
        self._ready([key for key in self.systems if any(key in here for here in systems.values())], needs)
        for workload in workloads:
            self._rounds(
                workload.key, systems[workload.key], lambda key, workload=workload: self._sample(workload, key)
            )

    def _offering(self, workload: Workload) -> list[str]:
        return [key for key in self._here(workload.systems) if workload.key not in SYSTEMS[key].lacks]

    def _rounds(self, key: str, systems: list[str], sample: Callable[[str], Sample]) -> None:
        for number in range(self.sizes.rounds):
            for system in systems:
                if all(_worth_repeating(earlier) for earlier in self.samples[key][system]):
                    taken = _or_failure(lambda system=system: sample(system))
                    self.samples[key][system].append(taken)
                    self._say(f"{key:14} {system:15} round {number + 1}: {_line(taken)}")

    def _ready(self, systems: list[str], needs: str) -> None:
        """Start these systems and seed them, as many at once as there are cores."""

        def prepare(key: str) -> None:
            if key not in self._stages:
                self._stages[key] = Stage.open(SYSTEMS[key], self.sizes)
                wait_until_quiet(self._stages[key].server.pid)
            began = time.monotonic()
            self._stages[key].prepare(needs)
            if time.monotonic() - began > 1:
                self._say(f"seeded {needs} on {key} in {time.monotonic() - began:.0f} s")

        def prepare_or_note(key: str) -> None:
            try:
                prepare(key)
            except (RuntimeError, OSError) as error:
                self._unready[key] = str(error)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(prepare_or_note, [key for key in systems if key not in self._unready]))

    def _sample(self, workload: Workload, key: str) -> Sample:
        """Repeat the work until enough time went by; what prepares it is not measured."""
        stage = self._stage(key)
        if (workload.key, key) not in self._warm:
            stage.reconnect()
            workload.prepare(stage, workload.warm_up)()
            if workload.check:
                workload.check(stage)
            self._warm.add((workload.key, key))
        total, count = Sample(), workload.count(self.sizes)
        while not total.failures and total.wall <= self.sizes.seconds:
            stage.reconnect()
            work = workload.prepare(stage, count)
            total.add(measured(stage.server.pid, work))
            total.failures += stage.client.failures
            if workload.grows:
                count *= 2
        return total

    def _start(self, key: str) -> Sample:
        """Start to first healthy answer on an empty store; the memory is that of the server at rest."""
        began = time.perf_counter()
        stage = Stage.open(SYSTEMS[key], self.sizes)
        pid = stage.server.pid
        sample = Sample(1, cpu_seconds(pid), time.perf_counter() - began)
        wait_until_quiet(pid)
        sample.memory = memory_bytes(pid)
        if self._stages.setdefault(key, stage) is not stage:
            stage.close()
        return sample

    def _cold_index(self, key: str) -> Sample:
        """The first search after the index was deleted; the seeded runs are all there is, as nothing else ran here."""
        self._ready([key], "runs")
        stage = self._stage(key)
        stage.client.close()
        stage.server.stop()
        stage.server.drop_index()
        stage.server.start()
        stage.reconnect()

        def search() -> float:
            stage.client.post("runs/search", {"experiment_ids": [stage.seeded], "max_results": 100})
            return 1

        sample = measured(stage.server.pid, search)
        sample.failures += stage.client.failures
        return sample

    def _stage(self, key: str) -> Stage:
        if key in self._unready:
            raise RuntimeError(self._unready[key])
        return self._stages[key]

    def _close_unless(self, needed: set[str]) -> None:
        for key in [key for key in self._stages if key not in needed]:
            self._stages.pop(key).close()


def _worth_repeating(sample: Sample) -> bool:
    return sample.wall <= REPEAT_LIMIT_SECONDS and sample.units > 0


def _or_failure(take: Callable[[], Sample]) -> Sample:
    """A system that cannot do its work is a finding, not the end of the bench."""
    try:
        return take()
    except (RuntimeError, OSError, KeyError) as error:
        return Sample(failures=[str(error) or repr(error)])


def _line(sample: Sample) -> str:
    if not sample.units:
        return f"failed: {sample.failures[0]}"
    line = f"{1e3 * sample.cpu / sample.units:.4g} ms CPU a unit, {sample.units:g} units in {sample.wall:.2f} s"
    return line + (f", {len(sample.failures)} failures, first: {sample.failures[0]}" if sample.failures else "")
