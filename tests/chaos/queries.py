"""What the rows themselves must prove when everything is quiet again: one query an invariant, and no row is good news.

The numbers I1 to I24 are the invariants of the reliability programme, as `docs/architecture.md` lists them. Every query
may use :most (attempts of a job), :deliveries (attempts of a delivery) and :lease (seconds).
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.settings import Settings
from tests.chaos import queries_of_jobs, queries_of_verdicts, queries_of_versions
from tests.chaos.query import SHOWN, Violation

_QUERIES = (*queries_of_jobs.QUERIES, *queries_of_versions.QUERIES, *queries_of_verdicts.QUERIES)


def violated(session: Session, settings: Settings) -> Iterator[Violation]:
    """Run every query. They need a service at rest: what still waits or runs is a violation itself."""
    values = {"most": settings.max_attempts, "deliveries": settings.webhook_attempts, "lease": settings.lease_s}
    for query in _QUERIES:
        statement = text(query.sql)
        given = {name: values[name] for name in statement._bindparams}
        if rows := session.execute(statement.bindparams(**given)).fetchmany(SHOWN):
            yield Violation(query.invariant, query.proves, tuple(tuple(row) for row in rows))
