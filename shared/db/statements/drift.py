"""Rollups as they are read, and alerts. A person's question is scoped to the tenant; time is the database's own.

Rollups are few whatever was counted, so that no question keeps a snapshot for long.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, Update, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import defer

from shared.db.statements.judged import VERDICTS
from shared.db.tables import DriftAlert, Principal, Version

_ID = PG_UUID(as_uuid=True)
_ANY = {"modality": None, "version": None, "site": "", "device": ""}

# Where site or device is not asked for, rollups of all of them are added up.
_COUNTS = text(
    """
    SELECT part.modality, part.version_id, part.measure, part.since, array_agg(part.n ORDER BY part.place) AS counts
    FROM (
        SELECT r.modality, r.version_id, r.measure, r.since, bin.place, sum(bin.n) AS n
        FROM rollups r CROSS JOIN unnest(r.counts) WITH ORDINALITY AS bin(n, place)
        WHERE r.tenant_id = :tenant AND r.width = :width
          AND r.since >= date_bin(make_interval(secs => :width), now() - make_interval(secs => :seconds),
                                  TIMESTAMPTZ '1970-01-01 00:00:00+00')
          AND (CAST(:modality AS text) IS NULL OR r.modality = :modality)
          AND (CAST(:version AS uuid) IS NULL OR r.version_id = :version)
          AND (:site = '' OR r.site = :site) AND (:device = '' OR r.device = :device)
        GROUP BY r.modality, r.version_id, r.measure, r.since, bin.place
    ) AS part
    GROUP BY part.modality, part.version_id, part.measure, part.since
    ORDER BY part.since
    """
).bindparams(bindparam("tenant", type_=_ID), bindparam("version", type_=_ID))
_REFERENCES = text(
    """
    SELECT version_id, measure, counts FROM drift_references
    WHERE tenant_id = :tenant AND site = :site AND device = :device
    """
).bindparams(bindparam("tenant", type_=_ID))
_PLACES = text(
    """
    SELECT DISTINCT site, device FROM drift_references
    WHERE tenant_id = :tenant AND (site = '') <> (device = '') ORDER BY site, device LIMIT 1000
    """
).bindparams(bindparam("tenant", type_=_ID))

# The last window and the one before it, of each hospital, site and device that had something in the last one.
_WINDOWS = text(
    """
    WITH part AS (
        SELECT r.modality, r.version_id, r.measure, wide.site, wide.device,
               r.since >= now() - make_interval(secs => :window) AS fresh, bin.place, sum(bin.n) AS n
        FROM rollups r
        CROSS JOIN LATERAL (VALUES ('', '') UNION VALUES (r.site, '') UNION VALUES ('', r.device)) AS wide(site, device)
        CROSS JOIN unnest(r.counts) WITH ORDINALITY AS bin(n, place)
        WHERE r.tenant_id = :tenant AND r.width = :width AND r.since >= now() - make_interval(secs => 2 * :window)
        GROUP BY r.modality, r.version_id, r.measure, wide.site, wide.device, fresh, bin.place
    ),
    whole AS (
        SELECT modality, version_id, measure, site, device, fresh, array_agg(n ORDER BY place) AS counts
        FROM part GROUP BY modality, version_id, measure, site, device, fresh
    )
    SELECT modality, version_id, measure, site, device, ours.counts AS now, before.counts AS before,
           reference.counts AS reference,
           (SELECT sum(n) FROM drift_references d, unnest(d.counts) AS n
            WHERE d.tenant_id = :tenant AND d.version_id = ours.version_id AND d.site = ours.site
              AND d.device = ours.device AND d.measure = 'probability') AS referred
    FROM (SELECT * FROM whole WHERE fresh) AS ours
    LEFT JOIN (SELECT * FROM whole WHERE NOT fresh) AS before
        USING (modality, version_id, measure, site, device)
    JOIN (SELECT * FROM drift_references WHERE tenant_id = :tenant) AS reference
        USING (modality, version_id, measure, site, device)
    ORDER BY modality, version_id, (site <> '')::int + (device <> '')::int, site, device, measure
    """
).bindparams(bindparam("tenant", type_=_ID))
_TENANTS = text(
    "SELECT DISTINCT tenant_id FROM rollups WHERE width = :width AND since >= now() - make_interval(secs => :window)"
)

# Raised once; then the open one is kept up to date. Nobody acted, so the audit names no principal.
_RAISE = text(
    """
    WITH raised AS (
        INSERT INTO drift_alerts (id, tenant_id, modality, version_id, site, device, measure,
                                  raised_psi, worst_psi, psi, results)
        VALUES (:id, :tenant, :modality, :version, :site, :device, :measure, :psi, :psi, :psi, :results)
        ON CONFLICT (tenant_id, version_id, site, device, measure) WHERE cleared_at IS NULL
        DO UPDATE SET psi = EXCLUDED.psi, worst_psi = GREATEST(drift_alerts.worst_psi, EXCLUDED.psi),
                      results = EXCLUDED.results, looked_at = now()
        RETURNING id, id = :id AS is_new
    ),
    audited AS (
        INSERT INTO audit_events (tenant_id, action, object_type, object_id)
        SELECT :tenant, 'alert.raised', 'alert', id::text FROM raised WHERE is_new
    )
    SELECT id, is_new FROM raised
    """
).bindparams(*(bindparam(name, type_=_ID) for name in ("id", "tenant", "version")))
_LOOK = text(
    """
    WITH looked AS (
        UPDATE drift_alerts
        SET psi = :psi, results = :results, looked_at = now(), cleared_at = CASE WHEN :clear THEN now() END
        WHERE tenant_id = :tenant AND version_id = :version AND site = :site AND device = :device
          AND measure = :measure AND cleared_at IS NULL
        RETURNING id, cleared_at
    ),
    audited AS (
        INSERT INTO audit_events (tenant_id, action, object_type, object_id)
        SELECT :tenant, 'alert.cleared', 'alert', id::text FROM looked WHERE cleared_at IS NOT NULL
    )
    SELECT id, cleared_at FROM looked
    """
).bindparams(*(bindparam(name, type_=_ID) for name in ("tenant", "version")))
_HOLDING = text(
    """
    SELECT count(*) FILTER (WHERE version_id = :candidate) AS ours,
           count(*) FILTER (WHERE version_id = :active AND acknowledged_at IS NULL) AS theirs,
           EXISTS (SELECT FROM drift_references d
                   WHERE d.version_id = :active AND d.site = '' AND d.device = '' AND d.measure = 'probability'
                     AND (SELECT sum(n) FROM unnest(d.counts) AS n) >= :first) AS watched
    FROM drift_alerts WHERE cleared_at IS NULL AND version_id IN (:candidate, :active)
    """
).bindparams(*(bindparam(name, type_=_ID) for name in ("candidate", "active")))

# An input whose readers differ has no truth until a second reading settles it. Verdicts are few. Counted by the day of
# the result, since that is when the version was right or wrong; no verdict is older than its result.
_JUDGED = text(
    f"""
    WITH said AS (
        SELECT job_id, label, adjudicated, bool_or(adjudicated) OVER (PARTITION BY job_id) AS outranked
        FROM ({VERDICTS}) verdict
        WHERE tenant_id = :tenant AND given_at >= now() - make_interval(secs => :seconds)
    ),
    truth AS (
        SELECT j.id, j.modality, r.version_id, r.decision, min(said.label) AS low, max(said.label) AS high,
               floor(EXTRACT(epoch FROM now() - j.finished_at) / 86400)::int AS day
        FROM said
        JOIN jobs j ON j.id = said.job_id AND j.tenant_id = :tenant
        JOIN results r ON r.job_id = j.id
        WHERE (said.adjudicated OR NOT said.outranked)
          AND j.finished_at > now() - make_interval(secs => :seconds)
          AND (CAST(:modality AS text) IS NULL OR j.modality = :modality)
          AND (CAST(:version AS uuid) IS NULL OR r.version_id = :version)
          AND (:site = '' OR j.site = :site) AND (:device = '' OR j.device = :device)
        GROUP BY j.id, j.modality, r.version_id, r.decision
    )
    SELECT modality, version_id, day, count(*) AS judged,
           count(*) FILTER (WHERE low IS NULL) AS unsure,
           count(*) FILTER (WHERE low <> high) AS differing,
           count(*) FILTER (WHERE decision = 'refer' AND low = high) AS referred,
           count(*) FILTER (WHERE decision = 'flagged' AND low = 'present') AS hits,
           count(*) FILTER (WHERE decision = 'not_flagged' AND low = 'present') AS missed,
           count(*) FILTER (WHERE decision = 'not_flagged' AND high = 'absent') AS passed,
           count(*) FILTER (WHERE decision = 'flagged' AND high = 'absent') AS alarms
    FROM truth GROUP BY modality, version_id, day
    """  # noqa: S608 - a constant
).bindparams(bindparam("tenant", type_=_ID), bindparam("version", type_=_ID))


def counts(tenant: UUID, *, width: int, seconds: float, **wanted: Any) -> TextClause:
    """Histograms of each version, measure and rollup, oldest first: `modality`, `version`, `site`, `device`."""
    return _COUNTS.bindparams(tenant=tenant, width=width, seconds=seconds, **{**_ANY, **wanted})


def references(tenant: UUID, site: str, device: str) -> TextClause:
    """What each version's measures are held against, of all sites or devices where these are empty."""
    return _REFERENCES.bindparams(tenant=tenant, site=site, device=device)


