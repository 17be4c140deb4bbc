"""Pointers: which version answers. Moved by compare-and-swap on the generation, with a history row beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.db.tables import Deployment, DeploymentEvent, Version, new_id
from shared.errors import Conflict, NotFound
from shared.faults import fault
from shared.registry import Artefact, store
from shared.settings import Settings

STARTER = Path(__file__).parent / "starter"


@dataclass(frozen=True)
class Why:
    """Who moves a pointer, and what for. `evidence` goes into the history as it is."""

    actor: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def publish(session: Session, artefact: Artefact, publisher: str) -> Version:
    """Register a stored version; the same version twice is one row. Raises Conflict: the name is another version's."""
    card = artefact.card
    statement = insert(Version).values(
        id=new_id(),
        sha256=artefact.sha256,
        modality=card.modality,
        finding=card.finding,
        recipe=card.recipe,
        name=card.name,
        card=card.model_dump(mode="json"),
        published_by=publisher,
    )
    session.execute(statement.on_conflict_do_nothing())
    version = session.scalar(select(Version).where(Version.sha256 == artefact.sha256))
    if version is None:
        raise Conflict(detail=f"The name {card.name} is taken by another {card.modality} version.")
    return version


def install_starters(settings: Settings, database: Database) -> list[Artefact]:
    """Store and register the starter versions; one becomes active where its modality has none yet."""
    folders = sorted(manifest.parent for manifest in STARTER.glob("[!.]*/manifest.json"))  # not one being trained
    artefacts = [store(folder, settings.versions_dir) for folder in folders]
    with database.begin() as session:
        for artefact in artefacts:
            open_deployment(session, publish(session, artefact, "starter"), "starter")
    return artefacts


def open_deployment(session: Session, version: Version, actor: str) -> None:
    """Make a version active where its modality and finding have none yet; else change nothing."""
    made = session.scalar(
        insert(Deployment)
        .values(id=new_id(), modality=version.modality, finding=version.finding, generation=1, active_id=version.id)
        .on_conflict_do_nothing()
        .returning(Deployment.id)
    )
    if made is not None:
        _remember(session, made, 1, "install", None, version.id, Why(actor, "first version of this modality"))


def find(session: Session, modality: str) -> Deployment:
    """The deployment of a modality, for everybody. Raises NotFound."""
    query = select(Deployment).where(Deployment.modality == modality, Deployment.tenant_id.is_(None))
    deployment = session.scalar(query.execution_options(populate_existing=True))
    if deployment is None:
        raise NotFound("no_version")
    return deployment


def promote(session: Session, version: Version, generation: int, why: Why) -> Deployment:
    """Make a version active if the pointer still has this generation.

    Raises Conflict: somebody was faster, the version was recalled, is active already, or looks for another finding.
    """
    deployment = promotable(session, version, generation)
    values = {
        **without(deployment, version.id),
        "active_id": version.id,
        "previous_id": deployment.active_id or deployment.previous_id,
    }
    return move(session, deployment, generation, "promote", (deployment.active_id, version.id), values, why)


def promotable(session: Session, version: Version, generation: int) -> Deployment:
    """The deployment that a promotion would move. Raises the same."""
    deployment = usable(session, version)
    if deployment.generation != generation:
        raise Conflict("generation_stale")
    if deployment.active_id == version.id:
        raise Conflict("already_active")
    return deployment


def rollback(session: Session, modality: str, why: Why, generation: int) -> Deployment:
    """Make the previous version active again. Raises Conflict: none, recalled, or somebody was faster."""
    deployment = find(session, modality)
    if deployment.previous_id is None:
        raise Conflict("nothing_to_roll_back_to")
    previous = session.get_one(Version, deployment.previous_id)
    usable(session, previous)
    values = {**without(deployment, previous.id), "active_id": previous.id, "previous_id": deployment.active_id}
    return move(session, deployment, generation, "rollback", (deployment.active_id, previous.id), values, why)


