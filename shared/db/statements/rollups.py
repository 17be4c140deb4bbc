"""What ended is counted: each job once, in the order in which no late commit slips behind, a few thousand at a time.

A step is one transaction: `mark` locks the watermark, `roll` counts and moves it. Nothing of it is seen before the
commit, and whoever comes meanwhile finds the row locked and leaves it.
"""

from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.statements.order import HORIZON
from shared.measures import FEATURES, MEASURES, OUTCOMES

DAY = 86_400
STEP = 2000

_MARK = text("SELECT ended_in, job_id FROM watermarks WHERE name = 'rollups' FOR UPDATE SKIP LOCKED")


def _bins() -> str:
    """The measures' edges as rows, widest number of bins last: constants of ours, and nothing from outside."""
    rows = (
        f"('{one.name}', ARRAY[{', '.join(str(float(edge)) for edge in one.edges)}]::float8[], {one.places})"
        for one in MEASURES.values()
    )
    return ", ".join(rows)


_OUTCOMES = ", ".join(f"'{word}'" for word in OUTCOMES)
_FEATURES = ", ".join(f"'{name}'" for name in FEATURES)
_DENSE = """ARRAY(SELECT count(hit.bin)::int FROM generate_series(0, edge.places - 1) AS place(bin)
                   LEFT JOIN unnest(found.bins) AS hit(bin) ON hit.bin = place.bin
                   GROUP BY place.bin ORDER BY place.bin)"""


def _added(table: str) -> str:
    return f"""ARRAY(SELECT COALESCE(old, 0) + COALESCE(new, 0)
                   FROM unnest({table}.counts, EXCLUDED.counts) WITH ORDINALITY AS pair(old, new, place)
                   ORDER BY place)"""  # noqa: S608 - a constant


