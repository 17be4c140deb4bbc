"""results: what the file itself said, and whose answer was used again

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Results from before have no header: they are never used again, because nobody knows what their files said.
    op.add_column("results", sa.Column("header", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("results", sa.Column("reused_from", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("results", "reused_from")
    op.drop_column("results", "header")
