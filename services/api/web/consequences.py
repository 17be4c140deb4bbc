"""What a move of a pointer would do, before anybody presses the button: who answers then, whom it touches, the undo."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import moves, proposals
from services.api.auth import Caller
from services.api.gates import Gate
from services.api.gateway import of
from services.api.pointers import DeploymentView
from services.api.preparation import Preparation, preparation
from services.api.promotion import weighed
from services.api.proposals import ProposalView
from shared.db.statements import system, versions
from shared.db.tables import Version
from shared.errors import Conflict
from shared.schemas import Modality, VersionRef
from shared.sentences import say


class Action(StrEnum):
    """What can be done to a modality's pointers; the last part of the page's address."""

    PREPARE = "prepare"
    PROMOTE = "promote"
    CANARY = "canary"
    SHADOW = "shadow"
    END_CANARY = "end-canary"
    END_SHADOW = "end-shadow"
    ROLLBACK = "rollback"
    RECALL = "recall"
    APPROVE = "approve"
    WITHDRAW = "withdraw"


_LOADS = {Action.PREPARE, Action.PROMOTE, Action.CANARY, Action.SHADOW, Action.ROLLBACK, Action.APPROVE}
_GATED = {Action.PROMOTE, Action.APPROVE}
_POINTED = {Action.ROLLBACK: "previous", Action.END_CANARY: "canary", Action.END_SHADOW: "shadow"}
_PROPOSED = {Action.APPROVE, Action.WITHDRAW}
_WITHOUT_REASON = {Action.PREPARE, Action.WITHDRAW}


@dataclass(frozen=True)
class Consequence:
    """One move as it stands now. `then` says what happens, `undo` how it is taken back."""

    action: Action
    deployment: DeploymentView
    version: VersionRef
    then: list[str]
    undo: str
    proof: Preparation | None
    gates: list[Gate]
    proposal: ProposalView | None
    needs_override: bool
    may_override: bool

    @property
    def needs_reason(self) -> bool:
        """Whether the history wants to know why."""
        return self.action not in _WITHOUT_REASON

    @property
    def outcomes(self) -> dict[str, int]:
        """How many gates pass, fail, or lack evidence."""
        return {
            kind: sum(gate.outcome == kind for gate in self.gates) for kind in ("pass", "fail", "not_enough_evidence")
        }


async def consequence(
    request: Request, caller: Caller, modality: Modality, action: Action, name: str, share: float
) -> Consequence:
    """The move as it stands now. Raises NotFound, Unprocessable; Conflict where nothing is there to be moved."""
    gateway = of(request)
    async with gateway.begin() as session:
        deployment = await moves.read(session, caller, modality)
        proposal = next(iter(await proposals.waiting(session, modality)), None) if action in _PROPOSED else None
        version = await _about(session, modality, action, deployment, proposal, name)
        proof = await preparation(session, gateway.settings, modality, version) if action in _LOADS else None
        weights = await weighed(session, gateway, caller, version, proof) if proof and action in _GATED else []
        touched = await _touched(session, modality, action, version)
        ref = VersionRef(recipe=version.recipe, name=version.name, sha256=version.sha256)
    open_gates = [gate for gate in weights if gate.outcome != "pass"]
    enforced = gateway.settings.promotion_gates == "enforce"
    words = {"version": ref.name, "share": share, **_standing(deployment), **touched}
    return Consequence(
        action=action,
        deployment=deployment,
        version=ref,
        then=_then(action, deployment, ref, words, two=gateway.settings.two_persons),
        undo=_undo(action, deployment, words),
        proof=proof,
        gates=weights,
        proposal=proposal,
        needs_override=bool(open_gates) and enforced and action is Action.PROMOTE,
        may_override=caller.person is not None,
    )


async def _about(
    session: AsyncSession,
    modality: Modality,
    action: Action,
    deployment: DeploymentView,
    proposal: ProposalView | None,
    name: str,
) -> Version:
    """The version that the move is about."""
    if action in _PROPOSED:
        if proposal is None:
            raise Conflict("proposal_over")
        name = proposal.version.sha256
    elif action in _POINTED:
        pointed: VersionRef | None = getattr(deployment, _POINTED[action])
        if pointed is None:
            raise Conflict("nothing_to_roll_back_to" if action is Action.ROLLBACK else "nothing_tried")
        name = pointed.sha256
    return await moves.named(session, modality, name)


async def _touched(session: AsyncSession, modality: Modality, action: Action, version: Version) -> dict[str, int]:
    """Waiting jobs, and what a recall declares void: answers that were given."""
    waits = (await session.execute(system.waiting_for(modality, version.id))).one()
    found = {"free": waits.free, "bound": waits.bound}
    if action is Action.RECALL:
        found["answered"] = (await session.execute(versions.used(version.id))).one().answered
    return found


def _standing(deployment: DeploymentView) -> dict[str, str]:
    """The names in the pointers, for sentences."""
    found = {pointer: getattr(deployment, pointer) for pointer in ("active", "previous", "canary", "shadow")}
    return {pointer: ref.name if ref else say("admin.nothing") for pointer, ref in found.items()}


def _then(
    action: Action, deployment: DeploymentView, ref: VersionRef, words: Mapping[str, Any], *, two: bool
) -> list[str]:
    """What happens, in the order in which it matters."""
    named = [pointer for pointer in ("canary", "shadow") if getattr(deployment, pointer) == ref]
    moves_active = action in (Action.PROMOTE, Action.APPROVE, Action.ROLLBACK)
    keys = {
        Action.PROMOTE: ["two", "answers"] if two else ["answers"],
        Action.APPROVE: ["answers"],
        Action.ROLLBACK: ["answers"],
        Action.CANARY: ["canary"],
        Action.RECALL: _recalled(deployment, ref),
    }.get(action, [action.value])
    keys += ["touches"] if moves_active else []
    keys += ["touches_canary"] if action is Action.CANARY else []
    keys += [f"leaves_{pointer}" for pointer in named] if moves_active else []
    return [say(f"admin.then.{key}", **words) for key in keys]


def _recalled(deployment: DeploymentView, ref: VersionRef) -> list[str]:
    if deployment.active != ref:
        return ["recall", "recall_results"]
    return ["recall", "recall_back" if deployment.previous else "recall_nobody", "recall_results"]


def _undo(action: Action, deployment: DeploymentView, words: Mapping[str, Any]) -> str:
    if action in _GATED and deployment.active is None:
        return say("admin.undo.first", **words)
    return say(f"admin.undo.{action.value}", **words)
