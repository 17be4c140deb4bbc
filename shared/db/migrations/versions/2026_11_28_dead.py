"""jobs that were given up found at once

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_dead", "jobs", ["tenant_id", "id"], postgresql_where=sa.text("state = 'dead'"))


def downgrade() -> None:
    op.drop_index("ix_jobs_dead", table_name="jobs")
