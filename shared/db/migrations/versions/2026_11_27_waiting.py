"""what waits, in bytes; old idempotency keys found without an index of every one

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("size_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE jobs SET size_bytes = i.size_bytes FROM "
        "(SELECT job_id, sum(size_bytes) AS size_bytes FROM job_inputs GROUP BY job_id) AS i "
        "WHERE i.job_id = jobs.id AND jobs.state IN ('queued', 'running')"
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys", postgresql_using="brin")
    op.drop_column("jobs", "size_bytes")
