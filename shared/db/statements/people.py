"""Credentials: who holds a secret, one-time links, revocation. Expiry is judged by the database's clock."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, Update, func, or_, select, update

from shared.db.tables import Credential, Principal, Tenant

# Every request runs this one: building it costs more than running it, so it is built once.
_HOLDER = (
    select(
        Credential.id,
        Credential.scopes,
        Credential.expires_at,
        Principal.id.label("principal_id"),
        Principal.name,
        Principal.kind.label("principal_kind"),
        Principal.roles,
        Tenant.id.label("tenant_id"),
        Tenant.name.label("tenant"),
    )
    .join(Principal, Principal.id == Credential.principal_id)
    .join(Tenant, Tenant.id == Principal.tenant_id)
    .where(
        Credential.revoked_at.is_(None),
        or_(Credential.expires_at.is_(None), Credential.expires_at > func.now()),
        Principal.disabled_at.is_(None),
    )
)


def holder(digest: bytes, kind: str) -> Select[*tuple[Any, ...]]:
    """Credential, principal and tenant behind a secret that is neither expired nor revoked; no row otherwise."""
    return _HOLDER.where(Credential.digest == digest, Credential.kind == kind)


def use_link(digest: bytes) -> Update:
    """Use up a one-time link; returns its principal, tenant and scopes, once."""
    return (
        update(Credential)
        .where(
            Credential.digest == digest,
            Credential.kind == "link",
            Credential.used_at.is_(None),
            Credential.revoked_at.is_(None),
            or_(Credential.expires_at.is_(None), Credential.expires_at > func.now()),
            Principal.id == Credential.principal_id,
            Principal.disabled_at.is_(None),
        )
        .values(used_at=func.now())
        .returning(Principal.tenant_id, Credential.principal_id, Credential.scopes)
        .execution_options(synchronize_session=False)
    )


def revoke(principal_id: UUID, credential_id: UUID) -> Update:
    """End a credential of this principal from now on."""
    return (
        update(Credential)
        .where(Credential.id == credential_id, Credential.principal_id == principal_id, Credential.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .execution_options(synchronize_session=False)
    )
