"""Second readings: the worklist, one of them without what others said, and the second reader's verdict."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies
from services.api.auth import Caller, Signed
from services.api.gateway import Gateway, of
from services.api.idempotency import Key, Repeatable
from services.api.judged import AdjudicationView, Comment, adjudication_view, feedback_view, person_of, reader_of
from services.api.paging import Filter, paged
from services.api.problems import request_id
from shared import judging
from shared.db.statements import adjudications as statements
from shared.db.statements import audit, feedback
from shared.db.tables import REASON_RANK, Adjudication
from shared.errors import NotFound
from shared.schemas import AdjudicationState, Basis, Label, Modality

router = APIRouter(tags=["feedback"])


class WorklistFilter(Filter):
    """Which second readings a page shows."""

    state: AdjudicationState = AdjudicationState.OPEN
    modality: Modality | None = None
    reason: Literal["refer", "disagreement"] | None = None
    job_id: UUID | None = None

    def wanted(self) -> statements.Wanted:
        """The same for the statement. Raises BadRequest for a cursor that is none of ours."""
        rank = None if self.reason is None else REASON_RANK[self.reason]
        return statements.Wanted(self.state, self.modality, rank, self.job_id, cursor.to_pair(self.cursor))


class Worklist(BaseModel):
    """Second readings: what was referred first, then disagreements, oldest first; `next` is the cursor of the rest."""

    adjudications: list[AdjudicationView]
    next: str | None


class SecondVerdict(BaseModel):
    """What the second reader says of the input."""

    model_config = ConfigDict(extra="forbid")

    label: Label | Literal["undetermined"] = Field(description="`undetermined`: it cannot be told from this input")
    basis: Basis
    saw_result_first: bool = Field(False, description="The reader knew the model's answer or another reader's verdict")
    comment: Comment | None = None

    def reading(self) -> judging.Reading:
        """The same for the rules."""
        label = self.label if isinstance(self.label, Label) else None
        return judging.Reading(label, self.basis, self.saw_result_first, self.comment)


@router.get("/v1/adjudications", summary="What waits for a second reader", responses=replies.errors(400, 422))
async def listed(request: Request, caller: Signed, chosen: Annotated[WorklistFilter, Query()]) -> Worklist:
    """A page of the tenant's worklist, or of what is closed."""
    gateway = of(request)
    async with gateway.begin() as session:
        query = statements.page(caller.tenant_id, person_of(caller), chosen.wanted(), chosen.limit + 1)
        rows = (await session.execute(query)).all()
        found, following = paged(rows, chosen.limit, lambda row: (row[0].rank, row[0].id))
        views = [adjudication_view(row, caller, gateway.settings.base_url) for row in found]
        ids = [str(view.id) for view in views]
        await session.execute(audit.events(caller, "adjudication.list", "adjudication", ids, request_id(request)))
    return Worklist(adjudications=views, next=following)


@router.get("/v1/adjudications/{adjudication_id}", summary="One second reading", responses=replies.errors(404))
async def one(request: Request, caller: Signed, adjudication_id: UUID) -> AdjudicationView:
    """While it is open without the model's answer and without what others said; closed with all of it."""
    gateway = of(request)
    async with gateway.begin() as session:
        shown = await view(gateway, session, caller, adjudication_id)
        who = (caller, "adjudication.read", "adjudication", str(adjudication_id))
        await session.execute(audit.event(*who, request_id(request)))
    return shown


@router.post(
    "/v1/adjudications/{adjudication_id}/verdict",
    summary="Give the second reader's verdict",
    responses=replies.errors(400, 404, 409, 422),
)
async def verdict(
    request: Request, response: Response, caller: Signed, adjudication_id: UUID, said: SecondVerdict, key: Key = None
) -> AdjudicationView:
    """By another person than everybody who judged the result. It closes the reading; of two at once one is refused."""
    gateway, reader = of(request), reader_of(caller)
    hours = gateway.settings.idempotency_hours
    again = Repeatable.of(caller, key, hours, "adjudicate", adjudication_id, said.model_dump_json())
    async with gateway.begin() as session:
        job_id = await session.scalar(statements.job_of(caller.tenant_id, adjudication_id))
        if job_id is None:
            raise NotFound
        if await again.take(session, job_id) is None:
            await session.run_sync(lambda sync: judging.adjudicate(sync, reader, adjudication_id, said.reading()))
            who = (caller, "adjudication.close", "adjudication", str(adjudication_id))
            await session.execute(audit.event(*who, request_id(request)))
        else:
            response.headers["Idempotent-Replayed"] = "true"
        return await view(gateway, session, caller, adjudication_id)


async def view(gateway: Gateway, session: AsyncSession, caller: Caller, adjudication_id: UUID) -> AdjudicationView:
    """One as this caller may see it now. Raises NotFound."""
    query = statements.shown(caller.tenant_id, person_of(caller)).where(Adjudication.id == adjudication_id)
    row = (await session.execute(query.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound
    said = await session.execute(feedback.page(caller.tenant_id, feedback.Wanted(job=row[0].job_id), 500))
    verdicts = [feedback_view(one, caller) for one in said]
    return adjudication_view(row, caller, gateway.settings.base_url, verdicts)
