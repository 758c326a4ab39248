"""Writes a folder of experiments with mlflow's own file store: everything that tracking can leave on a disk."""

import math
import sys

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag

client = MlflowClient(sys.argv[1])


def full_run(experiment_id: str, name: str) -> str:
    run = client.create_run(
        experiment_id, start_time=1700000000000, tags={"a/b": "x", "note": "öl\nzwei"}, run_name=name
    )
    run_id = run.info.run_id
    values = [1.0, 0.5, 1e-10, -0.0, 1e22, 0.1 + 0.2, 5e-324, math.nan, math.inf, -math.inf]
    points = [Metric("val/loss", value, 10 + n, n - 3) for n, value in enumerate(values)]
    params = [
        Param("lr", "0.01"),
        Param("deep/er/key", "ü"),
        Param("empty", ""),
        Param("lines", "a\nb\n"),
        Param("b c", " x "),
    ]
    client.log_batch(run_id, points, params, [RunTag("empty", ""), RunTag("team", "blau ü 日本")])
    for step in (5, 3, 5):
        client.log_metric(run_id, "unordered", step / 2, timestamp=100, step=step)
    client.log_metric(run_id, "big step", 1.0, timestamp=2**62, step=-(2**62))
    dataset = Dataset("data set", "d1", "local", '{"uri": "x"}', schema='{"s": 1}', profile=None)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])
    client.log_text(run_id, "artifact ü", "folder/a.txt")
    client.set_terminated(run_id, "FINISHED", end_time=1700000001000)
    return run_id


def experiments() -> None:
    first = client.create_experiment("exp one: ünï", tags={"team": "red", "deep/key": "1\n2"})
    run_id = full_run(first, "My Run: ünï")
    client.delete_run(full_run(first, "deleted"))
    client.create_run(first, start_time=0, run_name="still running")
    failed = client.create_run("0", run_name="123").info.run_id
    client.set_terminated(failed, "FAILED")
    scored = client.create_run(first, run_name="scored on data").info.run_id
    client.log_metric(scored, "accuracy", 0.5, timestamp=3, step=7, dataset_name="d", dataset_digest="g")

    model = client.create_logged_model(first, name="model", source_run_id=run_id)
    client.log_inputs(run_id, models=[LoggedModelInput(model.model_id)])
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    client.create_registered_model("registered")

    renamed = client.create_experiment("name of old")
    client.rename_experiment(renamed, 'name: "new" #1')
    gone = client.create_experiment("gone")
    full_run(gone, "in a deleted experiment")
    client.delete_experiment(gone)
    back = client.create_experiment("deleted and restored")
    client.create_run(back, run_name="restored with it")
    client.delete_experiment(back)
    client.restore_experiment(back)
    for n in range(3):
        client.create_experiment(f"{n}")


mlflow.set_tracking_uri(sys.argv[1])
experiments()
