"""Credentials: who holds a secret, one-time links, revocation. Expiry is judged by the database's clock."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Select, Update, any_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.tables import Credential, Principal, Tenant

# Every request runs this one: building it costs more than running it, so it is built once.
_HOLDERS = (
    select(
        Credential.id,
        Credential.digest,
        Credential.kind,
        Credential.scopes,
        Credential.expires_at,
        Principal.id.label("principal_id"),
        Principal.name,
        Principal.kind.label("principal_kind"),
        Principal.person,
        Principal.roles,
        Tenant.id.label("tenant_id"),
        Tenant.name.label("tenant"),
    )
    .join(Principal, Principal.id == Credential.principal_id)
    .join(Tenant, Tenant.id == Principal.tenant_id)
    .where(
        Credential.digest == any_(bindparam("digests", type_=ARRAY(LargeBinary))),
        Credential.revoked_at.is_(None),
        or_(Credential.expires_at.is_(None), Credential.expires_at > func.now()),
        Principal.disabled_at.is_(None),
    )
)


def holders(digests: Sequence[bytes]) -> Select[*tuple[Any, ...]]:
    """Credential, principal and tenant behind secrets that are neither expired nor revoked; no row for the others."""
    return _HOLDERS.params(digests=list(digests))


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
