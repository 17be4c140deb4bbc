"""drift: features of results, rollups with their watermark, references, alerts; every job keeps what ended it

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Only an end, and being queued again, need it: a claim does not call the function any more.
_TRIGGER = """
DROP TRIGGER jobs_ended_in ON jobs;
CREATE TRIGGER jobs_ended_in BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND (NEW.finished_at IS NOT NULL OR OLD.finished_at IS NOT NULL))
    EXECUTE FUNCTION jobs_ended_in();
"""
_TRIGGER_BEFORE = """
DROP TRIGGER jobs_ended_in ON jobs;
CREATE TRIGGER jobs_ended_in BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.batch_id IS NOT NULL AND OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION jobs_ended_in();
"""
_CELL = ("tenant_id", "version_id", "site", "device", "measure")


def upgrade() -> None:
    op.add_column("results", sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.execute(_TRIGGER)
    op.execute("UPDATE jobs SET ended_in = 0 WHERE finished_at IS NOT NULL AND ended_in IS NULL")
    op.drop_index("ix_jobs_ended_in", table_name="jobs")
    ended = sa.text("ended_in IS NOT NULL")
    in_batch = sa.text("batch_id IS NOT NULL AND ended_in IS NOT NULL")
    op.create_index("ix_jobs_batch_id_ended_in", "jobs", ["batch_id", "ended_in", "id"], postgresql_where=in_batch)
    op.create_index("ix_jobs_ended_in_id", "jobs", ["ended_in", "id"], postgresql_where=ended)
    op.create_table(
        "watermarks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ended_in", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watermarks")),
    )
    op.execute("INSERT INTO watermarks VALUES ('rollups', 0, '00000000-0000-0000-0000-000000000000', now())")
    _counted("rollups", sa.Column("width", sa.Integer(), nullable=False), _time("since", None))
    op.create_unique_constraint(
        "uq_rollups_cell",
        "rollups",
        ["tenant_id", "width", "since", "modality", "version_id", "measure", "site", "device"],
    )
    _counted("drift_references")
    op.create_unique_constraint(
        op.f("uq_drift_references_tenant_id_version_id_site_device_measure"), "drift_references", [*_CELL]
    )
    op.create_table(
        "drift_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_what(),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("raised_psi", "worst_psi", "psi")),
        sa.Column("results", sa.BigInteger(), nullable=False),
        *(_time(name, sa.text("now()")) for name in ("raised_at", "looked_at")),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        *_keys("drift_alerts"),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"], ["principals.id"], name=op.f("fk_drift_alerts_acknowledged_by_principals")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift_alerts")),
    )
    still = sa.text("cleared_at IS NULL")
    op.create_index("uq_drift_alerts_open", "drift_alerts", [*_CELL], unique=True, postgresql_where=still)
    op.create_index("ix_drift_alerts_tenant_id_id", "drift_alerts", ["tenant_id", "id"])


def downgrade() -> None:
    for table in ("drift_alerts", "drift_references", "rollups", "watermarks"):
        op.drop_table(table)
    op.drop_index("ix_jobs_ended_in_id", table_name="jobs")
    op.drop_index("ix_jobs_batch_id_ended_in", table_name="jobs")
    op.create_index(
        "ix_jobs_ended_in",
        "jobs",
        ["batch_id", "ended_in", "id"],
        postgresql_where=sa.text("ended_in IS NOT NULL"),
    )
    op.execute("UPDATE jobs SET ended_in = NULL WHERE batch_id IS NULL AND ended_in IS NOT NULL")
    op.execute(_TRIGGER_BEFORE)
    op.drop_column("results", "features")


def _time(name: str, default: sa.TextClause | None) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=False)


def _what() -> list[sa.Column[object]]:
    kinds = {"tenant_id": sa.Uuid, "modality": sa.Text, "version_id": sa.Uuid, "site": sa.Text, "device": sa.Text}
    return [sa.Column(name, kind(), nullable=False) for name, kind in {**kinds, "measure": sa.Text}.items()]


def _keys(table: str) -> list[sa.ForeignKeyConstraint]:
    owners = {"tenant_id": "tenants", "version_id": "versions"}
    return [
        sa.ForeignKeyConstraint([own], [f"{other}.id"], name=op.f(f"fk_{table}_{own}_{other}"))
        for own, other in owners.items()
    ]


def _counted(table: str, *more: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_what(),
        *more,
        sa.Column("counts", postgresql.ARRAY(sa.Integer()), nullable=False),
        *_keys(table),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
