"""The board: what rollups hold of each version, summed up: a few hundred rows, however many results there were."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.drift import verdicts
from services.api.drift.judging import Limits, judge
from services.api.drift.views import AlertView, Board, Line, MeasureView, Moment, Series, WatchedVersion
from services.api.views import version_ref
from shared.agreement import wilson
from shared.db.statements import drift as statements
from shared.db.statements import rollups, versions
from shared.db.tables import Version
from shared.measures import MEASURES, OUTCOMES
from shared.schemas import Modality, VersionRef
from shared.sentences import say
from shared.settings import Settings

_FINE_DAYS = 2  # so many days are shown by the rollup, more of them by the day
_DAY_S = 86_400
_SHOWN_ALERTS = 100


@dataclass(frozen=True)
class Wanted:
    """What of a hospital's results: empty or None means all."""

    tenant: UUID
    days: int
    modality: Modality | None = None
    site: str = ""
    device: str = ""
    version: UUID | None = None

    @property
    def filters(self) -> dict[str, Any]:
        """As the statements take them."""
        return {"modality": self.modality, "version": self.version, "site": self.site, "device": self.device}


@dataclass
class Watched:
    """One version: bins of each measure at each time, and of its reference."""

    version: Version
    counts: dict[str, dict[datetime, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    reference: dict[str, list[int]] = field(default_factory=dict)
    judged: verdicts.Days = field(default_factory=dict)

    @property
    def ref(self) -> VersionRef:
        """By name and address."""
        return version_ref(self.version)

    @property
    def referred(self) -> int:
        """Results in the reference."""
        return sum(self.reference.get("probability", ()))

    @property
    def times(self) -> list[datetime]:
        """When something ended."""
        return sorted(self.counts["outcome"])

    def whole(self, measure: str) -> list[int]:
        """A measure's bins over all times."""
        parts = self.counts[measure].values()
        return [sum(bins) for bins in zip(*parts, strict=True)] or [0] * MEASURES[measure].places


def width_of(wanted: Wanted, settings: Settings) -> int:
    """Seconds of one point."""
    return settings.drift_rollup_s if wanted.days <= _FINE_DAYS else rollups.DAY


async def watched(session: AsyncSession, settings: Settings, wanted: Wanted) -> list[Watched]:
    """Every version that ended something, by modality, the latest first."""
    span = {"width": width_of(wanted, settings), "seconds": wanted.days * _DAY_S}
    rows = (await session.execute(statements.counts(wanted.tenant, **span, **wanted.filters))).all()
    known = await session.scalars(versions.among({row.version_id for row in rows}))
    found = {version.id: Watched(version) for version in known}
    for row in rows:
        found[row.version_id].counts[row.measure][row.since] = [int(count) for count in row.counts]
    for row in await session.execute(statements.references(wanted.tenant, wanted.site, wanted.device)):
        if row.version_id in found:
            found[row.version_id].reference[row.measure] = row.counts
    said = await verdicts.by_day(session, wanted.tenant, wanted.days, wanted.filters)
    for version_id, days in said.items():
        if version_id in found:
            found[version_id].judged = days
    return sorted(found.values(), key=lambda one: (one.version.modality, -one.version.published_at.timestamp()))


async def board(session: AsyncSession, settings: Settings, wanted: Wanted, found: Sequence[Watched]) -> Board:
    """What `watched` found, with alerts."""
    places = (await session.execute(statements.places(wanted.tenant))).all()
    raised = await session.execute(statements.alerts(wanted.tenant, is_open=True, before=None, limit=_SHOWN_ALERTS))
    return Board(
        days=wanted.days,
        site=wanted.site or None,
        device=wanted.device or None,
        counted_at=await session.scalar(rollups.moved()),
        sites=[row.site for row in places if row.site],
        devices=[row.device for row in places if row.device],
        alerts=[alert_view(row) for row in raised if wanted.modality in (None, row[0].modality)],
        versions=[_version(one, wanted.days, Limits.of(settings)) for one in found],
    )


def series(settings: Settings, wanted: Wanted, found: Sequence[Watched]) -> Series:
    """What `watched` found, point by point."""
    limits = Limits.of(settings)
    lines = [
        Line(
            modality=Modality(one.version.modality),
            version=one.ref,
            points=[_point(one, since, limits) for since in one.times],
            judged=verdicts.rolling(one.judged, wanted.days),
        )
        for one in found
    ]
    note = say("drift.verification_bias")
    return Series(days=wanted.days, seconds=width_of(wanted, settings), lines=lines, note=note)


def alert_view(row: Row[*tuple[Any, ...]]) -> AlertView:
    """An alert as `statements.alerts` gives it."""
    alert, version, by = row
    names = {name: getattr(alert, name) for name in AlertView.model_fields if hasattr(alert, name)}
    state = "cleared" if alert.cleared_at else "acknowledged" if alert.acknowledged_at else "raised"
    named = say(f"drift.measure.{alert.measure}")
    told = {
        "state": state,
        "version": version_ref(version),
        "site": alert.site or None,
        "device": alert.device or None,
        "detail": say("drift.raised", measure=named, psi=alert.worst_psi, results=float(alert.results)),
        "acknowledged_by": by,
    }
    return AlertView.model_validate({**names, **told})


def _version(one: Watched, days: int, limits: Limits) -> WatchedVersion:
    outcomes = one.whole("outcome")
    jobs = sum(outcomes)
    rates = {name: wilson(count, jobs) for name, count in zip(OUTCOMES, outcomes, strict=True)}
    return WatchedVersion(
        modality=Modality(one.version.modality),
        finding=one.version.finding,
        version=one.ref,
        jobs=jobs,
        outcomes=dict(zip(OUTCOMES, outcomes, strict=True)),
        rates={name: rate for name, rate in rates.items() if rate is not None},
        referred=one.referred,
        complete=one.referred >= limits.reference,
        measures=[_measure(one, name, limits) for name in MEASURES if name in one.counts],
        feedback=verdicts.figures(one.judged, days),
    )


def _measure(one: Watched, name: str, limits: Limits) -> MeasureView:
    measure, now, reference = MEASURES[name], one.whole(name), one.reference.get(name, [])
    judged = judge(name, reference, one.referred, now, limits)
    apart = judged.distance
    is_words = name == "outcome"
    return MeasureView(
        name=name,
        unit=measure.unit,
        edges=[] if is_words else list(measure.edges),
        words=list(OUTCOMES) if is_words else [],
        now=now,
        reference=reference,
        results=judged.results,
        standing=judged.standing,
        psi=apart and apart.psi,
        noise=apart and apart.noise,
        ks=None if is_words else apart and apart.ks,
        ks_p=None if is_words else apart and apart.ks_p,
    )


def _point(one: Watched, since: datetime, limits: Limits) -> Moment:
    outcomes: Mapping[str, int] = dict(zip(OUTCOMES, one.counts["outcome"][since], strict=True))
    psi = {}
    for name, times in one.counts.items():
        judged = judge(name, one.reference.get(name), one.referred, times.get(since), limits)
        if judged.distance is not None:
            psi[name] = round(judged.distance.psi, 4)
    return Moment(since=since, jobs=sum(outcomes.values()), outcomes=dict(outcomes), psi=psi)