def places(tenant: UUID) -> TextClause:
    """Sites and devices that results came from, one a row: the other is empty."""
    return _PLACES.bindparams(tenant=tenant)


def tenants(*, width: int, window: float) -> TextClause:
    """Who had results lately."""
    return _TENANTS.bindparams(width=width, window=window)


def windows(tenant: UUID, *, width: int, window: float) -> TextClause:
    """Each measure `now`, in the window `before` and in its `reference` (`referred` results), widest places first."""
    return _WINDOWS.bindparams(tenant=tenant, width=width, window=window)


def raise_alert(**values: Any) -> TextClause:
    """Raise an alert, or tell the open one what was seen; returns its id and whether it is new."""
    return _RAISE.bindparams(**values)


def look_at_alert(**values: Any) -> TextClause:
    """Tell an open alert what was seen, and `clear` it; no row when none is open."""
    return _LOOK.bindparams(**values)


def holding(candidate: UUID, active: UUID, first: int) -> TextClause:
    """Alerts open on a candidate (`ours`), and those on what is active that nobody has acknowledged (`theirs`).

    `watched`: whether what is active has a whole reference of `first` results, without which nothing drifts.
    """
    return _HOLDING.bindparams(candidate=candidate, active=active, first=first)


def judged(tenant: UUID, *, seconds: float, **wanted: Any) -> TextClause:
    """How verdicts bear out each version's results of this time, by `day` before now; filters as in `counts`."""
    return _JUDGED.bindparams(tenant=tenant, seconds=seconds, **{**_ANY, **wanted})


