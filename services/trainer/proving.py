"""A trainer proves versions that are being prepared, so that a pointer can be moved while every worker is away."""

import structlog
from sqlalchemy import select

from shared.db.engine import Database
from shared.db.tables import Deployment, Version
from shared.errors import VersionInvalid
from shared.registry import verify
from shared.runtimes import load
from shared.settings import Settings

_log = structlog.get_logger()


class Prover:
    """Verifies each version once and compares its golden samples on this machine; keeps nothing loaded."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._proved: set[str] = set()
        self._refused: dict[str, str] = {}

    def look(self) -> None:
        """Prove what has come to be prepared since the last look."""
        prepared = select(Version.sha256).join(Deployment, Deployment.prepare_id == Version.id)
        with self._database.begin() as session:
            found = set(session.scalars(prepared.where(Version.recalled_at.is_(None))))
        self._refused = {sha256: why for sha256, why in self._refused.items() if sha256 in found}
        for sha256 in found - self._proved - self._refused.keys():
            self._prove(sha256)

    def report(self) -> dict[str, object]:
        """For the trainer's own row, under the names that workers use."""
        return {"loaded": sorted(self._proved), "refused": dict(self._refused)}

    def _prove(self, sha256: str) -> None:
        try:
            load(verify(self._settings.versions_dir / sha256, sha256), self._settings.trainer_threads)
            self._proved.add(sha256)
        except VersionInvalid as error:
            self._refused[sha256] = error.detail
            _log.error("version_refused", version=sha256, detail=error.detail)
