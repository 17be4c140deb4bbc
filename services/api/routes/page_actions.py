"""What a person does on a page: send a file, try a sample, cancel, try again. Each ends on the study's own page."""

import contextlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.api import explaining
from services.api.accept import Submission
from services.api.auth import Signed
from services.api.gateway import of
from services.api.intake import Upload, received
from services.api.problems import request_id
from services.api.routes import job_rerun, jobs
from services.api.web.samples import sample
from services.api.web.worklist import worklist
from shared.errors import Conflict, ThoracleError
from shared.schemas import JobFields, Modality
from shared.sentences import say
from shared.sniff import sniff
from shared.storage import BlobWriter

router = APIRouter(include_in_schema=False)


@router.post("/submit")
async def submit(request: Request, caller: Signed) -> Response:
    """Take a file. What is wrong with it is said above the form, which then waits for another."""
    try:
        async with received(request, caller.tenant_id) as upload:
            return await _accept(request, caller, upload)
    except ThoracleError as problem:
        if problem.status >= 500:
            raise
        return await worklist(request, caller, problem=problem.detail, status=problem.status)


@router.post("/samples")
async def try_sample(request: Request, caller: Signed, modality: Annotated[Modality, Form()]) -> Response:
    """Send one of the synthetic samples as if it were a study; its reference says what it is."""
    with of(request).store.writer(caller.tenant_id) as writer:
        return await _accept(request, caller, _sample(modality, writer))


@router.post("/jobs/{job_id}/cancel")
async def cancel(request: Request, caller: Signed, job_id: UUID) -> Response:
    """Cancel, or show that it ended meanwhile."""
    with contextlib.suppress(Conflict):
        await jobs.cancel(request, caller, job_id)
    return _to(job_id)


@router.post("/jobs/{job_id}/retry")
async def retry(request: Request, caller: Signed, job_id: UUID) -> Response:
    """Try again, or show that somebody did already."""
    with contextlib.suppress(Conflict):
        await jobs.retry(request, caller, job_id)
    return _to(job_id)


@router.post("/jobs/{job_id}/explanation")
async def explain(request: Request, caller: Signed, job_id: UUID) -> Response:
    """Ask what moved the score, or show why nobody can say."""
    with contextlib.suppress(Conflict):
        await explaining.ask(of(request), caller, job_id, request_id(request))
    return RedirectResponse(f"/jobs/{job_id}#why", status_code=303)


@router.post("/jobs/{job_id}/rerun")
async def rerun(request: Request, caller: Signed, job_id: UUID) -> Response:
    """The same input again; the new study's page opens."""
    return _to((await job_rerun.again(request, caller, job_id, None)).job_id)


async def _accept(request: Request, caller: Signed, upload: Upload) -> Response:
    gateway = of(request)
    accepted = await Submission(gateway, caller, upload, None, request_id(request)).accept()
    gateway.wake(accepted.modality)
    return _to(accepted.job_id)


def _sample(modality: Modality, writer: BlobWriter) -> Upload:
    writer.write(sample(modality))
    media_type = sniff(writer.head)
    assert media_type is not None
    return Upload(JobFields(modality=modality, client_ref=say("page.sample_reference")), media_type, writer)


def _to(job_id: UUID) -> Response:
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)
