"""The files of the file store, byte for byte, and those of others: older versions, torn, foreign, malformed."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from store_contract.make import (
    ALL_STAGES,
    NEWEST_EXPERIMENTS,
    NOW,
    dataset,
    datasets,
    found,
    history,
    latest,
    locate,
    metrics,
    models,
    new_experiment,
    new_run,
    params,
    search,
    set_experiment_stage,
    set_stage,
    tags,
    where,
)

from tracklane_server.contract.entities import ACTIVE, DELETED, Metric, ModelOutput, RunBatch
from tracklane_server.contract.errors import InvalidParameterValue, ResourceDoesNotExist
from tracklane_server.store import TrackingStore, open_store
from tracklane_server.store.file.meta_yaml import Unreadable, dump, load
from tracklane_server.store.file.store import FileStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mlruns"


@pytest.fixture
def store(root: Path) -> TrackingStore:
    return FileStore.open(str(root))


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())


def files(folder: Path) -> dict[str, str]:
    return {str(it.relative_to(folder)): it.read_bytes().decode() for it in folder.rglob("*") if it.is_file()}


def foreign_run(root: Path, run_id: str, experiment_id: str = "0", **fields: object) -> Path:
    """A run as mlflow makes it."""
    folder = root / experiment_id / run_id
    for name in ("metrics", "params", "artifacts", "tags"):
        (folder / name).mkdir(parents=True)
    record = {
        "artifact_uri": f"file:///x/{run_id}/artifacts",
        "end_time": None,
        "entry_point_name": "",
        "experiment_id": experiment_id,
        "lifecycle_stage": "active",
        "run_id": run_id,
        "run_name": "foreign",
        "source_name": "",
        "source_type": 4,
        "source_version": "",
        "start_time": NOW,
        "status": 3,
        "tags": [],
        "user_id": "eve",
    }
    write(folder, {"meta.yaml": yaml.safe_dump({**record, **fields})})
    return folder


class TestGolden:
    def test_experiment(self, store: TrackingStore, root: Path) -> None:
        id = store.create_experiment(
            "exp one", {"a/b": "x\ny", "c": ""}, NOW, lambda it: f"file:///data/{it}"
        ).experiment_id
        assert len(id) == 18
        assert id.isdigit()
        assert files(root / id) == {
            "meta.yaml": dedent(
                f"""\
                artifact_location: file:///data/{id}
                creation_time: {NOW}
                effective_trace_archival_retention: null
                experiment_id: '{id}'
                last_update_time: {NOW}
                lifecycle_stage: active
                name: exp one
                trace_location: null
                workspace: default
                """
            ),
            "tags/a/b": "x\ny",
            "tags/c": "",
        }

    def test_default_experiment(self, root: Path) -> None:
        FileStore.open(f"file://{root}")
        assert f"artifact_location: file://{root}/0\n" in (root / "0/meta.yaml").read_text()
        assert (root / ".trash").is_dir()
        other = root.parent / "other"
        open_store(str(other), locate)
        assert "artifact_location: mlflow-artifacts:/0\n" in (other / "0/meta.yaml").read_text()

    def test_run(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store, run_id="401e986da7e8498dbf83494b2d82ab4d", run_name="My Run: ünï", tags={"x/y": "1"})
        folder = root / "0" / run
        meta = """\
            artifact_uri: file://{root}/0/{run}/artifacts
            {deleted}end_time: {end}
            entry_point_name: ''
            experiment_id: '0'
            lifecycle_stage: {stage}
            run_id: {run}
            run_name: 'My Run: ünï'
            run_uuid: {run}
            source_name: ''
            source_type: 4
            source_version: ''
            start_time: 1700000000000
            status: {status}
            tags: []
            user_id: ann
            """
        made = {"root": root, "run": run, "deleted": "", "end": "null", "stage": "active", "status": 1}
        assert files(folder) == {
            "meta.yaml": dedent(meta).format(**made),
            "tags/mlflow.runName": "My Run: ünï",
            "tags/x/y": "1",
        }
        assert {it.name for it in folder.iterdir() if it.is_dir()} == {"artifacts", "metrics", "params", "tags"}
        store.update_run(run, lambda info: info._replace(status="FINISHED", end_time=NOW + 1))
        set_stage(store, run, DELETED)
        deleted = {**made, "deleted": f"deleted_time: {NOW}\n", "end": NOW + 1, "stage": "deleted", "status": 3}
        assert (folder / "meta.yaml").read_text() == dedent(meta).format(**deleted)
        set_stage(store, run, ACTIVE)
        assert "deleted" not in (folder / "meta.yaml").read_text()

    def test_values(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store)
        points = [(0.5, 1, 0), (1e-10, 3, -1), (float("nan"), 4, 2), (float("inf"), 5, 3), (-float("inf"), 6, 4)]
        points += [(1e22, 8, 0), (0.1 + 0.2, 9, 0), (3.0, 10, 0)]
        store.log_batch(run, metrics(*(("val/m", *point) for point in points)))
        with_datasets = [Metric("d", 0.5, 9, 3, "d", "g"), Metric("d", 1.0, 10, 4, "a b%\n", "g h")]
        store.log_batch(run, RunBatch(metrics=tuple(with_datasets)))
        store.log_batch(run, RunBatch(params=(("lr/x", "0.1\r\n"), ("p q", ""))))
        store.log_batch(run, tags(("mlflow.note.content", "é\n")))
        got = files(root / "0" / run)
        assert got["metrics/val/m"] == (
            "1 0.5 0\n3 1e-10 -1\n4 nan 2\n5 inf 3\n6 -inf 4\n8 1e+22 0\n9 0.30000000000000004 0\n10 3.0 0\n"
        )
        assert got["metrics/d"] == "9 0.5 3 d g\n10 1.0 4 %%a%20b%25%0A %%g%20h\n"
        assert got["params/lr/x"] == "0.1\r\n"
        assert got["params/p q"] == ""
        assert got["tags/mlflow.note.content"] == "é\n"
        assert history(store, run, "d") == with_datasets

    def test_inputs_and_outputs(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store, run_id="r1")
        given = dataset("ds", "dig", '{"uri": "x"}', **{"mlflow.data.context": "train"})
        store.log_batch(run, datasets(given))
        store.log_batch(run, models(["m-1"], [ModelOutput("m-547754c412464bd89d4819ace3fe4dcc", 5)]))
        got = files(root / "0")
        id = "79bcebb868a42de631e11eba9b08975b"
        assert got[f"datasets/{id}/meta.yaml"] == dedent(
            """\
            digest: dig
            name: ds
            profile: null
            schema: null
            source: '{"uri": "x"}'
            source_type: local
            """
        )
        inputs = [text for path, text in got.items() if path.startswith("r1/inputs/")]
        assert sorted(inputs) == [
            dedent(
                f"""\
                destination_id: {id}
                destination_type: RUN
                source_id: {id}
                source_type: DATASET
                tags:
                  mlflow.data.context: train
                """
            ),
            "destination_id: m-1\ndestination_type: RUN\nsource_id: m-1\nsource_type: MODEL\ntags: {}\n",
        ]
        assert got["r1/outputs/m-547754c412464bd89d4819ace3fe4dcc/meta.yaml"] == dedent(
            """\
            destination_id: m-547754c412464bd89d4819ace3fe4dcc
            destination_type: MODEL_OUTPUT
            source_id: m-547754c412464bd89d4819ace3fe4dcc
            source_type: RUN_OUTPUT
            step: 5
            tags: {}
            """
        )

    def test_deleted_experiment_lies_in_the_trash(self, store: TrackingStore, root: Path) -> None:
        id = new_experiment(store, "one")
        run = new_run(store, id)
        set_experiment_stage(store, id, DELETED, NOW + 5)
        assert not (root / id).exists()
        assert "lifecycle_stage: deleted" in (root / ".trash" / id / "meta.yaml").read_text()
        assert f"deleted_time: {NOW + 5}" in (root / ".trash" / id / run / "meta.yaml").read_text()
        set_experiment_stage(store, id, ACTIVE, NOW + 6)
        assert "lifecycle_stage: active" in (root / id / run / "meta.yaml").read_text()
        assert list((root / ".trash").iterdir()) == []

    def test_only_files_are_added_to_what_mlflow_lists(self, store: TrackingStore, root: Path) -> None:
        id = new_experiment(store, "one")
        run = new_run(store, id)
        store.log_batch(run, RunBatch(params=(("d/x", "1"), ("d", "2")), tags=(("k" * 250, "v"),)))
        assert found(store, experiment_id=id) == [run]
        assert {it.name for it in root.iterdir() if it.is_dir()} == {"0", id, ".trash"}
        assert {it.name for it in (root / id).iterdir() if it.is_dir()} == {run}


class TestKeys:
    def test_what_a_file_system_cannot_hold_is_kept_beside(self, store: TrackingStore, root: Path) -> None:
        keys = ["d", "d/x", "d/x/y", "é" * 250, "a/" + "日" * 200, "a", ".tracklane-tags", "/".join("ab" * 60)]
        run = new_run(store)
        for key in keys:
            store.log_batch(run, RunBatch((Metric(key, 1.0, 1, 0),), ((key, "p"),), ((key, "t"),)))
        other = new_run(store)
        both = tuple((key, "v") for key in reversed(keys))
        store.log_batch(other, RunBatch(tuple(Metric(key, 2.0, 1, 0) for key in keys), both, both))
        for it, value in ((run, 1.0), (other, 2.0)):
            got = store.get_run(it)
            assert got.params.keys() == set(keys)
            assert got.tags.keys() == {*keys, "mlflow.runName"}
            assert latest(store, it) == dict.fromkeys(keys, value)
            assert all(len(history(store, it, key)) == 1 for key in keys)
        for key in keys:
            with pytest.raises(InvalidParameterValue):
                store.log_batch(run, RunBatch(params=((key, "other"),)))
            store.log_batch(run, metrics((key, 3.0, 2, 1)))
            store.edit_tag(run, key, lambda _: None)
        assert store.get_run(run).tags.keys() == {"mlflow.runName"}
        assert latest(store, run) == dict.fromkeys(keys, 3.0)
        named = {it.name for it in (root / "0" / run).iterdir()}
        assert {it for it in named if it.startswith(".")} == {".tracklane-metrics", ".tracklane-params"}
        assert set(found(store)) == {run, other}

    def test_nothing_leads_out_of_the_folder(self, store: TrackingStore, root: Path) -> None:
        keys = ["../meta.yaml", "..", ".", "a/../../meta.yaml", "/etc/passwd", "a//b", "a/", "", "\0"]
        run = new_run(store)
        record = (root / "0" / run / "meta.yaml").read_text()
        given = tuple((key, "x") for key in keys)
        store.log_batch(run, RunBatch(tuple(Metric(key, 1.0, 1, 0) for key in keys), given, given))
        store.log_batch(run, models([*keys[:-1], "m"], [ModelOutput(key, 1) for key in [*keys, "m" * 300]]))
        got = store.get_run(run)
        assert got.params == dict(given)
        assert latest(store, run) == dict.fromkeys(keys, 1.0)
        assert {it.model_id for it in got.model_outputs} == {*keys, "m" * 300}
        assert (root / "0" / run / "meta.yaml").read_text() == record
        assert {it.name for it in root.parent.iterdir()} == {"mlruns"}
        assert found(store) == [run]

    def test_experiment_tags_too(self, store: TrackingStore) -> None:
        given = {"d": "1", "d/x": "2", "k" * 250 + "日" * 3: "3"}
        id = store.create_experiment("e", given, NOW, locate).experiment_id
        assert store.get_experiment(id).tags == given
        store.update_experiment(id, lambda it: it._replace(tags={"d/x": "9", "d/y": "1"}))
        assert store.get_experiment(id).tags == {"d/x": "9", "d/y": "1"}

    def test_a_removed_tag_leaves_no_empty_folders(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store, tags={"a/b/c": "1"})
        store.edit_tag(run, "a/b/c", lambda _: None)
        assert {it.name for it in (root / "0" / run / "tags").iterdir()} == {"mlflow.runName"}

    def test_datasets_whose_ids_upstream_confuses_are_kept_apart(self, store: TrackingStore) -> None:
        run = new_run(store)
        inputs = (dataset("ab", "c"), dataset("a", "bc"))
        store.log_batch(run, datasets(*inputs))
        store.log_batch(run, datasets(*inputs))
        assert sorted(store.get_run(run).dataset_inputs) == sorted(inputs)


class TestOldStores:
    def test_mlflow_1_0(self, root: Path) -> None:
        write(
            root,
            {
                "0/meta.yaml": "artifact_location: file:///old/0\nexperiment_id: 0\nname: Default\n",
                "7/meta.yaml": "artifact_location: s3://b/7\nexperiment_id: 7\nname: seven\n",
                "7/abc/meta.yaml": dedent(
                    """\
                    artifact_uri: s3://b/7/abc/artifacts
                    end_time: 1500000000500
                    entry_point_name: ''
                    experiment_id: 7
                    name: ''
                    run_uuid: abc
                    source_name: train.py
                    source_type: 4
                    source_version: 0e8a
                    start_time: 1500000000000
                    status: 3
                    tags: []
                    user_id: ann
                    """
                ),
                "7/abc/metrics/acc": "1500000000 0.5\n1500000001 0.75\n",
                "7/abc/params/lr": "0.1",
                "7/abc/tags/mlflow.runName": "old name",
                "7/abc/artifacts/x": "",
                "models/m/meta.yaml": "name: m\n",
            },
        )
        store = FileStore.open(str(root))
        experiment = store.get_experiment("7")
        assert (experiment.creation_time, experiment.last_update_time, experiment.lifecycle_stage) == (
            None,
            None,
            ACTIVE,
        )
        run = store.get_run("abc")
        assert (run.info.run_id, run.info.experiment_id, run.info.status) == ("abc", "7", "FINISHED")
        assert (run.info.run_name, run.info.lifecycle_stage) == ("old name", ACTIVE)
        assert run.metrics == (Metric("acc", 0.75, 1500000001, 0),)
        assert run.params == {"lr": "0.1"}
        assert store.search_runs(["7"], search()).items == [run]
        assert found(store, where("run_name", "=", "old name"), "7") == ["abc"]
        assert {it.name for it in store.search_experiments(search(order=NEWEST_EXPERIMENTS)).items} == {
            "Default",
            "seven",
        }
        store.log_batch("abc", tags(("mlflow.runName", "new")))
        record = yaml.safe_load((root / "7/abc/meta.yaml").read_text())
        assert (record["run_uuid"], record["source_name"], record["name"]) == ("abc", "train.py", "new")
        assert store.get_run_info("abc").run_name == "new"

    def test_unknown_keys_survive_a_rewrite(self, store: TrackingStore, root: Path) -> None:
        folder = foreign_run(root, "r1", future={"a": [1, "x"]}, run_name="yes")
        store.update_run("r1", lambda info: info._replace(status="KILLED"))
        record = yaml.safe_load((folder / "meta.yaml").read_text())
        assert (record["future"], record["status"], record["run_name"]) == ({"a": [1, "x"]}, 5, "yes")
        path = root / "0/meta.yaml"
        path.write_text(path.read_text() + "zebra: 1\n")
        store.update_experiment("0", lambda it: it._replace(name="zero"))
        assert yaml.safe_load(path.read_text())["zebra"] == 1

    def test_lines_with_a_dataset_keep_their_step(self, store: TrackingStore, root: Path) -> None:
        folder = foreign_run(root, "r1")
        write(folder, {"metrics/m": "9 0.5 3 d g\n8 1 2\n7 2.5\n"})
        assert history(store, "r1", "m") == [
            Metric("m", 2.5, 7),
            Metric("m", 1.0, 8, 2),
            Metric("m", 0.5, 9, 3, "d", "g"),
        ]

    def test_any_yaml_is_read(self, store: TrackingStore, root: Path) -> None:
        folder = foreign_run(root, "r1")
        record = yaml.safe_load((folder / "meta.yaml").read_text())
        (folder / "meta.yaml").write_text("# a comment\n" + yaml.safe_dump(record, default_flow_style=True, width=20))
        assert store.get_run_info("r1").user_id == "eve"

    @pytest.mark.parametrize("experiment_id", ["abc-1", "007", "9" * 30, "Z" * 64])
    def test_experiments_with_ids_of_other_kinds(self, store: TrackingStore, root: Path, experiment_id: str) -> None:
        write(root, {f"{experiment_id}/meta.yaml": yaml.safe_dump({"experiment_id": experiment_id, "name": "n"})})
        foreign_run(root, "r1", experiment_id)
        other = new_run(store)
        assert store.get_experiment(experiment_id).name == "n"
        (got,) = store.search_runs([experiment_id], search()).items
        assert got == store.get_run("r1")
        assert {run.info.run_id for run in store.search_runs([experiment_id, "0"], search()).items} == {"r1", other}
        store.log_batch("r1", datasets(dataset("d")))
        assert [it.experiment_id for it in store.search_datasets([experiment_id], 10)] == [experiment_id]


class TestMalformed:
    def test_is_passed_over_with_one_warning(
        self, store: TrackingStore, root: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        good = new_run(store)
        write(
            root,
            {
                "1/meta.yaml": "",
                "2/meta.yaml": "experiment_id: '3'\nname: x\n",
                "3/meta.yaml": "{{{",
                "0/run1/meta.yaml": "",
                "0/run2/meta.yaml": "run_id: other\nexperiment_id: '0'\n",
                "0/run3/meta.yaml": "run_id: run3\nexperiment_id: '0'\nstatus: 99\n",
                "0/run4/artifacts/x": "",
                "0/file": "",
                "file": "",
            },
        )
        os.mkdir(root / "4")
        for _ in range(2):
            assert found(store) == [good]
            assert len(store.search_experiments(search(order=NEWEST_EXPERIMENTS)).items) == 1
        for run in ("run1", "run2", "run3", "run4", "tags", "datasets"):
            with pytest.raises(ResourceDoesNotExist):
                store.get_run(run)
        for id in "1234":
            with pytest.raises(ResourceDoesNotExist):
                store.get_experiment(id)
        for folder in ("1", "2", "3", "0/run1"):
            told = [
                it for it in caplog.records if it.levelno == logging.WARNING and f"{root}/{folder} " in it.getMessage()
            ]
            assert len(told) == 1, folder

    def test_lines_that_are_no_points_are_passed_over(self, store: TrackingStore, root: Path) -> None:
        folder = foreign_run(root, "r1")
        write(
            folder,
            {"metrics/m": "1 1.0 1\nx\n\n1 2 3 4\n2 a 0\n99999999999999999999 1.0 0\n3 3.0 3\n", "metrics/none": ""},
        )
        assert [it.step for it in history(store, "r1", "m")] == [1, 3]
        assert latest(store, "r1") == {"m": 3.0}
        assert history(store, "r1", "none") == []

    def test_a_torn_last_line_does_not_count_and_is_cut(self, store: TrackingStore, root: Path) -> None:
        folder = foreign_run(root, "r1")
        write(folder, {"metrics/m": "1 1.0 1\n2 2.0 2\n3 3", "metrics/torn": "1 1"})
        assert latest(store, "r1") == {"m": 2.0}
        store.log_batch("r1", metrics(("m", 4.0, 4, 4), ("torn", 4.0, 4, 4)))
        assert (folder / "metrics/m").read_text() == "1 1.0 1\n2 2.0 2\n4 4.0 4\n"
        assert (folder / "metrics/torn").read_text() == "4 4.0 4\n"

    def test_names_that_are_no_text(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store)
        with open(os.fsencode(root / "0" / run / "tags") + b"/\xff", "wb") as file:
            file.write(b"\xff")
        (root / "0" / run / "tags/x").write_bytes(b"a\xff")
        assert store.get_run(run).tags == {"mlflow.runName": "a run", "x": "a\ufffd"}
        assert found(store) == [run]

    def test_what_is_no_file(self, store: TrackingStore, root: Path) -> None:
        run = new_run(store, tags={"a": "1"})
        for kind in ("tags", "params", "metrics"):
            folder = root / "0" / run / kind
            (folder / "gone").symlink_to("/nowhere/at/all")
            os.mkfifo(folder / "pipe")
        (root / "0/tags").mkdir()
        (root / "0/tags/gone").symlink_to("/nowhere/at/all")
        got = store.get_run(run)
        assert (got.tags, got.params, got.metrics) == ({"mlflow.runName": "a run", "a": "1"}, {}, ())
        assert store.get_experiment("0").tags == {}
        assert found(store) == [run]

    def test_a_folder_of_other_things_becomes_a_store(self, root: Path) -> None:
        (root / "stuff" / "more").mkdir(parents=True)
        store = FileStore.open(str(root))
        assert store.get_experiment("0").name == "Default"

    def test_ids_never_lead_out_of_the_folder(self, store: TrackingStore, root: Path) -> None:
        write(root.parent / "out", {"meta.yaml": "experiment_id: '../out'\nname: out\n"})
        for id in ("../out", ".trash", "", ".", "models", "0/../0", "0\n"):
            with pytest.raises(ResourceDoesNotExist):
                store.get_experiment(id)
            with pytest.raises(ResourceDoesNotExist):
                store.get_run(id)


class TestForeignWrites:
    """Another program changes files beneath an open store whose index is warm."""

    @pytest.fixture
    def folder(self, store: TrackingStore, root: Path) -> Path:
        folder = foreign_run(root, "r1")
        write(folder, {"metrics/m": "1 1.0 1\n", "params/p": "1", "tags/t": "old"})
        assert found(store, where("metric.m", "=", 1.0)) == ["r1"]
        time.sleep(0.03)
        assert found(store) == ["r1"]
        return folder

    @pytest.mark.parametrize(
        ("path", "text", "key", "value"),
        [
            ("metrics/m", "1 1.0 1\n2 5.0 2\n", "metric.m", 5.0),
            ("metrics/n/x", "1 2.0 1\n", "metric.n/x", 2.0),
            ("params/q", "2", "param.q", "2"),
            ("params/a/b", "2", "param.a/b", "2"),
            ("tags/t", "new", "tag.t", "new"),
        ],
    )
    def test_of_values(self, store: TrackingStore, folder: Path, path: str, text: str, key: str, value: object) -> None:
        assert found(store, where(key, "=", value)) == []
        write(folder, {path: text})
        assert found(store, where(key, "=", value)) == ["r1"]
        assert repr(store.search_runs(["0"], search()).items) == repr([store.get_run("r1")])

    def test_of_the_record(self, store: TrackingStore, folder: Path) -> None:
        record = (folder / "meta.yaml").read_text()
        write(folder, {"meta.yaml": record.replace("status: 3", "status: 4")})
        assert found(store, where("status", "=", "FAILED")) == ["r1"]
        assert store.get_run_info("r1").status == "FAILED"
        write(folder, {"meta.yaml": record.replace("stage: active", "stage: deleted")})
        assert found(store) == []
        assert found(store, stages=[DELETED]) == ["r1"]

    def test_new_and_removed_runs(self, store: TrackingStore, folder: Path, root: Path) -> None:
        foreign_run(root, "r2", start_time=NOW + 1)
        assert found(store) == ["r2", "r1"]
        subprocess.run(["rm", "-r", str(folder)], check=True)
        assert found(store) == ["r2"]
        with pytest.raises(ResourceDoesNotExist):
            store.get_run("r1")

    def test_a_run_that_is_still_being_made(self, store: TrackingStore, folder: Path, root: Path) -> None:
        late = root / "0" / "late"
        (late / "params").mkdir(parents=True)
        assert found(store) == ["r1"]
        record = (folder / "meta.yaml").read_text()
        write(late, {"meta.yaml": record.replace("run_id: r1", "run_id: late")})
        assert set(found(store)) == {"r1", "late"}

    def test_moved_experiments(self, store: TrackingStore, root: Path) -> None:
        id = new_experiment(store, "moved")
        run = new_run(store, id)
        assert found(store, experiment_id=id) == [run]
        for path in (root / id / "meta.yaml", root / id / run / "meta.yaml"):
            path.write_text(path.read_text().replace("stage: active", "stage: deleted"))
        (root / id).rename(root / ".trash" / id)
        assert found(store, experiment_id=id) == []
        assert found(store, experiment_id=id, stages=[DELETED]) == [run]
        assert store.get_experiment(id).lifecycle_stage == DELETED

    def test_a_long_history_that_grows_and_shrinks(self, store: TrackingStore, folder: Path) -> None:
        lines = [f"{i} {float(i)} {i}\n" for i in range(2000)]
        for count in (1000, 1500, 1500, 2000, 900, 2000):
            write(folder, {"metrics/m": "".join(lines[:count]) + "12"})
            assert latest(store, "r1") == {"m": count - 1.0}
            assert found(store, where("metric.m", "=", count - 1.0)) == ["r1"]


class TestIndex:
    def test_deleting_it_loses_nothing(self, store: TrackingStore, root: Path) -> None:
        runs = [new_run(store, start_time=i) for i in range(3)]
        before = [repr(run) for run in store.search_runs(["0"], search()).items]
        for pattern in (".tracklane-*", ".tracklane-index.db"):
            for path in root.glob(pattern):
                path.unlink()
            assert [repr(run) for run in store.search_runs(["0"], search()).items] == before
        for path in root.glob(".tracklane-*"):
            path.unlink()
        store.log_batch(runs[0], params(p="1"))
        assert found(store, where("param.p", "=", "1")) == runs[:1]

    @pytest.mark.parametrize("damage", ["garbage", "cut", "version", "table", "foreign"])
    def test_a_damaged_one_is_made_anew(self, store: TrackingStore, root: Path, damage: str) -> None:
        import sqlite3

        run = new_run(store, tags={"a": "b"})
        assert found(store, where("tag.a", "=", "b")) == [run]
        store.close()
        path = root / ".tracklane-index.db"
        if damage == "garbage":
            path.write_bytes(b"garbage" * 1000)
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:5000])
        elif damage == "foreign":
            for old in root.glob(".tracklane-index*"):
                old.unlink()
            sqlite3.connect(path).execute("CREATE TABLE x (y)").connection.close()
        else:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE tags")
            connection.close()
        again = FileStore.open(str(root))
        assert found(again, where("tag.a", "=", "b")) == [run]
        again.close()

    def test_one_that_is_deleted_while_it_is_open(self, store: TrackingStore, root: Path) -> None:
        other = FileStore.open(str(root))
        run = new_run(store)
        assert found(store) == found(other) == [run]
        for path in root.glob(".tracklane-index*"):
            path.unlink()
        second = new_run(other, start_time=NOW + 1)
        assert found(store) == found(other) == [second, run]
        other.close()

    def test_writers_and_searchers_in_different_processes(self, store: TrackingStore, root: Path) -> None:
        searcher = FileStore.open(str(root))
        run = new_run(store)
        for number in range(20):
            store.log_batch(run, metrics(("m", float(number), NOW, number)))
            assert found(searcher, where("metric.m", "=", float(number))) == [run]
            if number % 3 == 0:
                assert found(store, where("metric.m", "=", float(number))) == [run]
        store.purge_run(run)
        assert found(searcher, stages=ALL_STAGES) == []
        searcher.close()

    @pytest.mark.parametrize("name", ["a b", "a%20b", "a?b=c", "a#b", "ü'\";"])
    def test_folders_with_odd_names(self, tmp_path: Path, name: str) -> None:
        store = FileStore.open(str(tmp_path / name))
        run = new_run(store)
        assert found(store) == [run]
        store.close()

    def test_logging_does_not_load_the_database_tools(self, root: Path) -> None:
        code = dedent(
            f"""
            import sys
            sys.path[:0] = {sys.path!r}
            from store_contract.make import *
            from tracklane_server.store import open_store
            store = open_store({str(root)!r})
            store.log_batch(new_run(store), RunBatch((Metric("m", 1.0, 1),), (("p", "1"),), (("t", "a: b"),)))
            assert not {{"sqlalchemy", "alembic", "sqlite3"}} & sys.modules.keys()
            """
        )
        subprocess.run([sys.executable, "-c", code], check=True)


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.text("0123456789abcdefxo_+-.:eE", max_size=20),
    st.text(" -:#'\"%@&*!|>[]{},?\n\tab", max_size=12),
    st.sampled_from(["yes", "No", "null", "~", "true", "2020-01-01", "1:30", ".inf", "=", "<<", "0b1", "a word" * 20]),
)
VALUES = TEXTS | st.integers() | st.none() | st.booleans() | st.builds(list) | st.dictionaries(TEXTS, TEXTS, max_size=3)


@given(st.dictionaries(st.text("abc_", min_size=1), VALUES, min_size=1, max_size=5))
def test_yaml_is_as_pyyaml_writes_and_reads_it(entries: dict[str, object]) -> None:
    text = yaml.dump(entries, Dumper=yaml.CSafeDumper, default_flow_style=False, allow_unicode=True)
    assert dump(entries) == text
    assert load(text) == yaml.load(text, Loader=yaml.CSafeLoader)


@given(st.lists(st.tuples(st.text("abc_", min_size=1), TEXTS), max_size=4))
def test_any_text_is_read_as_pyyaml_reads_it(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in lines)
    try:
        expected = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):
        expected = None
    if isinstance(expected, dict):
        assert repr(load(text)) == repr(expected)
    else:
        with pytest.raises(Unreadable):
            load(text)


def test_an_id_longer_than_a_folder_name_is_no_run(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "mlruns"))
    with pytest.raises(ResourceDoesNotExist):
        store.get_run("a" * 256)
    store.close()
