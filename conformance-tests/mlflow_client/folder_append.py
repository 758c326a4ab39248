"""Goes on writing, with mlflow's own file store, to a folder that somebody else made and may be serving."""

import json
import sys

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType

client = MlflowClient(sys.argv[1])
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        run_id = run.info.run_id
        client.log_batch(
            run_id, [Metric("appended", 7.5, 1, 1)], [Param("appended", "by mlflow")], [RunTag("team", "new")]
        )
        for key, value in run.data.metrics.items():
            client.log_metric(run_id, key, value, timestamp=2**50, step=2**50)
made = client.create_experiment("made by mlflow")
run_id = client.create_run(made, run_name="made by mlflow").info.run_id
client.log_metric(run_id, "appended", 8.5)
deleted = client.create_experiment("deleted by mlflow")
client.create_run(deleted)
client.delete_experiment(deleted)
[first, *_] = client.search_runs([e.experiment_id for e in client.search_experiments()], order_by=["start_time ASC"])
client.delete_run(first.info.run_id)
for experiment in client.search_experiments(ViewType.DELETED_ONLY, filter_string="name = 'deleted by server'"):
    client.restore_experiment(experiment.experiment_id)
print(json.dumps({"made": made, "run": run_id, "deleted_run": first.info.run_id}))
