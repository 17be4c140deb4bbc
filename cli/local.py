"""This machine's own installation: its database, the key of its command line, sign-in links."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.stack import open_engines
from shared.db import people
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.db.tables import Credential, Principal
from shared.schemas import Role
from shared.settings import Settings

TENANT = "this machine"
_LINK_HOURS = 12.0


@dataclass(frozen=True)
class Local:
    """Settings that name running engines, and their database."""

    settings: Settings
    database: Database


@contextmanager
def local() -> Iterator[Local]:
    """The database of this installation; embedded engines are attached to, or run for as long as this lasts."""
    with open_engines(Settings()) as (settings, engines):
        if engines is not None:
            upgrade(settings)
        yield from _with_database(settings)


def _with_database(settings: Settings) -> Iterator[Local]:
    database = Database(settings)
    try:
        yield Local(settings, database)
    finally:
        database.close()


def ensure_key(home: Path, database: Database) -> None:
    """Keep a valid key for the command line in `home/key`, readable by us alone."""
    path = home / "key"
    with database.begin() as session:
        if path.exists() and _is_valid(session, path.read_text().strip()):
            return
        tenant = people.ensure_tenant(session, TENANT)
        principal = people.ensure_principal(session, tenant, "command line", Role, "system", getpass.getuser())
        secret = people.issue(session, principal.id, "key")
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"{secret}\n")


def sign_in_links(settings: Settings, database: Database) -> dict[Role, str]:
    """A link for each role that signs in once, valid for some hours."""
    with database.begin() as session:
        tenant = people.ensure_tenant(session, TENANT)
        return {role: _link(settings, session, tenant.name, f"demo {role}", [role]) for role in Role}


def _link(settings: Settings, session: Session, tenant_name: str, name: str, roles: list[Role]) -> str:
    tenant = people.ensure_tenant(session, tenant_name)
    principal = people.ensure_principal(session, tenant, name, roles)
    return f"{settings.base_url}/sign-in/{people.issue(session, principal.id, 'link', _LINK_HOURS)}"


def _is_valid(session: Session, secret: str) -> bool:
    query = (
        select(Credential.id)
        .join(Principal)
        .where(
            Credential.digest == people.digest(secret),
            Credential.kind == "key",
            Credential.revoked_at.is_(None),
            Principal.disabled_at.is_(None),
        )
    )
    return session.scalar(query) is not None
