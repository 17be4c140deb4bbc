"""Pictures of inputs: wished for by the gateway, drawn by a worker."""

from uuid import UUID

from sqlalchemy import Insert, Select, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import Rendition


def wish(tenant: UUID, job_id: UUID, kind: str) -> Insert:
    """Ask for a picture; nothing changes when it was asked for before."""
    return insert(Rendition).values(job_id=job_id, kind=kind, tenant_id=tenant).on_conflict_do_nothing()


def state(tenant: UUID, job_id: UUID, kind: str) -> Select[str, str | None]:
    """How far it is, and its blob once it is made."""
    return select(Rendition.state, Rendition.sha256).where(
        Rendition.tenant_id == tenant, Rendition.job_id == job_id, Rendition.kind == kind
    )
