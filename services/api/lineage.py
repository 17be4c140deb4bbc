"""Where a version comes from: its moves, its run, its data, and the verdicts that made it; counts for everybody."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.views import version_ref
from shared.db.statements import retraining as statements
from shared.db.statements import versions
from shared.db.tables import Retraining, TrainingRun, Version
from shared.schemas import Card, RunState, VersionRef


class Moved(BaseModel):
    """One move of a pointer to or from the version: who, why, when."""

    generation: int
    action: str
    role: Literal["to", "from"] = Field(description="Whether the pointer came to this version or left it")
    actor: str
    approved_by: str | None = Field(description="The second person")
    reason: str
    override: str | None = Field(description="Why, although some gates did not pass")
    at: datetime


class Run(BaseModel):
    """The training run that made it."""

    id: UUID
    recipe: str
    mode: str
    seed: int
    dataset: str
    status: RunState
    started_by: str
    created_at: datetime
    finished_at: datetime | None


class Verdict(BaseModel):
    """One judged input that went into it: its job, and the clicks behind its label. For its own hospital only."""

    job_id: UUID
    feedback: list[UUID] = Field(description="Verdicts on this result, the first one first")
    label: str
    basis: str
    adjudicated: bool
    held_out: bool
    first_at: datetime | None


class Verdicts(BaseModel):
    """The verdicts that were trained on or held out. `each` is empty for other hospitals."""

    trained: int
    held_out: int
    adjudicated: int
    by_basis: dict[str, int]
    by_label: dict[str, int]
    first_at: datetime | None = Field(description="The first click")
    answered_by: dict[str, int] = Field(description="Which versions had answered these inputs: where they came from")
    each: list[Verdict]


class Origin(BaseModel):
    """The training from verdicts that made it, and what was its cause."""

    id: UUID
    cause: Literal["asked", "labels", "drift"]
    reason: str
    evidence: dict[str, Any]
    asked_by: str
    created_at: datetime
    base: str | None
    verdicts: Verdicts


class Data(BaseModel):
    """What its card says that it was trained on."""

    fingerprint: str
    n: int
    patients: int
    sources: list[str]


class Lineage(BaseModel):
    """From a version back to the first click. A version that nobody trained here was published from elsewhere."""

    version: VersionRef
    published_by: str
    published_at: datetime
    recalled_at: datetime | None
    recall_reason: str | None
    moves: list[Moved] = Field(description="The first one first")
    run: Run | None
    data: Data
    retraining: Origin | None


async def lineage(session: AsyncSession, caller: Caller, version: Version, card: Card) -> Lineage:
    """All that is known of a version."""
    moves = (await session.execute(versions.moves_of(caller.tenant_id, version.id))).scalars().all()
    run = (await session.execute(statements.run_of(version.id))).first()
    retraining = (await session.execute(statements.of_version(version.id))).first()
    return Lineage(
        version=version_ref(version),
        published_by=version.published_by,
        published_at=version.published_at,
        recalled_at=version.recalled_at,
        recall_reason=version.recall_reason,
        moves=[
            Moved(
                role="to" if move.to_id == version.id else "from",
                approved_by=move.evidence.get("approved_by"),
                override=move.evidence.get("override"),
                **{name: getattr(move, name) for name in ("generation", "action", "actor", "reason", "at")},
            )
            for move in moves
        ],
        run=None if run is None else _run(run[0], run[1]),
        data=Data(**{name: getattr(card.data, name) for name in ("fingerprint", "n", "patients", "sources")}),
        retraining=None if retraining is None else await _origin(session, caller, retraining[0], retraining[3]),
    )


def _run(run: TrainingRun, started_by: str) -> Run:
    names = ("id", "recipe", "mode", "seed", "dataset", "created_at", "finished_at")
    own = {name: getattr(run, name) for name in names}
    return Run(status=RunState(run.state), started_by=started_by, **own)


async def _origin(session: AsyncSession, caller: Caller, retraining: Retraining, asked_by: str) -> Origin:
    labels = (await session.execute(statements.labels(retraining.id))).all()
    names = ("id", "cause", "reason", "evidence", "created_at")
    return Origin(
        asked_by=asked_by,
        base=retraining.plan.get("base"),
        verdicts=_verdicts(labels, own=retraining.tenant_id == caller.tenant_id),
        **{name: getattr(retraining, name) for name in names},
    )


def _verdicts(labels: Sequence[Row[Any]], *, own: bool) -> Verdicts:
    names = ("job_id", "feedback", "label", "basis", "adjudicated", "held_out", "first_at")
    return Verdicts(
        trained=sum(not label.held_out for label in labels),
        held_out=sum(label.held_out for label in labels),
        adjudicated=sum(label.adjudicated for label in labels),
        by_basis=dict(Counter(label.basis for label in labels)),
        by_label=dict(Counter(label.label for label in labels)),
        first_at=min((label.first_at for label in labels if label.first_at), default=None),
        answered_by=dict(Counter(label.answered_by for label in labels)),
        each=[Verdict(**{name: getattr(label, name) for name in names}) for label in labels] if own else [],
    )
