"""Pictures of inputs for the pages, made on demand after all jobs."""

from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from services.worker.sandbox import Sandbox
from shared.db.engine import Database
from shared.db.tables import JobInput, Rendition
from shared.storage import BlobStore


class Renditions:
    """Takes one waiting rendition at a time. The row stays locked while it is drawn: a dead worker frees it."""

    def __init__(self, database: Database, sandbox: Sandbox, store: BlobStore) -> None:
        self._database, self._sandbox, self._store = database, sandbox, store

    def make_one(self) -> bool:
        """Draw one; False when none waits."""
        try:
            with self._database.begin() as session:
                row = self._next(session)
                if row is None:
                    return False
                self._record(session, row, self._draw(row))
                return True
        except DBAPIError:
            return False

    def _next(self, session: Session) -> Row[UUID, str, UUID, str, str] | None:
        query = (
            select(Rendition.job_id, Rendition.kind, Rendition.tenant_id, JobInput.sha256, JobInput.media_type)
            .join(JobInput, (JobInput.job_id == Rendition.job_id) & (JobInput.position == 0))
            .where(Rendition.state == "waiting")
            .order_by(Rendition.requested_at)
            .limit(1)
            .with_for_update(of=Rendition, skip_locked=True)
        )
        return session.execute(query).first()

    def _draw(self, row: Row[UUID, str, UUID, str, str]) -> str | None:
        tenant: UUID = row.tenant_id
        path = str(self._store.path(tenant, row.sha256))
        png = self._sandbox.render(path, row.sha256, row.media_type, row.kind)
        return self._store.put(tenant, png).sha256 if png else None

    def _record(self, session: Session, row: Row[UUID, str, UUID, str, str], sha256: str | None) -> None:
        session.execute(
            update(Rendition)
            .where(Rendition.job_id == row.job_id, Rendition.kind == row.kind)
            .values(state="made" if sha256 else "failed", sha256=sha256)
        )
