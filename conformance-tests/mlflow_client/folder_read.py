"""Prints all that mlflow's own file store reads of a folder, in the shapes of the REST answers."""

import json
import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

client = MlflowClient(sys.argv[1])


def told(value: float) -> Any:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), value)


def points(run_id: str, key: str) -> list[Any]:
    return [[point.timestamp, point.step, told(point.value)] for point in client.get_metric_history(run_id, key)]


def shape(run: Run) -> dict[str, Any]:
    info, data = run.info, run.data
    return {
        "info": {
            name: getattr(info, name)
            for name in (
                *("run_id", "run_name", "experiment_id", "user_id", "status", "start_time", "end_time"),
                *("lifecycle_stage", "artifact_uri"),
            )
        },
        "params": data.params,
        "tags": data.tags,
        "latest": {key: told(value) for key, value in data.metrics.items()},
        "histories": {key: points(info.run_id, key) for key in data.metrics},
        "datasets": [
            {"dataset": dict(each.dataset), "tags": {tag.key: tag.value for tag in each.tags}}
            for each in run.inputs.dataset_inputs
        ],
        "model_inputs": [each.model_id for each in run.inputs.model_inputs],
        "model_outputs": [[each.model_id, each.step] for each in run.outputs.model_outputs],
    }


experiments = client.search_experiments(ViewType.ALL)
print(
    json.dumps(
        {
            experiment.experiment_id: {
                "experiment": {
                    name: getattr(experiment, name)
                    for name in (
                        "name",
                        "artifact_location",
                        "lifecycle_stage",
                        "creation_time",
                        "last_update_time",
                        "tags",
                    )
                },
                "runs": [
                    shape(client.get_run(run.info.run_id))
                    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
                ],
            }
            for experiment in experiments
        }
    )
)
