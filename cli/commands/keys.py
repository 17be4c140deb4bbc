"""`thoracle keys`: keys and sign-in links of named persons and systems, in this machine's database or over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli.client import Client
from cli.output import Json, emit, listed, say, show
from shared.errors import NotFound
from shared.schemas import Role
from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shared.db.people import Wish
    from shared.db.tables import Credential, Principal

app = typer.Typer(help="Keys and sign-in links of named persons and systems.", no_args_is_help=True)


class Kind(StrEnum):
    """Who holds a key."""

    PERSON = "person"
    SYSTEM = "system"


Name = Annotated[str, typer.Argument(help="Name of the person or system.")]
Tenant = Annotated[str, typer.Option(help="Hospital; over HTTP always your own.")]
Roles = Annotated[list[Role], typer.Option("--role", help="May be given several times.")]
KindOption = Annotated[
    Kind | None, typer.Option(help="Who it is. When left out: a system if a key is for submitter alone, else a person.")
]
Http = Annotated[bool, typer.Option("--http", help="Ask the gateway, with your key, instead of this machine's data.")]
DEFAULT_TENANT = "this machine"


@app.command("create")
def create(
    name: Name,
    role: Roles,
    tenant: Tenant = DEFAULT_TENANT,
    kind: KindOption = None,
    hours: Annotated[float | None, typer.Option(help="Valid for so long; for ever when left out.")] = None,
    person: Annotated[str | None, typer.Option(help="Who that is, or answers for it; the name when left out.")] = None,
    http: Http = False,
    json_: Json = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept."""
    from shared.db.people import Wish

    _make(Wish(name, role, kind.value if kind else None, "key", hours, person), None if http else tenant, as_json=json_)


@app.command("link")
def link(
    name: Name,
    role: Roles,
    tenant: Tenant = DEFAULT_TENANT,
    kind: KindOption = None,
    hours: Annotated[float, typer.Option(help="Valid for so long.")] = 12.0,
    http: Http = False,
    json_: Json = False,
) -> None:
    """Make a link that signs a person in, once."""
    from shared.db.people import Wish

    _make(Wish(name, role, kind.value if kind else None, "link", hours), None if http else tenant, as_json=json_)


@app.command("list")
def list_(http: Http = False, json_: Json = False) -> None:
    """Keys that were made: whose, for what, and whether they are valid."""
    rows = _told() if http else _kept()
    columns = ("Id", "Begins with", "Name", "Hospital", "Who", "Roles", "Made", "Ends", "Revoked")
    listed({"keys": rows}, "Keys", columns, [list(row.values()) for row in rows], as_json=json_)


@app.command("revoke")
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="Id from 'keys list'.")], http: Http = False, json_: Json = False
) -> None:
    """Make a key invalid at once, and sign its holder out everywhere."""
    if http:
        with Client(Settings()) as client:
            client.call("DELETE", f"/v1/keys/{key_id}")
    else:
        _revoked(key_id)
    if json_:
        emit({"id": str(key_id), "revoked": True})
    else:
        show("The key is no longer valid.")


def _make(wish: "Wish", tenant: str | None, *, as_json: bool) -> None:
    """Make it, in this machine's database or (no tenant) over HTTP, and show it."""
    holder, secret = _asked(wish) if tenant is None else _issued(wish, tenant)
    if as_json:
        emit({"name": wish.name, "tenant": tenant, "kind": holder, "roles": list(wish.roles), wish.what: secret})
        return
    once = "Keep it now; it cannot be shown again." if wish.what == "key" else "It works once."
    say(f"A {wish.what} of the {holder} {wish.name}. {once}")
    show(secret)


def _asked(wish: "Wish") -> tuple[str, str]:
    """Whether a person or a system holds it, and the secret, or the link, as the gateway made it."""
    body = {"name": wish.name, "roles": list(wish.roles), "what": wish.what}
    wishes = {"kind": wish.kind, "hours": wish.hours, "person": wish.person}
    with Client(Settings()) as client:
        made = client.call("POST", "/v1/keys", {**body, **{key: value for key, value in wishes.items() if value}})
    return str(made["holder"]), str(made["secret"])


def _issued(wish: "Wish", tenant: str) -> tuple[str, str]:
    """The same, made in this machine's database."""
    from cli.local import local
    from infra.state import running_url
    from shared.db import people
    from shared.db.tables import Principal

    with local() as place, place.database.begin() as session:
        credential, secret = people.grant(session, people.ensure_tenant(session, tenant), wish)
        holder = session.get_one(Principal, credential.principal_id)
        _remember(session, holder, f"{wish.what}.create", credential)
        if wish.what == "key":
            return holder.kind, secret
        return holder.kind, f"{running_url(place.settings.home) or place.settings.base_url}/sign-in/{secret}"


def _revoked(key_id: UUID) -> None:
    from cli.local import local
    from shared.db.statements import people
    from shared.db.tables import Principal

    with local() as place, place.database.begin() as session:
        credential = session.scalar(people.key(key_id, None))
        if credential is None:
            raise NotFound(detail=f"There is no key {key_id}. 'thoracle keys list' shows them.")
        if credential.revoked_at is None:
            session.execute(people.revoke_key(credential))
            _remember(session, session.get_one(Principal, credential.principal_id), "key.revoke", credential)


def _told() -> list[dict[str, object]]:
    with Client(Settings()) as client:
        tenant = client.get("/v1/me")["tenant"]
        people = client.get("/v1/keys")["people"]
    return [_row(key, holder, tenant) for holder in people for key in holder["keys"] if key["kind"] == "key"]


def _row(key: dict[str, Any], holder: dict[str, Any], tenant: str) -> dict[str, object]:
    times = {name: key[name] for name in ("created_at", "expires_at", "revoked_at")}
    who = {"name": holder["name"], "tenant": tenant, "kind": holder["kind"], "roles": ", ".join(key["roles"])}
    return {"id": key["id"], "hint": key["hint"], **who, **times}


def _kept() -> list[dict[str, object]]:
    from sqlalchemy import select

    from cli.local import local
    from shared.db.tables import Credential, Principal
    from shared.db.tables import Tenant as TenantRow

    query = select(Credential, Principal, TenantRow.name).select_from(Credential).join(Principal).join(TenantRow)
    with local() as place, place.database.begin() as session:
        found = session.execute(query.where(Credential.kind == "key").order_by(Credential.id)).all()
        return [_described(credential, principal, tenant) for credential, principal, tenant in found]


def _remember(session: "Session", principal: "Principal", action: str, credential: "Credential") -> None:
    from shared.db.statements import audit

    who = audit.Actor(tenant_id=principal.tenant_id, principal_id=principal.id, credential_id=None)
    session.execute(audit.event(who, action, "credential", str(credential.id), None))


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
