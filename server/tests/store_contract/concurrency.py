"""What every store promises to many writers at once: nothing is lost, nothing is doubled, nobody is turned away."""

import multiprocessing
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from store_contract.make import NOW, found, history, latest, locate, new_experiment, new_run, params
from tracklane_server.contract.entities import DELETED, Metric, RunBatch
from tracklane_server.contract.errors import InvalidParameterValue, ResourceAlreadyExists
from tracklane_server.store import TrackingStore, open_store

THREADS = 8
BATCHES = 15
PROCESSES = 3


def batch(writer: str, number: int) -> RunBatch:
    """One of a writer's batches: its own metric, one that all share, a param, a tag."""
    return RunBatch(
        metrics=(
            Metric(f"own/{writer}", float(number), NOW + number, number),
            Metric("shared", float(number), NOW, number),
        ),
        params=((f"p/{writer}/{number}", str(number)),),
        tags=((f"t/{writer}", str(number)), ("last", writer)),
    )


def write_batches(store: TrackingStore, run: str, writer: str) -> None:
    for number in range(BATCHES):
        store.log_batch(run, batch(writer, number))


def in_threads(work: Callable[[int], object], count: int = THREADS) -> list[object]:
    """The outcome of `work(i)` in so many threads that start together; an exception that escapes is raised."""
    gate = threading.Barrier(count)

    def start(index: int) -> object:
        gate.wait()
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(start, index) for index in range(count)]]


def process_of_writers(uri: str, run: str, process: int) -> None:
    store = open_store(uri)
    in_threads(lambda thread: write_batches(store, run, f"{process}-{thread}"), 4)
    store.close()


def opening_process(uri: str, ready: Callable[[], object], name: str) -> None:
    ready()
    store = open_store(uri)
    store.create_experiment(name, {}, NOW, locate)
    store.close()


def run_processes(target: Callable[..., None], arguments: list[tuple[object, ...]]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


class ConcurrencyContract:
    def assert_complete(self, store: TrackingStore, run: str, writers: list[str]) -> None:
        got = store.get_run(run)
        numbers = range(BATCHES)
        assert got.params == {f"p/{w}/{n}": str(n) for w in writers for n in numbers}
        assert got.tags.items() >= {f"t/{w}": str(BATCHES - 1) for w in writers}.items()
        assert got.tags["last"] in writers
        assert [point.step for point in history(store, run, "shared")] == list(numbers)
        for writer in writers:
            assert [point.value for point in history(store, run, f"own/{writer}")] == [float(n) for n in numbers]
        assert set(latest(store, run).values()) == {BATCHES - 1.0}

    def test_many_threads_on_one_run_lose_nothing(self, store: TrackingStore) -> None:
        run = new_run(store)
        in_threads(lambda index: write_batches(store, run, str(index)))
        self.assert_complete(store, run, [str(index) for index in range(THREADS)])

    def test_several_processes_on_one_run_lose_nothing(self, store: TrackingStore, uri: str) -> None:
        run = new_run(store)
        run_processes(process_of_writers, [(uri, run, process) for process in range(PROCESSES)])
        self.assert_complete(store, run, [f"{p}-{t}" for p in range(PROCESSES) for t in range(4)])

    def test_several_processes_may_open_a_new_store_at_once(self, uri: str) -> None:
        context = multiprocessing.get_context("spawn")
        gate = context.Barrier(PROCESSES)
        run_processes(opening_process, [(uri, gate.wait, f"e{index}") for index in range(PROCESSES)])
        store = open_store(uri)
        ids = {store.get_experiment_by_name(name).experiment_id for name in ["Default", "e0", "e1", "e2"]}
        assert len(ids) == 4
        store.close()

    def test_two_open_stores_see_each_others_writes(self, store: TrackingStore, uri: str) -> None:
        other = open_store(uri)
        run = new_run(store)
        for number in range(4):
            writer, reader = (store, other) if number % 2 else (other, store)
            writer.log_batch(
                run, RunBatch(metrics=(Metric(f"m{number}", 1.0, NOW, 0), Metric("m", float(number), NOW, number)))
            )
            assert latest(reader, run) == {"m": float(number), **{f"m{n}": 1.0 for n in range(number + 1)}}
            assert len(history(reader, run, "m")) == number + 1
        other.close()

    def test_readers_see_whole_batches_only(self, store: TrackingStore) -> None:
        run, stop, torn = new_run(store), threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                got = store.get_run(run)
                values = {metric.value for metric in got.metrics}
                if (
                    len(values) > 1
                    or len(got.metrics) not in (0, 5)
                    or (values and got.tags.get("n") != str(values.pop()))
                ):
                    torn.append(got)

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(40):
            points = tuple(Metric(f"m{i}", float(number), NOW, number) for i in range(5))
            store.log_batch(run, RunBatch(metrics=points, tags=(("n", str(float(number))),)))
        stop.set()
        reader.join()
        assert torn == []

    def test_a_name_is_taken_by_one_of_many(self, store: TrackingStore) -> None:
        def create(index: int) -> bool:
            try:
                return bool(new_experiment(store, "same"))
            except ResourceAlreadyExists:
                return False

        assert sum(map(bool, in_threads(create))) == 1

    def test_a_param_is_set_by_one_of_many(self, store: TrackingStore) -> None:
        run = new_run(store)

        def set_param(index: int) -> str | None:
            try:
                store.log_batch(run, params(p=str(index)))
            except InvalidParameterValue:
                return None
            return str(index)

        winners = [value for value in in_threads(set_param) if value is not None]
        assert winners == [store.get_run(run).params["p"]]

    def test_one_failing_writer_does_not_disturb_the_others(self, store: TrackingStore) -> None:
        run, deleted = new_run(store), new_run(store)
        store.update_run(deleted, lambda info: info._replace(lifecycle_stage=DELETED, deleted_time=NOW))
        store.log_batch(run, params(fixed="1"))

        def work(index: int) -> None:
            for number in range(10):
                if index % 2:
                    with pytest.raises(InvalidParameterValue):
                        store.log_batch(run, RunBatch((Metric(f"bad{index}", 1.0, NOW, number),), (("fixed", "2"),)))
                    with pytest.raises(InvalidParameterValue):
                        store.log_batch(deleted, batch(str(index), number))
                else:
                    store.log_batch(run, RunBatch(metrics=(Metric(f"good{index}", 1.0, NOW, number),)))

        in_threads(work)
        assert set(latest(store, run)) == {f"good{index}" for index in range(0, THREADS, 2)}
        assert all(len(history(store, run, f"good{index}")) == 10 for index in range(0, THREADS, 2))

    def test_edits_of_one_run_follow_each_other(self, store: TrackingStore) -> None:
        run = new_run(store, start_time=0)

        def count(_: int) -> None:
            for _ in range(10):
                store.update_run(run, lambda info: info._replace(end_time=(info.end_time or 0) + 1))

        in_threads(count, 4)
        assert store.get_run_info(run).end_time == 40

    def test_runs_made_by_many_threads_are_all_there(self, store: TrackingStore) -> None:
        made = in_threads(lambda index: [new_run(store, run_id=uuid.uuid4().hex) for _ in range(10)])
        assert sorted(found(store, limit=7)) == sorted(run for runs in made for run in runs)  # type: ignore[attr-defined]
