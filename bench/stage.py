"""A running server and the runs that workloads need in it, made when first asked for."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlruns
from client import Client
from seeds import FIRST_START_TIME, HISTORY_KEY, METRICS_A_BATCH, metric, seed
from systems import Server, System


@dataclass(frozen=True)
class Sizes:
    """How much of everything one run of the bench does."""

    rounds: int
    seconds: float  # a measurement repeats its work until this much wall time went by
    runs: int
    more_runs: int  # of the `--large` workloads; 0 leaves them out
    points: int
    batches: int  # log-batch calls of each of the concurrent clients
    megabytes: int
    small_files: int


FULL = Sizes(
    rounds=3, seconds=1.0, runs=10_000, more_runs=0, points=100_000, batches=100, megabytes=256, small_files=100
)
LARGE = replace(FULL, more_runs=100_000)
QUICK = Sizes(rounds=1, seconds=0.1, runs=200, more_runs=0, points=4_000, batches=5, megabytes=16, small_files=20)


@dataclass
class Stage:
    """What a workload gets: a server, a client of its own to it, and what was seeded there."""

    server: Server
    sizes: Sizes
    folder: tempfile.TemporaryDirectory[str]
    client: Client = field(init=False)
    scratch: str = ""
    seeded: str = ""
    seeded_runs: list[str] = field(default_factory=list)
    history_run: str = ""
    _folders: int = 0

    @classmethod
    def open(cls, system: System, sizes: Sizes) -> "Stage":
        """Start the system on an empty store in a temporary folder."""
        folder = tempfile.TemporaryDirectory(prefix=f"bench-{system.key}-", ignore_cleanup_errors=True)
        server = Server(system, Path(folder.name) / "server")
        try:
            server.start()
        except BaseException:
            folder.cleanup()
            raise
        return cls(server, sizes, folder)

    def __post_init__(self) -> None:
        self.client = Client(self.server.port)

    def close(self) -> None:
        self.client.close()
        self.server.stop()
        self.folder.cleanup()

    def reconnect(self) -> None:
        """Begin with a new connection, as a server may have closed an idle one, and no failures."""
        self.client.close()
        self.client.failures.clear()

    def new_run(self) -> str:
        """A run in an experiment that no search looks at."""
        self.scratch = self.scratch or self._experiment("scratch")
        return self._run({"experiment_id": self.scratch, "start_time": FIRST_START_TIME})

    def new_folder(self) -> str:
        """A folder for artifacts that nothing was put in yet."""
        self._folders += 1
        return f"folder-{self._folders}"

    def prepare(self, needs: str) -> None:
        """Make what a workload of these needs reads, unless it is there."""
        self.reconnect()
        if needs == "runs" and self.server.system.in_mlruns:
            self._write_runs()
        elif needs == "runs":
            self._seed_runs(self.sizes.runs)
        elif needs == "more runs":
            self._seed_runs(self.sizes.more_runs)
        elif needs == "points" and not self.history_run:
            self._seed_points()

    def _seed_runs(self, count: int) -> None:
        self.seeded = self.seeded or self._experiment("seeded")
        for number in range(len(self.seeded_runs), count):
            values = seed(number)
            run_id = self._run({"experiment_id": self.seeded, **values.create_request()})
            self._must("runs/log-batch", {"run_id": run_id, **values.log_request()})
            self.seeded_runs.append(run_id)

    def _write_runs(self) -> None:
        if not self.seeded_runs:
            self.seeded_runs = mlruns.write_runs(self.server.folder / "mlruns", self.sizes.runs)
            self.seeded = mlruns.EXPERIMENT_ID

    def _seed_points(self) -> None:
        run_id = self.new_run()
        for first in range(0, self.sizes.points, METRICS_A_BATCH):
            steps = range(first, min(first + METRICS_A_BATCH, self.sizes.points))
            self._must("runs/log-batch", {"run_id": run_id, "metrics": [metric(HISTORY_KEY, step) for step in steps]})
        self.history_run = run_id

    def _experiment(self, name: str) -> str:
        return str(self._must("experiments/create", {"name": name})["experiment_id"])

    def _run(self, request: dict[str, Any]) -> str:
        return str(self._must("runs/create", request)["run"]["info"]["run_id"])

    def _must(self, method: str, request: dict[str, Any]) -> Any:
        reply = self.client.post(method, request)
        if self.client.failures:
            raise RuntimeError(f"could not prepare: {self.client.failures[0]}")
        return reply.json()
