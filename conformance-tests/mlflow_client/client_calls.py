"""All of `MlflowClient` that tracking needs: experiments, runs, paging, limits, errors, deleting and restoring."""

import math
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from checks import check, done, equal
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from requests import HTTPError

MARK = uuid.uuid4().hex[:8]
client = MlflowClient()


def refused(code: str, ask: Callable[[], object]) -> str:
    """The message of the error that `ask` must raise, and raise soon: clients retry what looks like a fault."""
    started = time.monotonic()
    try:
        ask()
    except MlflowException as error:
        equal(error.error_code, code, str(error))
        check(time.monotonic() - started < 60, f"the client retried for long: {error}")
        return str(error)
    raise AssertionError(f"nothing was raised, expected {code}")


def experiments() -> None:
    names = [f"{MARK} {n}" for n in range(12)]
    ids = [client.create_experiment(name, tags={"team": "blue" if n % 2 else "red"}) for n, name in enumerate(names)]
    equal(client.get_experiment(ids[0]).name, names[0], "name")
    equal(client.get_experiment_by_name(names[3]).experiment_id, ids[3], "id by name")
    equal(client.get_experiment_by_name(f"{MARK} none"), None, "no such name")
    equal(client.get_experiment(ids[1]).tags, {"team": "blue"}, "tags")
    refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment(names[0]))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("123456789"))
    refused("INVALID_PARAMETER_VALUE", lambda: client.search_experiments(filter_string="nonsense ="))

    mine = f"name LIKE '{MARK}%'"
    seen, token = [], None
    while True:
        page = client.search_experiments(filter_string=mine, max_results=5, page_token=token)
        seen += [experiment.name for experiment in page]
        token = page.token
        if not token:
            break
    equal(seen, names[::-1], "all pages, newest first")
    by_name = client.search_experiments(filter_string=f"{mine} AND tags.team = 'red'", order_by=["name ASC"])
    equal([e.name for e in by_name], sorted(names[::2]), "search by tag, ordered by name")

    client.rename_experiment(ids[0], f"{MARK} renamed")
    client.set_experiment_tag(ids[0], "note", "ü")
    equal(client.get_experiment(ids[0]).name, f"{MARK} renamed", "renamed")
    client.delete_experiment_tag(ids[0], "note")
    equal(client.get_experiment(ids[0]).tags, {"team": "red"}, "tag is gone")
    run = client.create_run(ids[0])
    client.delete_experiment(ids[0])
    equal(client.get_experiment(ids[0]).lifecycle_stage, "deleted", "deleted")
    equal(client.get_run(run.info.run_id).info.lifecycle_stage, "deleted", "its run is deleted too")
    refused("INVALID_PARAMETER_VALUE", lambda: client.create_run(ids[0]))
    equal(
        [e.experiment_id for e in client.search_experiments(ViewType.DELETED_ONLY, filter_string=mine)], ids[:1], "view"
    )
    client.restore_experiment(ids[0])
    equal(client.get_run(run.info.run_id).info.lifecycle_stage, "active", "its run is back")
    client.rename_experiment(ids[0], names[0])


