"""a deployment may have no active version and one that is being prepared; moves keep what they rested on

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("deployments", "active_id", nullable=True)
    op.add_column("deployments", sa.Column("prepare_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_deployments_prepare_id_versions"), "deployments", "versions", ["prepare_id"], ["id"])
    op.alter_column("deployment_events", "to_id", nullable=True)
    op.add_column(
        "deployment_events",
        sa.Column(
            "evidence", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )


def downgrade() -> None:
    """Refused by the database while a modality has no active version, or history remembers such a move."""
    op.drop_column("deployment_events", "evidence")
    op.alter_column("deployment_events", "to_id", nullable=False)
    op.drop_constraint(op.f("fk_deployments_prepare_id_versions"), "deployments", type_="foreignkey")
    op.drop_column("deployments", "prepare_id")
    op.alter_column("deployments", "active_id", nullable=False)
