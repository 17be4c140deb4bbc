"""turns by service received, read from the claims; lanes that a claim can hop over

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    op.add_column("claims", sa.Column("tenant_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_claims_tenant_id_tenants"), "claims", "tenants", ["tenant_id"], ["id"])
    op.add_column("claims", sa.Column("priority", sa.SmallInteger(), nullable=True))
    for name in ("turn_began", "turn_ended"):
        op.add_column("claims", sa.Column(name, sa.Float(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_claims_tenant_id_priority_id", "claims", ["tenant_id", "priority", "id"])
    op.create_index("ix_claims_modality_priority_id", "claims", ["modality", "priority", "id"])
    op.drop_column("tenants", "served_at")
    op.drop_index("ix_jobs_waiting", table_name="jobs")
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        [
            "tenant_id",
            "modality",
            "priority",
            sa.text("COALESCE(requested_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            sa.text("GREATEST(not_before, created_at)"),
            "id",
        ],
        postgresql_where=_QUEUED,
    )
    op.create_index(
        "ix_jobs_deadlines",
        "jobs",
        ["not_after"],
        postgresql_where=sa.text("state = 'queued' AND not_after IS NOT NULL"),
    )
    # Heads of lanes are passed over by every claim: dead ones must go before they are many, however large the table.
    op.execute(
        "ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02, "
        "autovacuum_vacuum_insert_scale_factor = 0.05)"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE jobs RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor, "
        "autovacuum_vacuum_insert_scale_factor)"
    )
    op.drop_index("ix_jobs_deadlines", table_name="jobs")
    op.drop_index("ix_jobs_waiting", table_name="jobs")
    op.create_index("ix_jobs_waiting", "jobs", ["tenant_id", "modality", "priority", "id"], postgresql_where=_QUEUED)
    op.add_column(
        "tenants", sa.Column("served_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    op.drop_index("ix_claims_modality_priority_id", table_name="claims")
    op.drop_index("ix_claims_tenant_id_priority_id", table_name="claims")
    for name in ("turn_ended", "turn_began", "priority"):
        op.drop_column("claims", name)
    op.drop_constraint(op.f("fk_claims_tenant_id_tenants"), "claims", type_="foreignkey")
    op.drop_column("claims", "tenant_id")
