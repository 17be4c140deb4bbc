"""One stored input again, for the version that is active now: after a recall, or because a newer one may see more."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.api import reading, replies
from services.api.accept import Accepted, Submission
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.idempotency import Key
from services.api.problems import request_id
from services.api.views import JobRow, priority_of
from shared.db.statements import audit
from shared.schemas import JobFields, JobView, Modality
from shared.storage import Blob

router = APIRouter(tags=["jobs"])

_COPIED = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")


@dataclass(frozen=True)
class Stored:
    """An input that the store has, in an upload's place."""

    fields: JobFields
    media_type: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, row: JobRow) -> "Stored":
        """A job's input with what its job said; whichever version is active answers."""
        fields = JobFields(
            modality=Modality(row.job.modality),
            priority=priority_of(row.job),
            study_id=row.study,
            **{name: getattr(row.job, name) for name in _COPIED},
        )
        return cls(fields, row.input.media_type, row.input.sha256, row.input.size_bytes)

    async def commit(self) -> Blob:
        """It is durable already."""
        return Blob(self.sha256, self.size_bytes)


@router.post(
    "/v1/jobs/{job_id}/rerun",
    status_code=202,
    response_model=JobView,
    summary="The same input again, as a new job",
    responses=replies.errors(404, 409, 413, 415, 422, 429),
)
async def rerun(request: Request, caller: Signed, job_id: UUID, key: Key = None) -> Response:
    """A new job of the same input and the same fields; the earlier one and its result stay as they are."""
    accepted = await again(request, caller, job_id, key)
    shown = await reading.job(of(request), caller, accepted.job_id, request_id(request))
    headers = {"Location": shown.view.links["self"], **({"Idempotent-Replayed": "true"} if accepted.replayed else {})}
    return replies.shown(request, shown, 202, headers)


async def again(request: Request, caller: Caller, job_id: UUID, key: str | None) -> Accepted:
    """The same for a page. Raises NotFound, and what a submission raises."""
    gateway = of(request)
    async with gateway.begin() as session:
        stored = Stored.of(await reading.find_row(session, caller.tenant_id, job_id))
        await session.execute(audit.event(caller, "job.rerun", "job", str(job_id), request_id(request)))
    with gateway.admission.room(caller.tenant_id, stored.size_bytes):
        accepted = await Submission(gateway, caller, stored, key, request_id(request)).accept()
    gateway.wake(accepted.modality)
    return accepted
