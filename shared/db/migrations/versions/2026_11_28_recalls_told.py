"""webhooks are told of recalls

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Every hospital that listens: what was read from this version may lie in a system that never asks again.
_TELL = """
CREATE FUNCTION tell_recall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deliveries (id, tenant_id, webhook_id, event, version_id)
    SELECT uuid_v7(), w.tenant_id, w.id, 'version.recalled', NEW.id
    FROM webhooks w
    WHERE w.removed_at IS NULL AND w.disabled_at IS NULL AND 'version.recalled' = ANY (w.events);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_recall AFTER UPDATE OF recalled_at ON versions FOR EACH ROW
    WHEN (OLD.recalled_at IS NULL AND NEW.recalled_at IS NOT NULL)
    EXECUTE FUNCTION tell_recall()
"""


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("version_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_deliveries_version_id_versions"), "deliveries", "versions", ["version_id"], ["id"])
    op.execute(_TELL)


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_recall ON versions; DROP FUNCTION tell_recall()")
    op.execute("UPDATE webhooks SET events = array_remove(events, 'version.recalled')")
    op.drop_constraint(op.f("fk_deliveries_version_id_versions"), "deliveries", type_="foreignkey")
    op.drop_column("deliveries", "version_id")
