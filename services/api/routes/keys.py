"""Keys and people: who acts for a hospital, with which keys. Nobody learns of, or changes, another hospital's."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.problems import request_id
from shared.db import people
from shared.db.statements import audit
from shared.db.statements import people as statements
from shared.db.tables import Credential, Principal, Tenant
from shared.errors import Forbidden, NotFound
from shared.schemas import Role
from shared.settings import Settings

router = APIRouter(tags=["keys"])

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")
]
_GIVEN_FREELY = frozenset({Role.SUBMITTER, Role.CLINICIAN})
_LINK_HOURS = 12.0
_YEARS = 10 * 366 * 24.0


class NewKey(BaseModel):
    """Whom to give a key, or a link that signs a person in once."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Made when it is new; else the key gives no more than its holder may do")
    roles: list[Role] = Field(min_length=1, max_length=len(Role))
    kind: people.HolderKind | None = Field(
        None, description="When left out: a system where a key is for `submitter` alone, else a person"
    )
    what: Literal["key", "link"] = "key"
    hours: float | None = Field(None, gt=0, le=_YEARS, description="A key without it has no end; a link has twelve")
    person: Name | None = Field(None, description="Who answers for a system")


class KeyView(BaseModel):
    """One key, or a link that was not used yet; never its secret. `hint`: how it begins."""

    id: UUID
    kind: Literal["key", "link"]
    hint: str
    roles: list[Role]
    valid: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Holder(BaseModel):
    """A person or system of your hospital. `sessions`: browsers in which it is signed in."""

    id: UUID
    name: str
    kind: people.HolderKind
    person: str | None
    roles: list[Role]
    left: bool
    sessions: int
    keys: list[KeyView]


class People(BaseModel):
    """Everybody who may act for your hospital."""

    people: list[Holder]


class MadeKey(KeyView):
    """With its secret, which is shown this once: `key`, or the address that `link` is."""

    name: str
    holder: people.HolderKind
    secret: str


@router.get("/v1/keys", summary="Who acts for your hospital, and with which keys")
async def listed(request: Request, caller: Signed) -> People:
    """By name; of each key how it begins."""
    async with of(request).begin() as session:
        sessions = {row[0]: row[1] for row in await session.execute(statements.signed_in(caller.tenant_id))}
        rows = (await session.execute(statements.of_tenant(caller.tenant_id))).all()
    found: dict[UUID, Holder] = {}
    for principal, credential, valid in rows:
        holder = found.setdefault(principal.id, _holder(principal, sessions.get(principal.id, 0)))
        if credential is not None:
            holder.keys.append(_view(credential, principal, valid=valid))
    return People(people=list(found.values()))


@router.post("/v1/keys", status_code=201, summary="Make a key or a sign-in link", responses=replies.errors(409, 422))
async def make(request: Request, caller: Signed, body: NewKey) -> MadeKey:
    """Its secret is in this answer and nowhere else; only a hash is kept.

    An administrator gives `submitter` and `clinician`, and what he holds himself; `admin` not where promotions need two
    persons, since he could be both of them.
    """
    gateway = of(request)
    _require_his_to_give(caller, body.roles, gateway.settings)
    hours = body.hours or (_LINK_HOURS if body.what == "link" else None)
    wish = people.Wish(body.name, body.roles, body.kind, body.what, hours, body.person)
    async with gateway.begin() as session:
        tenant = await session.get_one(Tenant, caller.tenant_id)
        credential, secret = await session.run_sync(lambda sync: people.grant(sync, tenant, wish))
        await session.refresh(credential)
        principal = await session.get_one(Principal, credential.principal_id)
        await _remember(session, request, caller, f"{body.what}.create", credential)
    shown = f"{gateway.settings.base_url}/sign-in/{secret}" if body.what == "link" else secret
    who = {"name": principal.name, "holder": principal.kind, "secret": shown}
    return MadeKey.model_validate(who | _view(credential, principal, valid=True).model_dump())


@router.delete(
    "/v1/keys/{key_id}",
    status_code=204,
    response_class=Response,
    summary="Make a key or link invalid at once",
    responses=replies.errors(404),
)
async def revoke(request: Request, caller: Signed, key_id: UUID) -> Response:
    """Its holder is signed out everywhere too: a session may have begun with it. Cannot be undone; make another."""
    async with of(request).begin() as session:
        credential = await session.scalar(statements.key(key_id, caller.tenant_id))
        if credential is None:
            raise NotFound
        if credential.revoked_at is None:
            await session.execute(statements.revoke_key(credential))
            await _remember(session, request, caller, "key.revoke", credential)
    return Response(status_code=204)


def may_give(request: Request, caller: Caller, role: Role) -> bool:
    """Whether this administrator may give a role to somebody."""
    try:
        _require_his_to_give(caller, [role], of(request).settings)
    except Forbidden:
        return False
    return True


def _require_his_to_give(caller: Caller, roles: list[Role], settings: Settings) -> None:
    """Nobody makes himself, or somebody else, more than he is. Raises Forbidden."""
    more = set(roles) - _GIVEN_FREELY
    if lacking := more - caller.roles:
        raise Forbidden("role_not_yours", roles=", ".join(sorted(lacking)))
    if Role.ADMIN in more and settings.two_persons:
        raise Forbidden("admin_by_operator")


async def _remember(
    session: AsyncSession, request: Request, caller: Caller, action: str, credential: Credential
) -> None:
    await session.execute(audit.event(caller, action, "credential", str(credential.id), request_id(request)))


def _holder(principal: Principal, sessions: int) -> Holder:
    named = {name: getattr(principal, name) for name in ("id", "name", "kind", "person", "roles")}
    return Holder(left=principal.disabled_at is not None, sessions=sessions, keys=[], **named)


def _view(credential: Credential, principal: Principal, *, valid: bool) -> KeyView:
    named = {name: getattr(credential, name) for name in KeyView.model_fields if name not in ("roles", "valid")}
    roles = [role for role in principal.roles if not credential.scopes or role in credential.scopes]
    return KeyView.model_validate({**named, "roles": roles, "valid": valid})
