"""Answers that are known already: the same bytes by the same version for the same hospital are not computed again.

Score, distance and quality depend on bytes and version alone, so they are taken over. The decision is made anew, from
what the file's header said and what this job's caller says.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from services.worker import answers
from services.worker.claims import Claim
from services.worker.predict import Answers
from shared.db.engine import Database
from shared.db.statements import reuse
from shared.schemas import Card
from shared.settings import Settings

_log = structlog.get_logger()


class Reuse:
    """Looks once a claim."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._on, self._database = settings.reuse_results, database

    def take(self, claim: Claim, card: Card) -> Answers:
        """The answers that are known; their jobs leave the claim. None when the database cannot say."""
        known = self._known(claim)
        rows, studies = [], []
        for job in [job for job in claim.jobs if job.id in known]:
            found = known[job.id]
            rows.append(answers.reused(card, job, found))
            studies += answers.study_of(job, found.header)
        claim.jobs = [job for job in claim.jobs if job.id not in known]
        return Answers(rows, studies, [])

    def _known(self, claim: Claim) -> Mapping[UUID, Row[Any]]:
        if not self._on or claim.version_id is None:
            return {}
        try:
            with self._database.begin() as session:
                rows = session.execute(reuse.known(claim.version_id, [job.id for job in claim.jobs]))
                return {row.job_id: row for row in rows}
        except DBAPIError as error:
            _log.warning("known_results_not_looked_up", claim=claim.id, error=type(error).__name__)
            return {}
