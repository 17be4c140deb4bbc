"""From rows to the one shape that the API, the pages and the exports show. No request, no session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.db.tables import PRIORITY_RANK, Job, JobInput, Result, Version
from shared.decide import note
from shared.schemas import (
    TERMINAL,
    Card,
    Decision,
    InputView,
    JobProblem,
    JobState,
    JobView,
    Label,
    Modality,
    Note,
    Priority,
    ProbabilityBasis,
    ResultView,
    Review,
    ReviewState,
    Timings,
    VersionRef,
)
from shared.sentences import retold, say
from shared.sentences.cards import carded

_PRIORITIES = {rank: Priority(name) for name, rank in PRIORITY_RANK.items()}
_LAST_RETRY_S = 30
_WINDOW_S = 60
_COPIED = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")


@dataclass(frozen=True)
class Outlook:
    """Where an open job stands: how many go first, how many ended in the last minute, and when this was so."""

    ahead: int
    drained: int
    now: datetime

    @property
    def estimated_at(self) -> datetime | None:
        """When the job should have ended at the present rate; unknown when nothing ended lately."""
        if not self.drained:
            return None
        return self.now + timedelta(seconds=(self.ahead + 1) * _WINDOW_S / self.drained)

    @property
    def retry_after_s(self) -> int:
        """After how many seconds it is worth asking again."""
        at = self.estimated_at
        return 2 if at is None else min(max(round((at - self.now).total_seconds()), 1), _LAST_RETRY_S)


@dataclass(frozen=True)
class JobRow:
    """What `statements.jobs.visible` selects."""

    job: Job
    input: JobInput
    result: Result | None
    study: str | None
    answering: Version | None
    requested: Version | None

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> "JobRow":
        """Name the columns."""
        return cls(*row)

    @property
    def is_open(self) -> bool:
        """Whether the job has not ended yet."""
        return JobState(self.job.state) not in TERMINAL


def versions_of(rows: Sequence[JobRow]) -> set[UUID]:
    """The versions whose cards are needed to show these rows."""
    return {row.answering.id for row in rows if row.answering is not None}


def job_view(row: JobRow, cards: Mapping[UUID, Card], base_url: str, outlook: Outlook | None = None) -> JobView:
    """One job with its result, if it has one."""
    job = row.job
    waits = outlook if job.state == JobState.QUEUED else None
    return JobView(
        id=job.id,
        status=JobState(job.state),
        sentence=say(f"state.{job.state}"),
        modality=Modality(job.modality),
        priority=priority_of(job),
        study_id=row.study,
        study=job.study_id,
        batch=job.batch_id,
        comparison=job.comparison_id,
        requested_version=version_ref(row.requested) if row.requested else None,
        input=InputView(sha256=row.input.sha256, size_bytes=row.input.size_bytes, media_type=row.input.media_type),
        attempts=job.attempts,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        queue_position=waits.ahead + 1 if waits else None,
        estimated_at=waits.estimated_at if waits else None,
        error=JobProblem(code=job.code, detail=retold(job.code, job.detail or say(job.code))) if job.code else None,
        result=_result(row, cards),
        links=_links(row, base_url),
        **{name: getattr(job, name) for name in _COPIED},
    )


def review(result: Result) -> Review:
    """What became of a result among its readers."""
    state = ReviewState(result.review or ReviewState.NONE)
    label = None if result.review_label is None else Label(result.review_label)
    return Review(state=state, label=label, at=result.reviewed_at)


def priority_of(job: Job) -> Priority:
    """A job's urgency by name."""
    return _PRIORITIES[job.priority]


def version_ref(version: Version) -> VersionRef:
    """A version by name and address."""
    return VersionRef(recipe=version.recipe, name=version.name, sha256=version.sha256)


def _result(row: JobRow, cards: Mapping[UUID, Card]) -> ResultView | None:
    result, version = row.result, row.answering
    if result is None or version is None:
        return None
    card = cards[version.id]
    reasons = _notes(result.reasons)
    if version.recalled_at is not None:
        reasons.insert(0, note("result_recalled"))
    return ResultView(
        finding=card.finding,
        label=_label(card, result) if version.recalled_at is None else None,
        decision=Decision(result.decision),
        sentence=_sentence(card, Decision(result.decision), reasons, recalled=version.recalled_at is not None),
        probability=result.probability,
        probability_basis=ProbabilityBasis(calibration=card.calibration.method, prevalence=card.calibration.prevalence),
        threshold=card.threshold,
        operating_point=card.operating_point,
        quality=_notes(result.quality),
        reasons=reasons,
        warning=card.warning and carded(card.warning),
        version=version_ref(version),
        runtime={name: str(value) for name, value in result.runtime.items()},
        timings=Timings.model_validate(result.timings),
        reused_from=result.reused_from,
        review=review(result),
        client_ref=row.job.client_ref,
    )


def _label(card: Card, result: Result) -> str | None:
    """The card's plain answer, where the result is one."""
    said = {Decision.FLAGGED: card.labels.present, Decision.NOT_FLAGGED: card.labels.absent}
    return said.get(Decision(result.decision))


def _notes(stored: Sequence[Mapping[str, Any]]) -> list[Note]:
    """Remarks as they were stored, in the language of who asks."""
    return [Note.model_validate({**one, "text": retold(one["code"], one["text"])}) for one in stored]


def _sentence(card: Card, decision: Decision, reasons: Sequence[Note], *, recalled: bool) -> str:
    """What is said of the result. A recall and the card's warning come before what the model says."""
    if recalled:
        return say("result_recalled")
    why = " ".join(reason.text for reason in reasons)
    finding, inputs = say(f"finding.{card.finding}"), say(f"inputs.{card.modality}")
    said = say(str(decision), finding=finding, inputs=inputs, why=why)
    return f"{carded(card.warning)} {said}" if card.warning else said


def _links(row: JobRow, base_url: str) -> dict[str, str]:
    here = f"{base_url}/v1/jobs/{row.job.id}"
    links = {"self": here, "input": f"{here}/input"}
    if row.is_open:
        links["cancel"] = here
    if row.job.state in (JobState.FAILED, JobState.DEAD):
        links["retry"] = f"{here}/retry"
    if row.job.study_id is not None:
        links["study"] = f"{base_url}/v1/studies/{row.job.study_id}"
    if row.answering is not None:
        links["version"] = f"{base_url}/v1/versions/{row.answering.sha256}"
    return links
