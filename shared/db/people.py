"""Tenants, the named persons and systems that act for them, and their keys, links and sessions.

A secret is 256 random bits, shown once; the database keeps its sha256. A fast hash is right here: nothing can be
guessed about 256 random bits, unlike a password.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.tables import Credential, Principal, Tenant, new_id
from shared.errors import Conflict
from shared.schemas import Role
from shared.sentences import say

Kind = Literal["key", "link", "session"]
HolderKind = Literal["person", "system"]
_PREFIX = {"key": "thk_", "link": "thl_", "session": "ths_"}


@dataclass(frozen=True)
class Wish:
    """Whom to give a key, or a link that signs in once, and for which roles. `hours` None: no end.

    `kind` None: whoever is called so already, else as `usual` says. `person`: as in `ensure_principal`.
    """

    name: str
    roles: Sequence[Role]
    kind: HolderKind | None
    what: Literal["key", "link"]
    hours: float | None = None
    person: str | None = None

    @property
    def usual(self) -> HolderKind:
        """A system only submits, by a key; whoever judges, decides, looks or signs in is a person."""
        return "system" if self.what == "key" and set(self.roles) == {Role.SUBMITTER} else "person"


def grant(session: Session, tenant: Tenant, wish: Wish) -> tuple[Credential, str]:
    """Issue what is wished and return it with its secret.

    Raises Conflict: whoever is called so has fewer roles, is of the other kind, or has left.
    """
    principal = ensure_principal(session, tenant, wish.name, wish.roles, wish.kind or wish.usual, wish.person)
    if principal.disabled_at is not None:
        raise Conflict("holder_left", name=wish.name)
    if wish.kind not in (None, principal.kind):
        raise Conflict("holder_is_a", name=wish.name, kind=say(f"holder.{principal.kind}"))
    if extra := set(wish.roles) - {Role(role) for role in principal.roles}:
        raise Conflict("holder_lacks_role", name=wish.name, roles=", ".join(sorted(extra)))
    return _issued(session, principal.id, wish.what, wish.hours, wish.roles)


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
    kind: HolderKind = "person",
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
    session: Session,
    principal_id: UUID,
    kind: Kind,
    hours: float | None = None,
    scopes: Iterable[Role] = (),
    until: datetime | None = None,
) -> str:
    """A new secret: `key` for programs, `link` to sign in once, `session` for a browser. `hours` None: no end.

    `scopes` narrows the principal's roles; empty leaves them all. It ends at `until` at the latest.
    """
    return _issued(session, principal_id, kind, hours, scopes, until)[1]


def compared(person: str) -> str:
    """A person's name as it is compared: however it is spelt, whatever its capitals, spaces and unseen letters."""
    seen = (one for one in unicodedata.normalize("NFKC", person) if unicodedata.category(one) != "Cf")
    return " ".join("".join(seen).casefold().split())


def digest(secret: str) -> bytes:
    """What the database keeps of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def _issued(
    session: Session,
    principal_id: UUID,
    kind: Kind,
    hours: float | None,
    scopes: Iterable[Role],
    until: datetime | None = None,
) -> tuple[Credential, str]:
    secret = _PREFIX[kind] + secrets.token_urlsafe(32)
    # By the clock that judges it.
    ends = [end for end in (None if hours is None else func.now() + timedelta(hours=hours), until) if end is not None]
    credential = Credential(
        id=new_id(),
        principal_id=principal_id,
        kind=kind,
        digest=digest(secret),
        hint=secret[:8],
        scopes=sorted(scopes),
        expires_at=func.least(*ends) if ends else None,
    )
    session.add(credential)
    session.flush()
    return credential, secret
