"""Feedback: a clinician's verdict on a result, given, listed, withdrawn. What was said is never changed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, reading, replies
from services.api.access import ADMIN
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.idempotency import Key, Repeatable
from services.api.judged import Comment, FeedbackView, feedback_view, reader_of
from services.api.paging import Filter, Text, paged
from services.api.problems import request_id
from shared import judging
from shared.db.statements import audit
from shared.db.statements import feedback as statements
from shared.db.tables import Feedback
from shared.schemas import Basis, Label, Modality, Verdict

router = APIRouter(tags=["feedback"])


class NewFeedback(BaseModel):
    """A verdict on a result, by the person whose key or session it is sent with."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    label: Label | None = Field(
        None, description="Whether the finding is there. With `disagree` it is needed, with `unsure` there is none"
    )
    basis: Basis = Field(description="What the verdict rests on")
    saw_result_first: bool = Field(description="The reader knew the model's answer before coming to the verdict")
    comment: Comment | None = None

    def opinion(self) -> judging.Opinion:
        """The same for the rules."""
        return judging.Opinion(self.verdict, self.basis, self.saw_result_first, self.label, self.comment)


class FeedbackFilter(Filter):
    """Which verdicts a page shows."""

    verdict: Verdict | None = None
    basis: Basis | None = None
    modality: Modality | None = None
    version: Text | None = Field(None, description="sha256 or name of the version that answered")
    stands: bool | None = Field(None, description="`true`: neither withdrawn nor replaced")
    created_after: AwareDatetime | None = None

    def wanted(self) -> statements.Wanted:
        """The same for the statement. Raises BadRequest for a cursor that is none of ours."""
        return statements.Wanted(
            verdict=self.verdict,
            basis=self.basis,
            modality=self.modality,
            version=self.version,
            standing=self.stands,
            created_after=self.created_after,
            before=cursor.to_uuid(self.cursor),
        )


class FeedbackPage(BaseModel):
    """Verdicts, newest first; `next` is the cursor of what follows."""

    feedback: list[FeedbackView]
    next: str | None


class JobFeedback(BaseModel):
    """Every verdict on one result, newest first, withdrawn and replaced ones too."""

    feedback: list[FeedbackView]


@router.post(
    "/v1/jobs/{job_id}/feedback",
    status_code=201,
    response_model=FeedbackView,
    summary="Judge a result",
    responses=replies.errors(400, 404, 409, 422),
)
async def give(
    request: Request, response: Response, caller: Signed, job_id: UUID, said: NewFeedback, key: Key = None
) -> FeedbackView:
    """In place of what the same person said of it before. A disagreement opens a second reading by another person."""
    gateway, reader = of(request), reader_of(caller)
    again = Repeatable.of(caller, key, gateway.settings.idempotency_hours, "feedback", job_id, said.model_dump_json())
    async with gateway.begin() as session:
        await reading.find_row(session, caller.tenant_id, job_id)
        if await again.take(session, job_id) is None:
            row = await session.run_sync(lambda sync: judging.give(sync, reader, job_id, said.opinion()))
            given = row.id
            await session.execute(audit.event(caller, "feedback.give", "feedback", str(given), request_id(request)))
        else:
            given = (await session.scalars(statements.made_with(caller.principal_id, key or ""))).one()
            response.headers["Idempotent-Replayed"] = "true"
        return await _one(session, caller, given)


@router.get("/v1/jobs/{job_id}/feedback", summary="What was said of a result", responses=replies.errors(404))
async def of_job(request: Request, caller: Signed, job_id: UUID) -> JobFeedback:
    """With what was withdrawn or replaced."""
    async with of(request).begin() as session:
        await reading.find_row(session, caller.tenant_id, job_id)
        found = await session.execute(statements.page(caller.tenant_id, statements.Wanted(job=job_id), 500))
        views = [feedback_view(row, caller) for row in found]
        await session.execute(audit.event(caller, "feedback.read", "job", str(job_id), request_id(request)))
    return JobFeedback(feedback=views)


@router.get("/v1/feedback", summary="Your hospital's verdicts, newest first", responses=replies.errors(400, 422))
async def listed(request: Request, caller: Signed, chosen: Annotated[FeedbackFilter, Query()]) -> FeedbackPage:
    """A page of the tenant's verdicts."""
    async with of(request).begin() as session:
        rows = (await session.execute(statements.page(caller.tenant_id, chosen.wanted(), chosen.limit + 1))).all()
        found, following = paged(rows, chosen.limit, lambda row: row[0].id)
        views = [feedback_view(row, caller) for row in found]
        ids = [str(view.id) for view in views]
        await session.execute(audit.events(caller, "feedback.list", "feedback", ids, request_id(request)))
    return FeedbackPage(feedback=views, next=following)


@router.delete("/v1/feedback/{feedback_id}", summary="Withdraw a verdict", responses=replies.errors(404, 409))
async def withdraw(request: Request, caller: Signed, feedback_id: UUID) -> FeedbackView:
    """By its reader or an administrator. It is kept, with the time; what only it contested needs no second reading."""
    person = None if caller.may(*(ADMIN or ())) else reader_of(caller).person
    async with of(request).begin() as session:
        await session.run_sync(lambda sync: judging.withdraw(sync, caller.tenant_id, feedback_id, person))
        await session.execute(
            audit.event(caller, "feedback.withdraw", "feedback", str(feedback_id), request_id(request))
        )
        return await _one(session, caller, feedback_id)


async def _one(session: AsyncSession, caller: Caller, feedback_id: UUID) -> FeedbackView:
    query = statements.shown(caller.tenant_id).where(Feedback.id == feedback_id)
    found = await session.execute(query.execution_options(populate_existing=True))
    return feedback_view(found.one(), caller)
