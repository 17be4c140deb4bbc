"""Credentials: who holds a secret, one-time links, revocation. Expiry is judged by the database's clock."""

from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Select, Update, and_, any_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.tables import Credential, Principal, Tenant

_UNUSED = and_(
    Credential.used_at.is_(None),
    Credential.revoked_at.is_(None),
    or_(Credential.expires_at.is_(None), Credential.expires_at > func.now()),
)

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


def holders() -> Select[*tuple[Any, ...]]:
    """Credential, principal and tenant behind secrets that are neither expired nor revoked; no row for the others.

    Executed with `digests`, a list of the secrets' digests.
    """
    return _HOLDERS


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


def of_tenant(tenant: UUID) -> Select[Principal, Credential, bool]:
    """A tenant's persons and systems by name, with each of their keys and the links that still work, oldest first.

    The last column: whether the key is valid now. A principal without any is one row without a credential.
    """
    kept = or_(Credential.kind == "key", and_(Credential.kind == "link", _UNUSED))
    return (
        select(Principal, Credential, and_(_UNUSED, Principal.disabled_at.is_(None)))
        .outerjoin(Credential, and_(Credential.principal_id == Principal.id, kept))
        .where(Principal.tenant_id == tenant)
        .order_by(Principal.name, Credential.id)
    )


def signed_in(tenant: UUID) -> Select[UUID, int]:
    """How many open sessions each of a tenant's principals has; no row for those without."""
    return (
        select(Credential.principal_id, func.count())
        .join(Principal, Principal.id == Credential.principal_id)
        .where(Principal.tenant_id == tenant, Credential.kind == "session", _UNUSED)
        .group_by(Credential.principal_id)
    )


def key(credential_id: UUID, tenant: UUID | None) -> Select[Credential, UUID]:
    """A key or link and its hospital; of this tenant alone, unless it is None."""
    query = (
        select(Credential, Principal.tenant_id)
        .join(Principal, Principal.id == Credential.principal_id)
        .where(Credential.id == credential_id, Credential.kind != "session")
    )
    return query if tenant is None else query.where(Principal.tenant_id == tenant)


def revoke_key(credential: Credential) -> Update:
    """End a key or link from now on, and the sessions of its holder: one of them may have begun with it."""
    mine = and_(Credential.principal_id == credential.principal_id, Credential.kind == "session")
    return (
        update(Credential)
        .where(or_(Credential.id == credential.id, mine), Credential.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .execution_options(synchronize_session=False)
    )
