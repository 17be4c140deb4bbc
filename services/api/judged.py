"""Verdicts and second readings as the API shows them, and who the reader behind a caller is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from services.api.access import JUDGE, PATIENT
from services.api.auth import Caller
from services.api.views import review, version_ref
from shared.db.people import compared
from shared.db.tables import REASON_RANK, Adjudication, Feedback, Job, Result, Version
from shared.errors import Forbidden
from shared.judging import Reader
from shared.schemas import AdjudicationState, Basis, Decision, Label, Modality, Review, Verdict, VersionRef

_PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Comment = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=_PLAIN)]

_REASONS = {rank: name for name, rank in REASON_RANK.items()}
_ABOUT = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")


class FeedbackView(BaseModel):
    """One verdict. It stands until it is withdrawn or replaced by the same reader's next one; it is kept for ever."""

    id: UUID
    job_id: UUID
    modality: Modality
    version: VersionRef
    decision: Decision = Field(description="What was judged")
    verdict: Verdict
    label: Label | None = Field(description="Whether the finding is there, as this reader says")
    basis: Basis
    saw_result_first: bool
    comment: str | None = Field(description="Not shown to administrators")
    reader: str
    yours: bool
    stands: bool
    created_at: datetime
    replaced_at: datetime | None
    withdrawn_at: datetime | None
    adjudication: UUID | None = Field(description="The second reading that weighed it")
    review: Review = Field(description="Of the result, as it is now")


class About(BaseModel):
    """What a second reader knows of the input: what came with it, nothing that a model or a reader said."""

    study_id: str | None
    client_ref: str | None
    subject_id: str | None
    site: str | None
    device: str | None
    acquired_at: datetime | None
    age_years: float | None
    sex: str | None
    view: str | None


class AdjudicationView(BaseModel):
    """A second reading. While it is open it tells neither the model's answer nor what other readers said."""

    id: UUID
    job_id: UUID
    modality: Modality
    finding: str = Field(description="What to look for")
    reason: str = Field(description="`refer` or `disagreement`")
    state: AdjudicationState
    open_to_you: bool = Field(description="You may close it: it is open and you have not judged this result")
    opened_at: datetime
    closed_at: datetime | None
    label: Label | None
    basis: Basis | None
    saw_result_first: bool | None
    comment: str | None
    reader: str | None
    about: About | None = Field(description="Not shown to administrators")
    verdicts: list[FeedbackView] | None = Field(None, description="Of one that is closed, asked for by its id")
    links: dict[str, str]


def reader_of(caller: Caller) -> Reader:
    """The person behind a caller. Raises Forbidden: a system for which nobody answers."""
    person = person_of(caller)
    if person is None:
        raise Forbidden("reader_unnamed")
    return Reader(caller.tenant_id, caller.principal_id, person)


def person_of(caller: Caller) -> str | None:
    """The same as it is compared, or None."""
    return None if caller.person is None else compared(caller.person)


def feedback_view(row: Row[*tuple[Any, ...]], caller: Caller) -> FeedbackView:
    """A row of `statements.feedback.shown`."""
    one, reader, modality, result, version = _feedback_row(row)
    return FeedbackView(
        id=one.id,
        job_id=one.job_id,
        modality=Modality(modality),
        version=version_ref(version),
        decision=Decision(result.decision),
        verdict=Verdict(one.verdict),
        label=None if one.label is None else Label(one.label),
        basis=Basis(one.basis),
        saw_result_first=one.saw_result_first,
        comment=one.comment if _sees_patients(caller) else None,
        reader=reader,
        yours=one.person == person_of(caller),
        stands=one.withdrawn_at is None and one.replaced_at is None,
        created_at=one.created_at,
        replaced_at=one.replaced_at,
        withdrawn_at=one.withdrawn_at,
        adjudication=one.adjudication_id,
        review=review(result),
    )


def adjudication_view(
    row: Row[*tuple[Any, ...]], caller: Caller, base_url: str, verdicts: Sequence[FeedbackView] | None = None
) -> AdjudicationView:
    """A row of `statements.adjudications.shown`; with `verdicts` when it is closed."""
    one: Adjudication = row[0]
    job: Job = row[1]
    version: Version = row[4]
    state, sees = AdjudicationState(one.state), _sees_patients(caller)
    is_open = state is AdjudicationState.OPEN
    may = caller.may(*(JUDGE or ())) and caller.person is not None
    return AdjudicationView(
        id=one.id,
        job_id=one.job_id,
        modality=Modality(one.modality),
        finding=version.finding,
        reason=_REASONS[one.rank],
        state=state,
        open_to_you=is_open and may and not row.judged,
        opened_at=one.opened_at,
        closed_at=one.closed_at,
        label=None if one.label is None else Label(one.label),
        basis=None if one.basis is None else Basis(one.basis),
        saw_result_first=one.saw_result_first,
        comment=one.comment if sees else None,
        reader=row[5],
        about=About(study_id=row[3], **{name: getattr(job, name) for name in _ABOUT}) if sees else None,
        verdicts=None if is_open or verdicts is None else list(verdicts),
        links=_links(one, base_url, is_open=is_open),
    )


def _links(one: Adjudication, base_url: str, *, is_open: bool) -> dict[str, str]:
    here, job = f"{base_url}/v1/adjudications/{one.id}", f"{base_url}/v1/jobs/{one.job_id}"
    links = {"self": here, "input": f"{job}/input", "renditions": f"{job}/renditions"}
    return links | ({"verdict": f"{here}/verdict"} if is_open else {"job": job, "feedback": f"{job}/feedback"})


def _sees_patients(caller: Caller) -> bool:
    return caller.may(*(PATIENT or ()))


def _feedback_row(row: Row[*tuple[Any, ...]]) -> tuple[Feedback, str, str, Result, Version]:
    return tuple(row)
