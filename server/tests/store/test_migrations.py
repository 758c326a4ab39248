"""The schema: made by migrations, equal to the tables, never laid over another program's database."""

import sqlite3
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from store_contract.make import NOW, metrics, new_run

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.store import open_store
from tracklane_server.store.sql import migrate
from tracklane_server.store.sql.sqlite import SqliteDriver


def schema(path: Path) -> dict[str, list[str]]:
    """What each table and index was made with; constraints may be spelled in any order."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    return {name: parts(sql) for name, sql in rows}


def parts(sql: str) -> list[str]:
    lines = [line.strip().rstrip(",") for line in sql.splitlines()]
    constraints = sorted(line for line in lines if line.startswith("CONSTRAINT"))
    return [line for line in lines if line and not line.startswith("CONSTRAINT")] + constraints


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_migrations_make_what_a_new_store_is_made_of(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/new.db").close()
    driver = SqliteDriver.of(f"sqlite:///{tmp_path}/migrated.db")
    driver.prepare()
    migrate.upgrade(driver, "head")
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "new.db")


def test_a_database_goes_down_and_up_again(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    store = open_store(uri)
    store.log_batch(new_run(store), metrics(("m", 1.0, NOW, 0)))
    store.close()
    migrate.downgrade(SqliteDriver.of(uri), "base")
    assert list(schema(tmp_path / "store.db")) == [migrate.VERSION_TABLE]
    store = open_store(uri)
    assert new_run(store)
    store.close()


def test_upgrade_of_a_database_that_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    open_store(uri).close()
    before = (tmp_path / "store.db").read_bytes()
    migrate.upgrade_database(uri)
    assert (tmp_path / "store.db").read_bytes() == before


def test_upgrade_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterValue, match="no database"):
        migrate.upgrade_database(f"sqlite:///{tmp_path}/store.db")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store.db"
    open_store(uri).close()
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.close()
    for attempt in (open_store, migrate.upgrade_database):
        with pytest.raises(InvalidParameterValue, match="newer"):
            attempt(uri)


@pytest.mark.parametrize(
    ("tables", "message"),
    [(["alembic_version (version_num)", "latest_metrics (key)"], "an mlflow database"), (["cats (name)"], "another")],
)
def test_the_database_of_another_program_is_refused_and_untouched(
    tmp_path: Path, tables: list[str], message: str
) -> None:
    path = tmp_path / "mlflow.db"
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table}")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for attempt in (open_store, migrate.upgrade_database):
        with pytest.raises(InvalidParameterValue, match=message):
            attempt(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert [it.name for it in tmp_path.iterdir()] == ["mlflow.db"]
