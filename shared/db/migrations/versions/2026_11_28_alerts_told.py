"""webhooks are told of drift alerts

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TELL = """
CREATE FUNCTION tell_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deliveries (id, tenant_id, webhook_id, event, alert_id, status)
    SELECT uuid_v7(), NEW.tenant_id, w.id, 'drift.alert', NEW.id,
           CASE WHEN NEW.cleared_at IS NOT NULL THEN 'cleared' WHEN NEW.acknowledged_at IS NOT NULL THEN 'acknowledged'
                ELSE 'raised' END
    FROM webhooks w
    WHERE w.tenant_id = NEW.tenant_id AND w.removed_at IS NULL AND w.disabled_at IS NULL
      AND 'drift.alert' = ANY (w.events);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_alert AFTER INSERT ON drift_alerts FOR EACH ROW EXECUTE FUNCTION tell_alert();
CREATE TRIGGER tell_alert_change AFTER UPDATE OF acknowledged_at, cleared_at ON drift_alerts FOR EACH ROW
    WHEN ((OLD.acknowledged_at, OLD.cleared_at) IS DISTINCT FROM (NEW.acknowledged_at, NEW.cleared_at))
    EXECUTE FUNCTION tell_alert()
"""


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("alert_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_deliveries_alert_id_drift_alerts"), "deliveries", "drift_alerts", ["alert_id"], ["id"]
    )
    op.execute(_TELL)


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_alert_change ON drift_alerts; DROP TRIGGER tell_alert ON drift_alerts")
    op.execute("DROP FUNCTION tell_alert()")
    op.execute("UPDATE webhooks SET events = array_remove(events, 'drift.alert')")
    op.drop_constraint(op.f("fk_deliveries_alert_id_drift_alerts"), "deliveries", type_="foreignkey")
    op.drop_column("deliveries", "alert_id")
