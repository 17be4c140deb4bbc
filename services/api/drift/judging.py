"""From two histograms to a word, and from words to alerts: raised high, cleared low, so that none flutters."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.drift.figures import Counts, Distance, distance
from shared.db.statements import drift as statements
from shared.db.tables import new_id
from shared.measures import OUTCOME
from shared.settings import Settings

Standing = Literal["alike", "watch", "drifted", "not_enough_evidence"]


@dataclass(frozen=True)
class Limits:
    """From where to where: settings as this judgement needs them."""

    raised: float
    cleared: float
    results: int
    reference: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits of an installation."""
        return cls(settings.drift_raise, settings.drift_clear, settings.drift_results, settings.drift_reference)


@dataclass(frozen=True)
class Judgement:
    """One measure held against its reference; `distance` is None when there is not enough of one of them."""

    standing: Standing
    distance: Distance | None
    results: int


def judge(measure: str, reference: Counts | None, referred: int, now: Counts | None, limits: Limits) -> Judgement:
    """`referred`: results in the reference, which must be complete.

    Few results drift by chance alone: an index below what chance gives once in a thousand times is no drift.
    """
    found = sum(now or ())
    if not reference or not now or referred < limits.reference or sum(reference) < limits.results:
        return Judgement("not_enough_evidence", None, found)
    if found < limits.results:
        return Judgement("not_enough_evidence", None, found)
    apart = distance(reference, now, ordered=measure != OUTCOME.name)
    if apart.psi >= max(limits.raised, apart.noise):
        return Judgement("drifted", apart, found)
    return Judgement("alike" if apart.psi < limits.cleared else "watch", apart, found)


async def look(connection: AsyncConnection, settings: Settings) -> int:
    """Judge every measure of every hospital that had results lately; raise and clear alerts. How many were raised.

    Where a version drifts for the whole hospital, its sites and devices are not told one by one.
    """
    width, window, raised = settings.drift_rollup_s, settings.drift_window_s, 0
    for tenant in (await connection.scalars(statements.tenants(width=width, window=window))).all():
        wide: set[tuple[Any, ...]] = set()
        for row in (await connection.execute(statements.windows(tenant, width=width, window=window))).all():
            of = (row.version_id, row.measure)
            if (row.site or row.device) and of in wide:
                continue
            judged = _judged(row, Limits.of(settings))
            if judged.standing == "drifted" and not (row.site or row.device):
                wide.add(of)
            raised += await _tell(connection, tenant, row, judged, Limits.of(settings))
    return raised


def _judged(row: Row[Any], limits: Limits) -> Judgement:
    return judge(row.measure, row.reference, int(row.referred or 0), row.now, limits)


async def _tell(connection: AsyncConnection, tenant: Any, row: Row[Any], judged: Judgement, limits: Limits) -> int:
    if judged.distance is None:
        return 0
    cell = {"tenant": tenant, "version": row.version_id, "measure": row.measure, "site": row.site, "device": row.device}
    seen = {**cell, "psi": judged.distance.psi, "results": judged.results}
    if judged.standing == "drifted":
        statement = statements.raise_alert(id=new_id(), modality=row.modality, **seen)
        return int((await connection.execute(statement)).one().is_new)
    earlier = judge(row.measure, row.reference, int(row.referred or 0), row.before, limits)
    clear = judged.standing == "alike" and earlier.standing == "alike"
    await connection.execute(statements.look_at_alert(**seen, clear=clear))
    return 0
