"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts up by itself for INTEGER only, which has 64 bits there.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("artifact_location", sa.Text(), nullable=False),
        sa.Column("lifecycle_stage", sa.String(length=10), nullable=False),
        sa.Column("creation_time", sa.BigInteger(), nullable=True),
        sa.Column("last_update_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("experiments_pk")),
        sa.UniqueConstraint("name", name=op.f("experiments_name_uq")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "metric_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_name", sa.String(length=500), nullable=True),
        sa.Column("dataset_digest", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("metric_sources_pk")),
    )
    op.create_table(
        "points",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("special", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "series", "step", "timestamp", "special", "value", name=op.f("points_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "datasets",
        sa.Column("id", ID, nullable=False),
        sa.Column("experiment_id", ID, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=36), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("datasets_experiment_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("datasets_pk")),
        sa.UniqueConstraint("experiment_id", "name", "digest", name=op.f("datasets_experiment_id_uq")),
    )
    op.create_table(
        "experiment_tags",
        sa.Column("experiment_id", ID, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number_special", sa.SmallInteger(), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("experiment_tags_experiment_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "key", name=op.f("experiment_tags_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("experiment_id", ID, nullable=False),
        sa.Column("run_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=True),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("lifecycle_stage", sa.String(length=10), nullable=False),
        sa.Column("deleted_time", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=op.f("runs_experiment_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("runs_pk")),
        sa.UniqueConstraint("run_id", name=op.f("runs_run_id_uq")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "runs_newest",
        "runs",
        ["experiment_id", sa.literal_column("start_time DESC"), "run_id", "lifecycle_stage"],
        unique=False,
    )
    op.create_table(
        "input_tags",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("dataset_id", ID, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("input_tags_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", "key", name=op.f("input_tags_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inputs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("dataset_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("inputs_dataset_id_fk"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("inputs_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", name=op.f("inputs_pk")),
        sqlite_with_rowid=False,
    )
    op.create_index("inputs_of_dataset", "inputs", ["dataset_id"], unique=False)
    op.create_table(
        "metrics",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("in_step", sa.SmallInteger(), nullable=False),
        sa.Column("plain", sa.SmallInteger(), nullable=False),
        sa.Column("latest_step", sa.BigInteger(), nullable=False),
        sa.Column("latest_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("latest_special", sa.SmallInteger(), nullable=False),
        sa.Column("latest_value", sa.Double(), nullable=False),
        sa.Column("latest_source", sa.Integer(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("first_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("first_special", sa.SmallInteger(), nullable=False),
        sa.Column("first_value", sa.Double(), nullable=False),
        sa.Column("min_special", sa.SmallInteger(), nullable=False),
        sa.Column("min_value", sa.Double(), nullable=False),
        sa.Column("min_step", sa.BigInteger(), nullable=False),
        sa.Column("min_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("max_special", sa.SmallInteger(), nullable=False),
        sa.Column("max_value", sa.Double(), nullable=False),
        sa.Column("max_step", sa.BigInteger(), nullable=False),
        sa.Column("max_timestamp", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("metrics_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("metrics_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_inputs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("model_id", sa.String(length=250), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("model_inputs_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "model_id", name=op.f("model_inputs_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_outputs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("model_id", sa.String(length=250), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("model_outputs_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "model_id", name=op.f("model_outputs_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "params",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number_special", sa.SmallInteger(), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("params_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("params_pk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tags",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number_special", sa.SmallInteger(), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("tags_run_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("tags_pk")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("tags")
    op.drop_table("params")
    op.drop_table("model_outputs")
    op.drop_table("model_inputs")
    op.drop_table("metrics")
    op.drop_index("inputs_of_dataset", table_name="inputs")
    op.drop_table("inputs")
    op.drop_table("input_tags")
    op.drop_index("runs_newest", table_name="runs")
    op.drop_table("runs")
    op.drop_table("experiment_tags")
    op.drop_table("datasets")
    op.drop_table("points")
    op.drop_table("metric_sources")
    op.drop_table("experiments")
