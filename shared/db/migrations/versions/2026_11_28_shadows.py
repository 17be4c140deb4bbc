"""what a shadow version makes of inputs that the active one has answered

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadow_results",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("distance", sa.Float(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("ms", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "finished_at IS NULL OR (decision IS NULL) = (code IS NOT NULL)",
            name=op.f("ck_shadow_results_answered"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_shadow_results_job_id_jobs")),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name=op.f("fk_shadow_results_version_id_versions")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_shadow_results_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("job_id", "version_id", name=op.f("pk_shadow_results")),
    )
    op.create_index("ix_shadow_results_version_id_answered_at", "shadow_results", ["version_id", "answered_at"])


def downgrade() -> None:
    op.drop_table("shadow_results")
