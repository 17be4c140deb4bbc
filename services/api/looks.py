"""What every request and every long poll reads, gathered: who holds a key, a job's state, a job as it is shown.

A thousand long polls that end together would otherwise want a connection each at the same moment, and who does not get
one in time is told that the service is unavailable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.api.cards import Cards
from services.api.gather import Gathered
from services.api.views import JobRow, Outlook, job_view, versions_of
from shared.db.quick import Quick
from shared.db.statements import audit, jobs, people
from shared.db.tables import Job
from shared.schemas import Card, JobState, JobView
from shared.sentences import Language, language, speaking


@dataclass(frozen=True)
class Shown:
    """A job as it is shown, and after how many seconds it is worth asking again while it is open."""

    view: JobView
    retry_after_s: int | None


@dataclass(frozen=True, eq=False)
class Asked:
    """One request for one job; each is read for itself in the audit log, so no two are the same."""

    who: audit.Who
    job_id: UUID
    request_id: str | None
    language: Language = field(default_factory=language)  # whoever's load it is speaks another one


class Looks:
    """Gathered reads of one gateway."""

    def __init__(self, engine: AsyncEngine, single: AsyncEngine, cards: Cards, base_url: str) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._single, self._quick = single, Quick(single)
        self._cards, self._base_url = cards, base_url
        self.holders: Gathered[bytes, Any] = Gathered(self._holders)  # by digest
        self.states: Gathered[tuple[UUID, UUID], str] = Gathered(self._states)  # by tenant and job
        self.jobs: Gathered[Asked, Shown] = Gathered(self._jobs)

    async def shown(self, session: AsyncSession, rows: Sequence[JobRow]) -> list[Shown]:
        """Rows as they are shown, with their places in the queue."""
        return self._told(rows, *await self._known(session, rows))

    def made(self, row: JobRow, outlook: Outlook) -> Shown:
        """A job that was just made, as it is shown."""
        return self._told([row], {}, {row.job.id: outlook})[0]

    async def _known(
        self, session: AsyncSession, rows: Sequence[JobRow]
    ) -> tuple[Mapping[UUID, Card], Mapping[UUID, Outlook]]:
        outlooks = await _outlooks(session, [row.job for row in rows if row.is_open])
        return await self._cards.of(session, versions_of(rows)), outlooks

    def _told(
        self, rows: Sequence[JobRow], cards: Mapping[UUID, Card], outlooks: Mapping[UUID, Outlook]
    ) -> list[Shown]:
        found = [(row, outlooks.get(row.job.id)) for row in rows]
        return [Shown(job_view(row, cards, self._base_url, outlook), _retry(row, outlook)) for row, outlook in found]

    async def _holders(self, digests: Sequence[bytes]) -> dict[bytes, Any]:
        rows = await self._quick.rows(people.holders(), {"digests": list(digests)})
        return {row.digest: row for row in rows}

    async def _states(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str]:
        async with self._single.connect() as connection:
            return {(row.tenant_id, row.id): row.state for row in await connection.execute(jobs.states(pairs))}

    async def _jobs(self, asked: Sequence[Asked]) -> dict[Asked, Shown]:
        """Jobs, and the audit rows that say who read them, in one transaction."""
        async with self._sessions.begin() as session:
            pairs = {(one.who.tenant_id, one.job_id) for one in asked}
            rows = [JobRow.of(row) for row in await session.execute(jobs.among(sorted(pairs)))]
            known = await self._known(session, rows)
            told: dict[tuple[Language, UUID, UUID], Shown] = {}
            for spoken in {one.language for one in asked}:
                with speaking(spoken):
                    shown = zip(rows, self._told(rows, *known), strict=True)
                    told |= {(spoken, row.job.tenant_id, row.job.id): one for row, one in shown}
            keys = {one: (one.language, one.who.tenant_id, one.job_id) for one in asked}
            answers = {one: told[key] for one, key in keys.items() if key in told}
            reads = [audit.row(one.who, "job.read", "job", str(one.job_id), one.request_id) for one in answers]
            if reads:
                await session.execute(audit.added(), reads)
        return answers


async def _outlooks(session: AsyncSession, open_jobs: Sequence[Job]) -> Mapping[UUID, Outlook]:
    if not open_jobs:
        return {}
    found = await session.execute(jobs.outlooks(open_jobs))
    return {row.id: Outlook(row.ahead, row.drained, row.now) for row in found}


def _retry(row: JobRow, outlook: Outlook | None) -> int | None:
    if outlook is None:
        return None
    return outlook.retry_after_s if row.job.state == JobState.QUEUED else 1
