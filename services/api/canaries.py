"""A canary held against the active version over the same time: figures, and whether they are a reason to end it."""

import math
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.drift.figures import distance
from shared.db.statements import canaries as statements
from shared.sentences import say
from shared.settings import Settings

_SURE = 0.001  # p below which a difference is no chance; looks are many, so it is small
_NOTICED_MS = 20.0  # a slower answer that nobody could notice ends no canary


class Side(BaseModel):
    """What one version did since the canary began. Milliseconds: reading and predicting, without waiting."""

    jobs: int = Field(description="Ended jobs that named no version")
    succeeded: int
    rejected: int
    failed: int = Field(description="`failed` and `dead`, missed deadlines left out")
    flagged: int
    referred: int
    median_ms: float | None
    p95_ms: float | None
    histogram: list[int] = Field(description="Results by probability: equal parts of 0 to 1")


class Trouble(BaseModel):
    """Why a canary ends."""

    code: Literal["errors", "slowdown", "shift"]
    detail: str


class Comparison(BaseModel):
    """The canary against the active version, of all hospitals. A figure is absent while too little is known.

    `extra_errors`: its share of failed jobs less the other's; `p` by Fisher's exact test, one-sided. `slowdown`: ratio
    of the 95th percentiles. `shift`: population stability index of the probabilities, `shift_noise` what it
    reaches by chance once in a thousand times; `gap` and its `p` by Kolmogorov and Smirnov, over the same bins.
    """

    since: datetime
    canary: Side
    active: Side
    extra_errors: float | None
    extra_errors_p: float | None
    slowdown: float | None
    shift: float | None
    shift_noise: float | None
    gap: float | None
    gap_p: float | None
    enough: bool = Field(description="Whether the canary has ended so many jobs that it could be ended automatically")
    trouble: Trouble | None = Field(description="Why it ends at the gateway's next look; absent when all is well")


async def comparison(session: AsyncSession, settings: Settings, modality: str) -> Comparison | None:
    """The figures now; None while there is no canary."""
    ended = (await session.execute(statements.ended(modality))).all()
    if not ended:
        return None
    bins = (await session.execute(statements.probabilities(modality))).all()
    active, canary = (_side(row, [(b.bin, b.n) for b in bins if b.tried == row.tried]) for row in ended)
    return judged(ended[0].at, canary, active, settings)


def judged(since: datetime, canary: Side, active: Side, settings: Settings) -> Comparison:
    """Two sides against each other, by the limits of the settings."""
    errors = canary.failed / canary.jobs - active.failed / active.jobs if canary.jobs and active.jobs else None
    apart = distance(active.histogram, canary.histogram) if canary.succeeded and active.succeeded else None
    found = Comparison(
        since=since,
        canary=canary,
        active=active,
        extra_errors=errors,
        extra_errors_p=None if errors is None else fisher(canary.failed, canary.jobs, active.failed, active.jobs),
        slowdown=canary.p95_ms / active.p95_ms if canary.p95_ms and active.p95_ms else None,
        shift=apart and apart.psi,
        shift_noise=apart and apart.noise,
        gap=apart and apart.ks,
        gap_p=apart and apart.ks_p,
        enough=canary.jobs >= settings.canary_min_jobs and active.jobs >= settings.canary_min_jobs,
        trouble=None,
    )
    return found.model_copy(update={"trouble": _trouble(found, settings) if found.enough else None})


def fisher(failed: int, jobs: int, others_failed: int, others: int) -> float:
    """One-sided p that so many or more of `jobs` fail, were both equally likely to (Fisher's exact test)."""
    every, all_failed = jobs + others, failed + others_failed

    def log_ways(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    whole = log_ways(every, all_failed)
    most = min(jobs, all_failed)
    terms = [log_ways(jobs, k) + log_ways(others, all_failed - k) - whole for k in range(failed, most + 1)]
    return min(sum(math.exp(term) for term in terms), 1.0)


def _trouble(found: Comparison, settings: Settings) -> Trouble | None:
    errors, slowdown, shift = settings.canary_max_errors, settings.canary_max_slowdown, settings.canary_max_shift
    canary, active = found.canary, found.active
    if errors and (found.extra_errors or 0.0) > errors and (found.extra_errors_p or 0.0) < _SURE:
        return _say("errors", failed=canary.failed, jobs=canary.jobs, other=active.failed, others=active.jobs)
    slower = (canary.p95_ms or 0.0) - (active.p95_ms or 0.0) > _NOTICED_MS
    if slowdown and slower and (found.slowdown or 0.0) > slowdown:
        return _say("slowdown", ms=canary.p95_ms or 0.0, other=active.p95_ms or 0.0, limit=slowdown)
    beyond = max(shift, found.shift_noise or 0.0)
    if shift and (found.shift or 0.0) > beyond and (found.gap_p or 0.0) < _SURE:
        return _say("shift", shift=found.shift or 0.0, distance=found.gap or 0.0, limit=shift)
    return None


def _say(code: Literal["errors", "slowdown", "shift"], **values: float) -> Trouble:
    return Trouble(code=code, detail=say(f"canary.{code}", **values))


def _side(row: Row[Any], bins: list[tuple[int, int]]) -> Side:
    histogram = [0] * statements.BINS
    for place, count in bins:
        histogram[place] = count
    median, p95 = row.ms or (None, None)
    return Side(
        jobs=row.succeeded + row.rejected + row.failed,
        histogram=histogram,
        median_ms=median,
        p95_ms=p95,
        **{name: getattr(row, name) for name in ("succeeded", "rejected", "failed", "flagged", "referred")},
    )
