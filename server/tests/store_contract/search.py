"""What every store promises about which runs a search finds."""

import math

import pytest

from store_contract.make import (
    ALL_STAGES,
    NOW,
    dataset,
    found,
    metrics,
    new_experiment,
    new_run,
    pages_of_runs,
    search,
    set_stage,
    tags,
    where,
)
from tracklane_server.contract.entities import ACTIVE, DELETED, RunBatch
from tracklane_server.search.ast import Aggregate, And, Filter, Not, Or
from tracklane_server.store import TrackingStore

BIG = 1.7976931348623157e308

# The fixture of the wire contract, 3.4: four runs a, b, g, d, newest first g d b a. Then what each filter matches.
CASES: list[tuple[Filter | None, str]] = [
    (None, "gdba"),
    (where("metric.acc", ">", 0.4), "gba"),
    (where("metric.acc", ">=", 0.5), "gba"),
    (where("metric.acc", "=", 0.9), "a"),
    (where("metric.acc", "!=", 0.9), "gdb"),
    (where("metric.acc", "<", 1), "dba"),
    (where("metric.acc", "<=", 0), "d"),
    (where("metric.acc", "=", 0), "d"),
    (where("metric.acc", ">", -1), "gdba"),
    (where("metric.acc", ">", 1e308), "g"),
    (where("metric.acc", ">", BIG), "g"),
    (where("metric.acc", ">=", BIG), "g"),
    (where("metric.acc", "=", BIG), ""),
    (where("metric.acc", "=", math.inf), "g"),
    (where("metric.acc", ">=", math.inf), "g"),
    (where("metric.acc", ">", math.inf), ""),
    (where("metric.acc", "<", math.inf), "dba"),
    (where("metric.acc", ">", -math.inf), "gdba"),
    (where("metric.acc", "<=", 2**63 - 1), "dba"),
    (where("metric.acc", "IN", 0.9, 0, 5), "da"),
    (where("metric.acc", "NOT IN", 0.9, 0, 5), "gb"),
    (where("metric.acc", "BETWEEN", 0, 0.5), "db"),
    (where("metric.acc", "NOT BETWEEN", 0, 0.5), "ga"),
    (where("metric.acc", "BETWEEN", 0.5, 0), ""),
    (where("metric.acc", "IS NULL"), ""),
    (where("metric.acc", "IS NOT NULL"), "gdba"),
    (where("metric.loss", "IS NULL"), "d"),
    (where("metric.loss", "IS NOT NULL"), "gba"),
    (where("metric.loss", "!=", 5), "gba"),
    (where("metric.loss", "<", 5), "ga"),
    (where("metric.loss", "<", math.inf), "ga"),
    (where("metric.loss", "=", 0), ""),
    (where("metric.loss", "NOT IN", 5), "gba"),
    (where("metric.loss", "NOT BETWEEN", 5, 6), "gba"),
    (where("metric.cpu usage", "=", 5), "a"),
    (where("metric.a/b", "=", 1), "a"),
    (where("metric.nope", ">", 0), ""),
    (where("metric.", ">", 0), ""),
    (where("param.lr", "=", "0.01"), "a"),
    (where("param.lr", "!=", "0.01"), "gb"),
    (where("param.lr", "IN", "0.01", "1"), "ga"),
    (where("param.lr", "NOT IN", "0.01", "1"), "b"),
    (where("param.opt", "LIKE", "a%"), ""),
    (where("param.opt", "LIKE", "A%"), "a"),
    (where("param.opt", "ILIKE", "a%"), "a"),
    (where("param.opt", "NOT LIKE", "A%"), "b"),
    (where("param.opt", "NOT ILIKE", "S%"), "a"),
    (where("param.opt", "LIKE", "%d%"), "ba"),
    (where("param.opt", "LIKE", "sg_"), "b"),
    (where("param.opt", "LIKE", "sgd_"), ""),
    (where("param.opt", "IS NULL"), "gd"),
    (where("param.opt", "IS NOT NULL"), "ba"),
    (where("param.opt", ">", "B"), "b"),
    (where("param.opt", "BETWEEN", "A", "B"), "a"),
    (where("param.layer.size", "=", "5"), "a"),
    (where("param.my param", "=", "x"), "a"),
    (where("param.lr", ">", 0.05), "gb"),
    (where("param.lr", "=", 1), "g"),
    (where("param.lr", "<=", 0.1), "ba"),
    (where("param.lr", "BETWEEN", 0.01, 0.1), "ba"),
    (where("param.lr", "IN", 0.1, 1), "gb"),
    (where("param.opt", ">", 0), ""),
    (where("tag.team", "=", "Red"), "a"),
    (where("tag.team", "=", "red"), ""),
    (where("tag.team", "ILIKE", "red"), "a"),
    (where("tag.team", "LIKE", "%"), "gba"),
    (where("tag.team", "=", ""), "g"),
    (where("tag.team", "!=", "Red"), "gb"),
    (where("tag.team", "IS NULL"), "d"),
    (where("tag.nope", "IS NULL"), "gdba"),
    (where("tag.we:ird", "=", "O'Brien"), "a"),
    (where("tag.we:ird", "=", "O''Brien"), ""),
    (where("tag.dash-tag", "=", "d"), "a"),
    (where("tag.pct", "LIKE", "50%"), "b"),
    (where("tag.pct", "LIKE", "%*x"), ""),
    (where("tag.pct", "LIKE", "50\\%%"), ""),
    (where("tag.mlflow.runName", "=", "alpha"), "a"),
    (where("run_name", "=", "alpha"), "a"),
    (where("run_name", "LIKE", "Gamma%"), "g"),
    (where("run_name", "LIKE", "gamma%"), ""),
    (where("run_name", "NOT LIKE", "Gamma%"), "dba"),
    (where("run_id", "IN", "a", "b"), "ba"),
    (where("run_id", "NOT IN", "a", "b"), "gd"),
    (where("status", "=", "FINISHED"), "ba"),
    (where("status", "LIKE", "F%"), "ba"),
    (where("status", "!=", "RUNNING"), "ba"),
    (where("status", "=", "finished"), ""),
    (where("user_id", "=", "u2"), "b"),
    (where("artifact_uri", "LIKE", "%artifacts"), "gdba"),
    (where("start_time", ">", 100), "gdb"),
    (where("start_time", ">", 100.5), "gdb"),
    (where("start_time", "=", 200), "b"),
    (where("start_time", "=", 200.5), ""),
    (where("start_time", "IN", 100, 300), "gda"),
    (where("start_time", "<", 2**63 - 1), "gdba"),
    (where("start_time", "<", 1e300), "gdba"),
    (where("end_time", ">", 0), "ba"),
    (where("end_time", "!=", 500), "b"),
    (where("end_time", "IS NULL"), "gd"),
    (where("end_time", "IS NOT NULL"), "ba"),
    (where("duration", "=", 400), "ba"),
    (where("duration", ">", 400), ""),
    (where("dataset.name", "=", "ds1"), "a"),
    (where("dataset.digest", "=", "dig2"), "b"),
    (where("dataset.context", "IN", "train"), "a"),
    (where("dataset.name", "NOT IN", "ds1"), "b"),
    (And((where("metric.acc", ">", 0.4), where("param.lr", "=", "0.1"))), "b"),
    (And((where("metric.acc", ">", 0), where("metric.acc", "<", 0.6), where("tag.team", "=", "blue"))), "b"),
    (Or((where("metric.acc", ">", 0.8), where("param.lr", "=", "0.1"))), "gba"),
    (Not(where("metric.loss", "<", 5)), "db"),
    (Not(where("param.opt", "=", "Adam")), "gdb"),
    (Not(where("param.opt", "!=", "Adam")), "gda"),
    (Not(And((where("param.opt", "=", "Adam"), where("metric.acc", ">", 0)))), "gdb"),
    (Not(Not(where("tag.team", "=", "Red"))), "a"),
    (Not(Or((where("tag.team", "=", "Red"), where("tag.team", "=", "blue")))), "gd"),
    (And(()), "gdba"),
    (Or(()), ""),
]


