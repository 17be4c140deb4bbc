"""Second readings: opened, closed once, listed as a worklist. Whatever a caller asks about is scoped to his tenant."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Update, exists, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased, defer

from shared.db.statements.wanted import given
from shared.db.tables import (
    REASON_RANK,
    Adjudication,
    Feedback,
    Job,
    JobInput,
    Principal,
    Result,
    Study,
    Version,
    new_id,
)


@dataclass(frozen=True)
class Wanted:
    """Which of a tenant's second readings a page shows; `after` is (rank, id) of the last one before it."""

    state: str | None = None
    modality: str | None = None
    rank: int | None = None
    job: UUID | None = None
    after: tuple[int, UUID] | None = None


def open_(tenant: UUID, job_id: UUID, modality: str) -> Insert:
    """Open a second reading of a contested result, unless one is open."""
    row = {"id": new_id(), "tenant_id": tenant, "job_id": job_id, "modality": modality}
    statement = upsert(Adjudication).values(rank=REASON_RANK["disagreement"], **row)
    return statement.on_conflict_do_nothing(index_elements=[Adjudication.job_id], index_where=text("state = 'open'"))


def withdraw(job_id: UUID) -> Update:
    """Nothing is contested any more: what a disagreement opened ends without a label."""
    one = update(Adjudication).where(
        Adjudication.job_id == job_id,
        Adjudication.state == "open",
        Adjudication.rank == REASON_RANK["disagreement"],
    )
    return one.values(state="withdrawn", closed_at=func.now()).execution_options(synchronize_session=False)


def close(adjudication: UUID, **values: Any) -> Update:
    """Close an open one; no row when it is not open any more."""
    one = update(Adjudication).where(Adjudication.id == adjudication, Adjudication.state == "open")
    values |= {"closed_at": func.now()}
    return one.values(**values).returning(Adjudication.id).execution_options(synchronize_session=False)


def replace(job_id: UUID) -> Update:
    """The label of an earlier second reading makes room for that of the next."""
    old = update(Adjudication).where(Adjudication.job_id == job_id, Adjudication.state == "adjudicated")
    return old.values(state="replaced").execution_options(synchronize_session=False)


def settled(job_id: UUID) -> Select[str | None]:
    """The adjudicated label of a result that stands."""
    return select(Adjudication.label).where(Adjudication.job_id == job_id, Adjudication.state == "adjudicated")


def job_of(tenant: UUID, adjudication: UUID) -> Select[UUID]:
    """The job of a tenant's second reading."""
    return select(Adjudication.job_id).where(Adjudication.id == adjudication, Adjudication.tenant_id == tenant)


def shown(tenant: UUID, person: str | None) -> Select[*tuple[Any, ...]]:
    """A tenant's second readings with what their reader may know: job, input, study, version, the second reader's name.

    The last column says whether `person` has judged the result before.
    """
    before = aliased(Adjudication)
    judged = or_(
        exists().where(Feedback.job_id == Adjudication.job_id, Feedback.person == person),
        exists().where(before.job_id == Adjudication.job_id, before.person == person),
    )
    return (
        select(Adjudication, Job, JobInput, Study.external_id, Version, Principal.name, judged.label("judged"))
        .join(Job, Job.id == Adjudication.job_id)
        .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
        .join(Result, Result.job_id == Job.id)
        .join(Version, Version.id == Result.version_id)
        .outerjoin(Study, Study.id == Job.study_id)
        .outerjoin(Principal, Principal.id == Adjudication.principal_id)
        .where(Adjudication.tenant_id == tenant)
        .options(defer(Version.card, raiseload=True))
    )


def page(tenant: UUID, person: str | None, wanted: Wanted, limit: int) -> Select[*tuple[Any, ...]]:
    """A page of the worklist: what was referred first, then what is contested, oldest first."""
    query = shown(tenant, person).where(*_conditions(wanted))
    return query.order_by(Adjudication.rank, Adjudication.id).limit(limit)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    equal = {
        Adjudication.state: wanted.state,
        Adjudication.modality: wanted.modality,
        Adjudication.rank: wanted.rank,
        Adjudication.job_id: wanted.job,
    }
    conditions = given(equal)
    if wanted.after is not None:
        conditions.append(tuple_(Adjudication.rank, Adjudication.id) > tuple_(*map(literal, wanted.after)))
    return conditions


def open_by_modality(tenant: UUID) -> Select[str, int]:
    """How many of a tenant's second readings are open (`waiting`), by modality."""
    count = func.count().label("waiting")
    return (
        select(Adjudication.modality, count)
        .where(Adjudication.tenant_id == tenant, Adjudication.state == "open")
        .group_by(Adjudication.modality)
    )
