"""Which of a tenant's jobs are meant: every filter of the lists, and its conditions. The tenant comes on top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from shared.db.tables import Job, Result, Study, Version
from shared.schemas import ReviewState

_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Wanted:
    """Which of a tenant's jobs a page shows; everything is optional."""

    states: Sequence[str] = ()
    modality: str | None = None
    decision: str | None = None
    review: str | None = None
    study: str | None = None
    client_ref: str | None = None
    client_ref_prefix: str | None = None
    subject_id: str | None = None
    site: str | None = None
    batch: UUID | None = None
    priority: int | None = None
    version: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    before: UUID | None = None


def given(equal: Mapping[InstrumentedAttribute[Any], object]) -> list[ColumnElement[bool]]:
    """Columns that equal what was asked for; None asks for nothing."""
    return [column == value for column, value in equal.items() if value is not None]


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What must hold of a job, its result and its study, all of which the query has joined."""
    equal = {
        Job.modality: wanted.modality,
        Job.client_ref: wanted.client_ref,
        Job.subject_id: wanted.subject_id,
        Job.site: wanted.site,
        Job.batch_id: wanted.batch,
        Job.priority: wanted.priority,
        Result.decision: wanted.decision,
        Study.external_id: wanted.study,
    }
    found = given(equal)
    if wanted.states:
        found.append(Job.state.in_(wanted.states))
    if wanted.review == ReviewState.NONE:
        found += [Result.job_id.is_not(None), Result.review.is_(None)]
    elif wanted.review is not None:
        found.append(Result.review == wanted.review)
    if wanted.client_ref_prefix is not None:
        found.append(Job.client_ref.like(_pattern(wanted.client_ref_prefix)))
    if wanted.version is not None:
        answered = select(Version.id).where(or_(Version.sha256 == wanted.version, Version.name == wanted.version))
        found.append(Job.version_id.in_(answered))
    if wanted.batch is None:  # what only compares versions is found by its own batch alone
        found.append(Job.comparison_id.is_(None))
    return found + _bounds(wanted)


def _pattern(prefix: str) -> str:
    """The LIKE pattern of what begins so; PostgreSQL's own escape, so that its index is used."""
    return prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _bounds(wanted: Wanted) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if wanted.created_after is not None:
        # The id holds the time as well: walking back along the index by id ends there.
        bounds += [Job.created_at > wanted.created_after, Job.id > _first(wanted.created_after - _SKEW)]
    if wanted.created_before is not None:
        bounds.append(Job.created_at < wanted.created_before)
    if wanted.before is not None:
        bounds.append(Job.id < wanted.before)
    return bounds


def _first(moment: datetime) -> UUID:
    """Before every UUIDv7 of this moment."""
    return UUID(int=max(int(moment.timestamp() * 1000), 0) << 80)
