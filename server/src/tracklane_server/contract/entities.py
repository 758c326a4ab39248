"""The nouns of tracking as immutable values; what the waist decodes to and what stores return.

Named tuples, because a history of 100,000 points makes 100,000 of them. Times are ms since the epoch, UTC.
"""

from typing import NamedTuple

ACTIVE = "active"
DELETED = "deleted"

# The one tag key whose value is also a field of the run (wire-contract: the two are kept in step).
RUN_NAME_TAG = "mlflow.runName"
DATASET_CONTEXT_TAG = "mlflow.data.context"


class Experiment(NamedTuple):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str = ACTIVE
    creation_time: int | None = None
    last_update_time: int | None = None
    tags: dict[str, str] = {}


class Metric(NamedTuple):
    """One point of a metric; `value` may be NaN or infinite."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    dataset_name: str | None = None
    dataset_digest: str | None = None


class Dataset(NamedTuple):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetInput(NamedTuple):
    dataset: Dataset
    tags: dict[str, str] = {}


class ModelOutput(NamedTuple):
    model_id: str
    step: int = 0


class RunInfo(NamedTuple):
    run_id: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    artifact_uri: str
    lifecycle_stage: str = ACTIVE
    deleted_time: int | None = None


class Run(NamedTuple):
    """A run with what was logged to it; `metrics` holds the latest point of each key."""

    info: RunInfo
    metrics: tuple[Metric, ...] = ()
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    dataset_inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[ModelOutput, ...] = ()


class RunBatch(NamedTuple):
    """What one write adds to a run, all of it or nothing."""

    metrics: tuple[Metric, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    dataset_inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[ModelOutput, ...] = ()


class DatasetSummary(NamedTuple):
    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class FileInfo(NamedTuple):
    """One entry of an artifact folder; `path` is relative to the folder's artifact root, `file_size` in bytes."""

    path: str
    is_dir: bool
    file_size: int | None = None
