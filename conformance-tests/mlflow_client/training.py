"""What a data scientist does all day: train on real data, log it all, look at it again. Fluent API only."""

import io
import json
import pickle
import tempfile
import uuid
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from checks import check, done, equal
from matplotlib import pyplot as plt
from mlflow.entities import ViewType
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, classification_report, f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MARK = uuid.uuid4().hex[:8]
WORK = Path(tempfile.mkdtemp())


def bytes_of(run_id: str, path: str) -> bytes:
    local = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
    return Path(local).read_bytes()


def breast_cancer() -> None:
    """A parent run over a search for the regularisation, one nested run for each candidate."""
    experiment = mlflow.set_experiment(f"breast cancer {MARK}")
    mlflow.set_experiment_tag("mlflow.note.content", "Regularisation search")
    frame = load_breast_cancer(as_frame=True).frame
    train, test = train_test_split(frame, test_size=0.3, random_state=0)
    candidates = [0.001, 0.1, 10.0]
    scores: dict[str, float] = {}
    with mlflow.start_run(run_name="search", description="three candidates", tags={"team": "blue"}) as parent:
        mlflow.log_input(mlflow.data.from_pandas(train, name="breast-cancer", targets="target"), context="training")
        mlflow.log_input(mlflow.data.from_pandas(test, name="breast-cancer", targets="target"), context="testing")
        mlflow.log_param("candidates", candidates)
        for c in candidates:
            with mlflow.start_run(run_name=f"C={c}", nested=True) as child:
                model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
                model.fit(train.drop(columns="target"), train["target"])
                predicted = model.predict(test.drop(columns="target"))
                mlflow.log_params({"C": c, **model[-1].get_params()})
                accuracy = accuracy_score(test["target"], predicted)
                mlflow.log_metrics({"accuracy": accuracy, "val/f1": f1_score(test["target"], predicted)})
                mlflow.log_dict(classification_report(test["target"], predicted, output_dict=True), "report.json")
                scores[child.info.run_id] = accuracy
        best = max(scores, key=lambda run_id: scores[run_id])
        mlflow.set_tags({"best": best, "unicode": "größte Genauigkeit 🎯"})
        mlflow.log_metric("best_accuracy", scores[best])

    read = mlflow.get_run(parent.info.run_id)
    equal(read.info.status, "FINISHED", "status of the parent")
    equal(read.info.run_name, "search", "name of the parent")
    equal(read.data.tags["mlflow.note.content"], "three candidates", "description")
    equal(read.data.tags["unicode"], "größte Genauigkeit 🎯", "unicode tag")
    equal(read.data.metrics, {"best_accuracy": scores[best]}, "metrics of the parent")
    equal(sorted(i.tags[0].value for i in read.inputs.dataset_inputs), ["testing", "training"], "dataset contexts")
    equal({i.dataset.name for i in read.inputs.dataset_inputs}, {"breast-cancer"}, "dataset names")
    source = read.inputs.dataset_inputs[0].dataset
    check(json.loads(source.schema) and json.loads(source.profile)["num_rows"], "dataset schema and profile are JSON")
    check(mlflow.get_parent_run(best).info.run_id == parent.info.run_id, "the parent of a nested run")

    found = mlflow.search_runs([experiment.experiment_id], "params.C != ''", order_by=["metrics.accuracy DESC"])
    equal(found["metrics.accuracy"].tolist(), sorted(scores.values(), reverse=True), "order by accuracy")
    equal(set(found["run_id"]), set(scores), "found runs")
    check(str(found["start_time"].dtype).startswith("datetime64"), "times are dates")
    one = mlflow.search_runs(
        experiment_names=[experiment.name],
        filter_string="metrics.`val/f1` > 0.5 AND params.C = '10.0' "
        f"AND tags.mlflow.parentRunId = '{parent.info.run_id}'",
        output_format="list",
    )
    equal([run.data.params["C"] for run in one], ["10.0"], "one candidate")
    everything = mlflow.search_runs([experiment.experiment_id])
    equal(len(everything), 4, "all runs of the experiment")
    check(
        np.isnan(everything.set_index("run_id").loc[parent.info.run_id, "metrics.accuracy"]), "a missing metric is NaN"
    )
    by_data = mlflow.search_runs([experiment.experiment_id], "dataset.name = 'breast-cancer'", output_format="list")
    equal([run.info.run_id for run in by_data], [parent.info.run_id], "search by dataset")
    equal(mlflow.artifacts.load_dict(f"runs:/{best}/report.json")["accuracy"], scores[best], "report")

    mlflow.delete_run(best)
    equal(len(mlflow.search_runs([experiment.experiment_id])), 3, "active runs after a delete")
    gone = mlflow.search_runs([experiment.experiment_id], run_view_type=ViewType.DELETED_ONLY, output_format="list")
    equal([run.info.run_id for run in gone], [best], "deleted runs")
    mlflow.MlflowClient().restore_run(best)
    equal(mlflow.get_run(best).info.lifecycle_stage, "active", "stage of the restored run")


