"""What SQLite does when the world fails it: death at any moment, no space, no permission, a damaged file."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_contract.make import NOW, history, latest, metrics, new_run

from tracklane_server.contract.entities import Metric, RunBatch
from tracklane_server.contract.errors import StorageFull, TemporarilyUnavailable
from tracklane_server.store import open_store
from tracklane_server.store.sql.database import Database
from tracklane_server.store.sql.sqlite import SqliteDriver
from tracklane_server.store.sql.statement import Connection
from tracklane_server.store.sql.store import SqlStore

WRITERS = 3
KEYS = 7

# Writers that log batches one after the other, and say each that was acknowledged.
WRITE = """
import sys, threading
from tracklane_server.contract.entities import Metric, RunBatch
from tracklane_server.store import open_store

uri, run, writers, keys = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = open_store(uri)

def write(writer):
    number = 0
    while True:
        points = tuple(Metric(f"{writer}/{key}", float(number), number, number) for key in range(keys))
        store.log_batch(run, RunBatch(points, ((f"{writer}/{number}", "x"),), ((f"{writer}", str(number)),)))
        sys.stdout.write(f"{writer} {number}\\n")
        sys.stdout.flush()
        number += 1

for writer in range(writers):
    threading.Thread(target=write, args=(writer,)).start()
"""


@pytest.mark.parametrize("seed", range(3))
def test_acknowledged_batches_survive_kill_9_and_none_is_torn(tmp_path: Path, seed: int) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    store = open_store(uri)
    run = new_run(store)
    store.close()
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, uri, run, str(WRITERS), str(KEYS)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        time.sleep(random.Random(seed).uniform(0.05, 0.6))
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    acknowledged = dict.fromkeys(range(WRITERS), -1)
    for line in lines:
        if line.endswith("\n"):
            writer, number = map(int, line.split())
            acknowledged[writer] = max(acknowledged[writer], number)
    store = open_store(uri)
    got = store.get_run(run)
    for writer, last in acknowledged.items():
        numbers = {len(history(store, run, f"{writer}/{key}")) for key in range(KEYS)}
        numbers.add(sum(key.startswith(f"{writer}/") for key in got.params))
        assert len(numbers) == 1, "a batch is stored in part"
        (stored,) = numbers
        assert stored > last
        assert stored == 0 or got.tags[str(writer)] == str(stored - 1)
        assert all(latest(store, run)[f"{writer}/{key}"] == stored - 1 for key in range(KEYS) if stored)
    store.log_batch(run, metrics(("after", 1.0, NOW, 0)))
    store.close()


class SmallDriver(SqliteDriver):
    """A database that may not grow beyond so many pages."""

    pages = 100_000

    def connect(self) -> Connection:
        connection = super().connect()
        connection.execute(f"PRAGMA max_page_count = {self.pages}")
        return connection


def big_batch(name: str) -> RunBatch:
    return RunBatch(tuple(Metric(name, float(step), NOW + step, step) for step in range(20_000)), (("p", name),))


def test_a_full_disk_is_reported_and_leaves_the_store_readable(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/store.db").close()
    driver = SmallDriver.of(f"sqlite:///{tmp_path}/store.db")
    assert isinstance(driver, SmallDriver)
    driver.pages = 120
    store = SqlStore(Database(driver))
    run = new_run(store)
    store.log_batch(run, metrics(("m", 1.0, NOW, 0)))
    before = store.get_run(run)
    for _ in range(2):
        with pytest.raises(StorageFull, match="no space"):
            store.log_batch(run, big_batch("big"))
    assert store.get_run(run) == before
    assert history(store, run, "big") == []
    store.log_batch(run, metrics(("m", 2.0, NOW, 1)))
    assert latest(store, run) == {"m": 2.0}
    store.close()
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.log_batch(run, big_batch("big"))
    assert len(history(store, run, "big")) == 20_000
    store.close()


def test_a_file_that_cannot_grow_is_reported_and_leaves_the_store_readable(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    run = new_run(store)
    store.log_batch(run, metrics(("m", 1.0, NOW, 0)))
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            try:
                store.log_batch(run, big_batch("big"))
            except (TemporarilyUnavailable, StorageFull) as error:
                plain = "SELECT" not in str(error) and "sqlite3" not in str(error)
                os._exit(0 if plain and latest(store, run) == {"m": 1.0} else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.log_batch(run, big_batch("big"))
    assert len(history(store, run, "big")) == 20_000
    store.close()


def test_a_folder_that_may_not_be_written_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    open_store(f"sqlite:///{folder}/store.db").close()
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    (folder / "store.db").chmod(0o444)
    folder.chmod(0o555)
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)  # root may write anywhere
            failed = 0
            for path in (folder / "store.db", folder / "new.db", folder / "deep" / "new.db"):
                try:
                    store = open_store(f"sqlite:///{path}")
                    new_run(store)
                except TemporarilyUnavailable as error:
                    failed += "SELECT" not in str(error) and "sqlite3" not in str(error)
            os._exit(0 if failed == 3 else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    folder.chmod(0o755)
    (folder / "store.db").chmod(0o644)
    store = open_store(f"sqlite:///{folder}/store.db")
    new_run(store)
    store.close()


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"\xff" * 4096], ids=["text", "torn"])
def test_a_file_that_is_no_database_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(TemporarilyUnavailable, match=r"not a database|damaged"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    store = open_store(f"sqlite:///{path}")
    assert store.get_experiment("0").name == "Default"
    store.close()
