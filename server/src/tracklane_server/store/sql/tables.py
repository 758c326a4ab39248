"""The tables: what is kept where. Migrations make them; a test compares the two.

Text is compared by its bytes. A double is two columns, `special` and `value`, because no two databases agree on NaN and
the infinities; see `doubles.py`. Rows that belong to a run are clustered by it, so that a run is read in one place.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "ix": "%(table_name)s_%(column_0_name)s_ix",
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_name)s_uq",
    }
)

# SQLite makes rows of such a table part of the primary key's tree instead of keeping two trees.
CLUSTERED: Any = {"sqlite_with_rowid": False}

# An integer that counts up by itself: SQLite does so for INTEGER only, which has 64 bits there.
Id = BigInteger().with_variant(Integer, "sqlite")

experiments = Table(
    "experiments",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("name", String(500), nullable=False, unique=True),
    Column("artifact_location", Text, nullable=False),
    Column("lifecycle_stage", String(10), nullable=False),
    Column("creation_time", BigInteger),
    Column("last_update_time", BigInteger),
    sqlite_autoincrement=True,  # the id of a purged experiment is never given again: its artifacts may remain
)

experiment_tags = Table(
    "experiment_tags",
    METADATA,
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    Column("number_special", SmallInteger),
    Column("number", Double),
    PrimaryKeyConstraint("experiment_id", "key"),
    **CLUSTERED,
)

runs = Table(
    "runs",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("run_id", String(256), nullable=False, unique=True),
    Column("experiment_id", Id, ForeignKey("experiments.id"), nullable=False),
    Column("run_name", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("start_time", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    Column("artifact_uri", Text, nullable=False),
    Column("lifecycle_stage", String(10), nullable=False),
    Column("deleted_time", BigInteger),
    sqlite_autoincrement=True,
)
# A search in the default order walks it, and looks up only the runs that it returns.
Index("runs_newest", runs.c.experiment_id, runs.c.start_time.desc(), runs.c.run_id, runs.c.lifecycle_stage)

params = Table(
    "params",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    Column("number_special", SmallInteger),  # null, as is `number`, unless the text is a number
    Column("number", Double),
    PrimaryKeyConstraint("run_id", "key"),
    **CLUSTERED,
)

tags = Table(
    "tags",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    Column("number_special", SmallInteger),
    Column("number", Double),
    PrimaryKeyConstraint("run_id", "key"),
    **CLUSTERED,
)


# What is known of each metric of a run without its history; `series` numbers the metrics of a run from 1. `in_step` is
# 1 while ordering the points by step and by time gives the same, which spares the history a second index. `plain` is 1
# while all points are finite and name no dataset. The order of the columns is what `series.py` compares by.
metrics = Table(
    "metrics",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("series", Integer, nullable=False),
    Column("in_step", SmallInteger, nullable=False),
    Column("plain", SmallInteger, nullable=False),
    Column("latest_step", BigInteger, nullable=False),
    Column("latest_timestamp", BigInteger, nullable=False),
    Column("latest_special", SmallInteger, nullable=False),
    Column("latest_value", Double, nullable=False),
    Column("latest_source", Integer, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("first_timestamp", BigInteger, nullable=False),
    Column("first_special", SmallInteger, nullable=False),
    Column("first_value", Double, nullable=False),
    Column("min_special", SmallInteger, nullable=False),
    Column("min_value", Double, nullable=False),
    Column("min_step", BigInteger, nullable=False),
    Column("min_timestamp", BigInteger, nullable=False),
    Column("max_special", SmallInteger, nullable=False),
    Column("max_value", Double, nullable=False),
    Column("max_step", BigInteger, nullable=False),
    Column("max_timestamp", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "key"),
    **CLUSTERED,
)

# Every point of every metric. `source` is a row of `metric_sources`, 0 for none. There is no foreign key, because it
# would cost a look-up for each point; who removes a run removes its points.
points = Table(
    "points",
    METADATA,
    Column("run_id", Id, nullable=False),
    Column("series", Integer, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("special", SmallInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("source", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "series", "step", "timestamp", "special", "value"),
    **CLUSTERED,
)

# The (dataset_name, dataset_digest) that points name, told apart once; rows are never changed nor removed.
metric_sources = Table(
    "metric_sources",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset_name", String(500)),
    Column("dataset_digest", String(36)),
)

datasets = Table(
    "datasets",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("experiment_id", Id, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("digest", String(36), nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    UniqueConstraint("experiment_id", "name", "digest"),
)

# `position` keeps the order in which a run's inputs were logged.
inputs = Table(
    "inputs",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("dataset_id", Id, ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "dataset_id"),
    **CLUSTERED,
)
Index("inputs_of_dataset", inputs.c.dataset_id)

input_tags = Table(
    "input_tags",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("dataset_id", Id, nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "dataset_id", "key"),
    **CLUSTERED,
)

model_inputs = Table(
    "model_inputs",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model_id", String(250), nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "model_id"),
    **CLUSTERED,
)

model_outputs = Table(
    "model_outputs",
    METADATA,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model_id", String(250), nullable=False),
    Column("position", Integer, nullable=False),
    Column("step", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "model_id"),
    **CLUSTERED,
)
