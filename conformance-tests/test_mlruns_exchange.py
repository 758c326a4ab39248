"""A folder of experiments belongs to mlflow and to this server alike: what one writes, the other reads, in place."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow_environment import run_script
from servers import Server, running_server
from storm import API, SECONDS, history_of

pytestmark = pytest.mark.owns_server

# Written over by mlflow as 0, which the server does not repeat: the metric that was measured on a dataset.
ON_DATA = "accuracy"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server on `folder`/mlruns, whatever is in it already."""
    with running_server("file", folder) as server:
        yield server


def post(server: Server, operation: str, **body: Any) -> Any:
    answer = requests.post(f"{server.url}{API}/{operation}", json=body, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(server: Server, operation: str, **query: Any) -> Any:
    answer = requests.get(f"{server.url}{API}/{operation}", params=query, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told_by_server(server: Server) -> dict[str, Any]:
    """All that the server reads of its folder, in the shape in which `folder_read.py` tells it."""
    found = post(server, "experiments/search", max_results=1000, view_type="ALL").get("experiments", [])
    return {each["experiment_id"]: _experiment(server, each) for each in found}


def _experiment(server: Server, experiment: dict[str, Any]) -> dict[str, Any]:
    ids = [experiment["experiment_id"]]
    runs = post(server, "runs/search", experiment_ids=ids, run_view_type="ALL", max_results=1000).get("runs", [])
    fields = ("name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time")
    return {
        "experiment": {name: experiment.get(name) for name in fields} | {"tags": _pairs(experiment.get("tags", []))},
        "runs": [_run(server, get(server, "runs/get", run_id=each["info"]["run_id"])["run"]) for each in runs],
    }


def _run(server: Server, run: dict[str, Any]) -> dict[str, Any]:
    info, data = run["info"], run["data"]
    latest = {metric["key"]: metric["value"] for metric in data.get("metrics", [])}
    fields = ("run_id", "run_name", "experiment_id", "user_id", "status", "start_time", "end_time", "lifecycle_stage")
    return {
        "info": {name: info.get(name) for name in (*fields, "artifact_uri")},
        "params": _pairs(data.get("params", [])),
        "tags": _pairs(data.get("tags", [])),
        "latest": latest,
        "histories": {
            key: [[p["timestamp"], p["step"], p["value"]] for p in history_of(server, info["run_id"], key)]
            for key in latest
        },
        "datasets": [
            {
                "dataset": {"profile": None, "schema": None, **each["dataset"]},
                "tags": _pairs(each.get("tags", [])),
            }
            for each in run["inputs"].get("dataset_inputs", [])
        ],
        "model_inputs": [each["model_id"] for each in run["inputs"].get("model_inputs", [])],
        "model_outputs": [[each["model_id"], each["step"]] for each in run["outputs"].get("model_outputs", [])],
    }


def _pairs(items: list[dict[str, str]]) -> dict[str, str]:
    return {item["key"]: item["value"] for item in items}


def told_by_mlflow(folder: Path, uri: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run_script("folder_read.py", folder, uri, uri))
    return told


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    """Without what has no order, or is known to differ: mlflow keeps equal points twice and in the order they came."""
    for experiment in told.values():
        experiment["runs"].sort(key=lambda run: run["info"]["run_id"])
        for run in experiment["runs"]:
            run["histories"].pop(ON_DATA, None)
            for key, points in run["histories"].items():
                run["histories"][key] = sorted({json.dumps(point) for point in points})
            for name in ("datasets", "model_inputs", "model_outputs"):
                run[name].sort(key=json.dumps)
    return told


def check_same(server: Server, folder: Path, uri: str) -> dict[str, Any]:
    by_server, by_mlflow = comparable(told_by_server(server)), comparable(told_by_mlflow(folder, uri))
    assert by_server.keys() == by_mlflow.keys()
    for experiment_id, experiment in by_mlflow.items():
        assert by_server[experiment_id]["experiment"] == experiment["experiment"]
        assert by_server[experiment_id]["runs"] == experiment["runs"]
    return by_server


def named(told: dict[str, Any], name: str) -> str:
    [experiment_id] = [key for key, value in told.items() if value["experiment"]["name"] == name]
    return experiment_id


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_folder_of_mlflow_opens_in_place_and_both_go_on_with_it(scheme: str, tmp_path: Path) -> None:
    uri = f"{scheme}{tmp_path / 'mlruns'}"
    run_script("folder_write.py", tmp_path, uri, uri)
    with serving(tmp_path) as server:
        told = check_same(server, tmp_path, uri)
        first = named(told, "exp one: ünï")
        [run] = [run["info"] for run in told[first]["runs"] if run["info"]["run_name"] == "My Run: ünï"]
        check_files_and_searches(server, first, run["run_id"])

        # what the server changes, mlflow sees
        post(server, "runs/log-metric", run_id=run["run_id"], key="val/loss", value="NaN", timestamp=1, step=99)
        post(server, "runs/set-tag", run_id=run["run_id"], key="mlflow.runName", value="renamed: by 'server'")
        post(server, "runs/delete-tag", run_id=run["run_id"], key="a/b")
        post(server, "runs/delete", run_id=run["run_id"])
        post(server, "experiments/restore", experiment_id=named(told, "gone"))
        post(server, "experiments/delete", experiment_id=named(told, "1"))
        post(server, "experiments/update", experiment_id=named(told, "2"), new_name="two: 'ü'")
        post(server, "experiments/set-experiment-tag", experiment_id=first, key="new/key", value="a\n")
        check_same(server, tmp_path, uri)
        go_on(server, tmp_path, uri)


def check_files_and_searches(server: Server, experiment_id: str, run_id: str) -> None:
    """Artifacts of mlflow's folder are listed and served, and its metrics, params and tags found."""
    assert [file["path"] for file in get(server, "artifacts/list", run_id=run_id, path="folder")["files"]] == [
        "folder/a.txt"
    ]
    query = {"run_id": run_id, "path": "folder/a.txt"}
    assert requests.get(f"{server.url}/get-artifact", params=query, timeout=SECONDS).content == "artifact ü".encode()
    [point] = [
        point
        for run in post(server, "runs/search", experiment_ids=[experiment_id], filter=f"metrics.{ON_DATA} > 0")["runs"]
        for point in history_of(server, run["info"]["run_id"], ON_DATA)
    ]
    assert (point["step"], point["dataset_name"], point["dataset_digest"]) == (7, "d", "g")
    for filter in (
        "metrics.`val/loss` < 0",
        "params.`deep/er/key` = 'ü'",
        "tags.team LIKE '%日本'",
        "status = 'FINISHED'",
    ):
        found = post(server, "runs/search", experiment_ids=[experiment_id], filter=filter)["runs"]
        assert [run["info"]["run_id"] for run in found] == [run_id], filter


def go_on(server: Server, folder: Path, uri: str) -> None:
    """mlflow writes while the server runs; the server notices each kind of change, also by search."""
    appended = json.loads(run_script("folder_append.py", folder, uri, uri))
    ids = list(told_by_server(server))
    assert appended["made"] in ids
    found = post(server, "runs/search", experiment_ids=ids, filter="metrics.appended = 8.5")["runs"]
    assert [run["info"]["run_id"] for run in found] == [appended["run"]]
    gone = post(server, "runs/search", experiment_ids=ids, run_view_type="DELETED_ONLY")["runs"]
    assert appended["deleted_run"] in [run["info"]["run_id"] for run in gone]
    touched = post(server, "runs/search", experiment_ids=ids, filter="params.appended = 'by mlflow'")["runs"]
    assert touched
    assert all(run["info"]["run_id"] != appended["run"] for run in touched)
    check_same(server, folder, uri)


def write_through(server: Server) -> None:
    """Everything that tracking can log, through the server."""
    experiment_id = post(server, "experiments/create", name="served: 'ü'", tags=[{"key": "deep/key", "value": "1\n2"}])[
        "experiment_id"
    ]
    for n in range(3):
        made = post(server, "runs/create", experiment_id=experiment_id, run_name=f"{n}", start_time=n - 1, user_id="ü")
        run_id = made["run"]["info"]["run_id"]
        values = [1, 0.5, 1e-10, -0.0, 1e22, 0.1 + 0.2, 5e-324, "NaN", "Infinity", "-Infinity", 2**53 + 1]
        post(
            server,
            "runs/log-batch",
            run_id=run_id,
            metrics=[{"key": "val/loss", "value": v, "timestamp": 9 - i, "step": i} for i, v in enumerate(values[:9])]
            + [{"key": f"m {i}", "value": v, "timestamp": 2**62, "step": -(2**62)} for i, v in enumerate(values)],
            params=[{"key": "deep/key", "value": "a\nb\r\n"}, {"key": "empty"}, {"key": "x: y", "value": " z "}],
            tags=[{"key": "note", "value": "öl\r\n日本"}, {"key": "a.b", "value": "#"}],
        )
        dataset = {"name": "d s", "digest": "g: 'h'", "source_type": "s3", "source": "{}", "schema": "ü: [\n]"}
        tags = [{"key": "mlflow.data.context", "value": "yes"}, {"key": "null", "value": "null"}]
        post(server, "runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": tags}])
        post(server, "runs/outputs", run_id=run_id, models=[{"model_id": "m-1", "step": 2}])
        post(server, "runs/update", run_id=run_id, status="KILLED", end_time=5 + n)
    post(server, "runs/delete", run_id=run_id)
    for name in ("deleted by server", "123", "true", "- x: {", "  blank "):
        experiment_id = post(server, "experiments/create", name=name)["experiment_id"]
        post(server, "runs/create", experiment_id=experiment_id, run_name=name)
    post(server, "experiments/delete", experiment_id=named(told_by_server(server), "deleted by server"))


