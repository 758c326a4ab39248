"""Entities as the mappings that `meta.yaml` files hold (wire-contract, section 6.3).

Reading takes what any mlflow since 1.0 wrote; writing keeps what it found and does not know.
"""

from collections.abc import Mapping
from typing import Any

from tracklane_server.contract.entities import ACTIVE, DELETED, Dataset, Experiment, RunInfo
from tracklane_server.store.file.meta_yaml import Unreadable

Record = dict[str, Any]

_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_STATUS_NUMBERS = {name: number for number, name in _STATUSES.items()}
_LOCAL = 4

_NEW_EXPERIMENT: Record = {"effective_trace_archival_retention": None, "trace_location": None, "workspace": "default"}
_NEW_RUN: Record = {
    "entry_point_name": "",
    "source_name": "",
    "source_type": _LOCAL,
    "source_version": "",
    "tags": [],
}


def experiment_record(experiment: Experiment, found: Mapping[str, Any] | None = None) -> Record:
    record = {**(_NEW_EXPERIMENT if found is None else found)}
    record |= {
        "artifact_location": experiment.artifact_location,
        "creation_time": experiment.creation_time,
        "experiment_id": experiment.experiment_id,
        "last_update_time": experiment.last_update_time,
        "lifecycle_stage": experiment.lifecycle_stage,
        "name": experiment.name,
    }
    return record


def read_experiment(record: Mapping[str, Any], folder_name: str, tags: dict[str, str]) -> Experiment:
    """Raises:
    Unreadable: the record is not that of the experiment in this folder.
    """
    if str(record.get("experiment_id")) != folder_name:
        raise Unreadable(f"it says experiment_id {record.get('experiment_id')!r}")
    return Experiment(
        folder_name,
        _text(record, "name"),
        _text(record, "artifact_location"),
        _stage(record),
        _optional_number(record, "creation_time"),
        _optional_number(record, "last_update_time"),
        tags,
    )


def run_record(info: RunInfo, found: Mapping[str, Any] | None = None) -> Record:
    record = {**(_NEW_RUN if found is None else found)}
    record |= {
        "artifact_uri": info.artifact_uri,
        "end_time": info.end_time,
        "experiment_id": info.experiment_id,
        "lifecycle_stage": info.lifecycle_stage,
        "run_id": info.run_id,
        "run_name": info.run_name,
        "run_uuid": info.run_id,  # mlflow 1.x and 2.x cannot open a run without it; 3.x passes over it
        "start_time": info.start_time,
        "status": _STATUS_NUMBERS.get(info.status, info.status),
        "user_id": info.user_id,
    }
    if "name" in record:
        record["name"] = info.run_name
    record.pop("deleted_time", None)
    if info.deleted_time is not None:
        record["deleted_time"] = info.deleted_time
    return record


def read_run_info(record: Mapping[str, Any], experiment_id: str, folder_name: str) -> RunInfo:
    """The run's info; its name is empty where mlflow 1.x kept it in the tag alone.

    Raises:
        Unreadable: the record is not that of the run in this folder of this experiment.
    """
    run_id = record.get("run_id") or record.get("run_uuid")
    if str(run_id) != folder_name or str(record.get("experiment_id")) != experiment_id:
        raise Unreadable(f"it says run {run_id!r} of experiment {record.get('experiment_id')!r}")
    return RunInfo(
        folder_name,
        experiment_id,
        str(record.get("run_name") or record.get("name") or ""),
        str(record.get("user_id") or ""),
        _status(record.get("status", 1)),
        _optional_number(record, "start_time") or 0,
        _optional_number(record, "end_time"),
        _text(record, "artifact_uri"),
        _stage(record),
        _optional_number(record, "deleted_time"),
    )


def dataset_record(dataset: Dataset) -> Record:
    return dataset._asdict()


def read_dataset(record: Mapping[str, Any]) -> Dataset:
    optional = (record.get("schema"), record.get("profile"))
    return Dataset(
        _text(record, "name"),
        _text(record, "digest"),
        _text(record, "source_type"),
        _text(record, "source"),
        *(None if value is None else str(value) for value in optional),
    )


def input_record(source_type: str, source_id: str, tags: Mapping[str, str]) -> Record:
    """`destination_id` repeats the source as upstream writes it; nobody reads it."""
    return {
        "destination_id": source_id,
        "destination_type": "RUN",
        "source_id": source_id,
        "source_type": source_type,
        "tags": dict(tags),
    }


def output_record(model_id: str, step: int) -> Record:
    return {
        "destination_id": model_id,
        "destination_type": "MODEL_OUTPUT",
        "source_id": model_id,
        "source_type": "RUN_OUTPUT",
        "step": step,
        "tags": {},
    }


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return "" if value is None else str(value)


def _optional_number(record: Mapping[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"it says {key} {value!r}") from None


def _stage(record: Mapping[str, Any]) -> str:
    return DELETED if record.get("lifecycle_stage") == DELETED else ACTIVE


def _status(value: Any) -> str:
    status = _STATUSES.get(value) if isinstance(value, int) else str(value)
    if status not in _STATUS_NUMBERS:
        raise Unreadable(f"it says status {value!r}")
    return status
