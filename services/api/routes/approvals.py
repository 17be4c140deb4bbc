"""What must hold before a promotion: its gates, and a second person where the operator asks for one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.api import moves, proposals, replies
from services.api.auth import Signed
from services.api.gates import Gate
from services.api.gateway import of
from services.api.moves import Body, Name, Reason
from services.api.pointers import DeploymentView
from services.api.preparation import preparation
from services.api.problems import request_id
from services.api.promotion import Promotion, weighed
from services.api.proposals import ProposalView
from shared.db.statements import audit
from shared.db.tables import Version
from shared.deployments import Why
from shared.faults import fault
from shared.schemas import Modality, VersionRef

router = APIRouter(tags=["deployments"])


class Gates(BaseModel):
    """A version's gates against what is active now."""

    version: VersionRef
    gates: list[Gate]


class Proposals(BaseModel):
    """Promotions that wait for a second person."""

    proposals: list[ProposalView]


class Approval(Body):
    """Why the second person agrees."""

    reason: Reason


@router.get(
    "/v1/deployments/{modality}/gates",
    summary="Which gates a version passes",
    responses=replies.errors(404, 422),
)
async def gates(
    request: Request, caller: Signed, modality: Modality, version: Annotated[Name, Query(description="sha256 or name")]
) -> Gates:
    """Each passes, fails, or lacks the evidence, with the figures that say so."""
    gateway = of(request)
    async with gateway.begin() as session:
        candidate = await moves.named(session, modality, version)
        proof = await preparation(session, gateway.settings, modality, candidate)
        found = await weighed(session, gateway, caller, candidate, proof)
    return Gates(version=proof.version, gates=found)


@router.get(
    "/v1/deployments/{modality}/proposals",
    summary="Promotions that wait for a second person",
    responses=replies.errors(404),
)
async def waiting(request: Request, caller: Signed, modality: Modality) -> Proposals:
    """One at most: a later proposal takes the place of the one before."""
    del caller
    async with of(request).begin() as session:
        return Proposals(proposals=await proposals.waiting(session, modality))


@router.post(
    "/v1/deployments/{modality}/proposals/{proposal_id}/approve",
    response_model=DeploymentView,
    summary="Approve what another person proposed",
    responses=replies.errors(404, 409, 412, 422),
)
async def approve(request: Request, caller: Signed, modality: Modality, proposal_id: UUID, body: Approval) -> Response:
    """The pointer moves if it still has the proposal's generation, and everything else still holds."""
    async with of(request).begin() as session:
        proposal = await proposals.take(session, modality, proposal_id)
        proposals.require_another(proposal, caller)
        version = await session.get_one(Version, proposal.version_id)
        wanted = Promotion(
            request, caller, modality, version.sha256, proposal.reason, proposal.override, proposal.generation
        )
        said = {"proposed_by": proposal.actor, "approved_by": moves.actor(caller), "approval": body.reason}
        view = await wanted.approve(session, version, Why(proposal.actor, proposal.reason, said))
        await proposals.end(session, proposal.deployment_id)
    fault("promote.committed")
    return moves.answer(view)


@router.delete(
    "/v1/deployments/{modality}/proposals/{proposal_id}",
    status_code=204,
    response_class=Response,
    summary="Withdraw or reject a proposal",
    responses=replies.errors(404, 409),
)
async def withdraw(request: Request, caller: Signed, modality: Modality, proposal_id: UUID) -> Response:
    """Whoever is an administrator may."""
    async with of(request).begin() as session:
        proposal = await proposals.take(session, modality, proposal_id)
        await proposals.end(session, proposal.deployment_id)
        event = audit.event(caller, "deployment.withdraw", "proposal", str(proposal_id), request_id(request))
        await session.execute(event)
    return Response(status_code=204)
