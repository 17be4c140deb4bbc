"""What a shadow would have answered, beside what was answered."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.views import version_ref
from shared.agreement import Agreement, Answer, Tally
from shared.db.statements import shadow as statements
from shared.db.tables import Version
from shared.schemas import VersionRef

MOST = 20_000  # of the latest inputs
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Cost(BaseModel):
    """Milliseconds of one input, on average; a shadow that reads as the active version does need not read again."""

    shadow_ms: float | None
    active_ms: float | None


class ShadowReport(BaseModel):
    """A shadow beside the active version on the same inputs, of all hospitals: counts only, the latest 20,000."""

    shadow: VersionRef
    active: VersionRef
    last_at: datetime | None = Field(description="When the shadow computed the latest of them")
    agreement: Agreement = Field(description="First the active version, then the shadow")
    difference_quantiles: dict[str, float] = Field(description="Of the shadow's probability less the active's")
    unanswered: dict[str, int] = Field(description="Inputs without the shadow's answer, by reason; `unfinished`: taken")
    cost: Cost


async def report(session: AsyncSession, shadow: Version, active: Version) -> ShadowReport:
    """What is known now."""
    rows = (await session.execute(statements.pairs(shadow.id, active.id, MOST))).all()
    return summed(rows, version_ref(shadow), version_ref(active))


def summed(rows: Sequence[Row[Any]], shadow: VersionRef, active: VersionRef) -> ShadowReport:
    """Pairs of answers as one report."""
    answered = [row for row in rows if row.shadow_decision is not None]
    tally = Tally()
    for row in answered:
        ours = Answer(row.shadow_decision, row.shadow_probability)
        tally.add(Answer(row.decision, row.probability), ours, _person(row.tenant_id, row.subject_id))
    missing = Counter(row.code or "unfinished" for row in rows if row.shadow_decision is None)
    spent = [row.timings for row in answered if row.timings]
    return ShadowReport(
        shadow=shadow,
        active=active,
        last_at=max((row.finished_at for row in rows if row.finished_at), default=None),
        agreement=tally.agreement(),
        difference_quantiles=_quantiles([row.shadow_probability - row.probability for row in answered]),
        unanswered=dict(missing),
        cost=Cost(
            shadow_ms=_mean(row.ms for row in answered),
            active_ms=_mean(times.get("prepare_ms", 0.0) + times.get("predict_ms", 0.0) for times in spent),
        ),
    )


def _person(tenant: UUID, subject: str | None) -> str | None:
    return None if subject is None else f"{tenant} {subject}"


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{q * 100:.0f}": round(ordered[round(q * (len(ordered) - 1))], 6) for q in _QUANTILES if ordered}


def _mean(values: Iterable[float]) -> float | None:
    every = list(values)
    return round(sum(every) / len(every), 2) if every else None