def alerts(tenant: UUID, *, is_open: bool | None, before: UUID | None, limit: int) -> Select[*tuple[Any, ...]]:
    """A tenant's alerts, newest first, with its version and the name of who acknowledged it."""
    query = (
        select(DriftAlert, Version, Principal.name)
        .join(Version, Version.id == DriftAlert.version_id)
        .outerjoin(Principal, Principal.id == DriftAlert.acknowledged_by)
        .where(DriftAlert.tenant_id == tenant)
        .order_by(DriftAlert.id.desc())
        .limit(limit)
        .options(defer(Version.card, raiseload=True))
    )
    if is_open is not None:
        query = query.where(DriftAlert.cleared_at.is_(None) if is_open else DriftAlert.cleared_at.is_not(None))
    return query if before is None else query.where(DriftAlert.id < before)


def unseen(tenant: UUID) -> Select[str, int]:
    """How many alerts of each modality nobody has acknowledged."""
    raised = (DriftAlert.tenant_id == tenant, DriftAlert.cleared_at.is_(None), DriftAlert.acknowledged_at.is_(None))
    query = select(DriftAlert.modality, func.count()).where(*raised)
    return query.group_by(DriftAlert.modality).order_by(DriftAlert.modality)


def alert(tenant: UUID, alert_id: UUID) -> Select[*tuple[Any, ...]]:
    """One of a tenant's alerts, as `alerts` gives it."""
    return alerts(tenant, is_open=None, before=None, limit=1).where(DriftAlert.id == alert_id)


def acknowledge(tenant: UUID, alert_id: UUID, principal: UUID, note: str | None) -> Update:
    """A person has seen it; no row when it is unknown, cleared or acknowledged already."""
    mine = (DriftAlert.tenant_id == tenant, DriftAlert.id == alert_id)
    still = (DriftAlert.acknowledged_at.is_(None), DriftAlert.cleared_at.is_(None))
    values = {"acknowledged_at": func.now(), "acknowledged_by": principal, "note": note}
    return (
        update(DriftAlert)
        .where(*mine, *still)
        .values(**values)
        .returning(DriftAlert.id)
        .execution_options(synchronize_session=False)
    )
