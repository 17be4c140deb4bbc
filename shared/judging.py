"""Verdicts on results and second readings of what is contested: the rules, in one transaction each.

Whoever changes what is said of a result holds the result's row first, so that all of it happens one after the other.
Persons are compared, not keys. Nothing that was said is ever changed or removed.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.statements import adjudications, feedback
from shared.db.tables import Adjudication, Feedback, Job, new_id
from shared.errors import Conflict, Forbidden, NotFound, Unprocessable
from shared.faults import fault
from shared.schemas import AdjudicationState, Basis, Decision, Label, Verdict

_SAYS = {Decision.FLAGGED: Label.PRESENT, Decision.NOT_FLAGGED: Label.ABSENT}


@dataclass(frozen=True)
class Reader:
    """Who judges, for which hospital. `person` is as `people.compared` gives it."""

    tenant_id: UUID
    principal_id: UUID
    person: str


@dataclass(frozen=True)
class Opinion:
    """A verdict on a result. `label` may be left out where the verdict says it."""

    verdict: Verdict
    basis: Basis
    saw_result_first: bool
    label: Label | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a second reader says. Without a `label` he could not tell."""

    label: Label | None
    basis: Basis
    saw_result_first: bool
    comment: str | None = None


def give(session: Session, reader: Reader, job_id: UUID, said: Opinion) -> Feedback:
    """Judge a result, in place of what the same reader said before.

    Raises NotFound, Conflict (no result to judge), Unprocessable (a label that is missing or does not fit the verdict).
    """
    decision = _held(session, reader.tenant_id, job_id)
    label = _label(said, decision)
    session.execute(feedback.replace(job_id, reader.person))
    row = Feedback(
        id=new_id(),
        tenant_id=reader.tenant_id,
        job_id=job_id,
        principal_id=reader.principal_id,
        person=reader.person,
        verdict=said.verdict,
        label=label,
        basis=said.basis,
        saw_result_first=said.saw_result_first,
        comment=said.comment,
    )
    session.add(row)
    session.flush()
    _follow(session, reader.tenant_id, job_id, decision)
    session.refresh(row)
    return row


def withdraw(session: Session, tenant: UUID, feedback_id: UUID, person: str | None) -> Feedback:
    """Take a verdict back. `person` None: an administrator, who may for anybody.

    Raises NotFound, Forbidden (another reader's), Conflict (withdrawn or replaced before).
    """
    row = session.scalar(select(Feedback).where(Feedback.id == feedback_id, Feedback.tenant_id == tenant))
    if row is None:
        raise NotFound
    if person is not None and row.person != person:
        raise Forbidden("feedback_not_yours")
    decision = _held(session, tenant, row.job_id)
    if session.scalar(feedback.withdraw(feedback_id)) is None:
        raise Conflict("feedback_over")
    _follow(session, tenant, row.job_id, decision)
    session.refresh(row)
    return row


def adjudicate(session: Session, reader: Reader, adjudication_id: UUID, read: Reading) -> Adjudication:
    """Close a second reading with its label, or as undetermined; exactly one reader does.

    Raises NotFound, Forbidden (this person judged the result before), Conflict (it is closed).
    """
    job_id = session.scalar(adjudications.job_of(reader.tenant_id, adjudication_id))
    if job_id is None:
        raise NotFound
    _held(session, reader.tenant_id, job_id)
    row = session.get_one(Adjudication, adjudication_id, populate_existing=True)
    if row.state != AdjudicationState.OPEN:
        raise Conflict("adjudication_over")
    if session.scalar(feedback.has_judged(job_id, reader.person)) is not None:
        raise Forbidden("second_reader")
    _close(session, reader, row, read)
    return row


def _close(session: Session, reader: Reader, row: Adjudication, read: Reading) -> None:
    if read.label is not None:
        session.execute(adjudications.replace(row.job_id))
    state = AdjudicationState.UNDETERMINED if read.label is None else AdjudicationState.ADJUDICATED
    said = {
        "label": read.label,
        "basis": read.basis,
        "saw_result_first": read.saw_result_first,
        "comment": read.comment,
        "principal_id": reader.principal_id,
        "person": reader.person,
    }
    if session.scalar(adjudications.close(row.id, state=state, **said)) is None:
        raise Conflict("adjudication_over")
    session.execute(feedback.weighed(row.job_id, row.id))
    session.execute(feedback.review(row.job_id))
    fault("judge.written")
    session.refresh(row)


def _held(session: Session, tenant: UUID, job_id: UUID) -> Decision:
    """The decision of a result, whose row is ours until the transaction ends. Raises NotFound, Conflict."""
    decision = session.scalar(feedback.held(tenant, job_id))
    if decision is None:
        known = session.scalar(select(Job.id).where(Job.id == job_id, Job.tenant_id == tenant))
        raise NotFound if known is None else Conflict("not_judgeable")
    return Decision(decision)


def _label(said: Opinion, decision: Decision) -> Label | None:
    """What a verdict says of the finding. Raises Unprocessable."""
    own = _SAYS.get(decision)
    if said.verdict is Verdict.UNSURE:
        if said.label is not None:
            raise Unprocessable("label_of_unsure")
        return None
    if said.verdict is Verdict.AGREE:
        if None not in (said.label, own) and said.label != own:
            raise Unprocessable("label_contradicts")
        return own or said.label
    if said.label is None:
        raise Unprocessable("label_required")
    if said.label == own:
        raise Unprocessable("label_contradicts")
    return said.label


def _follow(session: Session, tenant: UUID, job_id: UUID, decision: Decision) -> None:
    """Open a second reading when a label is contested, end it when none is any more, and write the review."""
    against = session.scalar(adjudications.settled(job_id)) or _SAYS.get(decision)
    if any(label != against for label in session.scalars(feedback.labels(job_id))):
        modality = session.scalars(select(Job.modality).where(Job.id == job_id)).one()
        session.execute(adjudications.open_(tenant, job_id, modality))
    else:
        session.execute(adjudications.withdraw(job_id))
    session.execute(feedback.review(job_id))
    fault("judge.written")
