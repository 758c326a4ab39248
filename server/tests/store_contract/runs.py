"""What every store promises about runs and their tags."""

from collections.abc import Callable

import pytest

from store_contract.make import NOW, metrics, new_experiment, new_run, params, set_experiment_stage, set_stage, tags
from tracklane_server.contract.entities import ACTIVE, DELETED, Experiment, Run, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from tracklane_server.store import TrackingStore, open_store

UNKNOWN_RUNS = ["0" * 32, "nope", "../x", "a b", "x" * 300, "0", "é"]


def fail(_: object) -> Run:
    raise InvalidParameterValue("no")


def remove(_: str | None) -> None:
    return None


def refuse(_: str | None) -> str:
    raise ResourceDoesNotExist("no")


class RunContract:
    def test_created_run_is_read_back(self, store: TrackingStore) -> None:
        seen: list[Experiment] = []
        run = Run(
            RunInfo("r1", "0", "näme", "ann", "SCHEDULED", 0, None, "s3://b/r1/artifacts"),
            tags={"mlflow.runName": "näme", "a": "", "x/y": "1", "x": "2"},
        )

        def build(experiment: Experiment) -> Run:
            seen.append(experiment)
            return run

        assert store.create_run("0", build) == run
        assert store.get_run("r1") == run
        assert store.get_run_info("r1") == run.info
        assert seen == [store.get_experiment("0")]

    def test_run_ids_are_unique_over_experiments(self, store: TrackingStore) -> None:
        other = new_experiment(store, "other")
        new_run(store, run_id="r1", tags={"a": "b"})
        for experiment in ("0", other):
            with pytest.raises(ResourceAlreadyExists):
                new_run(store, experiment, run_id="r1", tags={"a": "c"})
        assert store.get_run("r1").tags["a"] == "b"

    def test_what_build_raises_goes_to_the_caller(self, store: TrackingStore) -> None:
        with pytest.raises(InvalidParameterValue, match="no"):
            store.create_run("0", fail)

    def test_build_sees_a_deleted_experiment(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one")
        set_experiment_stage(store, id, DELETED, NOW)
        seen: list[str] = []

        def build(experiment: Experiment) -> Run:
            seen.append(experiment.lifecycle_stage)
            raise InvalidParameterValue("deleted")

        with pytest.raises(InvalidParameterValue):
            store.create_run(id, build)
        assert seen == [DELETED]

    def test_unknown_run_is_not_found(self, store: TrackingStore) -> None:
        calls: list[Callable[[str], object]] = [
            store.get_run,
            store.get_run_info,
            lambda run: store.update_run(run, lambda info: info),
            lambda run: store.edit_tag(run, "a", remove),
            lambda run: store.log_batch(run, tags(("a", "b"))),
            lambda run: store.get_metric_history(run, "m"),
            lambda run: store.sample_metric_history(run, "m", 10),
            store.purge_run,
        ]
        for run in UNKNOWN_RUNS:
            for call in calls:
                with pytest.raises(ResourceDoesNotExist):
                    call(run)

    def test_update_replaces_the_info(self, store: TrackingStore) -> None:
        run = new_run(store)
        for change in (
            {"status": "FINISHED", "end_time": NOW + 1},
            {"status": "RUNNING", "end_time": None},
            {"end_time": 0},
            {"lifecycle_stage": DELETED, "deleted_time": NOW + 2},
            {"lifecycle_stage": ACTIVE, "deleted_time": None},
        ):
            expected = store.get_run_info(run)._replace(**change)
            assert store.update_run(run, lambda info, change=change: info._replace(**change)) == expected
            assert store.get_run_info(run) == expected
            assert store.get_run(run).info == expected

    def test_update_of_the_name_changes_its_tag(self, store: TrackingStore) -> None:
        run = new_run(store, run_name="old", tags={"a": "b"})
        store.update_run(run, lambda info: info._replace(run_name="new"))
        assert store.get_run(run).info.run_name == "new"
        assert store.get_run(run).tags == {"mlflow.runName": "new", "a": "b"}

    def test_update_of_the_name_makes_its_tag_when_it_was_deleted(self, store: TrackingStore) -> None:
        run = new_run(store, run_name="old")
        store.edit_tag(run, "mlflow.runName", remove)
        store.update_run(run, lambda info: info._replace(status="FAILED"))
        assert store.get_run(run).tags == {}
        store.update_run(run, lambda info: info._replace(run_name="new"))
        assert store.get_run(run).tags == {"mlflow.runName": "new"}

    def test_what_edit_raises_goes_to_the_caller_and_changes_nothing(self, store: TrackingStore) -> None:
        run = new_run(store)
        before = store.get_run(run)
        with pytest.raises(InvalidParameterValue, match="no"):
            store.update_run(run, fail)  # type: ignore[arg-type]
        assert store.get_run(run) == before

    def test_a_tag_replaces_its_old_value_and_the_last_wins(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, tags(("a", "1"), ("b", "1"), ("a", "2")))
        store.log_batch(run, tags(("b", ""), ("c", "x")))
        assert store.get_run(run).tags == {"mlflow.runName": "a run", "a": "2", "b": "", "c": "x"}

    def test_the_name_tag_renames_the_run_unless_empty(self, store: TrackingStore) -> None:
        run = new_run(store, run_name="old")
        store.log_batch(run, tags(("mlflow.runName", "new")))
        assert store.get_run_info(run).run_name == "new"
        store.log_batch(run, tags(("mlflow.runName", ""), ("a", "b")))
        assert store.get_run_info(run).run_name == "new"
        assert store.get_run(run).tags == {"mlflow.runName": "new", "a": "b"}
        store.log_batch(run, tags(("mlflow.runName", "x"), ("mlflow.runName", "y")))
        assert store.get_run_info(run).run_name == "y"
        assert store.get_run(run).tags["mlflow.runName"] == "y"

    def test_removed_tag_is_gone_and_the_name_stays(self, store: TrackingStore) -> None:
        run = new_run(store, run_name="name", tags={"x": "1", "x/y": "2"})
        for key in ("x", "mlflow.runName", "never"):
            store.edit_tag(run, key, remove)
        assert store.get_run(run).tags == {"x/y": "2"}
        assert store.get_run_info(run).run_name == "name"
        store.log_batch(run, tags(("x", "3")))
        assert store.get_run(run).tags == {"x/y": "2", "x": "3"}

    def test_edit_sees_the_value_of_a_tag_and_replaces_it(self, store: TrackingStore) -> None:
        run = new_run(store, tags={"a": ""})
        seen: list[str | None] = []

        def append(value: str | None) -> str:
            seen.append(value)
            return (value or "") + "x"

        for key in ("a", "a", "b"):
            store.edit_tag(run, key, append)
        assert seen == ["", "x", None]
        assert store.get_run(run).tags == {"mlflow.runName": "a run", "a": "xx", "b": "x"}
        with pytest.raises(ResourceDoesNotExist, match="no"):
            store.edit_tag(run, "a", refuse)
        assert store.get_run(run).tags["a"] == "xx"

    def test_a_deleted_run_is_read_only(self, store: TrackingStore) -> None:
        run = new_run(store, tags={"a": "b"})
        store.log_batch(run, metrics(("m", 1.0, 1, 0)))
        set_stage(store, run, DELETED)
        before = store.get_run(run)
        for batch in (tags(("a", "c")), params(p="1"), metrics(("m", 2.0, 2, 0))):
            with pytest.raises(InvalidParameterValue):
                store.log_batch(run, batch)
        with pytest.raises(InvalidParameterValue):
            store.edit_tag(run, "a", lambda _: "c")
        assert store.get_run(run) == before
        assert len(store.get_metric_history(run, "m").items) == 1
        set_stage(store, run, ACTIVE)
        store.log_batch(run, tags(("a", "c")))
        assert store.get_run(run).tags["a"] == "c"

    def test_purged_run_is_gone_and_others_stay(self, store: TrackingStore) -> None:
        run, other = new_run(store, run_id="r1"), new_run(store, run_id="r2")
        for it in (run, other):
            store.log_batch(it, metrics(("m", 1.0, 1, 0)))
            store.log_batch(it, params(p="1"))
        set_stage(store, run, DELETED)
        store.purge_run(run)
        for call in (store.get_run, store.get_run_info, store.purge_run):
            with pytest.raises(ResourceDoesNotExist):
                call(run)
        assert store.get_run(other).params == {"p": "1"}
        again = new_run(store, run_id="r1")
        assert store.get_run(again).params == {}
        assert store.get_metric_history(again, "m").items == []
        assert len(store.get_metric_history(other, "m").items) == 1

    def test_everything_is_there_after_reopening(self, uri: str) -> None:
        store = open_store(uri)
        run = new_run(store, run_name="ünï", tags={"a": "line\nbreak\ttab"})
        store.log_batch(run, metrics(("m", 1.5, 1, 2)))
        store.log_batch(run, params(p=" x "))
        before = store.get_run(run)
        store.close()
        store = open_store(uri)
        assert store.get_run(run) == before
        store.close()
