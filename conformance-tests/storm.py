"""Many clients that log to a server at once and remember exactly what it answered, to hold it to that later.

Each batch carries metrics, params and tags of its own, so that a batch that is missing or half there can be told.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests
from servers import Server

API = "/api/2.0/mlflow"
POINTS = 8
PAIRS = 3
SECONDS = 60


class Batch(NamedTuple):
    """The `number`-th batch of one writer: the metrics, params and tags that nobody else logs."""

    run_id: str
    writer: int
    number: int

    @property
    def name(self) -> str:
        return f"w{self.writer}/{self.number}"

    def metrics(self) -> set[tuple[str, int, float]]:
        first = self.number * POINTS
        return {(f"w{self.writer}", first + i, (first + i) / 7) for i in range(POINTS)}

    def pairs(self) -> set[tuple[str, str]]:
        return {(f"{self.name}.{i}", f"value {self.name}") for i in range(PAIRS)}

    def body(self) -> dict[str, Any]:
        pairs = [{"key": key, "value": value} for key, value in sorted(self.pairs())]
        metrics = [
            {"key": k, "step": step, "value": value, "timestamp": 1} for k, step, value in sorted(self.metrics())
        ]
        return {"run_id": self.run_id, "metrics": metrics, "params": pairs, "tags": pairs}


@dataclass
class Storm:
    """What the clients were answered: batches with 200, the statuses of refusals, and batches that got no answer."""

    acknowledged: list[Batch] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: list[Batch] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    _answered: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> None:
        """Return when this many batches were answered with 200."""
        with self._answered:
            assert self._answered.wait_for(lambda: len(self.acknowledged) >= count, SECONDS), f"no progress: {self}"

    def write(self, server: Server, run_id: str, writer: int, first: int, count: int | None) -> None:
        """Log batches, the next as soon as one was answered, until told to stop, the server is gone or all are sent."""
        with requests.Session() as session:
            number = first
            while not self.stop.is_set() and (count is None or number < first + count):
                batch = Batch(run_id, writer, number)
                if not self._send(session, server, batch):
                    return
                number += 1

    def _send(self, session: requests.Session, server: Server, batch: Batch) -> bool:
        try:
            response = session.post(f"{server.url}{API}/runs/log-batch", json=batch.body(), timeout=SECONDS)
        except requests.RequestException:
            with self._answered:
                self.unanswered.append(batch)
            return False
        with self._answered:
            if response.status_code == 200:
                self.acknowledged.append(batch)
            else:
                self.refused[f"{response.status_code} {response.text[:300]}"] += 1
            self._answered.notify_all()
        return True

    def __str__(self) -> str:
        return f"{len(self.acknowledged)} answered, {len(self.unanswered)} unanswered, refused: {dict(self.refused)}"


@contextmanager
def storm(
    server: Server, run_ids: Sequence[str], writers: int, first: int = 0, count: int | None = None
) -> Iterator[Storm]:
    """Writers in threads, taking turns among the runs; all have ended after the block."""
    result = Storm()
    threads = [
        threading.Thread(target=result.write, args=(server, run_ids[writer % len(run_ids)], writer, first, count))
        for writer in range(writers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield result
    finally:
        if count is None:
            result.stop.set()
        for thread in threads:
            thread.join()


def create_run(server: Server) -> str:
    """The id of a new run of the experiment 0."""
    answer = requests.post(f"{server.url}{API}/runs/create", json={"experiment_id": "0"}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run"]["info"]["run_id"])


class Logged(NamedTuple):
    """All that a run holds of a storm."""

    metrics: frozenset[tuple[str, int, float]]
    params: frozenset[tuple[str, str]]
    tags: frozenset[tuple[str, str]]

    def holds_all(self, batch: Batch) -> bool:
        return batch.metrics() <= self.metrics and batch.pairs() <= self.params and batch.pairs() <= self.tags

    def holds_none(self, batch: Batch) -> bool:
        return not (batch.metrics() & self.metrics or batch.pairs() & self.params or batch.pairs() & self.tags)


def logged(server: Server, run_id: str) -> Logged:
    """Read a run and the whole history of each of its metrics."""
    answer = requests.get(f"{server.url}{API}/runs/get", params={"run_id": run_id}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    data = answer.json()["run"]["data"]
    points: set[tuple[str, int, float]] = set()
    for latest in data.get("metrics", []):
        history = history_of(server, run_id, latest["key"])
        points |= {(point["key"], point["step"], point["value"]) for point in history}
        assert len(history) == len({(p["step"], p["timestamp"], p["value"]) for p in history}), "a point is there twice"
        assert max(history, key=lambda p: p["step"])["value"] == latest["value"], "the latest value is not the latest"
    pairs = [frozenset((pair["key"], pair["value"]) for pair in data.get(name, [])) for name in ("params", "tags")]
    return Logged(frozenset(points), *pairs)


def history_of(server: Server, run_id: str, key: str) -> list[dict[str, Any]]:
    query = {"run_id": run_id, "metric_key": key}
    answer = requests.get(f"{server.url}{API}/metrics/get-history", params=query, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return list(answer.json().get("metrics", []))


def check(server: Server, storms: Sequence[Storm]) -> int:
    """Hold the server to its answers: what it said it stored is wholly there, and nothing is there by half.

    Returns:
        How many of the batches that got no answer were stored all the same.
    """
    runs = {batch.run_id for each in storms for batch in [*each.acknowledged, *each.unanswered]}
    stored = {run_id: logged(server, run_id) for run_id in runs}
    lost = [batch for each in storms for batch in each.acknowledged if not stored[batch.run_id].holds_all(batch)]
    assert not lost, f"answered with 200 but not wholly there: {lost}"
    unanswered = [batch for each in storms for batch in each.unanswered]
    kept = [batch for batch in unanswered if stored[batch.run_id].holds_all(batch)]
    torn = [batch for batch in unanswered if batch not in kept and not stored[batch.run_id].holds_none(batch)]
    assert not torn, f"half there: {torn}"
    return len(kept)
