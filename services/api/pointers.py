"""Shapes of versions and deployments, from their rows."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.views import version_ref
from shared.db.tables import Deployment, Version
from shared.schemas import Card, Interval, Modality, OperatingPoint, VersionRef

_MaybeVersion = Version | None
Pointers = tuple[Deployment, _MaybeVersion, _MaybeVersion, _MaybeVersion, _MaybeVersion, _MaybeVersion]


class DeploymentView(BaseModel):
    """Which versions answer for a modality. `generation` is what `If-Match` takes. Nothing active: jobs wait."""

    modality: Modality
    finding: str
    generation: int
    active: VersionRef | None
    previous: VersionRef | None
    canary: VersionRef | None
    canary_share: float
    shadow: VersionRef | None
    preparing: VersionRef | None = Field(description="What workers load ahead of a move")
    changed_at: datetime


class VersionSummary(BaseModel):
    """What a version is, in short; the whole card is at /v1/versions/{sha256}."""

    version: VersionRef
    modality: Modality
    finding: str
    pointers: list[str]
    auroc: Interval
    operating_point: OperatingPoint
    warning: str | None
    published_by: str
    published_at: datetime
    recalled_at: datetime | None
    recall_reason: str | None


class VersionDetail(VersionSummary):
    """A version with its card."""

    card: Card


def deployment_view(pointers: Pointers) -> DeploymentView:
    """One deployment."""
    deployment, active, previous, canary, shadow, preparing = pointers
    return DeploymentView(
        modality=Modality(deployment.modality),
        finding=deployment.finding,
        generation=deployment.generation,
        active=_maybe(active),
        previous=_maybe(previous),
        canary=_maybe(canary),
        canary_share=deployment.canary_share,
        shadow=_maybe(shadow),
        preparing=_maybe(preparing),
        changed_at=deployment.changed_at,
    )


def version_summary(version: Version, card: Card, pointing: dict[UUID, list[str]]) -> VersionSummary:
    """One version among others."""
    return VersionSummary(
        version=version_ref(version),
        modality=card.modality,
        finding=version.finding,
        pointers=pointing.get(version.id, []),
        auroc=card.metrics.auroc,
        operating_point=card.operating_point,
        warning=card.warning,
        published_by=version.published_by,
        published_at=version.published_at,
        recalled_at=version.recalled_at,
        recall_reason=version.recall_reason,
    )


def pointing(deployments: list[Deployment]) -> dict[UUID, list[str]]:
    """Which pointers name which version."""
    found: dict[UUID, list[str]] = {}
    for deployment in deployments:
        for name in ("active", "previous", "canary", "shadow"):
            version: UUID | None = getattr(deployment, f"{name}_id")
            if version is not None:
                found.setdefault(version, []).append(name)
    return found


def _maybe(version: Version | None) -> VersionRef | None:
    return version_ref(version) if version is not None else None
