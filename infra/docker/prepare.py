"""`python -m infra.docker.prepare`: schema, starter versions, first admin. Changes nothing that is there already."""

import os
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.db.people import ensure_principal, ensure_tenant, issue
from shared.db.tables import Principal
from shared.deployments import install_starters
from shared.schemas import Role
from shared.settings import Settings

KEY_FILE = "first-admin-key"
TENANT = "this machine"  # the hospital that `thoracle keys` means when none is named
_PATIENCE_S = 60.0


def main() -> None:
    """Get a fresh installation ready, or an upgraded one."""
    settings = Settings()
    database = Database(settings)
    try:
        await_database(database.engine, _PATIENCE_S)
        upgrade(settings)
        for artefact in install_starters(settings, database):
            _say(f"{artefact.card.modality} version {artefact.card.name} {artefact.sha256[:12]}")
        key_file = settings.versions_dir.parent / KEY_FILE
        key_file.parent.mkdir(parents=True, exist_ok=True)
        with database.begin() as session:
            if make_first_admin(session, key_file):
                _say(f"the first admin's key lies in {key_file}: make keys for named persons with it, then delete both")
    finally:
        database.close()


def await_database(engine: Engine, seconds: float) -> None:
    """Until PostgreSQL answers: not everything that starts containers waits for it. Raises what it said last."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def make_first_admin(session: Session, key_file: Path) -> bool:
    """Where nobody is an admin yet, make one. Its key goes to a private file: a log would keep it and pass it on."""
    if session.scalar(select(Principal.id).where(Principal.roles.contains([Role.ADMIN])).limit(1)):
        return False
    admin = ensure_principal(session, ensure_tenant(session, TENANT), "first admin", [Role.ADMIN])
    secret = issue(session, admin.id, "key")
    handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(secret + "\n")
    return True


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
