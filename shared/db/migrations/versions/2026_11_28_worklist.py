"""jobs, results: what the worklist is filtered by

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_UNANSWERED = "state IN ('failed', 'rejected', 'cancelled', 'dead')"


def upgrade() -> None:
    op.create_index(
        "ix_jobs_tenant_id_client_ref",
        "jobs",
        ["tenant_id", "client_ref", "id"],
        postgresql_where=sa.text("client_ref IS NOT NULL"),
        postgresql_ops={"client_ref": "text_pattern_ops"},
    )
    for column in ("subject_id", "site"):
        op.create_index(
            f"ix_jobs_tenant_id_{column}",
            "jobs",
            ["tenant_id", column, "id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index("ix_jobs_unanswered", "jobs", ["tenant_id", "id"], postgresql_where=sa.text(_UNANSWERED))
    op.create_index("ix_results_tenant_id_decision", "results", ["tenant_id", "decision", "job_id"])
    op.create_index(
        "ix_results_tenant_id_review",
        "results",
        ["tenant_id", "review", "job_id"],
        postgresql_where=sa.text("review IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_results_tenant_id_review", "results")
    op.drop_index("ix_results_tenant_id_decision", "results")
    for name in ("unanswered", "tenant_id_site", "tenant_id_subject_id", "tenant_id_client_ref"):
        op.drop_index(f"ix_jobs_{name}", "jobs")