def log_digits(run_id: str, forest: bytes) -> dict[str, bytes]:
    """Log files of every kind to the active run, and return those whose bytes are known."""
    digits = load_digits()
    (WORK / "model.pkl").write_bytes(forest)
    folder = WORK / "samples"
    (folder / "deep" / "er").mkdir(parents=True)
    known = {"models/model.pkl": forest, "empty.txt": b"", "notes/read me ü.txt": "größer\n".encode()}
    for n in range(5):
        content = io.BytesIO()
        Image.fromarray((digits.images[n] * 15).astype(np.uint8)).save(content, "png")
        (folder / f"{n}.png").write_bytes(content.getvalue())
        known[f"samples/{n}.png"] = content.getvalue()
    (folder / "deep" / "er" / "labels.bin").write_bytes(digits.target.tobytes())
    known["samples/deep/er/labels.bin"] = digits.target.tobytes()

    mlflow.log_artifact(str(WORK / "model.pkl"), "models")
    mlflow.log_artifacts(str(folder), "samples")
    mlflow.log_text("", "empty.txt")
    mlflow.log_text("größer\n", "notes/read me ü.txt")
    mlflow.log_dict({"classes": 10, "nested": {"ü": [1, 2]}}, "conf/model.yaml")
    mlflow.log_image((digits.images[0] * 15).astype(np.uint8), "first.png")
    mlflow.log_image((digits.images[1] * 15).astype(np.uint8), key="digit", step=3)
    return known


def digits() -> None:
    """A classifier that learns by epochs, a forest, figures, tables, images and a folder of files."""
    experiment = mlflow.set_experiment(f"digits {MARK}")
    data, target = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(data / 16, target, test_size=0.3, random_state=0)
    epochs: list[float] = []
    with mlflow.start_run(run_name="sgd") as run:
        run_id = run.info.run_id
        mlflow.log_input(mlflow.data.from_numpy(x, targets=y, name="digits"), context="training")
        model = SGDClassifier(loss="log_loss", random_state=0)
        mlflow.log_params(model.get_params())
        for epoch in range(30):
            model.partial_fit(x, y, classes=range(10))
            loss = float(log_loss(y_test, model.predict_proba(x_test)))
            epochs.append(loss)
            mlflow.log_metric("loss", loss, step=epoch)
            mlflow.log_metrics({"accuracy": model.score(x_test, y_test), "diverged": float("nan")}, step=epoch)
        mlflow.log_metric("infinite", float("inf"))
        figure, axes = plt.subplots()
        ConfusionMatrixDisplay.from_predictions(y_test, model.predict(x_test), ax=axes)
        mlflow.log_figure(figure, "figures/confusion.png")
        mlflow.log_figure(figure, "figures/confusion.svg")
        table = pd.DataFrame({"truth": y_test[:20], "found": model.predict(x_test[:20]), "note": ["ü"] * 20})
        mlflow.log_table(table, "tables/predictions.json")
        mlflow.log_table({"truth": [1], "found": [7], "note": ["wrong"]}, "tables/predictions.json")
        forest = RandomForestClassifier(20, random_state=0).fit(x, y)
        known = log_digits(run_id, pickle.dumps(forest))
        equal(mlflow.get_artifact_uri("a/b"), f"{run.info.artifact_uri}/a/b", "artifact URI")

    history = mlflow.MlflowClient().get_metric_history(run_id, "loss")
    equal([point.value for point in history], epochs, "history of the loss, exact to the last bit")
    equal([point.step for point in history], list(range(30)), "steps of the loss")
    latest = mlflow.get_run(run_id).data.metrics
    equal(latest["loss"], epochs[-1], "latest loss")
    equal(latest["diverged"], float("nan"), "NaN")
    equal(latest["infinite"], float("inf"), "infinity")

    for path, content in known.items():
        equal(bytes_of(run_id, path), content, f"bytes of {path}")
    check(bytes_of(run_id, "figures/confusion.png").startswith(b"\x89PNG"), "a PNG figure")
    check(b"<svg" in bytes_of(run_id, "figures/confusion.svg"), "an SVG figure")
    everything = Path(mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(WORK / "copy")))
    for path, content in known.items():
        equal((everything / path).read_bytes(), content, f"bytes of {path} among everything")
    files = mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="samples")
    equal(
        [(f.path, f.is_dir) for f in files],
        [(f"samples/{n}.png", False) for n in range(5)] + [("samples/deep", True)],
        "listing",
    )
    equal(files[0].file_size, len(known["samples/0.png"]), "file size")
    check(
        any(
            f.path.startswith("images/digit+step+3")
            for f in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="images")
        ),
        "image by key",
    )
    equal(mlflow.artifacts.load_text(f"runs:/{run_id}/notes/read me ü.txt"), "größer\n", "text")
    equal(mlflow.artifacts.load_image(f"runs:/{run_id}/first.png").size, (8, 8), "image")
    loaded = mlflow.load_table("tables/predictions.json", run_ids=[run_id], extra_columns=["run_id"])
    equal(loaded["found"].tolist(), [*table["found"].tolist(), 7], "table")
    equal(set(loaded["run_id"]), {run_id}, "extra column")
    again = pickle.loads(bytes_of(run_id, "models/model.pkl"))
    equal(again.predict(x_test).tolist(), forest.predict(x_test).tolist(), "predictions of the downloaded model")

    with mlflow.start_run(run_id=run_id):
        equal(mlflow.active_run().info.status, "RUNNING", "status of a resumed run")
        mlflow.log_metric("loss", 0.0, step=30)
    equal(len(mlflow.MlflowClient().get_metric_history(run_id, "loss")), 31, "history of the resumed run")
    try:
        with mlflow.start_run(run_name="fails"):
            raise ValueError("as planned")
    except ValueError:
        equal(mlflow.last_active_run().info.status, "FAILED", "status of a run that raised")
    found = mlflow.search_runs([experiment.experiment_id], "status = 'FAILED'", output_format="list")
    equal([run.info.run_name for run in found], ["fails"], "search by status")


breast_cancer()
digits()
done()