def fill(store: TrackingStore) -> None:
    """The runs of the wire contract's search fixture, their ids a, b, g, d."""
    new_run(store, run_id="a", run_name="alpha", start_time=100, end_time=500, status="FINISHED", user_id="u1")
    new_run(store, run_id="b", run_name="beta", start_time=200, end_time=600, status="FINISHED", user_id="u2")
    new_run(store, run_id="g", run_name="Gamma run", start_time=300, user_id="u3")
    new_run(store, run_id="d", run_name="delta", start_time=300, user_id="u3")
    log(
        store,
        "a",
        {"acc": 0.9, "loss": 0.1, "cpu usage": 5.0, "a/b": 1.0},
        {"lr": "0.01", "opt": "Adam", "layer.size": "5", "my param": "x"},
        {"mlflow.source.type": "JOB", "team": "Red", "we:ird": "O'Brien", "dash-tag": "d"},
        ("ds1", "dig1", "train"),
    )
    log(
        store,
        "b",
        {"acc": 0.5, "loss": math.nan},
        {"lr": "0.1", "opt": "sgd"},
        {"team": "blue", "pct": "50%_x"},
        ("ds2", "dig2", "eval"),
    )
    log(store, "g", {"acc": math.inf, "loss": -1.0}, {"lr": "1"}, {"team": ""})
    log(store, "d", {"acc": 0.0}, {}, {})


