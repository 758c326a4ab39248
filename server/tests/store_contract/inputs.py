"""What every store promises about datasets and models that a run used or made."""

from store_contract.make import dataset, datasets, found, models, new_experiment, new_run, search, set_stage, where
from tracklane_server.contract.entities import DELETED, Dataset, DatasetInput, DatasetSummary, ModelOutput
from tracklane_server.search.ast import And, Not
from tracklane_server.store import TrackingStore

CONTEXT = "mlflow.data.context"


class InputContract:
    def test_dataset_inputs_are_read_back(self, store: TrackingStore) -> None:
        run = new_run(store)
        inputs = (
            DatasetInput(Dataset("iris", "d1", "local", '{"path": "x"}', '{"a": 1}', '{"n": 3}'), {CONTEXT: "train"}),
            DatasetInput(Dataset("iris", "d2", "s3", "s3://b", None, None), {}),
            DatasetInput(Dataset("Iris ", "d1", "local", "é\n", "", ""), {"a": "", "é": "x"}),
        )
        store.log_batch(run, datasets(*inputs[:2]))
        store.log_batch(run, datasets(*inputs[2:]))
        got = store.get_run(run).dataset_inputs
        assert sorted(got, key=repr) == sorted(inputs, key=repr)

    def test_a_known_dataset_keeps_its_first_record(self, store: TrackingStore) -> None:
        run, second, elsewhere = new_run(store), new_run(store), new_run(store, new_experiment(store, "other"))
        store.log_batch(run, datasets(dataset("d", source="first", **{CONTEXT: "train"})))
        store.log_batch(second, datasets(dataset("d", source="second", **{CONTEXT: "eval"})))
        store.log_batch(elsewhere, datasets(dataset("d", source="third")))
        assert store.get_run(second).dataset_inputs == (dataset("d", source="first", **{CONTEXT: "eval"}),)
        assert store.get_run(elsewhere).dataset_inputs == (dataset("d", source="third"),)

    def test_an_input_the_run_has_stays_as_it_is(self, store: TrackingStore) -> None:
        run = new_run(store)
        first = dataset("d", **{CONTEXT: "train"})
        store.log_batch(run, datasets(first, dataset("d", source="other", **{CONTEXT: "eval"})))
        store.log_batch(run, datasets(dataset("d", **{CONTEXT: "test", "more": "x"})))
        assert store.get_run(run).dataset_inputs == (first,)

    def test_models_are_read_back(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, models(["m-1", "m-2", "m-1"], [ModelOutput("m-3", 5), ModelOutput("m-3", 6)]))
        store.log_batch(run, models(["m-2", "m-4"], [ModelOutput("m-3", 7), ModelOutput("m-5", -1)]))
        got = store.get_run(run)
        assert sorted(got.model_inputs) == ["m-1", "m-2", "m-4"]
        assert sorted(got.model_outputs) == [ModelOutput("m-3", 5), ModelOutput("m-5", -1)]

    def test_inputs_come_with_searched_runs(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, datasets(dataset("d", **{CONTEXT: "train"})))
        store.log_batch(run, models(["m-1"], [ModelOutput("m-2", 1)]))
        (got,) = store.search_runs(["0"], search()).items
        assert got == store.get_run(run)

    def test_each_dataset_comparison_is_tested_on_its_own(self, store: TrackingStore) -> None:
        two, one = new_run(store, run_id="two"), new_run(store, run_id="one")
        none = new_run(store, run_id="none")
        store.log_batch(
            two, datasets(dataset("ds1", "x1", **{CONTEXT: "train"}), dataset("dsX", "x2", **{CONTEXT: "eval"}))
        )
        store.log_batch(one, datasets(dataset("ds1", "x1")))
        name, context, digest = "dataset.name", "dataset.context", "dataset.digest"
        for condition, expected in [
            (where(name, "=", "ds1"), {two, one}),
            (where(name, "!=", "ds1"), {two}),
            (where(name, "LIKE", "ds_"), {two, one}),
            (where(name, "ILIKE", "DSx"), {two}),
            (where(name, "IN", "dsX", "q"), {two}),
            (where(name, "NOT IN", "ds1"), {two}),
            (where(digest, "=", "x2"), {two}),
            (where(context, "=", "train"), {two}),
            (where(context, "!=", "train"), {two}),
            (And((where(name, "=", "ds1"), where(context, "=", "eval"))), {two}),
            (And((where(name, "=", "ds1"), where(name, "=", "dsX"))), {two}),
            (Not(where(name, "=", "ds1")), {none}),
            (where(context, "IS NOT NULL"), {two}),
            (where(context, "IS NULL"), {one, none}),
            (where(name, "IS NULL"), {none}),
        ]:
            assert set(found(store, condition)) == expected, condition

    def test_search_datasets_lists_each_combination_once_in_order(self, store: TrackingStore) -> None:
        other, empty = new_experiment(store, "other"), new_experiment(store, "empty")
        for context in ("train", "eval", "train"):
            store.log_batch(new_run(store), datasets(dataset("b", **{CONTEXT: context}), dataset("a", "d2")))
        deleted = new_run(store)
        store.log_batch(deleted, datasets(dataset("a", "d1", **{CONTEXT: "train"})))
        set_stage(store, deleted, DELETED)
        store.log_batch(new_run(store, other), datasets(dataset("c", **{"else": "x"})))
        here = [
            DatasetSummary("0", "a", "d1", "train"),
            DatasetSummary("0", "a", "d2", None),
            DatasetSummary("0", "b", "d1", "eval"),
            DatasetSummary("0", "b", "d1", "train"),
        ]
        there = [DatasetSummary(other, "c", "d1", None)]
        assert store.search_datasets(["0"], 100) == here
        assert store.search_datasets(["0"], 3) == here[:3]
        assert store.search_datasets([other, "0", "0", empty, "nope", "999"], 100) == here + there
        assert store.search_datasets([empty], 100) == []
        assert store.search_datasets([], 100) == []

    def test_purged_run_takes_its_inputs_along(self, store: TrackingStore) -> None:
        run, other = new_run(store), new_run(store)
        store.log_batch(run, datasets(dataset("a"), dataset("shared")))
        store.log_batch(other, datasets(dataset("shared")))
        set_stage(store, run, DELETED)
        store.purge_run(run)
        assert store.search_datasets(["0"], 10) == [DatasetSummary("0", "shared", "d1", None)]
        assert store.get_run(other).dataset_inputs == (dataset("shared"),)
