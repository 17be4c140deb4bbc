"""Tenants, the named persons and systems that act for them, and their keys, links and sessions.

A secret is 256 random bits, shown once; the database keeps its sha256. A fast hash is right here: nothing can be
guessed about 256 random bits, unlike a password.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import Credential, Principal, Tenant, new_id
from shared.schemas import Role

Kind = Literal["key", "link", "session"]
_PREFIX = {"key": "thk_", "link": "thl_", "session": "ths_"}


def ensure_tenant(session: Session, name: str) -> Tenant:
    """The tenant of this name, made when it is new."""
    tenant = session.scalar(select(Tenant).where(Tenant.name == name))
    if tenant is None:
        tenant = Tenant(id=new_id(), name=name, pseudonym_key=secrets.token_bytes(32))
        session.add(tenant)
        session.flush()
    return tenant


def ensure_principal(
    session: Session,
    tenant: Tenant,
    name: str,
    roles: Iterable[Role],
    kind: Literal["person", "system"] = "person",
    person: str | None = None,
) -> Principal:
    """The person or system of this name in a tenant, made with these roles when it is new.

    `person`: who that is, where the name does not say it, or who answers for a system.
    """
    query = select(Principal).where(Principal.tenant_id == tenant.id, Principal.name == name)
    principal = session.scalar(query)
    if principal is None:
        who = person or (name if kind == "person" else None)
        principal = Principal(id=new_id(), tenant_id=tenant.id, name=name, person=who, kind=kind, roles=sorted(roles))
        session.add(principal)
        session.flush()
    return principal


def issue(
    session: Session, principal_id: UUID, kind: Kind, hours: float | None = None, scopes: Iterable[Role] = ()
) -> str:
    """A new secret: `key` for programs, `link` to sign in once, `session` for a browser. `hours` None: no end.

    `scopes` narrows the principal's roles; empty leaves them all.
    """
    secret = _PREFIX[kind] + secrets.token_urlsafe(32)
    expires = datetime.now(UTC) + timedelta(hours=hours) if hours is not None else None
    session.add(
        Credential(
            id=new_id(),
            principal_id=principal_id,
            kind=kind,
            digest=digest(secret),
            hint=secret[:8],
            scopes=sorted(scopes),
            expires_at=expires,
        )
    )
    session.flush()
    return secret


def digest(secret: str) -> bytes:
    """What the database keeps of a secret."""
    return hashlib.sha256(secret.encode()).digest()
