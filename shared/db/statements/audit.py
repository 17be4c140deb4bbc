"""The audit log: one row per read or change of patient data, keys or pointers, in the transaction that did it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, Select, insert, literal, select

from shared.db.tables import AuditEvent, Principal, Tenant


class Who(Protocol):
    """Whoever acts: a caller of the gateway has these."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def principal_id(self) -> UUID: ...

    @property
    def credential_id(self) -> UUID | None: ...


@dataclass(frozen=True)
class Actor:
    """An actor known by its ids alone."""

    tenant_id: UUID
    principal_id: UUID
    credential_id: UUID | None


def event(who: Who, action: str, object_type: str, object_id: str | None, request_id: str | None) -> Insert:
    """Remember that somebody did something to one thing."""
    return insert(AuditEvent).values(row(who, action, object_type, object_id, request_id))


def events(who: Who, action: str, object_type: str, ids: Iterable[str], request_id: str | None) -> Insert:
    """Remember that somebody did the same to several things; to none of them is a row too."""
    rows = [row(who, action, object_type, object_id, request_id) for object_id in ids]
    return insert(AuditEvent).values(rows or [row(who, action, object_type, None, request_id)])


def by_itself(action: str, object_type: str, object_id: str) -> Insert:
    """Remember, for every hospital, that the service did something that concerns all of them."""
    told = select(Tenant.id, literal(action), literal(object_type), literal(object_id))
    return insert(AuditEvent).from_select(["tenant_id", "action", "object_type", "object_id"], told)


def added() -> Insert:
    """Remember the rows that it is executed with: who did what to which thing may differ from row to row."""
    return insert(AuditEvent)


def row(who: Who, action: str, object_type: str, object_id: str | None, request_id: str | None) -> dict[str, Any]:
    """One event's columns."""
    return {
        "tenant_id": who.tenant_id,
        "principal_id": who.principal_id,
        "credential_id": who.credential_id,
        "action": action,
        "object_type": object_type,
        "object_id": object_id,
        "request_id": request_id,
    }


@dataclass(frozen=True)
class Asked:
    """Which of a tenant's events somebody asks for; everything is optional. `action` may be a beginning: `job.`"""

    action: str | None = None
    object_id: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(tenant: UUID, asked: Asked, before: int | None, limit: int) -> Select[AuditEvent, str]:
    """A tenant's events, newest first, with the names of those who acted."""
    query = (
        select(AuditEvent, Principal.name)
        .outerjoin(Principal, Principal.id == AuditEvent.principal_id)
        .where(AuditEvent.tenant_id == tenant, *_conditions(asked))
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return query if before is None else query.where(AuditEvent.id < before)


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.action is not None:
        whole = not asked.action.endswith(".")
        begins = AuditEvent.action.startswith(asked.action, autoescape=True)
        found.append(AuditEvent.action == asked.action if whole else begins)
    if asked.object_id is not None:
        found.append(AuditEvent.object_id == asked.object_id)
    if asked.actor is not None:
        found.append(Principal.name == asked.actor)
    if asked.since is not None:
        found.append(AuditEvent.at >= asked.since)
    if asked.until is not None:
        found.append(AuditEvent.at < asked.until)
    return found
