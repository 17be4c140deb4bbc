"""which person a principal is; promotions that wait for a second person

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("principals", sa.Column("person", sa.Text(), nullable=True))
    op.execute("UPDATE principals SET person = name WHERE kind = 'person'")
    op.create_table(
        "proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("override", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], name="fk_proposals_deployment_id_deployments"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_proposals_version_id_versions"),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
    )
    op.create_index(
        "ix_proposals_open", "proposals", ["deployment_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_proposals_open", table_name="proposals", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_table("proposals")
    op.drop_column("principals", "person")
