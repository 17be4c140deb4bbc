"""Who calls: a key of a named person or system, or a browser's session. Only sha256 digests meet the database."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.access import Access
from services.api.gateway import Gateway, of
from services.api.roles import ROLES
from shared.db import people
from shared.db.statements import audit
from shared.db.statements import people as statements
from shared.errors import Forbidden, Unauthenticated
from shared.schemas import Role
from shared.settings import Settings

COOKIE = "thoracle_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """The principal behind a request, and what its credential lets it do."""

    tenant_id: UUID
    tenant: str
    principal_id: UUID
    name: str
    kind: str
    person: str | None
    roles: frozenset[Role]
    credential_id: UUID
    credential: str

    def may(self, *roles: Role) -> bool:
        """Whether the caller holds one of these roles."""
        return not self.roles.isdisjoint(roles)


async def authorise(request: Request) -> None:
    """Every route's first dependency: looks the route up in ROLES and refuses what stands not there."""
    access = _access(request)
    if access is None:
        return
    request.state.caller = caller = await authenticate(request)
    if caller.roles.isdisjoint(access):
        raise Forbidden


async def authenticate(request: Request) -> Caller:
    """The caller of this request. Raises Unauthenticated; Forbidden when a page of another site sent it."""
    secret, kind = _secret(request)
    digest = people.digest(secret)
    of(request).rates.enter(digest)
    request.scope["state"]["rated"] = digest  # whose account the body's bytes go to
    if kind == "session" and request.method not in _SAFE:
        require_same_origin(request)
    row = await of(request).looks.holders.get(digest)
    if row is None or row.kind != kind:
        raise Unauthenticated
    roles = frozenset(Role(role) for role in row.roles if not row.scopes or role in row.scopes)
    return Caller(
        row.tenant_id, row.tenant, row.principal_id, row.name, row.principal_kind, row.person, roles, row.id, kind
    )


async def current(request: Request) -> Caller:
    """The caller that `authorise` let through. (A dependency that is not async costs a thread's turn.)"""
    caller: Caller = request.state.caller
    return caller


Signed = Annotated[Caller, Depends(current)]


def require(*roles: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency for a route whose row in ROLES is PUBLIC but which needs somebody with one of these roles."""

    async def caller_with_role(request: Request) -> Caller:
        caller = await authenticate(request)
        if not caller.may(*roles):
            raise Forbidden
        return caller

    return caller_with_role


def require_same_origin(request: Request) -> None:
    """Refuse an unsafe request that a page of another site made with our cookie. Raises Forbidden."""
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin":
        return
    # Old browsers send no such header: the origin must be the address that we are known under, whatever Host says.
    if site is not None or request.headers.get("origin") != of(request).settings.base_url:
        raise Forbidden("cross_site")


async def sign_in_with_link(gateway: Gateway, secret: str, request_id: str | None = None) -> str:
    """Use up a one-time link (`thl_...`) and return the secret of a new session. Raises Unauthenticated."""
    async with gateway.begin() as session:
        row = (await session.execute(statements.use_link(people.digest(secret)))).one_or_none()
        if row is None:
            raise Unauthenticated("sign_in_used")
        return await _open_session(gateway, session, row, request_id)


async def sign_in_with_key(gateway: Gateway, secret: str, request_id: str | None = None) -> str:
    """Return the secret of a new session with the rights and the end of a key (`thk_...`). Raises Unauthenticated."""
    async with gateway.begin() as session:
        row = (await session.execute(statements.holders(), {"digests": [people.digest(secret)]})).one_or_none()
        if row is None or row.kind != "key":
            raise Unauthenticated
        return await _open_session(gateway, session, row, request_id, until=row.expires_at)


async def sign_out(gateway: Gateway, caller: Caller, request_id: str | None = None) -> None:
    """End the caller's session (or revoke the key it came with)."""
    async with gateway.begin() as session:
        await session.execute(statements.revoke(caller.principal_id, caller.credential_id))
        await session.execute(audit.event(caller, "session.end", "session", str(caller.credential_id), request_id))


def set_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Hand the session to the browser: no script reads it, no other site sends it."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=settings.session_hours * 3600,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response) -> None:
    """Take the session back from the browser."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def _access(request: Request) -> Access:
    route = request.scope.get("route")
    key = (request.method, getattr(route, "path", ""))
    if key not in ROLES:
        raise Forbidden
    return ROLES[key]


def _secret(request: Request) -> tuple[str, people.Kind]:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if secret:
        if scheme.lower() != "bearer":
            raise Unauthenticated
        return secret.strip(), "key"
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated
    return cookie, "session"


async def _open_session(
    gateway: Gateway, session: AsyncSession, holder: Row[Any], request_id: str | None, until: datetime | None = None
) -> str:
    """A session of what a link or a key stands for."""
    hours, roles = gateway.settings.session_hours, [Role(scope) for scope in holder.scopes]
    secret = await session.run_sync(
        lambda sync: people.issue(sync, holder.principal_id, "session", hours, roles, until)
    )
    who = audit.Actor(tenant_id=holder.tenant_id, principal_id=holder.principal_id, credential_id=None)
    await session.execute(audit.event(who, "session.begin", "principal", str(holder.principal_id), request_id))
    return secret
