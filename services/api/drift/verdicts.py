"""What verdicts say of a version's decisions: over all days, and as a week that rolls along."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api.drift.views import JudgedWeek, VerdictFigures
from shared.agreement import wilson
from shared.db.statements import drift as statements
from shared.sentences import say

WEEK = 7
FEWEST = 10  # of a week; 8 of 10 is anything from 0.49 to 0.94, and fewer say nothing
_EVERY_DAY = 30  # so many days are told day by day, more of them week by week
_DAY_S = 86_400
_COUNTS = ("judged", "unsure", "differing", "referred", "hits", "missed", "passed", "alarms")

Days = Mapping[int, Counter[str]]
"""Counts of the results that ended so many days ago: 0 is the last 24 hours."""


async def by_day(session: AsyncSession, tenant: UUID, days: int, filters: Mapping[str, object]) -> dict[UUID, Days]:
    """Judged results of each version, and of the days before that the first week reaches back to."""
    span = (days + WEEK - 1) * _DAY_S
    found: dict[UUID, dict[int, Counter[str]]] = defaultdict(dict)
    for row in await session.execute(statements.judged(tenant, seconds=span, **filters)):
        found[row.version_id][row.day] = Counter({name: getattr(row, name) for name in _COUNTS})
    return {**found}


def figures(found: Days, days: int) -> VerdictFigures | None:
    """Everything of these days; None when nobody has judged any of it."""
    whole = _sum(found, 0, days)
    if not whole["judged"]:
        return None
    right, wrong = whole["hits"] + whole["passed"], whole["missed"] + whole["alarms"]
    return VerdictFigures(
        **{name: whole[name] for name in ("judged", "unsure", "differing", "referred")},
        agreement=wilson(right, right + wrong),
        sensitivity=wilson(whole["hits"], whole["hits"] + whole["missed"]),
        specificity=wilson(whole["passed"], whole["passed"] + whole["alarms"]),
        note=say("drift.verification_bias"),
    )


def rolling(found: Days, days: int) -> list[JudgedWeek]:
    """The seven days up to each moment, oldest first; nothing when nobody has judged any of it."""
    if not found:
        return []
    now, step = datetime.now(UTC), 1 if days <= _EVERY_DAY else WEEK
    return [_week(_sum(found, end, end + WEEK), now - timedelta(days=end)) for end in reversed(range(0, days, step))]


def _week(counts: Counter[str], until: datetime) -> JudgedWeek:
    present, absent = counts["hits"] + counts["missed"], counts["passed"] + counts["alarms"]
    return JudgedWeek(
        until=until,
        present=present,
        absent=absent,
        sensitivity=wilson(counts["hits"], present) if present >= FEWEST else None,
        specificity=wilson(counts["passed"], absent) if absent >= FEWEST else None,
        detail=None if present >= FEWEST else say("drift.too_few", count=present, fewest=FEWEST),
    )


def _sum(found: Days, first: int, last: int) -> Counter[str]:
    return sum((counts for day, counts in found.items() if first <= day < last), Counter())
