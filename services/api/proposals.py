"""Promotions that wait for a second person: persons are compared, not keys, so nobody approves his own."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.moves import actor
from services.api.problems import request_id
from services.api.views import version_ref
from shared.db.people import compared
from shared.db.statements import audit
from shared.db.tables import Deployment, Proposal, Version, new_id
from shared.errors import Conflict, Forbidden, NotFound
from shared.schemas import Modality, VersionRef

if TYPE_CHECKING:
    from services.api.promotion import Promotion


class ProposalView(BaseModel):
    """A promotion that somebody proposed and another person may approve."""

    id: UUID
    modality: Modality
    version: VersionRef
    generation: int
    proposed_by: str
    reason: str
    override: str | None
    created_at: datetime


async def propose(
    session: AsyncSession, request: Request, caller: Caller, version: Version, wanted: "Promotion"
) -> ProposalView:
    """Keep the promotion for another person; it takes the place of one that waits. Raises Forbidden: a system asks."""
    person = person_of(caller)
    deployment = await _deployment(session, wanted.modality)
    proposal = Proposal(
        id=new_id(),
        deployment_id=deployment.id,
        version_id=version.id,
        generation=wanted.generation,
        person=person,
        actor=actor(caller),
        reason=wanted.reason,
        override=wanted.override,
    )
    await end(session, deployment.id)
    session.add(proposal)
    await session.flush()
    await session.refresh(proposal)
    await session.execute(audit.event(caller, "deployment.propose", "proposal", str(proposal.id), request_id(request)))
    return _view(proposal, wanted.modality, version)


async def waiting(session: AsyncSession, modality: Modality) -> list[ProposalView]:
    """What waits for a second person: one at most."""
    query = (
        select(Proposal, Version)
        .join(Version, Version.id == Proposal.version_id)
        .join(Deployment, Deployment.id == Proposal.deployment_id)
        .where(Deployment.modality == modality, Proposal.ended_at.is_(None))
    )
    return [_view(proposal, modality, version) for proposal, version in await session.execute(query)]


async def take(session: AsyncSession, modality: Modality, proposal_id: UUID) -> Proposal:
    """A proposal that waits, held until the transaction ends. Raises NotFound, Conflict."""
    # Its version's row comes before the deployment's, as in every move: else a recall and this wait for each other.
    version = select(Version.id).join(Proposal, Proposal.version_id == Version.id).where(Proposal.id == proposal_id)
    await session.execute(version.with_for_update(read=True, of=Version))
    deployment = await _deployment(session, modality)
    query = select(Proposal).where(Proposal.id == proposal_id, Proposal.deployment_id == deployment.id)
    proposal = await session.scalar(query.with_for_update())
    if proposal is None:
        raise NotFound
    if proposal.ended_at is not None:
        raise Conflict("proposal_over")
    return proposal


def require_another(proposal: Proposal, caller: Caller) -> None:
    """Raise Forbidden where the same person, or no person at all, would approve."""
    if compared(person_of(caller)) == compared(proposal.person):
        raise Forbidden("self_approval")


def person_of(caller: Caller) -> str:
    """Who stands behind a key. Raises Forbidden: a system without a person."""
    if caller.person is None:
        raise Forbidden("two_persons")
    return caller.person


async def end(session: AsyncSession, deployment: UUID) -> None:
    """Nothing waits for a second person any more."""
    over = update(Proposal).where(Proposal.deployment_id == deployment, Proposal.ended_at.is_(None))
    await session.execute(over.values(ended_at=func.now()))


async def _deployment(session: AsyncSession, modality: Modality) -> Deployment:
    query = select(Deployment).where(Deployment.modality == modality, Deployment.tenant_id.is_(None))
    deployment = await session.scalar(query.with_for_update())
    if deployment is None:
        raise NotFound("no_version")
    return deployment


def _view(proposal: Proposal, modality: Modality, version: Version) -> ProposalView:
    return ProposalView(
        id=proposal.id,
        modality=modality,
        version=version_ref(version),
        generation=proposal.generation,
        proposed_by=proposal.actor,
        reason=proposal.reason,
        override=proposal.override,
        created_at=proposal.created_at,
    )
