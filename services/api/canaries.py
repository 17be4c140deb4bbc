"""A canary held against the active version over the same time: figures, and whether they are a reason to end it."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

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
    of the 95th percentiles. `shift`: population stability index of the probabilities; `distance` and its `p` by
    Kolmogorov and Smirnov, over the same bins.
    """

    since: datetime
    canary: Side
    active: Side
    extra_errors: float | None
    extra_errors_p: float | None
    slowdown: float | None
    shift: float | None
    distance: float | None
    distance_p: float | None
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
    distance, p = kolmogorov(active.histogram, canary.histogram)
    found = Comparison(
        since=since,
        canary=canary,
        active=active,
        extra_errors=errors,
        extra_errors_p=None if errors is None else fisher(canary.failed, canary.jobs, active.failed, active.jobs),
        slowdown=canary.p95_ms / active.p95_ms if canary.p95_ms and active.p95_ms else None,
        shift=stability(active.histogram, canary.histogram),
        distance=distance,
        distance_p=p,
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


def stability(expected: Sequence[int], found: Sequence[int]) -> float | None:
    """Population stability index over bins, neighbours put together until each holds a tenth; None without results.

    Below 0.1 nothing to speak of, above 0.25 a shift, as scoring practice has it (Siddiqi 2006); half an input is added
    to each bin, so that an empty one is no infinity.
    """
    if not sum(expected) or not sum(found):
        return None
    bins = _merged(expected, found)
    ours, theirs = sum(b for _, b in bins) + len(bins) / 2, sum(a for a, _ in bins) + len(bins) / 2
    shares = [((b + 0.5) / ours, (a + 0.5) / theirs) for a, b in bins]
    return sum((b - a) * math.log(b / a) for b, a in shares)


def kolmogorov(expected: Sequence[int], found: Sequence[int]) -> tuple[float | None, float | None]:
    """Largest gap of the cumulated shares, and its p by Kolmogorov's limit; too large a p for bins, never too small."""
    n, m = sum(expected), sum(found)
    if not n or not m:
        return None, None
    gap = above = below = 0.0
    for one, other in zip(expected, found, strict=True):
        above, below = above + one / n, below + other / m
        gap = max(gap, abs(above - below))
    root = gap * math.sqrt(n * m / (n + m))
    if root < 0.2:  # the series does not converge there, and the p is one
        return gap, 1.0
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * root) ** 2) for k in range(1, 101))
    return gap, min(max(p, 0.0), 1.0)


def _trouble(found: Comparison, settings: Settings) -> Trouble | None:
    errors, slowdown, shift = settings.canary_max_errors, settings.canary_max_slowdown, settings.canary_max_shift
    canary, active = found.canary, found.active
    if errors and (found.extra_errors or 0.0) > errors and (found.extra_errors_p or 0.0) < _SURE:
        return _say("errors", failed=canary.failed, jobs=canary.jobs, other=active.failed, others=active.jobs)
    slower = (canary.p95_ms or 0.0) - (active.p95_ms or 0.0) > _NOTICED_MS
    if slowdown and slower and (found.slowdown or 0.0) > slowdown:
        return _say("slowdown", ms=canary.p95_ms or 0.0, other=active.p95_ms or 0.0, limit=slowdown)
    if shift and (found.shift or 0.0) > shift and (found.distance_p or 0.0) < _SURE:
        return _say("shift", shift=found.shift or 0.0, distance=found.distance or 0.0, limit=shift)
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


def _merged(expected: Sequence[int], found: Sequence[int]) -> list[tuple[int, int]]:
    least = (sum(expected) + sum(found)) / 10
    bins: list[tuple[int, int]] = []
    for one, other in zip(expected, found, strict=True):
        if bins and sum(bins[-1]) < least:
            bins[-1] = (bins[-1][0] + one, bins[-1][1] + other)
        else:
            bins.append((one, other))
    return bins
