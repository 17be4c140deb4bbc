"""Jobs: look, list, cancel, try again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, reading, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.idempotency import Key, Repeatable
from services.api.paging import Filter, Text
from services.api.prefer import Wait, applied
from services.api.problems import request_id
from shared.db.statements import audit, jobs
from shared.db.statements.wanted import Wanted
from shared.db.tables import PRIORITY_RANK
from shared.errors import Conflict, NotFound
from shared.schemas import TERMINAL, Decision, JobState, JobView, Modality, Priority, ReviewState

router = APIRouter(tags=["jobs"])


class JobFilter(Filter):
    """Which jobs a page shows."""

    status: list[JobState] = Field([], max_length=7)
    modality: Modality | None = None
    decision: Decision | None = None
    review: ReviewState | None = Field(None, description="`none`: has a result that nobody judged")
    study_id: Text | None = None
    client_ref: Text | None = None
    client_ref_prefix: Text | None = Field(None, description="How your reference begins")
    subject_id: Text | None = None
    site: Text | None = None
    batch: UUID | None = None
    priority: Priority | None = None
    version: Text | None = Field(None, description="sha256 or name of the version that answered")
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None

    def wanted(self) -> Wanted:
        """The same for the statement. Raises BadRequest for a cursor that is none of ours."""
        return Wanted(
            states=[str(state) for state in self.status],
            modality=self.modality,
            decision=self.decision,
            review=self.review,
            study=self.study_id,
            client_ref=self.client_ref,
            client_ref_prefix=self.client_ref_prefix,
            subject_id=self.subject_id,
            site=self.site,
            batch=self.batch,
            priority=None if self.priority is None else PRIORITY_RANK[self.priority],
            version=self.version,
            created_after=self.created_after,
            created_before=self.created_before,
            before=cursor.to_uuid(self.cursor),
        )


class JobPage(BaseModel):
    """Jobs, newest first; `next` is the cursor of what follows."""

    jobs: list[JobView]
    next: str | None


@router.get("/v1/jobs", summary="Your jobs, newest first", responses=replies.errors(400, 422))
async def listed(request: Request, caller: Signed, chosen: Annotated[JobFilter, Query()]) -> JobPage:
    """A page of the tenant's jobs."""
    views, following = await reading.page(of(request), caller, chosen.wanted(), chosen.limit, request_id(request))
    return JobPage(jobs=views, next=following)


@router.get(
    "/v1/jobs/{job_id}",
    response_model=JobView,
    summary="One job with its result",
    responses={304: {"description": "You hold it already"}, **replies.errors(404)},
)
async def one(
    request: Request,
    caller: Signed,
    job_id: UUID,
    seconds: Wait,
) -> Response:
    """At once, or as soon as it has ended when the caller prefers to wait."""
    if seconds:
        await _wait_if_theirs(request, caller, job_id, seconds)
    job = await reading.job(of(request), caller, job_id, request_id(request))
    return replies.shown(request, job, headers=applied(seconds))


@router.delete("/v1/jobs/{job_id}", response_model=JobView, summary="Cancel", responses=replies.errors(404, 409))
async def cancel(request: Request, caller: Signed, job_id: UUID) -> Response:
    """End a job that waits or runs; a worker that computes it cannot write its result any more."""
    gateway = of(request)
    async with gateway.begin() as session:
        await reading.find_row(session, caller.tenant_id, job_id)
        await _changed(session, jobs.cancel(caller.tenant_id, job_id), "job.cancel")
        job = await reading.show(gateway, session, await reading.find_row(session, caller.tenant_id, job_id))
        await session.execute(audit.event(caller, "job.cancel", "job", str(job_id), request_id(request)))
    return replies.shown(request, job, 200, {"Location": job.view.links["self"]})


@router.post(
    "/v1/jobs/{job_id}/retry",
    status_code=202,
    response_model=JobView,
    summary="Try a failed or dead job again",
    responses=replies.errors(400, 404, 409, 422, 429),
)
async def retry(request: Request, caller: Signed, job_id: UUID, key: Key = None) -> Response:
    """Queue it again, with all its attempts. The same Idempotency-Key queues it once."""
    gateway = of(request)
    again = Repeatable.of(caller, key, gateway.settings.idempotency_hours, "retry", job_id)
    async with gateway.begin() as session:
        row = await reading.find_row(session, caller.tenant_id, job_id)
        replayed = await again.take(session, job_id) is not None
        if not replayed:
            with gateway.admission.room(caller.tenant_id, row.input.size_bytes):
                await _changed(session, jobs.retry(caller.tenant_id, job_id), "job.retry")
            await session.execute(audit.event(caller, "job.retry", "job", str(job_id), request_id(request)))
        job = await reading.show(gateway, session, await reading.find_row(session, caller.tenant_id, job_id))
    gateway.wake(job.view.modality)
    headers = {"Location": job.view.links["self"], **({"Idempotent-Replayed": "true"} if replayed else {})}
    return replies.shown(request, job, 202, headers)


async def _changed(session: AsyncSession, statement: TextClause, action: str) -> None:
    """Change a job that the caller may see. Raises Conflict when its state does not allow it."""
    if (await session.execute(statement)).one_or_none() is None:
        raise Conflict(_REFUSALS[action])


async def _wait_if_theirs(request: Request, caller: Signed, job_id: UUID, seconds: int) -> None:
    gateway = of(request)
    state = await gateway.looks.states.get((caller.tenant_id, job_id))
    if state is None:
        raise NotFound
    if state not in TERMINAL:
        await gateway.watcher.wait(job_id, seconds)


_REFUSALS = {"job.cancel": "job_not_cancellable", "job.retry": "job_not_retryable"}
