"""comparisons of two versions; their jobs tell nobody and open no second reading

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ONLY_COMPARES = "EXISTS (SELECT FROM jobs WHERE id = NEW.job_id AND comparison_id IS NOT NULL)"


def _tell_webhooks(condition: str) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO deliveries (id, tenant_id, webhook_id, event, job_id, status)
        SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send(
                   floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
                   'hex')::uuid,
               NEW.tenant_id, w.id, 'job.finished', NEW.job_id, NEW.to_state
        FROM webhooks w
        WHERE w.tenant_id = NEW.tenant_id AND w.removed_at IS NULL AND w.disabled_at IS NULL
          AND 'job.finished' = ANY (w.events) {condition};
        RETURN NULL;
    END $$
    """


def _refer_to_reader(condition: str) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION refer_to_reader() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {condition}
        INSERT INTO adjudications (id, tenant_id, job_id, modality, rank)
        SELECT uuid_v7(), NEW.tenant_id, NEW.job_id, modality, 0 FROM jobs WHERE id = NEW.job_id;
        NEW.review := 'in_adjudication';
        NEW.reviewed_at := now();
        RETURN NEW;
    END $$
    """


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("wanted", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["first_id"], ["versions.id"], name="fk_comparisons_first_id_versions"),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], name="fk_comparisons_principal_id_principals"),
        sa.ForeignKeyConstraint(["second_id"], ["versions.id"], name="fk_comparisons_second_id_versions"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_comparisons_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
    )
    op.create_index("ix_comparisons_tenant_id_id", "comparisons", ["tenant_id", "id"])
    op.create_index(
        "uq_comparisons_key",
        "comparisons",
        ["principal_id", "key"],
        unique=True,
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "comparison_inputs",
        sa.Column("comparison_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison_id"], ["comparisons.id"], name="fk_comparison_inputs_comparison_id_comparisons"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_comparison_inputs_job_id_jobs"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_comparison_inputs_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("comparison_id", "sha256", name="pk_comparison_inputs"),
    )
    for table in ("batches", "jobs"):
        op.add_column(table, sa.Column("comparison_id", sa.Uuid(), nullable=True))
        op.create_foreign_key(f"fk_{table}_comparison_id_comparisons", table, "comparisons", ["comparison_id"], ["id"])
    op.execute(_tell_webhooks(f"AND NOT {_ONLY_COMPARES}"))
    op.execute(_refer_to_reader(f"IF {_ONLY_COMPARES} THEN RETURN NEW; END IF;"))


def downgrade() -> None:
    op.execute(_refer_to_reader(""))
    op.execute(_tell_webhooks(""))
    for table in ("jobs", "batches"):
        op.drop_constraint(f"fk_{table}_comparison_id_comparisons", table, type_="foreignkey")
        op.drop_column(table, "comparison_id")
    op.drop_table("comparison_inputs")
    op.drop_index("uq_comparisons_key", table_name="comparisons", postgresql_where=sa.text("key IS NOT NULL"))
    op.drop_index("ix_comparisons_tenant_id_id", table_name="comparisons")
    op.drop_table("comparisons")
