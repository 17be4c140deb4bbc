"""Webhooks and their deliveries. Whatever a caller asks about is scoped to his tenant; all time is the database's."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, Update, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.tables import Delivery, Webhook

# Every webhook has a queue of its own, looked at by one probe of its index: a dead receiver's ten thousand deliveries
# are in nobody's way. One that failed last time is tried with one delivery. The lease is `due_at` itself.
_DUE = text(
    """
    WITH due AS (
        SELECT d.id, w.url, w.secret, CASE WHEN w.old_until > now() THEN w.old_secret END AS old_secret
        FROM webhooks w
        CROSS JOIN LATERAL (
            SELECT id FROM deliveries WHERE webhook_id = w.id AND state = 'waiting' AND due_at <= now()
            ORDER BY due_at LIMIT CASE WHEN w.failures > 0 THEN 1 ELSE :each END FOR UPDATE SKIP LOCKED
        ) d
        WHERE w.removed_at IS NULL AND w.disabled_at IS NULL AND (w.paused_until IS NULL OR w.paused_until <= now())
          AND w.id <> ALL (:busy)
        LIMIT :most
    )
    UPDATE deliveries d SET attempts = d.attempts + 1, due_at = now() + make_interval(secs => :lease)
    FROM due WHERE d.id = due.id
    RETURNING d.id, d.webhook_id, d.event, d.job_id, d.batch_id, d.alert_id, d.status, d.created_at, d.attempts,
              (SELECT sha256 FROM versions WHERE id = d.version_id) AS version,
              due.url, due.secret, due.old_secret
    """
).bindparams(bindparam("busy", type_=ARRAY(PG_UUID(as_uuid=True))))

_SENT = text(
    """
    WITH sent AS (
        UPDATE deliveries SET state = 'sent', answer = :answer, ended_at = now()
        WHERE id = :delivery AND state = 'waiting' RETURNING webhook_id
    )
    UPDATE webhooks SET failures = 0, paused_until = NULL
    WHERE id IN (SELECT webhook_id FROM sent) AND (failures > 0 OR paused_until IS NOT NULL)
    """
)

# Deliveries that fail together count once, for the first of them pauses the webhook. Delays are spread by a quarter.
_FAILED = text(
    """
    WITH failed AS (
        UPDATE deliveries
        SET state = CASE WHEN :gone OR attempts >= :most THEN 'dead' ELSE 'waiting' END, answer = :answer,
            ended_at = CASE WHEN :gone OR attempts >= :most THEN now() END,
            due_at = now() + make_interval(secs => LEAST(5 * 4 ^ (attempts - 1), 21600) * (1 + random() / 4))
        WHERE id = :delivery AND state = 'waiting' RETURNING webhook_id
    )
    UPDATE webhooks
    SET failures = failures + 1, paused_until = now() + make_interval(secs => LEAST(2 ^ LEAST(failures, 20), 900)),
        disabled_at = CASE WHEN :gone THEN now() ELSE disabled_at END
    WHERE id IN (SELECT webhook_id FROM failed) AND (:gone OR paused_until IS NULL OR paused_until <= now())
    """
)

_REMOVE = text(
    """
    WITH removed AS (
        UPDATE webhooks SET removed_at = now()
        WHERE id = :webhook AND tenant_id = :tenant AND removed_at IS NULL RETURNING id
    ),
    ended AS (
        UPDATE deliveries SET state = 'dead', answer = 'removed', ended_at = now()
        WHERE webhook_id IN (SELECT id FROM removed) AND state = 'waiting'
    )
    SELECT id FROM removed
    """
).bindparams(bindparam("webhook", type_=PG_UUID(as_uuid=True)), bindparam("tenant", type_=PG_UUID(as_uuid=True)))

_FORGET = text(
    """
    DELETE FROM deliveries WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM deliveries WHERE state <> 'waiting' AND created_at <= now() - make_interval(days => :days)
        LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


def due(busy: Sequence[UUID], each: int, most: int, lease: float) -> TextClause:
    """Take deliveries that are due, at most `each` of one webhook and none of a busy one; they are ours for a lease."""
    return _DUE.bindparams(busy=list(busy), each=each, most=most, lease=lease)


def sent(delivery: UUID, answer: str) -> TextClause:
    """A delivery arrived; its webhook works again."""
    return _SENT.bindparams(delivery=delivery, answer=answer)


def failed(delivery: UUID, answer: str, most: int, *, gone: bool) -> TextClause:
    """An attempt failed: later again, or dead after `most`; `gone`: the receiver wants no more. Pauses the webhook."""
    return _FAILED.bindparams(delivery=delivery, answer=answer, most=most, gone=gone)


def remove(tenant: UUID, webhook: UUID) -> TextClause:
    """Tell it nothing any more; its row stays for its deliveries' sake. No row when there is none such."""
    return _REMOVE.bindparams(tenant=tenant, webhook=webhook)


def forget(days: int, most: int) -> TextClause:
    """Delete up to `most` deliveries that ended and are old."""
    return _FORGET.bindparams(days=days, most=most)


def visible(tenant: UUID) -> Select[Webhook]:
    """A tenant's webhooks, oldest first."""
    return select(Webhook).where(Webhook.tenant_id == tenant, Webhook.removed_at.is_(None)).order_by(Webhook.id)


def change(tenant: UUID, webhook: UUID, **values: Any) -> Update:
    """Change a tenant's webhook; returns it, or no row."""
    return (
        update(Webhook)
        .where(Webhook.tenant_id == tenant, Webhook.id == webhook, Webhook.removed_at.is_(None))
        .values(**values)
        .returning(Webhook)
        .execution_options(synchronize_session=False)
    )


def deliveries(tenant: UUID, webhook: UUID, state: str | None, before: UUID | None, limit: int) -> Select[Delivery]:
    """A page of a webhook's deliveries, newest first."""
    query = select(Delivery).where(Delivery.tenant_id == tenant, Delivery.webhook_id == webhook)
    if state is not None:
        query = query.where(Delivery.state == state)
    if before is not None:
        query = query.where(Delivery.id < before)
    return query.order_by(Delivery.id.desc()).limit(limit)


def replay(tenant: UUID, webhook: UUID, delivery: UUID | None) -> Update:
    """Send dead deliveries again, all or one, with all their attempts; returns their ids."""
    statement = update(Delivery).where(
        Delivery.tenant_id == tenant, Delivery.webhook_id == webhook, Delivery.state == "dead"
    )
    if delivery is not None:
        statement = statement.where(Delivery.id == delivery)
    fresh = {"state": "waiting", "attempts": 0, "due_at": func.now(), "ended_at": None}
    return statement.values(fresh).returning(Delivery.id).execution_options(synchronize_session=False)
