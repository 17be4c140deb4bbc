"""A comparison as it is shown: both answers to each input, and how far they agree."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.views import version_ref
from shared.agreement import Agreement, Answer, Tally
from shared.db.statements import comparisons, versions
from shared.db.tables import Comparison, Version
from shared.errors import NotFound
from shared.schemas import TERMINAL, Decision, JobState, VersionRef
from shared.sentences import say


class Side(BaseModel):
    """What one version said of an input, and the job that says so."""

    job: UUID
    decision: Decision
    probability: float


class Case(BaseModel):
    """One input and both answers."""

    job: UUID = Field(description="The latest job that sent this input")
    client_ref: str | None
    first: Side
    second: Side
    flipped: bool
    present: bool | None = Field(description="Whether the finding is there, where readers said so and agree")


class ComparisonView(BaseModel):
    """Two versions on the same inputs, as far as both have answered. No clinical result."""

    id: UUID
    first: VersionRef
    second: VersionRef
    recalled: list[str] = Field(description="sha256 of those that were recalled since")
    created_at: datetime
    inputs: int = Field(description="Different inputs that were found; one that was sent twice counts once")
    unanswered: dict[str, int] = Field(description="Inputs without an answer of `first`, of `second`")
    waiting: int = Field(description="Jobs of this comparison that have not ended")
    done: bool = Field(description="None of its jobs waits or runs any more")
    caution: str
    agreement: Agreement
    cases: list[Case] = Field(description="Flips first, then by how far the probabilities are apart")
    skipped: int
    use: str = "research"
    links: dict[str, str]


class ComparisonHead(BaseModel):
    """A comparison in a list."""

    id: UUID
    first: VersionRef
    second: VersionRef
    created_at: datetime
    links: dict[str, str]


@dataclass(frozen=True)
class Window:
    """Which of the cases are shown."""

    skip: int = 0
    limit: int = 50
    flipped_only: bool = False


@dataclass(frozen=True)
class Begun:
    """A comparison with its versions."""

    row: Comparison
    first: Version
    second: Version


async def view(gateway: Gateway, caller: Caller, comparison: UUID, window: Window) -> ComparisonView:
    """As far as it is. The rows pass by once; what is kept of them is the window. Raises NotFound."""
    async with gateway.begin() as session:
        begun = await find(session, caller, comparison)
        own = await session.execute(comparisons.states(caller.tenant_id, comparison))
        waiting = sum(row.jobs for row in own if JobState(row.state) not in TERMINAL)
        read = Reading(window)
        async for row in await session.stream(comparisons.pairs(begun.row)):
            read.take(row)
    here = f"{gateway.settings.base_url}/v1/comparisons/{comparison}"
    return ComparisonView(
        id=comparison,
        first=version_ref(begun.first),
        second=version_ref(begun.second),
        recalled=[one.sha256 for one in (begun.first, begun.second) if one.recalled_at is not None],
        created_at=begun.row.created_at,
        inputs=read.inputs,
        unanswered=read.unanswered,
        waiting=waiting,
        done=not waiting,
        caution=say("comparison.caution"),
        agreement=read.tally.agreement(),
        cases=read.cases,
        skipped=window.skip,
        links={"self": here},
    )


async def heads(gateway: Gateway, caller: Caller, before: UUID | None, limit: int) -> list[ComparisonHead]:
    """A page of a tenant's comparisons, newest first."""
    async with gateway.begin() as session:
        rows = (await session.scalars(comparisons.page(caller.tenant_id, before, limit))).all()
        ids = {one for row in rows for one in (row.first_id, row.second_id)}
        known = {version.id: version for version in await session.scalars(versions.among(ids))} if ids else {}
    return [
        ComparisonHead(
            id=row.id,
            first=version_ref(known[row.first_id]),
            second=version_ref(known[row.second_id]),
            created_at=row.created_at,
            links={"self": f"{gateway.settings.base_url}/v1/comparisons/{row.id}"},
        )
        for row in rows
    ]


class Reading:
    """Takes the rows of `comparisons.pairs` in their order."""

    def __init__(self, window: Window) -> None:
        self.tally, self.inputs = Tally(), 0
        self.unanswered = {"first": 0, "second": 0}
        self.cases: list[Case] = []
        self._window, self._passed = window, 0

    def take(self, row: Row[Any]) -> None:
        """One input."""
        self.inputs += 1
        self.unanswered["first"] += row.first_job is None
        self.unanswered["second"] += row.second_job is None
        if row.first_job is None or row.second_job is None:
            return
        first, second = (
            Answer(row.first_decision, row.first_probability),
            Answer(row.second_decision, row.second_probability),
        )
        self.tally.add(first, second, row.subject_id, row.present)
        case = _case(row)
        if self._window.flipped_only and not case.flipped:
            return
        self._passed += 1
        if self._window.skip < self._passed <= self._window.skip + self._window.limit:
            self.cases.append(case)


def _case(row: Row[Any]) -> Case:
    sides = {
        name: Side(
            job=getattr(row, f"{name}_job"),
            decision=Decision(getattr(row, f"{name}_decision")),
            probability=getattr(row, f"{name}_probability"),
        )
        for name in ("first", "second")
    }
    decisions = {side.decision for side in sides.values()}
    flipped = decisions == {Decision.FLAGGED, Decision.NOT_FLAGGED}
    return Case(job=row.job_id, client_ref=row.client_ref, **sides, flipped=flipped, present=row.present)


async def find(session: AsyncSession, caller: Caller, comparison: UUID) -> Begun:
    """A tenant's comparison with its versions. Raises NotFound."""
    row = await session.scalar(comparisons.one(caller.tenant_id, comparison))
    if row is None:
        raise NotFound
    return Begun(row, await session.get_one(Version, row.first_id), await session.get_one(Version, row.second_id))
