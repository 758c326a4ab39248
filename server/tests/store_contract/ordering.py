"""What every store promises about the order of a search and its pages."""

import math
from collections.abc import Callable

from store_contract.make import NEWEST, found, key, metrics, new_run, pages_of_runs, search, tags, where
from store_contract.search import fill
from tracklane_server.contract.entities import RunBatch
from tracklane_server.search.ast import Aggregate, OrderTerm
from tracklane_server.search.paging import decode_token, encode_token
from tracklane_server.store import TrackingStore


def by(text: str, ascending: bool = True, aggregate: Aggregate = Aggregate.LATEST) -> tuple[OrderTerm, ...]:
    """This key first, then the wire contract's own two."""
    return (OrderTerm(key(text, aggregate), ascending), *NEWEST)


class OrderingContract:
    def test_orders_of_the_wire_contract(self, store: TrackingStore) -> None:
        fill(store)
        for order, expected in [
            (NEWEST, "dgba"),
            (by("run_id"), "abdg"),
            (by("run_id", False), "gdba"),
            (by("metric.acc"), "dbag"),
            (by("metric.acc", False), "gabd"),
            (by("metric.loss"), "gabd"),
            (by("metric.loss", False), "agbd"),
            (by("metric.nope"), "dgba"),
            (by("param.lr"), "abgd"),
            (by("param.lr", False), "gbad"),
            (by("param.opt"), "abdg"),
            (by("tag.team"), "gabd"),
            (by("tag.team", False), "bagd"),
            (by("run_name"), "gabd"),
            (by("run_name", False), "dbag"),
            (by("start_time"), "abdg"),
            (by("end_time"), "abdg"),
            (by("end_time", False), "badg"),
            (by("duration"), "badg"),
            (by("status"), "badg"),
            (by("status", False), "dgba"),
            (by("user_id", False), "dgba"),
        ]:
            for limit in (1, 2, 3, 100):
                assert "".join(found(store, order=order, limit=limit)) == expected, (order, limit)

    def test_numbers_order_before_nan_before_nothing_both_ways(self, store: TrackingStore) -> None:
        values = {"e": -math.inf, "f": -1.0, "h": 0.0, "i": 1.7976931348623157e308, "j": math.inf, "n": math.nan}
        for run, value in values.items():
            new_run(store, run_id=run)
            store.log_batch(run, metrics(("m", value, 1, 0)))
        new_run(store, run_id="z")
        for limit in (1, 2, 7):
            assert "".join(found(store, order=by("metric.m"), limit=limit)) == "efhijnz"
            assert "".join(found(store, order=by("metric.m", False), limit=limit)) == "jihfenz"

    def test_aggregates_order_by_the_whole_history(self, store: TrackingStore) -> None:
        for run, values in {
            "a": [1.0, 5.0, 3.0],
            "b": [2.0, -1.0, 4.0],
            "c": [3.0, math.nan, 0.0],
            "d": [math.nan],
        }.items():
            new_run(store, run_id=run)
            store.log_batch(run, metrics(*(("m", value, step, step) for step, value in enumerate(values))))
        for aggregate, expected in [
            (Aggregate.LATEST, "cabd"),
            (Aggregate.FIRST, "abcd"),
            (Aggregate.MIN, "bcad"),
            (Aggregate.MAX, "cbad"),
        ]:
            for limit in (1, 3, 10):
                assert "".join(found(store, order=by("metric.m", True, aggregate), limit=limit)) == expected

    def test_text_orders_by_its_utf8_bytes(self, store: TrackingStore) -> None:
        texts = ["", " ", "10", "9", "A", "Z", "a", "a ", "a\u0301", "b", "z", "é", "\uffff", "😀"]
        for index, text in enumerate(reversed(texts)):
            run = new_run(store, run_id=f"r{index}")
            store.log_batch(run, RunBatch(params=(("p", text),), tags=(("t", text),)))
        for text in ("param.p", "tag.t"):
            for limit in (1, 5, 100):
                pages = pages_of_runs(store, ["0"], search(order=by(text), limit=limit))
                assert [run.params["p"] for page in pages for run in page] == texts
                pages = pages_of_runs(store, ["0"], search(order=by(text, False), limit=limit))
                assert [run.params["p"] for page in pages for run in page] == texts[::-1]

    def test_several_keys_order_one_after_the_other(self, store: TrackingStore) -> None:
        for run, team, value in [("a", "x", 1.0), ("b", "y", 2.0), ("c", "x", 2.0), ("d", "y", None), ("e", "x", 2.0)]:
            new_run(store, run_id=run)
            store.log_batch(run, tags(("team", team)))
            if value is not None:
                store.log_batch(run, metrics(("m", value, 1, 0)))
        order = (OrderTerm(key("tag.team"), False), OrderTerm(key("metric.m")), *by("run_id", False))
        for limit in (1, 2, 5):
            assert "".join(found(store, order=order, limit=limit)) == "bdaec"
        twice = (OrderTerm(key("metric.m"), False), OrderTerm(key("metric.m")), *NEWEST)
        assert "".join(found(store, order=twice, limit=2)) == "bcead"

    def test_order_and_filter_by_the_same_metric(self, store: TrackingStore) -> None:
        for index in range(20):
            run = new_run(store, run_id=f"r{index:02}")
            store.log_batch(run, metrics(("m", float(index % 5), 1, 0)))
        expected = [f"r{i:02}" for value in (3, 4) for i in range(20) if i % 5 == value]
        for limit in (1, 3, 100):
            assert found(store, where("metric.m", ">", 2), order=by("metric.m"), limit=limit) == expected

    def test_the_last_page_has_no_next(self, store: TrackingStore) -> None:
        for index in range(4):
            new_run(store, run_id=f"r{index}")
        for limit, sizes in [(1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4]), (5, [4])]:
            assert [len(page) for page in pages_of_runs(store, ["0"], search(limit=limit))] == sizes
        assert store.search_runs([], search()) == ([], None)

    def test_cursors_survive_a_page_token(self, store: TrackingStore) -> None:
        fill(store)
        for order in (by("metric.loss"), by("metric.acc", False), by("param.opt"), by("end_time", False), NEWEST):
            query, got = search(order=order, limit=1), ""
            while True:
                page = store.search_runs(["0"], query)
                got += "".join(run.info.run_id for run in page.items)
                if page.next is None:
                    break
                query = query._replace(after=decode_token(encode_token(page.next, "q"), "q"))
            assert got == "".join(found(store, order=order))

    def test_pages_stay_stable_while_runs_are_added(self, store: TrackingStore) -> None:
        def add(run: str, start: int, value: float) -> None:
            new_run(store, run_id=run, start_time=start)
            store.log_batch(run, metrics(("m", value, 1, 0)))

        def interrupted(order: tuple[OrderTerm, ...], between: Callable[[int], None]) -> list[str]:
            got, query = [], search(order=order, limit=2)
            for turn in range(100):
                page = store.search_runs(["0"], query)
                got += [run.info.run_id for run in page.items]
                if page.next is None:
                    return got
                between(turn)
                query = query._replace(after=page.next)
            raise AssertionError("the pages have no end")

        for index in range(6):
            add(f"r{index}", 100 + index, float(index % 3))
        newest = [f"r{index}" for index in reversed(range(6))]
        assert interrupted(NEWEST, lambda turn: add(f"n{turn}", 1_000 + turn, 9.0)) == newest
        got = interrupted(by("metric.m"), lambda turn: add(f"m{turn}", 5_000 + turn, -1.0 - turn))
        assert [run for run in got if run.startswith("r")] == ["r3", "r0", "r4", "r1", "r5", "r2"]
        assert len(got) == len(set(got))