# `value` is one row for each job and measure, with its bin. A reference takes the first results of each hospital, site,
# device and device at a site until it has enough of them, and then never changes again.
_ROLL = text(
    f"""
    WITH edge(measure, edges, places) AS (VALUES {_bins()}),
    ended AS MATERIALIZED (
        SELECT id, ended_in, tenant_id, modality, version_id, COALESCE(site, '') AS site,
               COALESCE(device, '') AS device, state, finished_at, comparison_id
        FROM jobs
        WHERE (ended_in, id) > (:ended_in, :job) AND ended_in < {HORIZON}
        ORDER BY ended_in, id LIMIT :most
    ),
    counted AS MATERIALIZED (
        SELECT * FROM ended WHERE version_id IS NOT NULL AND state <> 'cancelled' AND comparison_id IS NULL
    ),
    novelty AS MATERIALIZED (
        SELECT id, (card #>> '{{novelty,threshold}}')::float8 AS most
        FROM versions WHERE id IN (SELECT version_id FROM counted)
    ),
    value AS MATERIALIZED (
        SELECT c.*, one.measure, one.bin
        FROM counted c
        JOIN novelty ON novelty.id = c.version_id
        LEFT JOIN results r ON r.job_id = c.id AND c.state = 'succeeded'
        CROSS JOIN LATERAL (
            SELECT 'outcome' AS measure,
                   array_position(ARRAY[{_OUTCOMES}], CASE WHEN c.state = 'succeeded' THEN r.decision
                                  WHEN c.state = 'rejected' THEN 'rejected' ELSE 'failed' END) - 1 AS bin
            UNION ALL
            SELECT edge.measure, width_bucket(said.value, edge.edges)
            FROM (VALUES ('probability', r.probability),
                         ('distance', CASE WHEN novelty.most > 0 THEN r.distance / novelty.most END)
                 ) AS said(measure, value)
            JOIN edge USING (measure) WHERE said.value IS NOT NULL
            UNION ALL
            SELECT edge.measure, width_bucket((r.features ->> edge.measure)::float8, edge.edges)
            FROM edge WHERE edge.measure IN ({_FEATURES}) AND r.features ? edge.measure
        ) AS one
        WHERE one.bin IS NOT NULL
    ),
    rolled AS (
        INSERT INTO rollups (tenant_id, modality, version_id, site, device, width, since, measure, counts)
        SELECT found.tenant_id, found.modality, found.version_id, found.site, found.device, found.width, found.since,
               found.measure, {_DENSE}
        FROM (
            SELECT tenant_id, modality, version_id, site, device, width, measure, array_agg(bin) AS bins,
                   date_bin(make_interval(secs => width), finished_at, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS since
            FROM value CROSS JOIN (SELECT DISTINCT unnest(ARRAY[CAST(:width AS int), {DAY}])) AS wide(width)
            GROUP BY tenant_id, modality, version_id, site, device, width, measure, since
        ) AS found JOIN edge USING (measure)
        ON CONFLICT (tenant_id, width, since, modality, version_id, measure, site, device)
        DO UPDATE SET counts = {_added("rollups")}
    ),
    level AS (
        SELECT c.id, c.tenant_id, c.version_id, l.site, l.device,
               count(*) FILTER (WHERE c.state = 'succeeded') OVER (
                   PARTITION BY c.tenant_id, c.version_id, l.site, l.device ORDER BY c.ended_in, c.id) AS place
        FROM counted c CROSS JOIN LATERAL (
            VALUES ('', '') UNION VALUES (c.site, '') UNION VALUES ('', c.device) UNION VALUES (c.site, c.device)
        ) AS l(site, device)
    ),
    known AS MATERIALIZED (
        SELECT tenant_id, version_id, site, device, (SELECT sum(n) FROM unnest(counts) AS n) AS results
        FROM drift_references WHERE measure = 'probability' AND version_id IN (SELECT version_id FROM counted)
    ),
    early AS MATERIALIZED (
        SELECT level.* FROM level LEFT JOIN known USING (tenant_id, version_id, site, device)
        WHERE COALESCE(known.results, 0) < :first AND level.place + COALESCE(known.results, 0) <= :first
    ),
    referred AS (
        INSERT INTO drift_references (tenant_id, modality, version_id, site, device, measure, counts)
        SELECT found.tenant_id, found.modality, found.version_id, found.site, found.device, found.measure, {_DENSE}
        FROM (
            SELECT value.tenant_id, value.modality, value.version_id, early.site, early.device, value.measure,
                   array_agg(value.bin) AS bins
            FROM early JOIN value USING (id)
            GROUP BY value.tenant_id, value.modality, value.version_id, early.site, early.device, value.measure
        ) AS found JOIN edge USING (measure)
        ON CONFLICT (tenant_id, version_id, site, device, measure)
        DO UPDATE SET counts = {_added("drift_references")}
    ),
    moved AS (
        UPDATE watermarks SET (ended_in, job_id, moved_at) = (
            SELECT ended_in, id, now() FROM ended ORDER BY ended_in DESC, id DESC LIMIT 1)
        WHERE name = 'rollups' AND EXISTS (SELECT FROM ended)
    )
    SELECT count(*) FROM ended
    """  # noqa: S608 - constants of ours
).bindparams(bindparam("job", type_=PG_UUID(as_uuid=True)))

_FORGET = text(
    """
    DELETE FROM rollups WHERE id IN (
        SELECT id FROM rollups WHERE width < :day AND since < now() - make_interval(days => :days) LIMIT :most)
    """
)


def mark() -> TextClause:
    """How far jobs are counted, locked until the end of the transaction; no row when somebody else counts."""
    return _MARK


def roll(ended_in: int, job: UUID, *, width: int, first: int, most: int = STEP) -> TextClause:
    """Count up to `most` jobs behind the mark and move it; returns how many.

    `width`: seconds of one rollup, beside which there is one a day. `first`: results in a reference.
    """
    return _ROLL.bindparams(ended_in=ended_in, job=job, width=width, first=first, most=most)


def forget(days: int, most: int) -> TextClause:
    """Delete up to `most` fine rollups that are old; those of a day stay."""
    return _FORGET.bindparams(day=DAY, days=days, most=most)


def moved() -> TextClause:
    """When something was last counted."""
    return text("SELECT moved_at FROM watermarks WHERE name = 'rollups'")
