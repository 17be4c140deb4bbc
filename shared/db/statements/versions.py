"""Versions and pointers as they are looked up."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, and_, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import aliased, defer

from shared.db.tables import Deployment, DeploymentEvent, Version

# Cards are long and never change: `services.api.cards` keeps them.
_LIGHT = defer(Version.card, raiseload=True)

_PROVERS = text(
    """
    SELECT host, pid, :modality = ANY (modalities) AS serves,
           COALESCE(report -> 'loaded', '[]') AS loaded, COALESCE(report -> 'refused', '{}') AS refused
    FROM workers
    WHERE stopped_at IS NULL AND seen_at > now() - make_interval(secs => :seconds)
      AND (:modality = ANY (modalities) OR report ? 'recipes')
    ORDER BY started_at
    """
)
_USED = text(
    """
    SELECT (SELECT count(*) FROM jobs WHERE version_id = :version AND state = 'succeeded') AS answered,
           (SELECT count(*) FROM jobs WHERE requested_id = :version AND state = 'queued') AS waiting
    """
).bindparams(bindparam("version", type_=PG_UUID(as_uuid=True)))

# Every submission runs this one: building it costs more than running it, so it is built once.
_ACTIVE = (
    select(Version)
    .join(Deployment, Deployment.active_id == Version.id)
    .where(
        Deployment.modality == bindparam("modality"),
        or_(Deployment.tenant_id == bindparam("tenant"), Deployment.tenant_id.is_(None)),
    )
    .order_by(Deployment.tenant_id.nulls_last())
    .limit(1)
    .options(_LIGHT)
)


def named(modality: str, name: str) -> Select[Version]:
    """The version of a modality with this sha256 or name, without its card."""
    either = or_(Version.sha256 == name, Version.name == name)
    return select(Version).where(Version.modality == modality, either).options(_LIGHT)


def addressed(sha256: str) -> Select[Version]:
    """The version at an address."""
    return select(Version).where(Version.sha256 == sha256)


def called(addresses: Sequence[str]) -> Select[str, str, str]:
    """Address, recipe and name of these versions."""
    return select(Version.sha256, Version.recipe, Version.name).where(Version.sha256.in_(addresses))


def active() -> Select[Version]:
    """The version that answers `:tenant` in `:modality` now: its own deployment first, then everybody's."""
    return _ACTIVE


def of_modality(modality: str, limit: int = 500) -> Select[Version]:
    """Every version of a modality, newest first."""
    return select(Version).where(Version.modality == modality).order_by(Version.published_at.desc()).limit(limit)


def deployments(tenant: UUID, modality: str | None = None) -> Select[*tuple[Any, ...]]:
    """Deployments that concern a tenant, with the versions they point to."""
    pointers = ("active", "previous", "canary", "shadow", "prepare")
    named = {pointer: aliased(Version, name=f"to_{pointer}") for pointer in pointers}
    query = select(Deployment, *named.values()).select_from(Deployment)
    for pointer, version in named.items():
        query = query.outerjoin(version, version.id == getattr(Deployment, f"{pointer}_id"))
    query = (
        query.options(*(defer(version.card, raiseload=True) for version in named.values()))
        .where(_concerns(tenant))
        .order_by(Deployment.modality, Deployment.tenant_id.nulls_last())
    )
    return query if modality is None else query.where(Deployment.modality == modality)


def history(
    tenant: UUID, modality: str, before: int | None, limit: int, until: datetime | None = None
) -> Select[DeploymentEvent, Version, Version]:
    """The moves of a modality's pointers up to a moment, newest first, with the versions before and after."""
    earlier, later = aliased(Version, name="earlier"), aliased(Version, name="later")
    query = (
        select(DeploymentEvent, earlier, later)
        .join(Deployment, and_(Deployment.id == DeploymentEvent.deployment_id, Deployment.modality == modality))
        .outerjoin(earlier, earlier.id == DeploymentEvent.from_id)
        .outerjoin(later, later.id == DeploymentEvent.to_id)
        .where(_concerns(tenant))
        .order_by(DeploymentEvent.id.desc())
        .limit(limit)
        .options(defer(earlier.card, raiseload=True), defer(later.card, raiseload=True))
    )
    if until is not None:
        query = query.where(DeploymentEvent.at <= until)
    return query if before is None else query.where(DeploymentEvent.id < before)


def moves(deployment: UUID, until: datetime) -> Select[DeploymentEvent]:
    """Every move of one deployment up to a moment, oldest first."""
    query = select(DeploymentEvent).where(DeploymentEvent.deployment_id == deployment, DeploymentEvent.at <= until)
    return query.order_by(DeploymentEvent.generation)


def among(ids: Collection[UUID]) -> Select[Version]:
    """These versions, without their cards."""
    return select(Version).where(Version.id.in_(ids)).options(_LIGHT)


def moves_of(tenant: UUID, version: UUID) -> Select[DeploymentEvent]:
    """Every move of a pointer to or from a version, the first one first."""
    return (
        select(DeploymentEvent)
        .join(Deployment, Deployment.id == DeploymentEvent.deployment_id)
        .where(or_(DeploymentEvent.from_id == version, DeploymentEvent.to_id == version), _concerns(tenant))
        .order_by(DeploymentEvent.id)
    )


def provers(modality: str, seconds: float) -> TextClause:
    """Live workers that serve a modality (`serves`) and live trainers: what each has loaded, and what it refused why.

    Alive: it wrote its row within so many seconds.
    """
    return _PROVERS.bindparams(modality=modality, seconds=seconds)


def without_active() -> Select[str]:
    """Modalities whose jobs wait because the version that answered was recalled."""
    return select(Deployment.modality).where(Deployment.active_id.is_(None)).distinct().order_by(Deployment.modality)


def used(version: UUID) -> TextClause:
    """How many jobs of all hospitals a version answered (`answered`), and how many wait for it alone (`waiting`)."""
    return _USED.bindparams(version=version)


def _concerns(tenant: UUID) -> Any:
    return or_(Deployment.tenant_id == tenant, Deployment.tenant_id.is_(None))