def log(
    store: TrackingStore,
    run: str,
    values: dict[str, float],
    params: dict[str, str],
    run_tags: dict[str, str],
    data: tuple[str, str, str] | None = None,
) -> None:
    batch = metrics(*((key, value, 1, 0) for key, value in values.items()))
    inputs = (dataset(data[0], data[1], **{"mlflow.data.context": data[2]}),) if data else ()
    store.log_batch(
        run,
        RunBatch(batch.metrics, tuple(params.items()), tuple(run_tags.items()), inputs),
    )


class SearchContract:
    def test_filters_of_the_wire_contract(self, store: TrackingStore) -> None:
        fill(store)
        wrong = [
            (filter, expected, got)
            for filter, expected in CASES
            if (got := "".join(found(store, filter))) != expected.replace("gd", "dg")
        ]
        assert wrong == []

    def test_aggregates_are_of_the_whole_history(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(("m", 5.0, 1, 1), ("m", 9.0, 2, 2), ("m", -7.0, 3, 3)))
        store.log_batch(run, metrics(("m", 2.0, 4, 4), ("m", math.nan, 1, 0), ("only", math.nan, 1, 0)))
        for aggregate, value in ((Aggregate.LATEST, 2), (Aggregate.MIN, -7), (Aggregate.MAX, 9)):
            assert found(store, where("metric.m", "=", value, aggregate=aggregate)) == [run]
            assert found(store, where("metric.m", "!=", value, aggregate=aggregate)) == []
        for name in ("m", "only"):
            assert found(store, where(f"metric.{name}", "!=", 5, aggregate=Aggregate.FIRST)) == [run]
            assert found(store, where(f"metric.{name}", ">=", -math.inf, aggregate=Aggregate.FIRST)) == []
        for aggregate in Aggregate:
            assert found(store, where("metric.only", "IS NOT NULL", aggregate=aggregate)) == [run]
            assert found(store, where("metric.only", "<=", math.inf, aggregate=aggregate)) == []

    @pytest.mark.parametrize(
        ("value", "pattern", "matches"),
        [
            ("É", "é", "ILIKE"),
            ("é", "é", "LIKE ILIKE"),
            ("e\u0301", "é", ""),
            ("e\u0301", "__", "LIKE ILIKE"),
            ("😀x", "_x", "LIKE ILIKE"),
            ("ΣΑΣ", "σας", "ILIKE"),
            ("a\nb", "a%b", "LIKE ILIKE"),
            ("a\nb", "a_b", "LIKE ILIKE"),
            ("[a]*?", "[A]*?", "ILIKE"),
            ("x", "[a-z]", ""),
            ("a\\b", "a\\b", "LIKE ILIKE"),
            ("a%", "a\\%", ""),
            ("x ", "x", ""),
            ("", "", "LIKE ILIKE"),
            ("", "%", "LIKE ILIKE"),
            ("", "_", ""),
        ],
    )
    def test_patterns(self, store: TrackingStore, value: str, pattern: str, matches: str) -> None:
        run = new_run(store, run_name=value or "x")
        store.log_batch(run, RunBatch(params=(("p", value),), tags=(("t", value),)))
        keys = ["param.p", "tag.t"] + (["run_name"] if value else [])
        for key in keys:
            for operator in ("LIKE", "ILIKE"):
                expected = operator in matches.split()
                assert bool(found(store, where(key, operator, pattern))) == expected, (key, operator)
                assert bool(found(store, where(key, f"NOT {operator}", pattern))) != expected, (key, operator)

    def test_only_the_stages_and_experiments_asked_for(self, store: TrackingStore) -> None:
        other = new_experiment(store, "other")
        here, gone, there = new_run(store), new_run(store), new_run(store, other)
        set_stage(store, gone, DELETED)

        def ids(experiments: list[str], stages: frozenset[str]) -> set[str]:
            pages = pages_of_runs(store, experiments, search(stages=stages))
            got = [run.info.run_id for page in pages for run in page]
            assert len(got) == len(set(got))
            return set(got)

        assert ids(["0"], frozenset({ACTIVE})) == {here}
        assert ids(["0"], frozenset({DELETED})) == {gone}
        assert ids(["0"], ALL_STAGES) == {here, gone}
        assert ids(["0", other], ALL_STAGES) == {here, gone, there}
        assert ids(["0", other, "0", other], frozenset({ACTIVE})) == {here, there}
        assert ids([other, "999", "abc", "", " 0", "00"], ALL_STAGES) == {there}
        assert ids([], ALL_STAGES) == set()
        assert ids([*(str(10_000 + i) for i in range(3000)), other], ALL_STAGES) == {there}

    def test_runs_come_with_all_that_was_logged(self, store: TrackingStore) -> None:
        fill(store)
        got = store.search_runs(["0"], search()).items
        assert len(got) == 4
        for run in got:
            assert repr(run) == repr(store.get_run(run.info.run_id))

    def test_long_lists_of_values(self, store: TrackingStore) -> None:
        run = new_run(store, start_time=77)
        store.log_batch(run, RunBatch(params=(("p", "v77"),)))
        store.log_batch(run, metrics(("m", 77.0, 1, 0)))
        texts = [f"v{i}" for i in range(2000)]
        numbers = list(range(2000))
        assert found(store, where("param.p", "IN", *texts)) == [run]
        assert found(store, where("param.p", "NOT IN", *texts)) == []
        assert found(store, where("metric.m", "IN", *numbers)) == [run]
        assert found(store, where("metric.m", "NOT IN", *numbers)) == []
        assert found(store, where("start_time", "IN", *numbers)) == [run]
        assert found(store, where("run_id", "NOT IN", *texts)) == [run]

    def test_deep_and_wide_filters(self, store: TrackingStore) -> None:
        run = new_run(store, start_time=NOW)
        store.log_batch(run, tags(("t", "v")))
        here, away = where("tag.t", "=", "v"), where("tag.t", "=", "w")
        deep: Filter = here
        for _ in range(12):
            deep = And((Not(Or((away, Not(deep)))), here))
        assert found(store, deep) == [run]
        assert found(store, And((here,) * 200)) == [run]
        assert found(store, Or((away,) * 200)) == []
