"""What every store promises about the history of a metric: order, pages, samples."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store_contract.make import comparable, history, metrics, new_run
from tracklane_server.contract.entities import Metric
from tracklane_server.store import TrackingStore
from tracklane_server.store.sampling import sample

VALUES = st.sampled_from([0.0, 1.0, -1.0, 2.5, 1e308, math.inf, -math.inf, math.nan])
# Histories as training loops make them (steps and times rise together) and as nothing should.
TIDY = st.lists(st.tuples(VALUES, st.integers(0, 3), st.integers(0, 40)), max_size=60).map(
    lambda rows: [
        ("m", value, 100 + sum(r[1] for r in rows[: i + 1]), sum(r[2] for r in rows[: i + 1]))
        for i, (value, _, _) in enumerate(rows)
    ]
)
WILD = st.lists(
    st.tuples(st.just("m"), VALUES, st.integers(0, 5), st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1)),
    max_size=60,
)
BOUND = st.none() | st.integers(-6, 30) | st.integers(-(2**63), 2**63 - 1)
RELAXED = settings(
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)


def order(point: Metric) -> tuple[int, int, bool, float]:
    is_nan = point.value != point.value
    return (point.timestamp, point.step, is_nan, 0.0 if is_nan else point.value)


def distinct(rows: list[tuple[str, float, int, int]]) -> list[Metric]:
    return sorted({repr(row): Metric(*row) for row in rows}.values(), key=order)


class HistoryContract:
    def test_history_is_ordered_by_time_step_and_value_with_nan_last(self, store: TrackingStore) -> None:
        run = new_run(store)
        expected = [
            Metric("m", 9.0, 1, 5),
            Metric("m", 0.0, 2, -1),
            Metric("m", -math.inf, 2, 0),
            Metric("m", -1.0, 2, 0),
            Metric("m", 3.0, 2, 0),
            Metric("m", math.inf, 2, 0),
            Metric("m", math.nan, 2, 0),
            Metric("m", 0.0, 2, 1),
            Metric("m", 0.0, 3, 0),
        ]
        shuffled = expected[::2] + expected[1::2][::-1]
        store.log_batch(run, metrics(*(tuple(point) for point in shuffled)))
        assert comparable(history(store, run, "m")) == comparable(expected)

    def test_an_unknown_key_has_no_points(self, store: TrackingStore) -> None:
        run, other = new_run(store), new_run(store)
        store.log_batch(other, metrics(("m", 1.0, 1, 0)))
        assert store.get_metric_history(run, "m") == ([], None)
        assert store.sample_metric_history(run, "m", 10) == []
        assert store.get_metric_history(other, "M") == ([], None)

    def test_a_page_is_the_last_when_nothing_follows(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(*(("m", float(i), i, i) for i in range(4))))
        first = store.get_metric_history(run, "m", 2)
        assert [point.step for point in first.items] == [0, 1]
        second = store.get_metric_history(run, "m", 2, first.next)
        assert [point.step for point in second.items] == [2, 3]
        assert second.next is None

    def test_pages_stay_stable_while_points_are_added(self, store: TrackingStore) -> None:
        run = new_run(store)
        store.log_batch(run, metrics(*(("m", float(i), 10 + i, i) for i in range(4))))
        first = store.get_metric_history(run, "m", 2)
        store.log_batch(run, metrics(("m", 7.0, 1, 9), ("m", 8.0, 12, -3)))
        rest = store.get_metric_history(run, "m", None, first.next)
        assert [(point.timestamp, point.step) for point in rest.items] == [(12, -3), (12, 2), (13, 3)]

    def test_a_long_history_comes_whole_and_in_pages(self, store: TrackingStore) -> None:
        run = new_run(store)
        points = [Metric("m", i / 7, 1000 + i // 3, i) for i in range(3000)]
        for start in range(0, 3000, 1000):
            store.log_batch(run, metrics(*(tuple(p) for p in points[start : start + 1000])))
        assert history(store, run, "m") == points
        assert paged(store, run, 700) == points
        for bounds in ((None, None), (100, 2000), (2999, None), (3000, None), (None, -1)):
            for count in (1, 4, 5, 320):
                assert store.sample_metric_history(run, "m", count, *bounds) == sample(points, count, *bounds)

    @RELAXED
    @given(rows=TIDY | WILD, limit=st.integers(1, 7))
    def test_pages_together_are_the_history(
        self, store: TrackingStore, rows: list[tuple[str, float, int, int]], limit: int
    ) -> None:
        run = logged(store, rows)
        expected = distinct(rows)
        assert comparable(history(store, run, "m")) == comparable(expected)
        assert comparable(paged(store, run, limit)) == comparable(expected)

    @RELAXED
    @given(rows=TIDY | WILD, count=st.integers(1, 25), first=BOUND, last=BOUND)
    def test_sample_is_that_of_the_definition(
        self,
        store: TrackingStore,
        rows: list[tuple[str, float, int, int]],
        count: int,
        first: int | None,
        last: int | None,
    ) -> None:
        run = logged(store, rows)
        expected = sample(distinct(rows), count, first, last)
        assert comparable(store.sample_metric_history(run, "m", count, first, last)) == comparable(expected)


def logged(store: TrackingStore, rows: list[tuple[str, float, int, int]]) -> str:
    """A new run with these points, logged in batches of different sizes."""
    run, start, size = new_run(store), 0, 1
    while start < len(rows):
        store.log_batch(run, metrics(*rows[start : start + size]))
        start, size = start + size, size * 3
    return run


def paged(store: TrackingStore, run: str, limit: int) -> list[Metric]:
    points: list[Metric] = []
    after = None
    while True:
        page = store.get_metric_history(run, "m", limit, after)
        assert len(page.items) <= limit
        points += page.items
        if page.next is None:
            return points
        after = page.next
