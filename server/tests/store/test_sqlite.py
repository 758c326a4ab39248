"""SQLite keeps every store's promises; and what is particular to it."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from store_contract import StoreContract
from store_contract.concurrency import in_threads, process_of_writers, run_processes
from store_contract.make import NOW, history, latest, metrics, new_run, params

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.store import open_store
from tracklane_server.store.sql.database import Database
from tracklane_server.store.sql.sqlite import SqliteDriver
from tracklane_server.store.sql.store import SqlStore


class TestSqlite(StoreContract):
    def uri_in(self, folder: Path) -> str:
        return f"sqlite:///{folder}/new/store.db"


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite:///x.db?synchronous=never",
        "sqlite:///x.db?mode=ro",
        "sqlite+pysqlcipher",
    ],
)
def test_a_uri_that_names_no_file_or_an_unknown_option_is_refused(uri: str) -> None:
    with pytest.raises(InvalidParameterValue):
        SqlStore.open(uri)


def test_a_relative_path_starts_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///a b/ü%.db").close()
    assert (tmp_path / "a b" / "ü%.db").is_file()


def test_experiment_0_lies_where_it_is_told(tmp_path: Path) -> None:
    for name, locate, expected in [
        ("a", None, "mlflow-artifacts:/0"),
        ("b", lambda it: f"s3://bucket/{it}", "s3://bucket/0"),
    ]:
        for _ in range(2):
            store = SqlStore.open(f"sqlite:///{tmp_path}/{name}.db", locate)
            assert store.get_experiment("0").artifact_location == expected
            locate = None
            store.close()


def test_a_purged_experiment_0_stays_away(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    store = open_store(uri)
    store.purge_experiment("0")
    store.close()
    store = open_store(uri)
    with pytest.raises(LookupError):
        store.get_experiment("0")
    store.close()


def test_readers_and_a_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    run = new_run(store)
    inside, leave = threading.Event(), threading.Event()

    def slow_edit(info):  # type: ignore[no-untyped-def]
        inside.set()
        assert leave.wait(10)
        return info._replace(status="FINISHED")

    writer = threading.Thread(target=store.update_run, args=(run, slow_edit))
    writer.start()
    assert inside.wait(10)
    assert store.get_run_info(run).status == "RUNNING"
    leave.set()
    writer.join()
    assert store.get_run_info(run).status == "FINISHED"
    store.close()


def test_waiting_writers_share_a_transaction_and_fail_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    run = new_run(store)
    store.log_batch(run, params(fixed="1"))
    inside, leave = threading.Event(), threading.Event()

    def hold(info):  # type: ignore[no-untyped-def]
        inside.set()
        assert leave.wait(10)
        return info

    def write(index: int) -> str:
        try:
            store.log_batch(run, params(fixed="2") if index % 3 == 0 else metrics((f"m{index}", 1.0, NOW, 0)))
        except InvalidParameterValue:
            return "refused"
        return "written"

    leader = threading.Thread(target=store.update_run, args=(run, hold))
    leader.start()
    assert inside.wait(10)
    # Nobody can see how long the queue is, so the leader leaves when all have had time to join it.
    threading.Timer(0.3, leave.set).start()
    outcomes = in_threads(write, 9)
    leader.join()
    assert outcomes == ["refused", "written", "written"] * 3
    assert set(latest(store, run)) == {f"m{i}" for i in range(9) if i % 3}
    store.close()


def test_four_processes_of_writers_lose_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    store = open_store(uri)
    runs = [new_run(store) for _ in range(2)]
    run_processes(process_of_writers, [(uri, runs[i % 2], i) for i in range(4)])
    for run in runs:
        assert len(history(store, run, "shared")) == 15
        assert len(store.get_run(run).params) == 2 * 4 * 15
    store.close()


def test_a_forked_child_may_go_on_writing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    run = new_run(store)
    child = os.fork()
    if child == 0:
        try:
            store.log_batch(run, metrics(("child", 1.0, NOW, 0)))
            os._exit(0 if store.get_run_info(run).run_id == run else 2)
        finally:
            os._exit(1)
    store.log_batch(run, metrics(("parent", 1.0, NOW, 0)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert set(latest(store, run)) == {"parent", "child"}
    store.close()


@pytest.mark.parametrize(("option", "level"), [("", 1), ("?synchronous=full", 2)])
def test_connections_keep_what_the_documents_say(tmp_path: Path, option: str, level: int) -> None:
    driver = SqliteDriver.of(f"sqlite:///{tmp_path}/store.db{option}")
    open_store(f"sqlite:///{tmp_path}/store.db").close()
    raw = driver.connect().raw
    pragmas = {
        name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "foreign_keys")
    }
    raw.close()
    assert pragmas == {"synchronous": level, "journal_mode": "wal", "foreign_keys": 1}


def test_purging_leaves_no_row_behind(tmp_path: Path) -> None:
    from store_contract.make import CONTEXT_TAGS, dataset, datasets, models, new_experiment, tags

    from tracklane_server.contract.entities import ModelOutput

    store = open_store(f"sqlite:///{tmp_path}/store.db")
    experiment = new_experiment(store, "one", a="b")
    for _ in range(2):
        run = new_run(store, experiment)
        for batch in (
            metrics(("m", 1.0, NOW, 0)),
            params(p="1"),
            tags(("t", "1")),
            datasets(dataset("d", **CONTEXT_TAGS)),
            models(["m-1"], [ModelOutput("m-2")]),
        ):
            store.log_batch(run, batch)
    store.purge_run(run)
    store.purge_experiment(experiment)
    store.close()
    raw = sqlite3.connect(tmp_path / "store.db")
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counts = {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()
    assert {name for name, count in counts.items() if count} == {"experiments", "tracklane_schema", "sqlite_sequence"}


def test_a_search_in_the_default_order_walks_an_index(tmp_path: Path) -> None:
    from store_contract.make import NEWEST

    from tracklane_server.contract.entities import ACTIVE
    from tracklane_server.store.sql.search import _query

    driver = SqliteDriver.of(f"sqlite:///{tmp_path}/store.db")
    open_store(f"sqlite:///{tmp_path}/store.db").close()
    query = _query(driver, "runs", None, "", NEWEST, frozenset({ACTIVE}), (1,), (0, 0))
    values = {"most": 10, "place_0_0": 1, "place_1_0": "x"}

    def plan(connection):  # type: ignore[no-untyped-def]
        text, names, fixed = query.statement.prepared(driver.dialect)
        return connection.raw.execute(f"EXPLAIN QUERY PLAN {text}", [values.get(n, fixed[n]) for n in names]).fetchall()

    database = Database(driver)
    steps = [row[3] for row in database.read(plan)]
    database.close()
    assert len(steps) == 1
    assert "COVERING INDEX runs_newest (experiment_id=? AND start_time<" in steps[0]
