"""Studies: what belongs together for one patient visit. Its jobs side by side, never one fused score."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.api import reading, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.problems import request_id
from shared.db.statements import audit, jobs
from shared.errors import NotFound
from shared.schemas import JobView

router = APIRouter(tags=["studies"])


class StudyView(BaseModel):
    """A study with its jobs, oldest first."""

    id: UUID
    study_id: str
    subject_id: str | None
    created_at: datetime
    jobs: list[JobView]


@router.get(
    "/v1/studies/{study_id}",
    response_model=StudyView,
    summary="A study and its jobs",
    responses=replies.errors(404),
)
async def study(request: Request, caller: Signed, study_id: str) -> Response:
    """By its id here, or by the hospital's."""
    if not study_id.isprintable() or len(study_id) > 128:
        raise NotFound
    gateway = of(request)
    async with gateway.begin() as session:
        found = await session.scalar(jobs.study(caller.tenant_id, study_id, _as_uuid(study_id)))
        if found is None:
            raise NotFound
        views = await reading.study_jobs(gateway, session, caller.tenant_id, found.id)
        await session.execute(audit.event(caller, "study.read", "study", str(found.id), request_id(request)))
    view = StudyView(
        id=found.id,
        study_id=found.external_id,
        subject_id=found.subject_id,
        created_at=found.created_at,
        jobs=views,
    )
    return replies.represented(request, view)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