def try_out(
    session: Session, version: Version, pointer: Literal["canary", "shadow"], share: float, generation: int, why: Why
) -> Deployment:
    """Let a version answer a share (0 to 1) of the studies, or only be kept loaded. Raises Conflict as `promote`."""
    deployment = promotable(session, version, generation)
    values: dict[str, Any] = {**without(deployment, version.id), f"{pointer}_id": version.id}
    values.pop("previous_id", None)  # it may be tried again and stay where a rollback leads
    if pointer == "canary":
        values["canary_share"] = share
    between = (getattr(deployment, f"{pointer}_id"), version.id)
    return move(session, deployment, generation, pointer, between, values, why)


def stop_trying(
    session: Session, modality: str, pointer: Literal["canary", "shadow"], generation: int, why: Why
) -> Deployment:
    """Clear one of these pointers. Raises Conflict: it is clear, or somebody was faster."""
    deployment = find(session, modality)
    tried: UUID | None = getattr(deployment, f"{pointer}_id")
    if deployment.generation == generation and tried is None:
        raise Conflict("nothing_tried")
    values: dict[str, Any] = {f"{pointer}_id": None} | ({"canary_share": 0.0} if pointer == "canary" else {})
    return move(session, deployment, generation, f"{pointer}_end", (tried, None), values, why)


def prepare(session: Session, version: Version) -> Deployment:
    """Tell workers to load a version ahead of a move. Raises Conflict: recalled, or another finding."""
    deployment = usable(session, version)
    session.execute(update(Deployment).where(Deployment.id == deployment.id).values(prepare_id=version.id))
    session.expire(deployment)
    return deployment


def usable(session: Session, version: Version) -> Deployment:
    """The deployment that a version may serve. Raises Conflict: recalled, or another finding.

    Holds the version's row until the end of the transaction, so that it is not recalled meanwhile.
    """
    recalled = session.scalar(select(Version.recalled_at).where(Version.id == version.id).with_for_update(read=True))
    if recalled is not None:
        raise Conflict("version_recalled")
    deployment = find(session, version.modality)
    if deployment.finding != version.finding:
        raise Conflict("finding_mismatch")
    return deployment


def without(deployment: Deployment, version: UUID) -> dict[str, Any]:
    """What a deployment's lesser pointers become when they no longer name this version."""
    names = ("previous_id", "canary_id", "shadow_id", "prepare_id")
    values: dict[str, Any] = {name: None for name in names if getattr(deployment, name) == version}
    return {**values, "canary_share": 0.0} if "canary_id" in values else values


def move(
    session: Session,
    deployment: Deployment,
    generation: int,
    action: str,
    between: tuple[UUID | None, UUID | None],
    values: Mapping[str, Any],
    why: Why,
) -> Deployment:
    """Change pointers if nobody did since this generation, and remember it. Raises Conflict: somebody did."""
    moved = None
    if deployment.generation == generation:  # else `values` were made from another one
        moved = session.execute(
            update(Deployment)
            .where(Deployment.id == deployment.id, Deployment.generation == generation)
            .values(**values, generation=generation + 1, changed_at=text("clock_timestamp()"))
            .returning(Deployment.generation)
        ).scalar_one_or_none()
    if moved is None:
        raise Conflict("generation_stale")
    _remember(session, deployment.id, moved, action, *between, why)
    session.expire(deployment)
    fault("promote.moved")
    return deployment


def _remember(
    session: Session,
    deployment: UUID,
    generation: int,
    action: str,
    from_id: UUID | None,
    to_id: UUID | None,
    why: Why,
) -> None:
    session.add(
        DeploymentEvent(
            deployment_id=deployment,
            generation=generation,
            action=action,
            from_id=from_id,
            to_id=to_id,
            actor=why.actor,
            reason=why.reason,
            evidence=dict(why.evidence),
        )
    )
    session.flush()
