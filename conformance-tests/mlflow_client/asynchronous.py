"""Logging in the background: nothing is lost, and the caller can wait for it."""

import uuid

import mlflow
from checks import done, equal

POINTS = 1500
mlflow.set_experiment(f"asynchronous {uuid.uuid4().hex[:8]}")
with mlflow.start_run() as run:
    for step in range(POINTS):
        mlflow.log_metric("loss", step / 7, step=step, synchronous=False)
    mlflow.log_params({f"p{n}": n for n in range(120)}, synchronous=False)
    for n in range(50):
        mlflow.set_tag(f"t{n}", n, synchronous=False)
    mlflow.log_metrics({"a": 1.0, "b": 2.0}, step=5, synchronous=False).wait()
    mlflow.flush_async_logging()
    mlflow.log_image(mlflow.Image([[[0, 128, 255]] * 4] * 4), key="picture", step=1, synchronous=False)
    mlflow.flush_artifact_async_logging()

client = mlflow.MlflowClient()
history = client.get_metric_history(run.info.run_id, "loss")
equal([(p.step, p.value) for p in history], [(step, step / 7) for step in range(POINTS)], "history")
data = client.get_run(run.info.run_id).data
equal(data.params, {f"p{n}": str(n) for n in range(120)}, "params")
equal([data.tags.get(f"t{n}") for n in range(50)], [str(n) for n in range(50)], "tags")
equal((data.metrics["a"], data.metrics["b"]), (1.0, 2.0), "metrics that were waited for")
equal(len(client.list_artifacts(run.info.run_id, "images")), 2, "an image and its small copy")
done()
