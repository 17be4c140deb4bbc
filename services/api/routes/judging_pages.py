"""Pages on which people judge: verdicts on a result, the worklist of second readings, one of them, the admin's list."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.api import reading
from services.api.auth import Signed
from services.api.gateway import of
from services.api.problems import request_id
from services.api.routes import adjudications, feedback
from services.api.routes.adjudications import SecondVerdict, WorklistFilter
from services.api.routes.feedback import FeedbackFilter, NewFeedback
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.errors import Unprocessable
from shared.schemas import AdjudicationState, Basis, Label, Modality, Verdict

router = APIRouter(include_in_schema=False)

Said = Literal["agree", "disagree", "unsure", "present", "absent"]
Words = Annotated[str, Form(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Cursor = Annotated[str | None, Query(max_length=64, pattern=r"^[\w-]+$")]
_ROWS = 25


@router.post("/jobs/{job_id}/feedback")
async def judge(
    request: Request,
    caller: Signed,
    job_id: UUID,
    said: Annotated[Said, Form()],
    basis: Annotated[Basis, Form()],
    seen: Annotated[Literal["first", "before"], Form()],
    comment: Words = "",
) -> Response:
    """Give a verdict, then see it on the study's own page."""
    job = (await reading.job(of(request), caller, job_id, request_id(request))).view
    verdict, label = _meant(said, job.result.decision if job.result else "")
    body = NewFeedback(
        verdict=verdict, label=label, basis=basis, saw_result_first=seen == "first", comment=_plain(comment)
    )
    await feedback.give(request, Response(), caller, job_id, body)
    return RedirectResponse(f"/jobs/{job_id}#verdicts", status_code=303)


@router.post("/jobs/{job_id}/feedback/{feedback_id}/withdraw")
async def take_back(request: Request, caller: Signed, job_id: UUID, feedback_id: UUID) -> Response:
    """Withdraw one's own verdict."""
    await feedback.withdraw(request, caller, feedback_id)
    return RedirectResponse(f"/jobs/{job_id}#verdicts", status_code=303)


@router.get("/second-reading")
async def waiting(
    request: Request, caller: Signed, modality: Modality | None = None, cursor: Cursor = None
) -> Response:
    """What waits for a second reader."""
    chosen = WorklistFilter(modality=modality, limit=_ROWS, cursor=cursor)
    found = await adjudications.listed(request, caller, chosen)
    return page("second_readings.html", reader=Reader.of(caller), found=found, modality=modality)


@router.get("/second-reading/{adjudication_id}")
async def one(request: Request, caller: Signed, adjudication_id: UUID) -> Response:
    """The input alone while it is open to this reader; what others said once it is closed."""
    shown = await adjudications.one(request, caller, adjudication_id)
    job = None
    if shown.state is not AdjudicationState.OPEN:
        job = (await reading.job(of(request), caller, shown.job_id, request_id(request))).view
    return page("second_reading.html", reader=Reader.of(caller), one=shown, job=job, verdicts=shown.verdicts or [])


@router.post("/second-reading/{adjudication_id}")
async def answer(
    request: Request,
    caller: Signed,
    adjudication_id: UUID,
    label: Annotated[Label | Literal["undetermined"], Form()],
    basis: Annotated[Basis, Form()],
    seen: Annotated[bool, Form()] = False,
    comment: Words = "",
) -> Response:
    """Give the second reader's verdict, then see what others said."""
    body = SecondVerdict(label=label, basis=basis, saw_result_first=seen, comment=_plain(comment))
    await adjudications.verdict(request, Response(), caller, adjudication_id, body)
    return RedirectResponse(f"/second-reading/{adjudication_id}", status_code=303)


@router.get("/admin/feedback")
async def overview(request: Request, caller: Signed) -> Response:
    """The hospital's verdicts for those who look after the service: no patient, no comment."""
    given = {name: text for name, text in request.query_params.items() if text}  # a form sends every field
    try:
        chosen = FeedbackFilter.model_validate(given | {"limit": _ROWS})
    except ValidationError:
        raise Unprocessable from None
    found = await feedback.listed(request, caller, chosen)
    return page("feedback_list.html", reader=Reader.of(caller), found=found, chosen=chosen)


@router.post("/admin/feedback/{feedback_id}/withdraw")
async def withdraw(request: Request, caller: Signed, feedback_id: UUID) -> Response:
    """Withdraw anybody's verdict."""
    await feedback.withdraw(request, caller, feedback_id)
    return RedirectResponse("/admin/feedback", status_code=303)


def _plain(comment: str) -> str | None:
    """A browser ends lines with two characters."""
    return comment.replace("\r\n", "\n").replace("\r", "\n").strip() or None


def _meant(said: Said, decision: str) -> tuple[Verdict, Label | None]:
    """Verdict and label of what the form says. Of a referred result only the label is asked for."""
    if said in ("present", "absent"):
        return Verdict.DISAGREE, Label(said)
    other = {"flagged": Label.ABSENT, "not_flagged": Label.PRESENT}
    return Verdict(said), other.get(decision) if said == "disagree" else None
