"""What every store promises about batches: metrics, params, exact values, all or nothing."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store_contract.make import (
    INT64_MAX,
    NOW,
    comparable,
    dataset,
    history,
    latest,
    metrics,
    new_run,
    params,
    search,
    where,
)
from tracklane_server.contract.entities import Metric, RunBatch
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.ast import Aggregate, And
from tracklane_server.store import TrackingStore

EXACT = [0.1, 0.1 + 0.2, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 2.0**53 + 1, 1e22, 1 / 3]
SPECIAL = [math.inf, -math.inf, math.nan]
KEYS = [" ", "  x", "x ", ".a", "a.", "a:b", "x", "x/y", "x/y/z", "é", "e\u0301", "日本", "A", "a", "😀" * 250]
TEXTS = ["", " ", "x ", " x", "line\nbreak", "tab\t", "\r\n", "'", '"', "\\", "%_", "é", "e\u0301", "😀", "NaN", "1e5"]

NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, math.nan])
POINTS = st.lists(st.tuples(st.just("m"), NUMBERS, st.integers(0, 3), st.integers(-2, 2)), min_size=1, max_size=12)


class LoggingContract:
    def test_latest_value_is_that_of_the_highest_step_time_and_value(self, store: TrackingStore) -> None:
        run = new_run(store)
        for value, timestamp, step, expected in [
            (1, 10, 0, 1),
            (2, 5, 0, 1),
            (3, 10, 0, 3),
            (2.5, 10, 0, 3),
            (9, 1, -1, 3),
            (0, 1, 1, 0),
            (7, 0, 1, 0),
        ]:
            store.log_batch(run, metrics(("m", float(value), timestamp, step)))
            assert latest(store, run) == {"m": expected}
        assert store.get_run(run).metrics == (Metric("m", 0.0, 1, 1),)

    def test_nan_gives_way_to_a_number_of_equal_step_and_time(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(("m", math.nan, 1, 0)))
        assert math.isnan(latest(store, run)["m"])
        store.log_batch(run, metrics(("m", -3.0, 1, 0)))
        store.log_batch(run, metrics(("m", math.nan, 1, 0)))
        assert latest(store, run) == {"m": -3.0}
        store.log_batch(run, metrics(("m", math.nan, 2, 0)))
        assert math.isnan(latest(store, run)["m"])

    def test_numbers_are_kept_exactly(self, store: TrackingStore) -> None:
        run = new_run(store)
        values = [*EXACT, *SPECIAL]
        store.log_batch(run, metrics(*((f"m{i}", value, NOW, 0) for i, value in enumerate(values))))
        for i, value in enumerate(values):
            (point,) = history(store, run, f"m{i}")
            assert comparable([point]) == comparable([Metric(f"m{i}", value, NOW, 0)])
            assert isinstance(point.value, float)
        got = {metric.key: metric for metric in store.get_run(run).metrics}
        assert comparable(got[f"m{i}"] for i in range(len(values))) == comparable(
            Metric(f"m{i}", value, NOW, 0) for i, value in enumerate(values)
        )

    def test_minus_zero_equals_zero(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(("m", -0.0, 1, 0), ("m", 0.0, 1, 0)))
        assert [point.value for point in history(store, run, "m")] == [0.0]

    def test_whole_numbers_come_back_as_floats(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(("m", 3.0, 1, 0)))
        assert [type(point.value) for point in history(store, run, "m")] == [float]
        assert [type(point.value) for point in store.get_run(run).metrics] == [float]

    def test_int64_extremes_are_kept(self, store: TrackingStore) -> None:
        run = new_run(store, start_time=INT64_MAX, end_time=INT64_MAX)
        points = [Metric("m", 1.0, INT64_MAX, INT64_MAX), Metric("m", 1.0, 0, -INT64_MAX - 1)]
        store.log_batch(run, RunBatch(metrics=tuple(points)))
        assert history(store, run, "m") == points[::-1]
        assert store.get_run(run).metrics == (points[0],)
        assert store.get_run_info(run).end_time == INT64_MAX
        assert store.sample_metric_history(run, "m", 10) == points[::-1]
        assert store.sample_metric_history(run, "m", 2) == points[::-1]

    def test_equal_points_are_stored_once(self, store: TrackingStore) -> None:
        run = new_run(store)
        batch = metrics(
            ("m", 1.0, 1, 0),
            ("m", 1.0, 1, 0),
            ("m", math.nan, 1, 0),
            ("m", math.nan, 1, 0),
            ("m", math.inf, 1, 0),
            ("m", 1.7976931348623157e308, 1, 0),
            ("m", 1.0, 2, 0),
            ("m", 1.0, 1, 1),
            ("n", 1.0, 1, 0),
        )
        for _ in range(2):
            store.log_batch(run, batch)
        assert comparable(history(store, run, "m")) == comparable(
            [
                Metric("m", 1.0, 1, 0),
                Metric("m", 1.7976931348623157e308, 1, 0),
                Metric("m", math.inf, 1, 0),
                Metric("m", math.nan, 1, 0),
                Metric("m", 1.0, 1, 1),
                Metric("m", 1.0, 2, 0),
            ]
        )
        assert len(history(store, run, "n")) == 1

    def test_of_equal_points_the_first_names_the_dataset(self, store: TrackingStore) -> None:
        run = new_run(store)
        plain, named = Metric("m", 1.0, 1, 0), Metric("m", 1.0, 1, 0, "ds", "d1")
        store.log_batch(run, RunBatch(metrics=(plain, named)))
        store.log_batch(run, RunBatch(metrics=(named, Metric("m", 0.5, 0, -1))))
        assert store.get_run(run).metrics == (plain,)
        assert plain in history(store, run, "m")

    def test_every_key_is_kept_apart(self, store: TrackingStore) -> None:
        run = new_run(store)
        numbered = list(enumerate(KEYS))
        store.log_batch(
            run,
            RunBatch(
                metrics=tuple(Metric(key, float(i), NOW, 0) for i, key in numbered),
                params=tuple((key, str(i)) for i, key in numbered),
                tags=tuple((key, str(i)) for i, key in numbered),
            ),
        )
        got = store.get_run(run)
        assert latest(store, run) == {key: float(i) for i, key in numbered}
        assert got.params == {key: str(i) for i, key in numbered}
        assert got.tags == {"mlflow.runName": "a run", **{key: str(i) for i, key in numbered}}
        for i, it in numbered:
            assert history(store, run, it) == [Metric(it, float(i), NOW, 0)]

    def test_texts_are_kept_exactly(self, store: TrackingStore) -> None:
        run = new_run(store)
        pairs = tuple((f"k{i}", text) for i, text in enumerate([*TEXTS, "😀" * 6000]))
        store.log_batch(run, RunBatch(params=pairs, tags=pairs))
        assert store.get_run(run).params == dict(pairs)
        assert store.get_run(run).tags == {"mlflow.runName": "a run", **dict(pairs)}

    def test_a_param_keeps_its_first_value(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, params(a="1", b=""))
        store.log_batch(run, params(a="1", b="", c="2"))
        for batch in (params(a="1 "), params(b="x"), params(a="")):
            with pytest.raises(InvalidParameterValue):
                store.log_batch(run, batch)
        assert store.get_run(run).params == {"a": "1", "b": "", "c": "2"}

    def test_a_refused_batch_leaves_nothing_behind(self, store: TrackingStore) -> None:
        run = new_run(store, run_name="name", tags={"t": "old"})
        store.log_batch(run, params(a="1"))
        before = store.get_run(run)
        with pytest.raises(InvalidParameterValue):
            store.log_batch(
                run,
                RunBatch(
                    metrics=(Metric("m", 1.0, 1, 0),),
                    params=(("new", "x"), ("a", "2")),
                    tags=(("t", "new"), ("mlflow.runName", "renamed")),
                    dataset_inputs=(dataset("d"),),
                    model_inputs=("m-1",),
                ),
            )
        assert store.get_run(run) == before
        assert history(store, run, "m") == []
        assert store.search_datasets(["0"], 10) == []
        assert store.search_runs(["0"], search(where("metric.m", ">", 0.0))).items == []
        store.log_batch(run, metrics(("m", 1.0, 1, 0)))
        assert latest(store, run) == {"m": 1.0}

    def test_an_empty_batch_changes_nothing(self, store: TrackingStore) -> None:
        run = new_run(store)
        before = store.get_run(run)
        store.log_batch(run, RunBatch())
        assert store.get_run(run) == before

    def test_a_full_batch_of_many_keys(self, store: TrackingStore) -> None:
        run = new_run(store)
        points = tuple(Metric(f"m{i % 100}", float(i), NOW + i, i) for i in range(1000))
        store.log_batch(run, RunBatch(metrics=points))
        store.log_batch(run, RunBatch(params=tuple((f"p{i}", str(i)) for i in range(100))))
        assert latest(store, run) == {f"m{i}": 900.0 + i for i in range(100)}
        assert history(store, run, "m7") == [point for point in points if point.key == "m7"]
        assert len(store.get_run(run).params) == 100

    def test_the_dataset_of_a_point_is_kept(self, store: TrackingStore) -> None:
        run = new_run(store)
        points = [Metric("m", 1.0, 1, 0, "train", "d1"), Metric("m", 2.0, 2, 0), Metric("m", 3.0, 3, 0, "eval", "d2")]
        store.log_batch(run, RunBatch(metrics=tuple(points)))
        assert history(store, run, "m") == points
        assert store.get_run(run).metrics == (points[-1],)
        assert store.sample_metric_history(run, "m", 10) == points

    @settings(
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
        deadline=None,
    )
    @given(batches=st.lists(POINTS, min_size=1, max_size=3))
    def test_aggregates_do_not_depend_on_the_order_of_writing(
        self, store: TrackingStore, batches: list[list[tuple[str, float, int, int]]]
    ) -> None:
        run = new_run(store)
        for batch in batches:
            store.log_batch(run, metrics(*batch))
        points = {
            ("NaN" if p.value != p.value else p.value, p.step, p.timestamp): p
            for b in batches
            for p in metrics(*b).metrics
        }
        expected = expected_aggregates(list(points.values()))
        assert len(history(store, run, "m")) == len(points)
        assert repr(latest(store, run)["m"] + 0.0) == repr(expected[Aggregate.LATEST] + 0.0)
        this_run = where("run_id", "=", run)
        for aggregate, value in expected.items():
            if value == value:
                condition = where("metric.m", "=", value, aggregate=aggregate)
                matches = [True]
            else:
                condition = where("metric.m", "BETWEEN", -math.inf, math.inf, aggregate=aggregate)
                matches = []
            page = store.search_runs(["0"], search(And((this_run, condition))))
            assert [True for _ in page.items] == matches, (aggregate, value)


def expected_aggregates(points: list[Metric]) -> dict[Aggregate, float]:
    numbers = [p.value for p in points if p.value == p.value]

    def number_wins(p: Metric, sign: int) -> tuple[int, int, bool, float]:
        is_number = p.value == p.value
        return (p.step, p.timestamp, is_number if sign > 0 else not is_number, p.value if is_number else 0.0)

    return {
        Aggregate.LATEST: max(points, key=lambda p: number_wins(p, 1)).value,
        Aggregate.FIRST: min(points, key=lambda p: number_wins(p, -1)).value,
        Aggregate.MIN: min(numbers, default=math.nan),
        Aggregate.MAX: max(numbers, default=math.nan),
    }
