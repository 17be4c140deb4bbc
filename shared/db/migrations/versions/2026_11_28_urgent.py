"""waiting jobs before bulk found at once

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    urgent = sa.text("state = 'queued' AND priority < 2")
    op.create_index("ix_jobs_before_bulk", "jobs", ["priority"], postgresql_where=urgent)


def downgrade() -> None:
    op.drop_index("ix_jobs_before_bulk", table_name="jobs")
