"""What every submission asks of versions, kept: parsed cards, which never change, and who answers just now."""

import time
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.statements import versions
from shared.db.tables import Version
from shared.schemas import Card, Modality

_FRESH_S = 1.0


class Cards:
    """A cache that only grows, by one card per published version."""

    def __init__(self) -> None:
        self._cards: dict[UUID, Card] = {}

    def kept(self, version: UUID) -> Card | None:
        """A card that was read before."""
        return self._cards.get(version)

    async def of(self, session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Card]:
        """The cards of these versions."""
        wanted = set(ids)
        missing = wanted - self._cards.keys()
        if missing:
            rows = await session.execute(select(Version.id, Version.card).where(Version.id.in_(missing)))
            self._cards.update({version: Card.model_validate(card) for version, card in rows})
        return {version: self._cards[version] for version in wanted}


class Actives:
    """The version that answers a hospital in a modality, at most a second old. None is never kept.

    For what may be a second late: whether a kind of file can be read at all. Which version answers is decided when a
    job is claimed, so that another gateway may let jobs in for a second after a recall: they wait.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[UUID, Modality], tuple[float, Version]] = {}

    async def of(self, session: AsyncSession, tenant: UUID, modality: Modality) -> Version | None:
        """That version without its card, or None."""
        version = self.kept(tenant, modality)
        if version is not None:
            return version
        found = await session.scalar(versions.active(), {"modality": modality, "tenant": tenant})
        if found is not None:
            self._kept[tenant, modality] = time.monotonic() + _FRESH_S, found
        return found

    def kept(self, tenant: UUID, modality: Modality) -> Version | None:
        """The same without asking, while it is known."""
        until, version = self._kept.get((tenant, modality), (0.0, None))
        return version if time.monotonic() < until else None

    def forget(self) -> None:
        """A version was recalled here: ask again."""
        self._kept.clear()
