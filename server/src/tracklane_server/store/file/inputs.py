"""The datasets and models that a run used or made: a folder with a `meta.yaml` each (wire-contract, section 6.3)."""

import logging
import os
from collections.abc import Iterator
from typing import Any

from tracklane_server.contract.entities import DatasetInput, ModelOutput, RunBatch
from tracklane_server.store.file import layout
from tracklane_server.store.file.change import Content
from tracklane_server.store.file.meta_yaml import Unreadable, dump, load
from tracklane_server.store.file.records import (
    Record,
    dataset_record,
    input_record,
    output_record,
    read_dataset,
)

_log = logging.getLogger(__name__)

_DATASET = "DATASET"
_MODEL = "MODEL"


def read_inputs(run_folder: str) -> tuple[tuple[DatasetInput, ...], tuple[str, ...]]:
    """The run's datasets in order of name and digest, and its models in order of id."""
    datasets, models = [], []
    for record in _records_in(f"{run_folder}/{layout.INPUTS}"):
        source_id = str(record.get("source_id"))
        if record.get("source_type") == _MODEL:
            models.append(source_id)
        elif (dataset := _read(f"{run_folder}/{layout.dataset_record(source_id)}")) is not None:
            datasets.append(DatasetInput(read_dataset(dataset), _tags(record)))
    datasets.sort(key=lambda it: (it.dataset.name, it.dataset.digest))
    return tuple(datasets), tuple(sorted(models))


def read_outputs(run_folder: str) -> tuple[ModelOutput, ...]:
    outputs = []
    for record in _records_in(f"{run_folder}/{layout.OUTPUTS}"):
        step = record.get("step")
        outputs.append(ModelOutput(str(record.get("source_id")), step if isinstance(step, int) else 0))
    return tuple(sorted(outputs))


def plan_inputs(run_folder: str, batch: RunBatch) -> list[Content]:
    """The files to make for the inputs and outputs of a batch; what is there stays."""
    run_id = os.path.basename(run_folder)
    records: dict[str, Record] = {}
    for source in batch.dataset_inputs:
        dataset_id = _dataset_id(run_folder, source, records)
        records.setdefault(layout.dataset_record(dataset_id), dataset_record(source.dataset))
        path = layout.input_record(layout.md5_id(dataset_id, run_id))
        records.setdefault(path, input_record(_DATASET, dataset_id, source.tags))
    for model_id in batch.model_inputs:
        path = layout.input_record(layout.md5_id(model_id, run_id))
        records.setdefault(path, input_record(_MODEL, model_id, {}))
    for output in batch.model_outputs:
        path = layout.output_record(output.model_id)
        records.setdefault(path, output_record(output.model_id, output.step))
    return [
        Content(path, dump(record), once=True)
        for path, record in records.items()
        if not os.path.exists(f"{run_folder}/{path}")
    ]


def _dataset_id(run_folder: str, source: DatasetInput, planned: dict[str, Record]) -> str:
    """The id upstream gives; as that is one for `ab`, `c` and `a`, `bc`, the second of such a pair gets another."""
    name, digest = source.dataset.name, source.dataset.digest
    dataset_id = layout.md5_id(name, digest)
    path = layout.dataset_record(dataset_id)
    known = planned.get(path) or _read(f"{run_folder}/{path}")
    if known is None or (known.get("name"), known.get("digest")) == (name, digest):
        return dataset_id
    return layout.md5_id(f"{name}\n", digest)


def _records_in(folder: str) -> Iterator[Record]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        record = _read(f"{folder}/{name}/{layout.META}")
        if record is not None:
            yield record


def _read(path: str) -> Record | None:
    try:
        with open(path, "rb") as file:
            return load(file.read().decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (Unreadable, UnicodeDecodeError) as fault:
        _log.warning("%s is passed over: %s", path, fault)
        return None


def _tags(record: Record) -> dict[str, str]:
    tags: Any = record.get("tags")
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}
