"""Where many jobs are: what a list asks while it is open, in one request for all that it shows."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from services.api import replies
from services.api.auth import Signed
from services.api.gateway import Gateway, of
from shared.db.statements import jobs
from shared.schemas import JobState

router = APIRouter(tags=["jobs"])


class JobStates(BaseModel):
    """States of jobs; what is not yours is left out. `latest` is your hospital's newest job: does a list miss one?"""

    states: dict[UUID, JobState]
    latest: UUID | None = Field(description="Id of the newest job of the hospital")


@router.get(
    "/v1/jobs/states",
    response_model=JobStates,
    summary="States of many jobs",
    responses={304: {"description": "You hold it already"}, **replies.errors(422)},
)
async def states(
    request: Request, caller: Signed, ids: Annotated[list[UUID], Query(alias="id", min_length=1, max_length=200)]
) -> Response:
    """Nothing of a patient, so it is not in the audit log: a list that is open asks every few seconds."""
    return replies.represented(request, await look(of(request), caller.tenant_id, ids))


async def look(gateway: Gateway, tenant: UUID, ids: list[UUID]) -> JobStates:
    """The same for a page that is about to be shown."""
    async with gateway.look() as connection:
        found = await connection.execute(jobs.states([(tenant, one) for one in ids]))
        known = {row.id: JobState(row.state) for row in found}
        latest = await connection.scalar(jobs.latest(tenant))
    return JobStates(states={one: known[one] for one in ids if one in known}, latest=latest)
