"""What every store promises about experiments."""

from collections.abc import Callable

import pytest

from store_contract.make import (
    ALL_STAGES,
    NEWEST_EXPERIMENTS,
    NOW,
    key,
    new_experiment,
    new_run,
    search,
    set_experiment_stage,
    set_stage,
    where,
)
from tracklane_server.contract.entities import ACTIVE, DELETED, Experiment
from tracklane_server.contract.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from tracklane_server.search.ast import And, Filter, Not, Or, OrderTerm
from tracklane_server.store import Search, TrackingStore, open_store

STRANGE_IDS = ["999", "abc", "-1", "00", "01", " 1", "1 ", "1e3", "+1", "٣", "9" * 40, "0x1", "1.0", "1_0"]
STRANGE_NAMES = [
    " ",
    "a/b",
    "O'Brien",
    'say "x"',
    "ümlaut",
    "日本",
    "😀" * 250,
    "a\nb",
    "%_",
    "a ",
    "A",
    "a",
    "1",
    "../x",
]


def fail(_: object) -> Experiment:
    raise InvalidParameterValue("no")


class ExperimentContract:
    def test_a_new_store_has_an_active_experiment_0_called_default(self, store: TrackingStore) -> None:
        default = store.get_experiment("0")
        assert (default.experiment_id, default.name, default.lifecycle_stage) == ("0", "Default", ACTIVE)
        assert default.artifact_location
        assert store.get_experiment_by_name("Default") == default

    def test_created_experiment_is_read_back(self, store: TrackingStore) -> None:
        made = store.create_experiment("one", {"a": "", "b": "ü"}, NOW, lambda it: f"s3://bucket/{it}")
        id = made.experiment_id
        assert made == Experiment(id, "one", f"s3://bucket/{id}", ACTIVE, NOW, NOW, {"a": "", "b": "ü"})
        assert store.get_experiment(id) == made
        assert store.get_experiment_by_name("one") == made
        assert id != "0"

    def test_names_are_compared_byte_by_byte(self, store: TrackingStore) -> None:
        names = [*STRANGE_NAMES, "caf\u00e9", "cafe\u0301"]
        ids = {name: new_experiment(store, name) for name in names}
        assert len(set(ids.values())) == len(names)
        for name, id in ids.items():
            assert store.get_experiment_by_name(name).experiment_id == id
            assert store.get_experiment(id).name == name

    def test_unknown_experiment_is_not_found(self, store: TrackingStore) -> None:
        calls: list[Callable[[str], object]] = [
            store.get_experiment,
            lambda strange: store.update_experiment(strange, lambda it: it),
            lambda strange: new_run(store, strange),
            store.purge_experiment,
        ]
        for strange in STRANGE_IDS:
            for call in calls:
                with pytest.raises(ResourceDoesNotExist):
                    call(strange)
        with pytest.raises(ResourceDoesNotExist):
            store.get_experiment_by_name("default")

    @pytest.mark.parametrize("stage", [ACTIVE, DELETED])
    def test_a_name_is_taken_once_whatever_the_stage(self, store: TrackingStore, stage: str) -> None:
        first, other = new_experiment(store, "one"), new_experiment(store, "two")
        set_experiment_stage(store, first, stage, NOW + 1)
        with pytest.raises(ResourceAlreadyExists):
            new_experiment(store, "one")
        with pytest.raises(ResourceAlreadyExists):
            store.update_experiment(other, lambda it: it._replace(name="one"))
        assert store.get_experiment(other).name == "two"
        assert len(store.search_experiments(experiments(stages=ALL_STAGES)).items) == 3

    def test_a_failing_locate_makes_nothing(self, store: TrackingStore) -> None:
        def refuse(_: str) -> str:
            raise InvalidParameterValue("no")

        with pytest.raises(InvalidParameterValue):
            store.create_experiment("one", {"a": "b"}, NOW, refuse)
        assert new_experiment(store, "one")

    def test_update_replaces_fields_and_tags(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one", a="1", b="2")
        changed = store.get_experiment(id)._replace(name="uno", last_update_time=NOW + 5, tags={"b": "3", "c": ""})
        assert store.update_experiment(id, lambda _: changed) == changed
        assert store.get_experiment(id) == changed
        assert store.get_experiment_by_name("uno") == changed
        with pytest.raises(ResourceDoesNotExist):
            store.get_experiment_by_name("one")
        assert new_experiment(store, "one") != id

    def test_update_to_its_own_name_is_no_clash(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one")
        assert store.update_experiment(id, lambda it: it._replace(name="one")).name == "one"

    def test_what_edit_raises_goes_to_the_caller_and_changes_nothing(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one")
        before = store.get_experiment(id)
        with pytest.raises(InvalidParameterValue, match="no"):
            store.update_experiment(id, fail)
        assert store.get_experiment(id) == before

    def test_deleting_and_restoring_takes_all_runs_along(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one")
        kept, deleted, elsewhere = new_run(store, id), new_run(store, id), new_run(store)
        set_stage(store, deleted, DELETED)
        set_experiment_stage(store, id, DELETED, NOW + 7)
        for run in (kept, deleted):
            info = store.get_run_info(run)
            assert (info.lifecycle_stage, info.deleted_time) == (DELETED, NOW + 7)
        assert store.get_run_info(elsewhere).lifecycle_stage == ACTIVE
        set_experiment_stage(store, id, ACTIVE, NOW + 8)
        for run in (kept, deleted):
            info = store.get_run_info(run)
            assert (info.lifecycle_stage, info.deleted_time) == (ACTIVE, None)

    def test_a_run_of_a_deleted_experiment_can_be_restored_alone(self, store: TrackingStore) -> None:
        id = new_experiment(store, "one")
        run = new_run(store, id)
        set_experiment_stage(store, id, DELETED, NOW + 7)
        set_stage(store, run, ACTIVE)
        assert store.get_run_info(run).lifecycle_stage == ACTIVE
        assert store.get_experiment(id).lifecycle_stage == DELETED

    def test_purged_experiment_is_gone_with_its_runs_and_frees_its_name(self, store: TrackingStore) -> None:
        id, other = new_experiment(store, "one", a="b"), new_experiment(store, "two")
        run, survivor = new_run(store, id), new_run(store, other)
        set_experiment_stage(store, id, DELETED, NOW)
        store.purge_experiment(id)
        for call in (store.get_experiment, store.purge_experiment):
            with pytest.raises(ResourceDoesNotExist):
                call(id)
        with pytest.raises(ResourceDoesNotExist):
            store.get_run(run)
        assert store.get_run(survivor).info.experiment_id == other
        again = new_experiment(store, "one")
        assert again != id, "an id is never given twice: its artifacts would be mixed up"
        assert store.get_experiment(again).tags == {}

    def test_search_experiments_by_stage(self, store: TrackingStore) -> None:
        gone, here = new_experiment(store, "gone"), new_experiment(store, "here", NOW + 1)
        set_experiment_stage(store, gone, DELETED, NOW)
        assert set(names(store, stages=[ACTIVE])) == {"Default", "here"}
        assert names(store, stages=[DELETED]) == ["gone"]
        assert set(names(store, stages=ALL_STAGES)) == {"Default", "gone", "here"}
        assert names(store, where("experiment_id", "=", here)) == ["here"]

    def test_search_experiments_by_filter(self, store: TrackingStore) -> None:
        new_experiment(store, "Alpha", 1_000, team="red", empty="")
        new_experiment(store, "beta", 2_000, team="Blue")
        new_experiment(store, "100%_x", 3_000)
        cases: list[tuple[Filter, set[str]]] = [
            (where("name", "=", "Alpha"), {"Alpha"}),
            (where("name", "!=", "Alpha"), {"Default", "beta", "100%_x"}),
            (where("name", "LIKE", "A%"), {"Alpha"}),
            (where("name", "LIKE", "a%"), set()),
            (where("name", "ILIKE", "a%"), {"Alpha"}),
            (where("name", "IN", "beta", "Alpha"), {"Alpha", "beta"}),
            (where("creation_time", ">=", 2_000), {"Default", "beta", "100%_x"}),
            (where("creation_time", "BETWEEN", 1_000, 2_000), {"Alpha", "beta"}),
            (where("creation_time", "<", 1_000.5), {"Alpha"}),
            (where("tag.team", "=", "red"), {"Alpha"}),
            (where("tag.team", "!=", "red"), {"beta"}),
            (where("tag.team", "ILIKE", "b%"), {"beta"}),
            (where("tag.team", "IS NULL"), {"Default", "100%_x"}),
            (where("tag.empty", "=", ""), {"Alpha"}),
            (Not(where("tag.team", "=", "red")), {"Default", "beta", "100%_x"}),
            (Or((where("tag.team", "=", "red"), where("name", "=", "beta"))), {"Alpha", "beta"}),
            (And((where("tag.team", "IS NOT NULL"), where("name", "LIKE", "%a"))), {"Alpha", "beta"}),
        ]
        for filter, expected in cases:
            assert set(names(store, filter)) == expected, filter

    def test_search_experiments_in_order_and_in_pages(self, store: TrackingStore) -> None:
        for index, name in enumerate(["b", "a", "C", "é", "d"]):
            new_experiment(store, name, 1_000 + index // 2)
        by_name = (OrderTerm(key("name")), OrderTerm(key("experiment_id")))
        assert names(store, order=by_name) == ["C", "Default", "a", "b", "d", "é"]
        down = (OrderTerm(key("name"), ascending=False), OrderTerm(key("experiment_id")))
        assert names(store, order=down) == ["é", "d", "b", "a", "Default", "C"]
        for order in (by_name, down, NEWEST_EXPERIMENTS):
            whole = names(store, order=order)
            for limit in (1, 2, 3, 6):
                assert names(store, order=order, limit=limit) == whole

    def test_pages_of_experiments_stay_stable_while_some_are_added(self, store: TrackingStore) -> None:
        for index in range(6):
            new_experiment(store, f"e{index}", 1_000 + index)
        first = store.search_experiments(experiments(limit=3))
        new_experiment(store, "newer", NOW * 2)
        second = store.search_experiments(experiments(limit=10, after=first.next))
        got = [it.name for it in [*first.items, *second.items] if it.name != "Default"]
        assert got == ["e5", "e4", "e3", "e2", "e1", "e0"]

    def test_everything_is_there_after_reopening(self, uri: str) -> None:
        store = open_store(uri)
        id = new_experiment(store, "one", a="b")
        before = [store.get_experiment(id), store.get_experiment("0")]
        store.close()
        store = open_store(uri)
        assert [store.get_experiment(id), store.get_experiment("0")] == before
        store.close()


def experiments(
    filter: Filter | None = None, order: tuple[OrderTerm, ...] = NEWEST_EXPERIMENTS, **query: object
) -> Search:
    return search(filter, order, **query)  # type: ignore[arg-type]


def names(store: TrackingStore, filter: Filter | None = None, **query: object) -> list[str]:
    """Names of the experiments that match, in order, page after page."""
    asked, result = experiments(filter, **query), []  # type: ignore[arg-type]
    while True:
        page = store.search_experiments(asked)
        result += [it.name for it in page.items]
        if page.next is None:
            return result
        asked = asked._replace(after=page.next)
