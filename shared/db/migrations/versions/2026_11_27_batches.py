"""batches: their keys, pinned versions and refused items; which transaction ended a job

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Many statements end a job; a trigger sees them all. A job that is queued again has not ended.
_TRIGGER = """
CREATE FUNCTION jobs_ended_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_in := CASE WHEN NEW.finished_at IS NULL THEN NULL ELSE pg_current_xact_id()::text::bigint END;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_ended_in BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.batch_id IS NOT NULL AND OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION jobs_ended_in();
"""


def upgrade() -> None:
    op.add_column("batches", sa.Column("key", sa.Text(), nullable=True))
    op.add_column("batches", sa.Column("pinned", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("batches", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE batches SET key = id::text, pinned = '{}'")
    op.alter_column("batches", "key", nullable=False)
    op.alter_column("batches", "pinned", nullable=False)
    op.create_unique_constraint("uq_batches_principal_id_key", "batches", ["principal_id", "key"])
    op.create_index("ix_batches_tenant_id_id", "batches", ["tenant_id", "id"])
    op.create_table(
        "batch_errors",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_batch_errors_batch_id_batches"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_batch_errors_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("batch_id", "item", name="pk_batch_errors"),
    )
    op.add_column("jobs", sa.Column("item", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("ended_in", sa.BigInteger(), nullable=True))
    op.execute("UPDATE jobs SET item = id::text WHERE batch_id IS NOT NULL")
    op.execute("UPDATE jobs SET ended_in = 0 WHERE batch_id IS NOT NULL AND finished_at IS NOT NULL")
    in_batch, ended = sa.text("batch_id IS NOT NULL"), sa.text("ended_in IS NOT NULL")
    op.create_index("uq_jobs_batch_id_item", "jobs", ["batch_id", "item"], unique=True, postgresql_where=in_batch)
    op.create_index("ix_jobs_ended_in", "jobs", ["batch_id", "ended_in", "id"], postgresql_where=ended)
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER jobs_ended_in ON jobs; DROP FUNCTION jobs_ended_in()")
    op.drop_index("ix_jobs_ended_in", table_name="jobs")
    op.drop_index("uq_jobs_batch_id_item", table_name="jobs")
    op.drop_column("jobs", "ended_in")
    op.drop_column("jobs", "item")
    op.drop_table("batch_errors")
    op.drop_index("ix_batches_tenant_id_id", table_name="batches")
    op.drop_constraint("uq_batches_principal_id_key", "batches")
    op.drop_column("batches", "cancelled_at")
    op.drop_column("batches", "pinned")
    op.drop_column("batches", "key")
