"""One promotion: what forbids it, who has it ready, which gates it passes, and whether a second person is needed."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import moves, proposals
from services.api.auth import Caller
from services.api.gates import Alerts, Gate, Pairs, gates
from services.api.gateway import Gateway, of
from services.api.pointers import DeploymentView
from services.api.preparation import Preparation, preparation
from services.api.proposals import ProposalView
from shared import deployments
from shared.db.statements import drift
from shared.db.statements.paired import paired
from shared.db.tables import Version
from shared.deployments import Why
from shared.errors import Conflict, Forbidden
from shared.schemas import Modality
from shared.sentences import Language, speaking


class GatesNotPassed(Conflict):
    """Some gates failed or lack evidence, and nobody overrode them."""

    code = "gates_not_passed"

    def __init__(self, found: list[Gate]) -> None:
        super().__init__()
        self.errors = [{"field": gate.name, "detail": f"{gate.outcome}: {gate.detail}"} for gate in found]


@dataclass(frozen=True)
class Promotion:
    """What one person asks for: this version, if the pointer still has this generation."""

    request: Request
    caller: Caller
    modality: Modality
    version: str
    reason: str
    override: str | None
    generation: int

    async def commit(self) -> DeploymentView | ProposalView:
        """Move the pointer, or propose to. Raises ThoracleError; NotPrepared when asking again is right."""
        async with self._gateway.begin() as session:
            version = await moves.named(session, self.modality, self.version)
            evidence = await self._evidence(session, version)
            if self._gateway.settings.two_persons:
                return await proposals.propose(session, self.request, self.caller, version, self)
            return await self.move(session, version, Why(moves.actor(self.caller), self.reason, evidence))

    async def approve(self, session: AsyncSession, version: Version, why: Why) -> DeploymentView:
        """The second person's yes: everything is looked at again, and both are named in the history."""
        evidence = await self._evidence(session, version)
        return await self.move(session, version, Why(why.actor, why.reason, {**evidence, **why.evidence}))

    async def move(self, session: AsyncSession, version: Version, why: Why) -> DeploymentView:
        """The guarded update, its history row and its audit event."""
        try:
            await session.run_sync(lambda sync: deployments.promote(sync, version, self.generation, why))
        except Conflict as conflict:
            raise moves.as_precondition(conflict) from conflict
        return await moves.moved(session, self.caller, self.modality, "deployment.promote", self.request)

    async def _evidence(self, session: AsyncSession, version: Version) -> dict[str, Any]:
        """What is final first, then who is ready, then what is known of the version."""
        try:
            await session.run_sync(lambda sync: deployments.promotable(sync, version, self.generation))
        except Conflict as conflict:
            raise moves.as_precondition(conflict) from conflict
        proof = await preparation(session, self._gateway.settings, self.modality, version)
        proof.require()
        self._require(await weighed(session, self._gateway, self.caller, version, proof))
        with speaking(Language.ENGLISH):  # what is stored
            found = await weighed(session, self._gateway, self.caller, version, proof)
        return {**proof.evidence, "gates": [gate.model_dump() for gate in found], "override": self.override}

    def _require(self, found: list[Gate]) -> None:
        open_gates = [gate for gate in found if gate.outcome != "pass"]
        if self.override is not None and self.caller.person is None:
            raise Forbidden("override_needs_person")
        if open_gates and self.override is None and self._gateway.settings.promotion_gates == "enforce":
            raise GatesNotPassed(open_gates)

    @property
    def _gateway(self) -> Gateway:
        return of(self.request)


async def weighed(
    session: AsyncSession, gateway: Gateway, caller: Caller, version: Version, proof: Preparation
) -> list[Gate]:
    """A version's gates against what is active now."""
    active = (await moves.read(session, caller, Modality(version.modality))).active
    if active is None:
        card = (await gateway.cards.of(session, [version.id]))[version.id]
        return gates(card, None, Pairs(0, 0, 0), proof, await _alerts(session, gateway, version, version))
    other = await moves.named(session, Modality(version.modality), active.sha256)
    cards = await gateway.cards.of(session, [version.id, other.id])
    row = (await session.execute(paired(version.id, other.id))).one()
    alerts = await _alerts(session, gateway, version, other)
    return gates(cards[version.id], cards[other.id], Pairs(row.n, row.better, row.worse), proof, alerts)


async def _alerts(session: AsyncSession, gateway: Gateway, version: Version, active: Version) -> Alerts:
    first = gateway.settings.drift_reference
    row = (await session.execute(drift.holding(version.id, active.id, first))).one()
    return Alerts(row.ours, row.theirs, row.watched)
