"""`thoracle keys`: keys and sign-in links of named persons and systems. Speaks to the database of this machine."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli.output import Json, emit, say, show, table
from shared.errors import Conflict, NotFound
from shared.schemas import Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cli.local import Local
    from shared.db.tables import Principal

app = typer.Typer(help="Keys and sign-in links of named persons and systems.", no_args_is_help=True)


class Kind(StrEnum):
    """Who holds a key."""

    PERSON = "person"
    SYSTEM = "system"


Name = Annotated[str, typer.Argument(help="Name of the person or system.")]
Tenant = Annotated[str, typer.Option(help="Hospital.")]
Roles = Annotated[list[Role], typer.Option("--role", help="May be given several times.")]
KindOption = Annotated[Kind, typer.Option(help="Who it is.")]
DEFAULT_TENANT = "this machine"


@app.command("create")
def create(
    name: Name,
    role: Roles,
    tenant: Tenant = DEFAULT_TENANT,
    kind: KindOption = Kind.SYSTEM,
    hours: Annotated[float | None, typer.Option(help="Valid for so long; for ever when left out.")] = None,
    person: Annotated[str | None, typer.Option(help="Who that is, or answers for it; the name when left out.")] = None,
    json_: Json = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept."""
    from cli.local import local

    with local() as place:
        secret = _issue(place, tenant, name, role, kind, "key", hours, person)
    if json_:
        emit({"name": name, "tenant": tenant, "roles": role, "key": secret})
        return
    say("Keep this key now; it cannot be shown again.")
    show(secret)


@app.command("link")
def link(
    name: Name,
    role: Roles,
    tenant: Tenant = DEFAULT_TENANT,
    kind: KindOption = Kind.PERSON,
    hours: Annotated[float, typer.Option(help="Valid for so long.")] = 12.0,
    json_: Json = False,
) -> None:
    """Make a link that signs a person in, once."""
    from cli.local import local
    from infra.state import running_url

    with local() as place:
        base = running_url(place.settings.home) or place.settings.base_url
        address = f"{base}/sign-in/{_issue(place, tenant, name, role, kind, 'link', hours)}"
    if json_:
        emit({"name": name, "tenant": tenant, "roles": role, "link": address})
        return
    say("This link works once.")
    show(address)


@app.command("list")
def list_(json_: Json = False) -> None:
    """Keys that were made: whose, for what, and whether they are valid."""
    from sqlalchemy import select

    from cli.local import local
    from shared.db.tables import Credential, Principal
    from shared.db.tables import Tenant as TenantRow

    query = select(Credential, Principal, TenantRow.name).select_from(Credential).join(Principal).join(TenantRow)
    with local() as place, place.database.begin() as session:
        found = session.execute(query.where(Credential.kind == "key").order_by(Credential.id)).all()
        rows = [_described(credential, principal, tenant) for credential, principal, tenant in found]
    if json_:
        emit({"keys": rows})
        return
    columns = ("Id", "Begins with", "Name", "Hospital", "Who", "Roles", "Made", "Ends", "Revoked")
    table("Keys", columns, [list(row.values()) for row in rows])


@app.command("revoke")
def revoke(key_id: Annotated[UUID, typer.Argument(help="Id from 'keys list'.")], json_: Json = False) -> None:
    """Make a key invalid at once."""
    from sqlalchemy import func

    from cli.local import local
    from shared.db.tables import Credential, Principal

    with local() as place, place.database.begin() as session:
        credential = session.get(Credential, key_id)
        if credential is None:
            raise NotFound(detail=f"There is no key {key_id}. 'thoracle keys list' shows them.")
        if credential.revoked_at is None:
            credential.revoked_at = func.now()
            _remember(session, session.get_one(Principal, credential.principal_id), "key.revoke", str(key_id))
    if json_:
        emit({"id": str(key_id), "revoked": True})
    else:
        show("The key is no longer valid.")


def _issue(
    place: "Local",
    tenant: str,
    name: str,
    roles: list[Role],
    kind: Kind,
    what: Any,
    hours: float | None,
    person: str | None = None,
) -> str:
    from shared.db import people

    with place.database.begin() as session:
        owner = people.ensure_tenant(session, tenant)
        principal = people.ensure_principal(session, owner, name, roles, kind.value, person)
        if extra := set(roles) - {Role(role) for role in principal.roles}:
            raise Conflict(
                detail=f"{name} is known here without the role {', '.join(sorted(extra))}; a key gives no more "
                "than its holder may do. Choose another name.",
            )
        secret = people.issue(session, principal.id, what, hours, roles)
        _remember(session, principal, f"{what}.create", str(principal.id))
    return secret


def _remember(session: "Session", principal: "Principal", action: str, thing: str) -> None:
    from shared.db.statements import audit

    who = audit.Actor(tenant_id=principal.tenant_id, principal_id=principal.id, credential_id=None)
    session.execute(audit.event(who, action, "credential", thing, None))


def _described(credential: Any, principal: Any, tenant: str) -> dict[str, object]:
    return {
        "id": str(credential.id),
        "hint": credential.hint,
        "name": principal.name,
        "tenant": tenant,
        "kind": principal.kind,
        "roles": ", ".join(credential.scopes or principal.roles),
        "created_at": _time(credential.created_at),
        "expires_at": _time(credential.expires_at),
        "revoked_at": _time(credential.revoked_at),
    }


def _time(value: datetime | None) -> str | None:
    return value.isoformat(timespec="seconds") if value else None
