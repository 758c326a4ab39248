"""Bringing a database to the schema of this version, or back; Alembic is imported only when something is to be done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    MetaData,
    NullPool,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy import Connection as SqlalchemyConnection

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.store.sql.database import Database
from tracklane_server.store.sql.sqlite import SqliteDriver
from tracklane_server.store.sql.statement import Connection
from tracklane_server.store.sql.tables import METADATA

# The newest migration; a test holds it to the files.
HEAD = "0001"

# Named for this program, so that the tools of another never take one database for the other's.
VERSION_TABLE = "tracklane_schema"

# As Alembic makes it.
_VERSIONS = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), nullable=False))
_VERSIONS.append_constraint(PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"))

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade_database(uri: str) -> None:
    """Bring the database of a backend store URI to the newest schema; an absent one is not made.

    Raises:
        InvalidParameterValue: there is no such database, or it is another program's or a later version's.
        TemporarilyUnavailable: it cannot be reached.
    """
    driver = SqliteDriver.of(uri)
    with Database(driver).faults():
        if not driver.exists():
            raise InvalidParameterValue(f"There is no database at '{uri}'")
        make_ready(driver, lambda connection: None)


def make_ready(driver: SqliteDriver, fill: Callable[[Connection], None]) -> None:
    """Make the database if it is new, with what `fill` puts in; migrate it if it is old. Safe in several processes."""
    if driver.exists() and _is_head(driver):
        return
    driver.prepare()
    with _transaction(driver) as connection:
        version = _version(connection, driver)
        if version is None:
            _create(connection)
            raw: Any = connection.connection.dbapi_connection
            fill(Connection(raw, driver.dialect))
        elif version != HEAD:
            _run("upgrade", connection, HEAD)


def upgrade(driver: SqliteDriver, revision: str) -> None:
    """Bring the schema to a later revision, migration by migration, also from nothing."""
    with _transaction(driver) as connection:
        _run("upgrade", connection, revision)


def downgrade(driver: SqliteDriver, revision: str) -> None:
    """Bring the schema back to an earlier revision, `base` for nothing at all; what it cannot hold is lost."""
    with _transaction(driver) as connection:
        _run("downgrade", connection, revision)


def _is_head(driver: SqliteDriver) -> bool:
    """Whether the database has this schema; one of another program or a later version is refused."""
    with _connected(driver, driver.begin_read) as connection:
        return _version(connection, driver) == HEAD


def _version(connection: SqlalchemyConnection, driver: SqliteDriver) -> str | None:
    """The stored revision; None for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if not tables - {VERSION_TABLE}:
        return None
    if VERSION_TABLE not in tables:
        whose = (
            "an mlflow database" if {"alembic_version", "latest_metrics"} <= tables else "another program's database"
        )
        raise InvalidParameterValue(
            f"'{driver.path}' is {whose}, which this version cannot serve; it was left as it is. "
            "Name another file for the backend store"
        )
    version = connection.execute(select(_VERSIONS)).scalar()
    if version not in {HEAD, *_earlier()}:
        raise InvalidParameterValue(
            f"The database '{driver.path}' has schema {version}, which is newer than this version of tracklane knows "
            f"(up to {HEAD}); upgrade tracklane, or restore a backup from before the upgrade"
        )
    return str(version)


def _create(connection: SqlalchemyConnection) -> None:
    """The newest schema at once: what migrations make too, but Alembic takes a second to import."""
    METADATA.create_all(connection)
    _VERSIONS.create(connection, checkfirst=True)
    connection.execute(insert(_VERSIONS).values(version_num=HEAD))


def _earlier() -> set[str]:
    return {path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def _run(command: str, connection: SqlalchemyConnection, revision: str) -> None:
    import alembic.command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    getattr(alembic.command, command)(config, revision)


@contextmanager
def _connected(driver: SqliteDriver, begin: str) -> Iterator[SqlalchemyConnection]:
    engine = create_engine("sqlite://", creator=lambda: driver.connect().raw, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    with engine.connect() as connection:
        yield connection


@contextmanager
def _transaction(driver: SqliteDriver) -> Iterator[SqlalchemyConnection]:
    with _connected(driver, driver.begin_write) as connection, connection.begin():
        yield connection
