"""Logged models are no part of this server yet: `log_model` must say so at once, and leave the run as it is."""

import time
import uuid

import mlflow
from checks import check, done, equal
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

mlflow.set_experiment(f"models {uuid.uuid4().hex[:8]}")
with mlflow.start_run() as run:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    started = time.monotonic()
    try:
        mlflow.sklearn.log_model(model, name="model")
    except MlflowException as error:
        equal(error.error_code, "ENDPOINT_NOT_FOUND", str(error))
    else:
        check(False, "log_model did not fail")
    check(time.monotonic() - started < 60, "the client retried what cannot succeed")
    mlflow.log_metric("after", 1.0)
equal(mlflow.get_run(run.info.run_id).data.metrics, {"after": 1.0}, "the run goes on")
done()
