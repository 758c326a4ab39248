"""What a tree of processes costs: CPU time, memory and wall time. It knows nothing of what the processes do."""

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS = 0.02
MEMORY_INTERVAL_SECONDS = 0.1
QUIET_SHARE = 0.05
QUIET_WINDOW_SECONDS = 0.5
QUIET_LIMIT_SECONDS = 90


@dataclass
class Sample:
    """One measurement of one workload on one system."""

    units: float = 0.0
    cpu: float = 0.0  # [s] user and system, of the server's whole process tree
    wall: float = 0.0  # [s] as the client saw it
    memory: float = 0.0  # [bytes] highest proportional set size seen, summed over the tree
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Sample") -> None:
        self.units += other.units
        self.cpu += other.cpu
        self.wall += other.wall
        self.memory = max(self.memory, other.memory)
        self.failures += other.failures


@dataclass(frozen=True)
class Spread:
    """The median of a few figures, with the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(figures: list[float]) -> Spread:
    return Spread(statistics.median(figures), min(figures), max(figures))


def process_tree(root: int) -> set[int]:
    """The process, its descendants, and whoever is left of the session that it leads."""
    parents, sessions = {}, {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)], sessions[int(entry.name)] = int(fields[1]), int(fields[3])
    tree = {root} | {pid for pid, session in sessions.items() if session == root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def cpu_seconds(root: int) -> float:
    """User and system time [s] of the tree so far, of its ended and awaited children too.

    A living process is read by its CPU clock: what utime and stime in /proc/<pid>/stat count, but in nanoseconds
    instead of ticks of 10 ms.
    """
    return sum(_own_seconds(pid) + _awaited_seconds(pid) for pid in process_tree(root))


def memory_bytes(root: int) -> int:
    """Proportional set size of the tree: what it shares within itself counts once."""
    return sum(_pss(pid) for pid in process_tree(root))


def measured(root: int, work: Callable[[], float]) -> Sample:
    """Run `work`, which returns how many units it did, and say what that cost the process tree of `root`."""
    time.sleep(SETTLE_SECONDS)
    with _MemoryWatch(root) as watch:
        cpu, wall = cpu_seconds(root), time.perf_counter()
        units = work()
        wall = time.perf_counter() - wall
        time.sleep(SETTLE_SECONDS)  # a server may finish an answered write a little later
        cpu = cpu_seconds(root) - cpu
    return Sample(units, cpu, wall, watch.highest)


def wait_until_quiet(root: int) -> None:
    """Return when the tree rests; some servers go on starting long after their first answer."""
    deadline = time.monotonic() + QUIET_LIMIT_SECONDS
    while time.monotonic() < deadline:
        before = cpu_seconds(root)
        time.sleep(QUIET_WINDOW_SECONDS)
        if cpu_seconds(root) - before < QUIET_SHARE * QUIET_WINDOW_SECONDS:
            return


class _MemoryWatch:
    """Samples the memory of a tree in a thread of its own; `highest` [bytes] is there from the start."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.highest = memory_bytes(root)

    def __enter__(self) -> "_MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(MEMORY_INTERVAL_SECONDS):
            self._look()

    def _look(self) -> None:
        self.highest = max(self.highest, memory_bytes(self._root))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on; empty when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _own_seconds(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of that process, as clock_getcpuclockid() makes it
    except OSError:
        return 0.0


def _awaited_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / TICKS if fields else 0.0


def _pss(pid: int) -> int:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
