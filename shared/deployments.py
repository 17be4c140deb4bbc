"""Pointers: which version answers. Moved by compare-and-swap on the generation, with a history row beside it."""

from pathlib import Path
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


def promote(session: Session, version: Version, generation: int, actor: str, reason: str) -> Deployment:
    """Make a version active if the pointer still has this generation.

    Raises Conflict: somebody was faster, the version was recalled, or it looks for another finding.
    """
    if version.recalled_at is not None:
        raise Conflict("version_recalled")
    deployment = find(session, version.modality)
    if deployment.finding != version.finding:
        raise Conflict("finding_mismatch")
    return _move(session, deployment, version.id, generation, "promote", actor, reason)


def rollback(session: Session, modality: str, actor: str, reason: str, generation: int | None = None) -> Deployment:
    """Make the previous version active again. Raises Conflict: none, recalled, or somebody was faster."""
    deployment = find(session, modality)
    if deployment.previous_id is None:
        raise Conflict("nothing_to_roll_back_to")
    previous = session.get_one(Version, deployment.previous_id)
    if previous.recalled_at is not None:
        raise Conflict("version_recalled")
    expected = deployment.generation if generation is None else generation
    return _move(session, deployment, previous.id, expected, "rollback", actor, reason)


def find(session: Session, modality: str) -> Deployment:
    """The deployment of a modality, for everybody. Raises NotFound."""
    query = select(Deployment).where(Deployment.modality == modality, Deployment.tenant_id.is_(None))
    deployment = session.scalar(query)
    if deployment is None:
        raise NotFound("no_version")
    return deployment


def open_deployment(session: Session, version: Version, actor: str) -> None:
    """Make a version active where its modality and finding have none yet; else change nothing."""
    made = session.scalar(
        insert(Deployment)
        .values(id=new_id(), modality=version.modality, finding=version.finding, generation=1, active_id=version.id)
        .on_conflict_do_nothing()
        .returning(Deployment.id)
    )
    if made is not None:
        _remember(session, made, 1, "install", None, version.id, actor, "first version of this modality")


def _move(
    session: Session, deployment: Deployment, to: UUID, generation: int, action: str, actor: str, reason: str
) -> Deployment:
    moved = session.execute(
        update(Deployment)
        .where(Deployment.id == deployment.id, Deployment.generation == generation)
        .values(
            active_id=to,
            previous_id=deployment.active_id,
            generation=generation + 1,
            changed_at=text("clock_timestamp()"),
        )
        .returning(Deployment.generation)
    ).scalar_one_or_none()
    if moved is None:
        raise Conflict("generation_stale")
    _remember(session, deployment.id, moved, action, deployment.active_id, to, actor, reason)
    session.expire(deployment)
    fault("promote.moved")
    return deployment


def _remember(
    session: Session,
    deployment: UUID,
    generation: int,
    action: str,
    from_id: UUID | None,
    to_id: UUID,
    actor: str,
    reason: str,
) -> None:
    session.add(
        DeploymentEvent(
            deployment_id=deployment,
            generation=generation,
            action=action,
            from_id=from_id,
            to_id=to_id,
            actor=actor,
            reason=reason,
        )
    )
    session.flush()
