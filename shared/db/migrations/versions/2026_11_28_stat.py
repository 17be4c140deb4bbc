"""waiting stat jobs found at once

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
    op.create_index("ix_jobs_stat", "jobs", ["modality"], postgresql_where=sa.text("state = 'queued' AND priority = 0"))


def downgrade() -> None:
    op.drop_index("ix_jobs_stat", table_name="jobs")
