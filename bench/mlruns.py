"""Seeds a file store by writing its `mlruns` folder, the same for every server that reads one.

Through mlflow it would take the better part of an hour: its file store lists all runs of an experiment for every value.
"""

from collections.abc import Mapping
from pathlib import Path

from seeds import FIRST_START_TIME, Seed, seed

EXPERIMENT_ID = "404946217317911105"
_EXPERIMENT = """\
artifact_location: mlflow-artifacts:/{id}
creation_time: {time}
experiment_id: '{id}'
last_update_time: {time}
lifecycle_stage: active
name: seeded
"""
_RUN = """\
artifact_uri: mlflow-artifacts:/{experiment_id}/{run_id}/artifacts
end_time: null
entry_point_name: ''
experiment_id: '{experiment_id}'
lifecycle_stage: active
run_id: '{run_id}'
run_name: run-{number}
source_name: ''
source_type: 4
source_version: ''
start_time: {start_time}
status: 1
tags: []
user_id: ''
"""


def write_runs(root: Path, count: int) -> list[str]:
    """Put an experiment of that many seeded runs into the folder of a store, all at once; their ids."""
    aside = root.parent / "seeded"
    run_ids = [_write_run(aside, seed(number)) for number in range(count)]
    (aside / "meta.yaml").write_text(_EXPERIMENT.format(id=EXPERIMENT_ID, time=FIRST_START_TIME))
    aside.rename(root / EXPERIMENT_ID)
    return run_ids


def _write_run(experiment: Path, values: Seed) -> str:
    run_id = f"{values.number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"  # in no order, like real ones
    folder = experiment / run_id
    (folder / "artifacts").mkdir(parents=True)
    meta = _RUN.format(experiment_id=EXPERIMENT_ID, run_id=run_id, number=values.number, start_time=values.start_time)
    (folder / "meta.yaml").write_text(meta)
    _write_values(folder / "params", values.params)
    _write_values(folder / "tags", {**values.tags, "mlflow.runName": f"run-{values.number}"})
    points = {key: f"{values.start_time + 1} {value} 1\n" for key, value in values.metrics.items()}
    _write_values(folder / "metrics", points)
    return run_id


def _write_values(folder: Path, values: Mapping[str, str]) -> None:
    folder.mkdir()
    for key, value in values.items():
        (folder / key).write_text(value)
