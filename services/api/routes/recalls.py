"""Recall: a version never answers again; what it answered is listed by its hospital and may be run once more."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api import moves, replies
from services.api.accept import answering
from services.api.auth import Signed
from services.api.bulk.rerun import Again, Rerun
from services.api.bulk.submission import Submission
from services.api.bulk.views import BatchReceipt, receipt_view, view
from services.api.gateway import of
from services.api.idempotency import Key
from services.api.moves import Address, Body, Reason, actor
from services.api.pointers import DeploymentView, deployment_view
from services.api.problems import request_id
from services.api.views import version_ref
from shared.db.statements import audit, versions
from shared.deployments import Why
from shared.errors import Conflict
from shared.recalls import recall as recall_
from shared.schemas import JobState, Modality, VersionRef

router = APIRouter(tags=["models"])

_TOUCHED = [JobState.SUCCEEDED, JobState.FAILED]  # failed: also those that still waited for it


class Recall(Body):
    """Why a version must not answer again."""

    reason: Reason


class Recalled(BaseModel):
    """What a recall did. `deployments` pointed to the version and are as they are now."""

    version: VersionRef
    recalled_at: datetime
    reason: str
    deployments: list[DeploymentView]
    answered: int = Field(description="Jobs of all hospitals whose results now say that they cannot be relied on")
    waiting: int = Field(description="Jobs that asked for this version and will end as `failed`, `version_recalled`")
    links: dict[str, str] = Field(description="`jobs` lists them for their hospital, `rerun` (POST) runs them again")


@router.post(
    "/v1/versions/{sha256}/recall",
    summary="Never use a version again",
    responses=replies.errors(404, 409, 422),
)
async def recall(request: Request, caller: Signed, sha256: Address, body: Recall) -> Recalled:
    """From any state, and for good. Where it was active the previous version answers again; without one, jobs wait."""
    gateway = of(request)
    async with gateway.begin() as session:
        version = await moves.addressed(session, sha256)
        why = Why(actor(caller), body.reason)
        touched = await session.run_sync(lambda sync: {row.id for row in recall_(sync, version, why)})
        used = (await session.execute(versions.used(version.id))).one()
        await session.execute(audit.event(caller, "version.recall", "version", sha256, request_id(request)))
        rows = [tuple(row) for row in await session.execute(versions.deployments(caller.tenant_id))]
    assert version.recalled_at is not None
    gateway.actives.forget()
    gateway.wake(version.modality)  # jobs that waited for it end now
    here = f"{gateway.settings.base_url}/v1"
    return Recalled(
        version=version_ref(version),
        recalled_at=version.recalled_at,
        reason=body.reason,
        deployments=[deployment_view(row) for row in rows if row[0].id in touched],
        answered=used.answered,
        waiting=used.waiting,
        links={"jobs": f"{here}/jobs?version={sha256}", "rerun": f"{here}/versions/{sha256}/rerun"},
    )


@router.post(
    "/v1/versions/{sha256}/rerun",
    status_code=202,
    summary="Run again what a recalled version answered",
    responses=replies.errors(404, 409, 429),
)
async def rerun(request: Request, caller: Signed, sha256: Address, key: Key) -> BatchReceipt:
    """A batch of your hospital's jobs that this version answered or failed to, for the active version.

    Without an Idempotency-Key the batch is `rerun-SHA256`: called again, it takes what came to an end meanwhile.
    """
    gateway = of(request)
    async with gateway.begin() as session:
        version = await moves.addressed(session, sha256)
        if version.recalled_at is None:
            raise Conflict("version_not_recalled")
        await answering(session, caller.tenant_id, Modality(version.modality), None)
    wanted = Rerun(from_=Again(version=sha256, status=_TOUCHED))
    submission = Submission(request, caller, key or f"rerun-{sha256}", "rerun after recall")
    batch, receipt = await submission.again(wanted)
    async with gateway.begin() as session:
        shown = await view(session, caller.tenant_id, batch, gateway.settings.base_url)
    return receipt_view(shown, receipt)