def runs(experiment_id: str) -> None:
    made = [
        client.create_run(experiment_id, start_time=1000 + n, tags={"n": str(n)}, run_name=f"run {n}")
        for n in range(23)
    ]
    ids = [run.info.run_id for run in made]
    for n, run_id in enumerate(ids):
        client.log_batch(
            run_id,
            metrics=[Metric("score", math.nan if n == 5 else n / 2, 1, 0)],
            params=[Param("lr", str(n % 3)), Param("long", "x" * 6000)],
            tags=[RunTag("even", str(n % 2 == 0))],
        )
    seen, token = [], None
    while True:
        page = client.search_runs([experiment_id], "", order_by=["metrics.score DESC"], max_results=7, page_token=token)
        seen += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    equal(
        seen, [run_id for n, run_id in reversed(list(enumerate(ids))) if n != 5] + [ids[5]], "pages by score, NaN last"
    )
    found = client.search_runs([experiment_id], "params.lr = '1' and tags.even = 'True' and metrics.score > 3")
    equal(sorted(run.info.run_name for run in found), sorted(f"run {n}" for n in (10, 16, 22)), "search")
    some = client.search_runs([experiment_id], f"attributes.run_id IN ('{ids[2]}', '{ids[4]}')")
    equal({run.info.run_id for run in some}, {ids[2], ids[4]}, "search by ids")
    message = refused("INVALID_PARAMETER_VALUE", lambda: client.search_runs([experiment_id], "metrics.score >> 3"))
    check("position" in message, f"the message says where: {message}")

    run_id = ids[0]
    client.log_param(run_id, "lr", "0")
    refused("INVALID_PARAMETER_VALUE", lambda: client.log_param(run_id, "lr", "other"))
    refused("INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "bad'key", 1.0))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_run("0" * 32))
    client.log_param(run_id, "too long", "y" * 7000)
    equal(client.get_run(run_id).data.params["too long"], "y" * 6000, "a long value is cut")
    client.set_tag(run_id, "mlflow.runName", "by tag")
    equal(client.get_run(run_id).info.run_name, "by tag", "renamed by tag")
    client.update_run(run_id, status="SCHEDULED", name="by update")
    read = client.get_run(run_id)
    equal((read.info.status, read.data.tags["mlflow.runName"]), ("SCHEDULED", "by update"), "updated")
    client.set_terminated(run_id, "KILLED", end_time=5000)
    equal((client.get_run(run_id).info.status, client.get_run(run_id).info.end_time), ("KILLED", 5000), "terminated")
    client.set_tag(run_id, "gone", "soon")
    client.delete_tag(run_id, "gone")
    check("gone" not in client.get_run(run_id).data.tags, "tag is gone")
    client.delete_run(run_id)
    refused("INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "score", 1.0))
    client.restore_run(run_id)
    client.log_metric(run_id, "score", 1.0, step=9)


def big_batches(experiment_id: str) -> None:
    """Larger than one request may be: the client splits them."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [Metric("loss", value=1 / (n + 1), timestamp=n, step=n) for n in range(2600)]
    client.log_batch(
        run_id, points, [Param(f"p{n}", str(n)) for n in range(250)], [RunTag(f"t{n}", "") for n in range(150)]
    )
    read = client.get_run(run_id)
    equal(len(read.data.params), 250, "params of a big batch")
    equal(len([key for key in read.data.tags if key.startswith("t")]), 150, "tags of a big batch")
    history = client.get_metric_history(run_id, "loss")
    equal([(p.step, p.value) for p in history], [(p.step, p.value) for p in points], "history of a big batch")
    for n, value in enumerate([5e-324, -0.0, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 0.1 + 0.2]):
        client.log_metric(run_id, f"value{n}", value, timestamp=1, step=-(2**62))
        [point] = client.get_metric_history(run_id, f"value{n}")
        equal(point.value, value, "an odd value")
        equal(point.step, -(2**62), "a far step")


def inputs(experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    dataset = Dataset("data", "d1", "local", '{"uri": "x"}', schema='{"s": 1}', profile=None)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])
    client.log_inputs(run_id, [DatasetInput(dataset, [])])
    [read] = client.get_run(run_id).inputs.dataset_inputs
    equal(dict(read.dataset), dict(dataset), "dataset")
    equal([(tag.key, tag.value) for tag in read.tags], [("mlflow.data.context", "train")], "tags of the input")


def artifacts(experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    folder = Path(tempfile.mkdtemp())
    big = bytes(range(256)) * 4096 * 12
    (folder / "big.bin").write_bytes(big)
    client.log_artifact(run_id, str(folder / "big.bin"), "a/b c")
    client.log_text(run_id, "text", "a/t.txt")
    equal([(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id)], [("a", True, None)], "root")
    equal([f.path for f in client.list_artifacts(run_id, "a")], ["a/b c", "a/t.txt"], "folder")
    equal(client.list_artifacts(run_id, "a/t.txt"), [], "listing of a file")
    equal(client.list_artifacts(run_id, "none"), [], "listing of nothing")
    got = client.download_artifacts(run_id, "a/b c/big.bin", str(folder))
    equal(Path(got).read_bytes() == big, True, "bytes of a big file")
    whole = Path(client.download_artifacts(run_id, "a", tempfile.mkdtemp()))
    equal(sorted(str(p.relative_to(whole)) for p in whole.rglob("*.*")), ["b c/big.bin", "t.txt"], "downloaded folder")
    try:
        client.list_artifacts(run_id, "../..")
    except HTTPError as error:
        check("INVALID_PARAMETER_VALUE" in str(error), f"a way out of the run: {error}")
    else:
        check(False, "a way out of the run")


experiments()
experiment = client.create_experiment(f"{MARK} runs")
runs(experiment)
big_batches(experiment)
inputs(experiment)
artifacts(experiment)
done()
