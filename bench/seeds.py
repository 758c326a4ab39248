"""The runs that searches look through and the curve that histories return: the same on every system, run by run."""

import random
from dataclasses import dataclass
from typing import Any

FIRST_START_TIME = 1_700_000_000_000  # [ms since epoch, UTC]
METRICS_A_BATCH = 1000
HISTORY_KEY = "loss"
OPTIMIZERS = ("adam", "sgd", "rmsprop", "lion")
DATASETS = ("cifar10", "cifar100", "mnist", "imagenet")
METRICS = ("accuracy", "loss", "f1", "precision", "recall")


@dataclass(frozen=True)
class Seed:
    """One run: 5 params, 5 metrics and 5 tags."""

    number: int
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]

    @property
    def start_time(self) -> int:
        """One second after that of the run before [ms since epoch, UTC]."""
        return FIRST_START_TIME + self.number * 1000

    def create_request(self) -> dict[str, Any]:
        """What `runs/create` gets besides the experiment."""
        return {"run_name": f"run-{self.number}", "start_time": self.start_time, "tags": _pairs(self.tags)}

    def log_request(self) -> dict[str, Any]:
        """What `runs/log-batch` gets besides the run."""
        point = {"timestamp": self.start_time + 1, "step": 1}
        metrics = [{"key": key, "value": value, **point} for key, value in self.metrics.items()]
        return {"params": _pairs(self.params), "metrics": metrics}


def seed(number: int) -> Seed:
    """The run of this number."""
    chance = random.Random(number)
    params = {
        "optimizer": OPTIMIZERS[number % 4],
        "depth": str(number // 4 % 10),
        "lr": f"{10 ** chance.uniform(-5, -1):.3g}",
        "batch_size": str(2 ** chance.randrange(4, 10)),
        "seed": str(number),
    }
    tags = {
        "dataset": chance.choice(DATASETS),
        "team": f"team-{chance.randrange(20)}",
        "mlflow.user": f"user{chance.randrange(50)}",
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
    }
    return Seed(number, params, {name: chance.random() for name in METRICS}, tags)


def metric(key: str, step: int) -> dict[str, Any]:
    """A point of a noisy curve."""
    return {"key": key, "value": 1 / (step + 1) + random.random(), "timestamp": FIRST_START_TIME + step, "step": step}


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
