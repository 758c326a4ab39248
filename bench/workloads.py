"""The work that is measured: each workload prepares itself, unmeasured, and gives back what to measure.

The measured part does `count` pieces of work and returns how many units that was.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from client import ARTIFACTS, Client
from seeds import FIRST_START_TIME, HISTORY_KEY, METRICS_A_BATCH, Seed, metric, seed
from stage import Sizes, Stage

SMALL_FILE_BYTES = 4096
MEGABYTE = 1_000_000
CLIENTS = 32
CLIENTS_SECONDS = 120
PARAMS_A_BATCH = 100
PAGE = 1000
SAMPLED = 320
FOUND = 100

SERVERS = ("tracklane", "mlflow", "fasttrackml")
FILE_STORES = ("tracklane-file", "mlflow-file")
EVERY_STORE = SERVERS + FILE_STORES

Work = Callable[[], float]


@dataclass(frozen=True)
class Workload:
    """One kind of work: on which systems, after which seeds, and how much of it at a time."""

    key: str
    prepare: Callable[[Stage, int], Work]
    count: Callable[[Sizes], int]
    systems: tuple[str, ...] = SERVERS
    needs: str = ""
    warm_up: int = 1
    grows: bool = True  # do more and more at a time while the measurement goes on
    check: Callable[[Stage], None] | None = None


def log_metric(stage: Stage, count: int) -> Work:
    run_id = stage.new_run()

    def work() -> float:
        for step in range(count):
            stage.client.post("runs/log-metric", {"run_id": run_id, **metric("loss", step)})
        return count

    return work


def log_metrics(stage: Stage, count: int) -> Work:
    run_id = stage.new_run()
    batches = [
        [metric("loss", step) for step in range(first, first + METRICS_A_BATCH)]
        for first in range(0, count * METRICS_A_BATCH, METRICS_A_BATCH)
    ]

    def work() -> float:
        for metrics in batches:
            stage.client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})
        return count * METRICS_A_BATCH

    return work


def log_params(stage: Stage, count: int) -> Work:
    run_ids = [stage.new_run() for _ in range(count)]
    params = [{"key": f"param_{number}", "value": f"value {number}"} for number in range(PARAMS_A_BATCH)]

    def work() -> float:
        for run_id in run_ids:
            stage.client.post("runs/log-batch", {"run_id": run_id, "params": params})
        return count * PARAMS_A_BATCH

    return work


def create_run(stage: Stage, count: int) -> Work:
    stage.new_run()
    request = {"experiment_id": stage.scratch, "start_time": FIRST_START_TIME, "run_name": "bench"}
    request["tags"] = [{"key": "mlflow.user", "value": "bench"}, {"key": "mlflow.source.name", "value": "train.py"}]

    def work() -> float:
        for _ in range(count):
            stage.client.post("runs/create", request)
        return count

    return work


def get_run(stage: Stage, count: int) -> Work:
    run_ids = (stage.seeded_runs[:: max(1, len(stage.seeded_runs) // count)] * count)[:count]

    def work() -> float:
        for run_id in run_ids:
            stage.client.get("runs/get", run_id=run_id)
        return count

    return work


def get_history(stage: Stage, count: int) -> Work:
    def work() -> float:
        return sum(_history_points(stage) for _ in range(count))

    return work


def _history_points(stage: Stage) -> int:
    points, token = 0, ""
    while True:
        page = {"page_token": token} if token else {}
        reply = stage.client.get("metrics/get-history", run_id=stage.history_run, metric_key=HISTORY_KEY, **page)
        points += reply.body.count(b'"step"')  # cheaper than to parse
        token = reply.json().get("next_page_token", "") if b'"next_page_token"' in reply.body else ""
        if not token:
            return points


def get_history_sampled(stage: Stage, count: int) -> Work:
    asked = {"run_ids": stage.history_run, "metric_key": HISTORY_KEY, "max_results": SAMPLED}

    def work() -> float:
        for _ in range(count):
            stage.client.get("metrics/get-history-bulk-interval", **asked)
        return count

    return work


@dataclass(frozen=True)
class Search:
    """`runs/search` for 100 runs: of those that `matches` is true of, by their seeds, the highest in `rank`."""

    request: dict[str, Any]
    matches: Callable[[Seed], bool] = lambda seed: True
    rank: Callable[[Seed], float] = lambda seed: seed.start_time

    def prepare(self, stage: Stage, count: int) -> Work:
        asked = {"experiment_ids": [stage.seeded], "max_results": FOUND, **self.request}

        def work() -> float:
            for _ in range(count):
                stage.client.post("runs/search", asked)
            return count

        return work

    def check(self, stage: Stage) -> None:
        """Raise unless the system finds the right runs in their order: a wrong answer must not count as a fast one."""
        asked = {"experiment_ids": [stage.seeded], "max_results": FOUND, **self.request}
        found = [run["info"]["run_id"] for run in stage.client.post("runs/search", asked).json().get("runs", [])]
        matching = [values for values in map(seed, range(len(stage.seeded_runs))) if self.matches(values)]
        first = sorted(matching, key=self.rank, reverse=True)[:FOUND]
        if found != [stage.seeded_runs[values.number] for values in first]:
            raise RuntimeError(f"the {len(found)} runs found are not the {len(first)} expected")


def search_all(stage: Stage, count: int) -> Work:
    """All runs, `count` pages of them; the unit is the whole listing."""

    def work() -> float:
        token, pages = "", 0
        while pages < count and (token or not pages):
            asked = {"experiment_ids": [stage.seeded], "max_results": PAGE, **({"page_token": token} if token else {})}
            token = stage.client.post("runs/search", asked).json().get("next_page_token", "")
            pages += 1
        return pages / _pages(stage.sizes)

    return work


def _pages(sizes: Sizes) -> int:
    return -(-sizes.runs // PAGE)


def concurrent_clients(stage: Stage, count: int) -> Work:
    """32 clients at once, each on its connection: create a run, `count` batches of 10 metrics, finish.

    The unit is a call. A server that gets stuck is let go after two minutes, with the calls made until then.
    """
    stage.new_run()

    def one(deadline: float) -> tuple[int, list[str]]:
        with Client(stage.server.port) as client:
            return _train(client, stage.scratch, count, deadline), client.failures

    def work() -> float:
        deadline = time.monotonic() + CLIENTS_SECONDS
        calls = 0
        with ThreadPoolExecutor(CLIENTS) as pool:
            for made, failures in pool.map(one, [deadline] * CLIENTS):
                calls += made
                stage.client.failures += failures
        return calls

    return work


def _train(client: Client, experiment_id: str, batches: int, deadline: float) -> int:
    created = client.post("runs/create", {"experiment_id": experiment_id, "start_time": FIRST_START_TIME}).json()
    run_id = created.get("run", {}).get("info", {}).get("run_id", "none")
    step = 0
    while step < batches and time.monotonic() < deadline:
        metrics = [metric(f"metric_{number}", step) for number in range(10)]
        client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})
        step += 1
    client.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": FIRST_START_TIME + batches})
    return step + 2


def upload_large(stage: Stage, count: int) -> Work:
    def work() -> float:
        stage.client.upload("large.bin", count * MEGABYTE)
        return count

    return work


def download_large(stage: Stage, count: int) -> Work:
    stage.client.upload("large.bin", count * MEGABYTE)

    def work() -> float:
        stage.client.download("large.bin")
        return count

    return work


def upload_small(stage: Stage, count: int) -> Work:
    return _upload_small(stage, stage.new_folder(), count)


def download_small(stage: Stage, count: int) -> Work:
    folder = stage.new_folder()
    _upload_small(stage, folder, count)()

    def work() -> float:
        for number in range(count):
            stage.client.download(f"{folder}/{number}.bin")
        return count

    return work


def _upload_small(stage: Stage, folder: str, count: int) -> Work:
    def work() -> float:
        for number in range(count):
            stage.client.call("PUT", f"{ARTIFACTS}{folder}/{number}.bin", bytes(SMALL_FILE_BYTES))
        return count

    return work


def _times(count: int) -> Callable[[Sizes], int]:
    return lambda sizes: count


_NEWEST = Search({})
_BEST = Search(
    {"filter": "metrics.accuracy > 0.5", "order_by": ["metrics.accuracy DESC"]},
    lambda seed: seed.metrics["accuracy"] > 0.5,
    lambda seed: seed.metrics["accuracy"],
)
_TWO_PARAMS = Search(
    {"filter": "params.optimizer = 'adam' and params.depth = '6'"},
    lambda seed: seed.params["optimizer"] == "adam" and seed.params["depth"] == "6",
)
_TAG_LIKE = Search({"filter": "tags.dataset LIKE 'cifar%'"}, lambda seed: seed.tags["dataset"].startswith("cifar"))
_SHIPPED = ("mlflow-shipped",)
_LARGE = ("tracklane", "fasttrackml")

# In the order of measuring: artifacts first, while memory is low; searches last, as their seeds take long.
WORKLOADS = (
    Workload("artifact-up", upload_large, lambda sizes: sizes.megabytes, warm_up=4, grows=False),
    Workload("artifact-down", download_large, lambda sizes: sizes.megabytes, warm_up=4, grows=False),
    Workload("small-up", upload_small, lambda sizes: sizes.small_files, warm_up=10),
    Workload("small-down", download_small, lambda sizes: sizes.small_files, warm_up=10),
    Workload("log-metric", log_metric, _times(50), EVERY_STORE + _SHIPPED, warm_up=20),
    Workload("log-metrics", log_metrics, _times(2), EVERY_STORE),
    Workload("log-params", log_params, _times(4)),
    Workload("create-run", create_run, _times(25), EVERY_STORE, warm_up=10),
    Workload("clients", concurrent_clients, lambda sizes: sizes.batches, SERVERS + _SHIPPED, grows=False),
    Workload("history", get_history, _times(1), needs="points"),
    Workload("bulk-interval", get_history_sampled, _times(2), needs="points"),
    Workload("get-run", get_run, _times(25), needs="runs", warm_up=10),
    Workload("search-newest", _NEWEST.prepare, _times(1), EVERY_STORE, needs="runs", check=_NEWEST.check),
    Workload("search-best", _BEST.prepare, _times(1), EVERY_STORE, needs="runs", check=_BEST.check),
    Workload("search-params", _TWO_PARAMS.prepare, _times(2), needs="runs", check=_TWO_PARAMS.check),
    Workload("search-tag", _TAG_LIKE.prepare, _times(2), needs="runs", check=_TAG_LIKE.check),
    Workload("search-all", search_all, _pages, needs="runs", grows=False),
    Workload("large-newest", _NEWEST.prepare, _times(1), _LARGE, needs="more runs", check=_NEWEST.check),
    Workload("large-best", _BEST.prepare, _times(1), _LARGE, needs="more runs", check=_BEST.check),
)