def test_folder_of_this_server_opens_in_mlflow_and_both_go_on_with_it(tmp_path: Path) -> None:
    uri = str(tmp_path / "mlruns")
    with serving(tmp_path) as server:
        write_through(server)
        check_same(server, tmp_path, uri)
        go_on(server, tmp_path, uri)
        told = told_by_server(server)
    with serving(tmp_path) as server:
        assert told_by_server(server) == told


OLD_EXPERIMENT = "artifact_location: {location}\nexperiment_id: {id}\nlifecycle_stage: active\nname: {name}\n"
OLD_RUN = """\
artifact_uri: {location}/{run_id}/artifacts
end_time: 1546300801000
entry_point_name: ''
experiment_id: '{id}'
lifecycle_stage: active
name: ''
run_id: {run_id}
run_uuid: {run_id}
source_name: train.py
source_type: 4
source_version: 0123abc
start_time: 1546300800000
status: 3
tags: []
user_id: ada
"""


def write_old(root: Path, experiment_id: str, name: str, run_id: str, run: str = OLD_RUN) -> Path:
    """An experiment and a run as mlflow 1.x wrote them: no times of experiments, no steps of metrics."""
    experiment = root / experiment_id
    location = experiment.as_uri()
    for folder in ("metrics/deep", "params", "tags", "artifacts"):
        (experiment / run_id / folder).mkdir(parents=True)
    (experiment / "meta.yaml").write_text(OLD_EXPERIMENT.format(location=location, id=experiment_id, name=name))
    (experiment / run_id / "meta.yaml").write_text(run.format(location=location, id=experiment_id, run_id=run_id))
    (experiment / run_id / "metrics" / "deep" / "loss").write_text("1546300800 0.5\n1546300801 0.25 1\n")
    (experiment / run_id / "params" / "lr").write_text("0.1")
    (experiment / run_id / "tags" / "mlflow.runName").write_text("old run")
    return experiment / run_id


def test_folder_of_an_old_mlflow_opens_in_place_and_what_is_broken_in_it_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    uri = str(root)
    write_old(root, "0", "Default", "a" * 31 + "1")
    write_old(root, "1", "first", "a" * 31 + "2", OLD_RUN.replace("lifecycle_stage: active\n", ""))
    with serving(tmp_path) as server:
        told = check_same(server, tmp_path, uri)
        assert {each["experiment"]["name"] for each in told.values()} == {"Default", "first"}
        [run] = told["1"]["runs"]
        assert run["histories"]["deep/loss"] == ["[1546300800, 0, 0.5]", "[1546300801, 1, 0.25]"]
        found = post(server, "runs/search", experiment_ids=["0", "1"], filter="metrics.`deep/loss` = 0.25")["runs"]
        assert len(found) == sum(len(each["runs"]) for each in told.values())
        go_on(server, tmp_path, uri)
        told = told_by_server(server)
        (root / "1" / ("a" * 31 + "3")).mkdir()  # a run that was never finished being made
        (root / "2").mkdir()
        (root / "3").mkdir()
        (root / "3" / "meta.yaml").write_text("{ broken")
        (root / "notes.txt").write_text("not an experiment")
        assert told_by_server(server) == told
