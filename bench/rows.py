"""The rows of the published tables: which figure of which workload, in which unit, and the target it should meet.

The targets are those of the project's plan; nothing is made to pass or fail by them.
"""

from dataclasses import dataclass

from measure import Sample
from rounds import COLD_INDEX, START

CPU, WALL, MEMORY, FAILURES = "CPU", "wall", "memory", "failures"

_SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6, "MB": 1e-6, "%": 1e2}


@dataclass(frozen=True)
class Row:
    """One figure: of a workload, per unit of its work."""

    title: str
    workload: str
    unit: str
    limit: float | None = None  # in `unit`; the target is to be at or below it
    quantity: str = CPU
    below: str = ""  # a system to be below instead

    def figure(self, sample: Sample) -> float:
        """The figure of one sample, in this row's unit."""
        value = {
            CPU: sample.cpu / sample.units,
            WALL: sample.wall / sample.units,
            MEMORY: sample.memory,
            FAILURES: len(sample.failures) / sample.units,
        }[self.quantity]
        return value * _SCALES[self.unit]


SERVER_SYSTEMS = ("tracklane", "mlflow", "mlflow-shipped", "fasttrackml")
SERVER_ROWS = (
    Row("`runs/log-metric`, a call", "log-metric", "ms", 0.20),
    Row("`runs/log-batch` of 1,000 metrics, a metric", "log-metrics", "µs", 8),
    Row("`runs/log-batch` of 100 params, a param", "log-params", "µs", 20),
    Row("`runs/create`", "create-run", "ms", 0.40),
    Row("`runs/get`", "get-run", "ms", 0.30),
    Row("`metrics/get-history`, {points:,} points, a point", "history", "µs", 2),
    Row("`metrics/get-history-bulk-interval`, 320 of {points:,} points", "bulk-interval", "ms", 10),
    Row("`runs/search`, newest 100 of {runs:,}", "search-newest", "ms", 10),
    Row("`runs/search`, metric filter, ordered by it, 100 of {runs:,}", "search-best", "ms", 15),
    Row("`runs/search`, two params equal, 100 of {runs:,}", "search-params", "ms", 10),
    Row("`runs/search`, tag LIKE, 100 of {runs:,}", "search-tag", "ms", 10),
    Row("`runs/search`, all {runs:,} in pages of 1,000", "search-all", "s", 0.6),
    Row("`runs/search`, newest 100 of {more_runs:,}", "large-newest", "ms", 15),
    Row("`runs/search`, metric filter, ordered by it, 100 of {more_runs:,}", "large-best", "ms"),
    Row("32 clients at once (create, {batches} × log-batch of 10, finish), a call", "clients", "ms", 1.0),
    Row("– calls that failed", "clients", "%", 0, FAILURES),
    Row("– wall time, a call", "clients", "ms", quantity=WALL, below="fasttrackml"),
    Row("Artifact proxy, {megabytes} MB up, a MB", "artifact-up", "ms", 1.0),
    Row("– memory meanwhile", "artifact-up", "MB", 120, MEMORY),
    Row("Artifact proxy, {megabytes} MB down, a MB", "artifact-down", "ms", 0.3),
    Row("– memory meanwhile", "artifact-down", "MB", 120, MEMORY),
    Row("Artifact proxy, 4 KiB up, a file", "small-up", "ms", 0.6),
    Row("Artifact proxy, 4 KiB down, a file", "small-down", "ms", 0.4),
    Row("Start on an empty store to the first healthy answer", START, "s", 1.2),
    Row("Memory at rest", START, "MB", 80, MEMORY),
)

FILE_SYSTEMS = ("tracklane-file", "mlflow-file")
FILE_ROWS = (
    Row("`runs/log-metric`, a call", "log-metric", "ms", 0.3),
    Row("`runs/log-batch` of 1,000 metrics, a metric", "log-metrics", "µs", 8),
    Row("`runs/create`", "create-run", "ms", 0.8),
    Row("`runs/search`, newest 100 of {runs:,}", "search-newest", "ms", 20),
    Row("`runs/search`, metric filter, ordered by it, 100 of {runs:,}", "search-best", "ms", 20),
    Row("First search of a folder of {runs:,} runs that has no index", COLD_INDEX, "s", 5),
)
