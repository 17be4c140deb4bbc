"""Reading a tenant's jobs: rows, cards and the audit row in one transaction. What is another's is unknown."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.looks import Asked, Shown
from services.api.paging import paged
from services.api.views import JobRow, job_view, versions_of
from shared.db.statements import audit, jobs
from shared.db.statements.wanted import Wanted
from shared.db.tables import Job
from shared.errors import NotFound
from shared.schemas import JobView


async def find_row(session: AsyncSession, tenant: UUID, job_id: UUID) -> JobRow:
    """A tenant's job as it is now, whatever the session has seen before. Raises NotFound."""
    query = jobs.visible(tenant).where(Job.id == job_id).execution_options(populate_existing=True)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return JobRow.of(row)


async def job(gateway: Gateway, caller: Caller, job_id: UUID, request_id: str | None) -> Shown:
    """One job, and the audit row that says who read it. Raises NotFound."""
    shown = await gateway.looks.jobs.get(Asked(caller, job_id, request_id))
    if shown is None:
        raise NotFound
    return shown


async def show(gateway: Gateway, session: AsyncSession, row: JobRow) -> Shown:
    """A row as it is shown, with its place in the queue."""
    return (await gateway.looks.shown(session, [row]))[0]


async def page(
    gateway: Gateway, caller: Caller, wanted: Wanted, limit: int, request_id: str | None
) -> tuple[list[JobView], str | None]:
    """A page of jobs, the cursor of what follows, and an audit row for each job that was shown."""
    async with gateway.begin() as session:
        found = await session.execute(jobs.page(caller.tenant_id, wanted, limit + 1))
        rows, following = paged([JobRow.of(row) for row in found], limit, lambda row: row.job.id)
        views = await _views(gateway, session, rows)
        ids = [str(view.id) for view in views]
        await session.execute(audit.events(caller, "job.list", "job", ids, request_id))
    return views, following


async def study_jobs(gateway: Gateway, session: AsyncSession, tenant: UUID, study: UUID) -> list[JobView]:
    """All jobs of a study, oldest first."""
    query = jobs.visible(tenant).where(Job.study_id == study).order_by(Job.id).limit(500)
    return await _views(gateway, session, [JobRow.of(row) for row in await session.execute(query)])


async def _views(gateway: Gateway, session: AsyncSession, rows: Sequence[JobRow]) -> list[JobView]:
    cards = await gateway.cards.of(session, versions_of(rows))
    return [job_view(row, cards, gateway.settings.base_url) for row in rows]
