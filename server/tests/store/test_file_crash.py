"""The file store under kill -9, many writers, a full disk and a read-only folder."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from store_contract.make import (
    ALL_STAGES,
    NEWEST_EXPERIMENTS,
    NOW,
    found,
    history,
    latest,
    metrics,
    new_experiment,
    new_run,
    search,
    set_experiment_stage,
)

from tracklane_server.contract.entities import ACTIVE, DELETED, Metric, RunBatch
from tracklane_server.contract.errors import StorageFull, TemporarilyUnavailable, TrackingError
from tracklane_server.store import TrackingStore
from tracklane_server.store.file.change import Append, Change, Content, commit, recover
from tracklane_server.store.file.layout import INTENT
from tracklane_server.store.file.store import FileStore

ROUNDS = 15
POINTS = 300

# Logs batches that touch old and new metrics, params and tags; says the number of each when it is answered.
WRITER = """
import sys
sys.path[:0] = {path!r}
from store_contract.make import NOW
from tracklane_server.contract.entities import Metric, RunBatch
from tracklane_server.store import open_store
store, run, number = open_store({uri!r}), {run!r}, {start}
while True:
    number += 1
    points = [Metric("loss", 0.1 * i, NOW + i, {points} * number + i) for i in range({points})]
    points += [Metric("acc", float(number), NOW, number), Metric(f"new/{{number}}", 1.0, NOW, 0)]
    params = ((f"p/{{number}}", "x" * 500),)
    tags = (("last", str(number)), (f"t/{{number}}", "é"), ("mlflow.runName", f"run {{number}}"))
    store.log_batch(run, RunBatch(tuple(points), params, tags))
    print(number, flush=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mlruns"


@pytest.fixture
def store(root: Path) -> TrackingStore:
    return FileStore.open(str(root))


def batches_in(store: TrackingStore, run: str) -> list[int]:
    """The numbers of the writer's batches that are there; each must be whole."""
    got = store.get_run(run)
    numbers = sorted(int(key[2:]) for key in got.params if key.startswith("p/"))
    count = len(numbers)
    assert numbers == list(range(1, count + 1))
    assert {key for key in got.tags if key.startswith("t/")} == {f"t/{n}" for n in numbers}
    assert {key for key in latest(store, run) if key.startswith("new/")} == {f"new/{n}" for n in numbers}
    assert [point.step for point in history(store, run, "acc")] == numbers
    steps = sorted(point.step for point in history(store, run, "loss"))
    assert steps == list(range(POINTS, POINTS * (count + 1)))
    if count:
        assert (got.tags["last"], got.info.run_name) == (str(count), f"run {count}")
        assert got.tags["mlflow.runName"] == f"run {count}"
    return numbers


def test_a_killed_writer_leaves_whole_batches_only(store: TrackingStore, root: Path) -> None:
    run, acknowledged = new_run(store), 0
    for _ in range(ROUNDS):
        code = WRITER.format(path=sys.path, uri=str(root), run=run, start=acknowledged, points=POINTS)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline()]
            time.sleep(random.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
            said += writer.stdout.read().split("\n")
        acknowledged = max(int(line) for line in said if line.strip())
        stored = batches_in(FileStore.open(str(root)), run)
        assert len(stored) in (acknowledged, acknowledged + 1)
        acknowledged = len(stored)
    assert found(store) == [run]


def test_a_change_cut_off_anywhere_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die before each call that changes the folder, in turn."""
    change = Change(
        [Append("metrics/old", 8, "2 2.0 2\n3 3.0 3\n"), Append("metrics/new/x", 0, "1 1.0 1\n")],
        [Content("tags/a", "new"), Content("params/p/q", "1"), Content("tags/gone/x", None), Content("i/o", "", True)],
    )

    class Death(BaseException):
        pass

    calls = 0

    def dying(function: Callable[..., object], at: int) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Death
            return function(*args, **named)

        return call

    step = 0
    while True:
        step, calls = step + 1, 0
        folder = tmp_path / str(step)
        for path, text in {"metrics/old": "1 1.0 1\n", "tags/a": "old", "tags/gone/x": "old"}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        before = tree(folder)
        with monkeypatch.context() as patch:
            for name in ("write", "rename", "unlink", "mkdir", "rmdir", "truncate", "ftruncate"):
                patch.setattr(os, name, dying(getattr(os, name), step))
            try:
                commit(str(folder), change)
                died = False
            except Death:
                died = True
        was_begun = (folder / INTENT).exists()
        recover(str(folder))
        assert not (folder / INTENT).exists()
        (folder / ".tracklane-new").unlink(missing_ok=True)
        expected = {
            "metrics/old": "1 1.0 1\n2 2.0 2\n3 3.0 3\n",
            "metrics/new/x": "1 1.0 1\n",
            "tags/a": "new",
            "params/p/q": "1",
            "i/o": "",
        }
        assert tree(folder) == (expected if was_begun or not died else before), step
        if not died:
            assert step > 15
            return


def tree(folder: Path) -> dict[str, str]:
    return {str(it.relative_to(folder)): it.read_text() for it in folder.rglob("*") if it.is_file()}


@pytest.mark.parametrize("after", [0, 5, 20])
def test_an_append_cut_off_within_is_finished_and_keeps_what_others_added(tmp_path: Path, after: int) -> None:
    text = "2 2.0 2\n3 3.0 3\n4 4.0 4\n"
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").write_text("1 1.0 1\n")
    commit_until_dead(tmp_path, Change([Append("metrics/m", 8, text)], []))
    with (tmp_path / "metrics/m").open("a") as file:
        file.write(text[:after])
    recover(str(tmp_path))
    assert (tmp_path / "metrics/m").read_text() == "1 1.0 1\n" + text
    commit_until_dead(tmp_path, Change([Append("metrics/m", 8, text)], []))
    (tmp_path / "metrics/m").write_text("1 1.0 1\n" + text[:after] + "9 9.0 9\n")
    recover(str(tmp_path))
    assert (tmp_path / "metrics/m").read_text().startswith("1 1.0 1\n" + text)


def commit_until_dead(folder: Path, change: Change) -> None:
    """Leave the intent, and nothing of the change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracklane_server.store.file.change._apply", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            commit(str(folder), change)
    assert (folder / INTENT).exists()


def test_a_reader_finishes_what_a_dead_writer_began(store: TrackingStore, root: Path) -> None:
    run = new_run(store)
    folder = root / "0" / run
    commit_until_dead(
        folder,
        Change([Append("metrics/m", 0, "1 1.0 1\n2 2.0 2\n")], [Content("tags/t", "1"), Content("params/p", "2")]),
    )
    got = store.get_run(run)
    assert (got.tags["t"], got.params, [it.value for it in got.metrics]) == ("1", {"p": "2"}, [2.0])
    assert found(store) == [run]


def test_a_torn_intent_is_dropped(store: TrackingStore, root: Path) -> None:
    run = new_run(store)
    (root / "0" / run / INTENT).write_text('{"appends": [["me')
    assert store.get_run(run).info.run_id == run
    store.log_batch(run, metrics(("m", 1.0, 1, 0), ("m", 2.0, 2, 0)))
    assert len(history(store, run, "m")) == 2


@pytest.mark.parametrize("stage", [DELETED, ACTIVE])
def test_a_killed_delete_or_restore_of_an_experiment_is_finished(store: TrackingStore, root: Path, stage: str) -> None:
    before = ACTIVE if stage == DELETED else DELETED
    for dying_at in range(8):
        id = new_experiment(store, f"{stage} {dying_at}")
        runs = [new_run(store, id) for _ in range(3)]
        if before == DELETED:
            set_experiment_stage(store, id, DELETED, NOW + 1)
        child = multiprocessing.get_context("fork").Process(target=die_at, args=(store, id, stage, dying_at))
        child.start()
        child.join()
        others = FileStore.open(str(root))
        got = others.get_experiment(id)
        stages = {others.get_run_info(run).lifecycle_stage for run in runs}
        assert stages == {got.lifecycle_stage}
        assert {others.get_run_info(run).deleted_time for run in runs} == {
            None if got.lifecycle_stage == ACTIVE else got.last_update_time
        }
        assert (root / id).exists() == (got.lifecycle_stage == ACTIVE)
        page = others.search_runs([id], search(stages=[got.lifecycle_stage]))
        assert {run.info.run_id for run in page.items} == set(runs)
        others.close()


def die_at(store: TrackingStore, experiment_id: str, stage: str, renames: int) -> None:
    rename, count = os.rename, 0

    def dying(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count > renames:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.rename = dying  # type: ignore[assignment]
    set_experiment_stage(store, experiment_id, stage, NOW + 5)


def in_child(work: Callable[[], None]) -> None:
    """Run in a process of its own, whose limits and rights may be spoiled."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def big_batch(number: int) -> RunBatch:
    points = tuple(Metric(f"m{i % 3}", i / 7, NOW + i, number * 1000 + i) for i in range(900))
    return RunBatch(points, ((f"p{number}", "x" * 100),), (("t", str(number)), (f"t/{number}", "y")))


def test_a_file_that_may_not_grow_rolls_the_whole_batch_back(store: TrackingStore, root: Path) -> None:
    """EFBIG comes where ENOSPC would: in the midst of an append."""
    run = new_run(store)
    for number in range(6):
        store.log_batch(run, big_batch(number))
    before = store.get_run(run)
    size = (root / "0" / run / "metrics/m0").stat().st_size

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        own = FileStore.open(str(root))
        for limit in (12_000, size + 1000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            with pytest.raises(StorageFull):
                own.log_batch(run, big_batch(6))
            assert own.get_run(run) == before

    in_child(work)
    assert store.get_run(run) == before
    assert not (root / "0" / run / INTENT).exists()
    store.log_batch(run, big_batch(6))
    assert len(history(store, run, "m0")) == 2100


def test_a_full_disk_refuses_and_stays_readable(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    tool = shutil.which("mount")
    if tool is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    if subprocess.run([tool, "-t", "tmpfs", "-o", "size=400k", "none", str(mount)], check=False).returncode:
        pytest.skip("this container may not mount a small disk")
    try:
        fill_disk(FileStore.open(str(mount / "mlruns")), mount / "ballast")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def fill_disk(store: FileStore, ballast: Path) -> None:
    """Let the room run out at every point of a batch in turn."""
    run, number, refused = new_run(store), 0, 0
    for free in range(0, 100_000, 4096):
        disk = os.statvfs(ballast.parent)
        ballast.write_bytes(b"x" * max(0, disk.f_bavail * disk.f_frsize - free))
        try:
            store.log_batch(run, big_batch(number))
            number += 1
        except StorageFull:
            refused += 1
        got = store.get_run(run)
        assert (len(got.params), got.tags.get("t")) == (number, str(number - 1) if number else None)
        assert all(len(history(store, run, f"m{i}")) == 300 * number for i in range(3))
        if free == 0:
            assert [it.info.run_id for it in store.search_runs(["0"], search()).items] == [run]
            for make in (lambda: new_experiment(store, "another"), lambda: new_run(store)):
                with pytest.raises(StorageFull):
                    make()
        ballast.unlink()
    assert refused > 5
    assert number > 3
    assert found(store) == [run]
    assert [it.name for it in store.search_experiments(search(order=NEWEST_EXPERIMENTS)).items] == ["Default"]
    store.close()


def test_a_read_only_folder_refuses_and_stays_readable(store: TrackingStore, root: Path) -> None:
    run = new_run(store, tags={"a": "b"})
    store.log_batch(run, big_batch(0))
    before, experiment = store.get_run(run), store.get_experiment("0")
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in [*root.parents][:-1]:
        if parent.owner() == root.owner() and parent != Path("/tmp"):
            parent.chmod(0o755)

    def work() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        own = FileStore.open(str(root))
        writes: list[Callable[[], object]] = [
            lambda: own.log_batch(run, metrics(("m0", 1.0, 1, 0))),
            lambda: own.log_batch(run, big_batch(1)),
            lambda: own.edit_tag(run, "a", lambda _: None),
            lambda: own.update_run(run, lambda info: info._replace(status="FAILED")),
            lambda: new_run(own),
            lambda: new_experiment(own, "x"),
            lambda: own.purge_run(run),
        ]
        for write in writes:
            with pytest.raises(TemporarilyUnavailable):
                write()
        assert own.get_run(run) == before
        assert own.get_experiment("0") == experiment
        assert found(own) == [run]
        assert found(own, stages=ALL_STAGES) == [run]
        own.close()

    try:
        in_child(work)
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755)
    assert store.get_run(run) == before


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError):
        FileStore.open(str(tmp_path / "file" / "mlruns"))


def test_a_forked_child_may_go_on_with_its_parents_store(store: TrackingStore) -> None:
    run = new_run(store)
    assert found(store) == [run]

    def work() -> None:
        store.log_batch(run, metrics(("child", 1.0, 1, 0)))
        assert found(store) == [run]
        assert latest(store, run)["child"] == 1.0

    in_child(work)
    store.log_batch(run, metrics(("parent", 1.0, 1, 0)))
    (got,) = store.search_runs(["0"], search()).items
    assert {it.key for it in got.metrics} == {"child", "parent"}
