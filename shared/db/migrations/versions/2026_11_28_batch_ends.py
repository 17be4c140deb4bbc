"""when a batch has ended, and who is told of it

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TELL = """
CREATE FUNCTION tell_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deliveries (id, tenant_id, webhook_id, event, batch_id)
    SELECT uuid_v7(), NEW.tenant_id, w.id, 'batch.finished', NEW.id
    FROM webhooks w
    WHERE w.tenant_id = NEW.tenant_id AND w.removed_at IS NULL AND w.disabled_at IS NULL
      AND 'batch.finished' = ANY (w.events);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_batch AFTER UPDATE OF finished_at ON batches FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.comparison_id IS NULL)
    EXECUTE FUNCTION tell_batch()
"""


def upgrade() -> None:
    op.add_column("batches", sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "batches", sa.Column("look_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    # Nobody could ask to be told of these, whether they have ended or not.
    op.execute("UPDATE batches SET finished_at = now()")
    op.create_index("ix_batches_look_at", "batches", ["look_at"], postgresql_where=sa.text("finished_at IS NULL"))
    op.execute(_TELL)


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_batch ON batches; DROP FUNCTION tell_batch()")
    op.execute("UPDATE webhooks SET events = array_remove(events, 'batch.finished')")
    op.drop_index("ix_batches_look_at", table_name="batches", postgresql_where=sa.text("finished_at IS NULL"))
    op.drop_column("batches", "look_at")
    op.drop_column("batches", "finished_at")
