"""Versions as the pages show them: the card, and where the version stands for this reader's hospital."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api.gateway import Gateway
from shared.db.statements import versions
from shared.db.tables import Deployment, Version
from shared.errors import NotFound
from shared.schemas import Card, Modality


@dataclass(frozen=True)
class ShownVersion:
    """One version. `status`: active, previous, published or recalled."""

    sha256: str
    card: Card
    status: str
    published_at: datetime
    recalled_at: datetime | None
    recall_reason: str | None


async def shown_versions(gateway: Gateway, tenant: UUID) -> list[ShownVersion]:
    """Every version, newest first within its modality."""
    async with gateway.begin() as session:
        rows = [row for modality in Modality for row in await session.scalars(versions.of_modality(modality))]
        return await _shown(gateway, session, tenant, rows)


async def find_version(gateway: Gateway, tenant: UUID, sha256: str) -> ShownVersion:
    """The version at an address. Raises NotFound."""
    async with gateway.begin() as session:
        row = await session.scalar(versions.addressed(sha256))
        if row is None:
            raise NotFound
        return (await _shown(gateway, session, tenant, [row]))[0]


async def _shown(gateway: Gateway, session: AsyncSession, tenant: UUID, rows: Sequence[Version]) -> list[ShownVersion]:
    cards = await gateway.cards.of(session, [row.id for row in rows])
    standing = await _standing(session, tenant)
    return [
        ShownVersion(
            row.sha256,
            cards[row.id],
            "recalled" if row.recalled_at else standing.get(row.id, "published"),
            row.published_at,
            row.recalled_at,
            row.recall_reason,
        )
        for row in rows
    ]


async def _standing(session: AsyncSession, tenant: UUID) -> Mapping[UUID, str]:
    """Which versions the pointers name; a hospital's own pointer goes before everybody's."""
    standing: dict[UUID, str] = {}
    for row in await session.execute(versions.deployments(tenant)):
        deployment: Deployment = row[0]
        if deployment.active_id is not None:
            standing.setdefault(deployment.active_id, "active")
        if deployment.previous_id is not None:
            standing.setdefault(deployment.previous_id, "previous")
    return standing
