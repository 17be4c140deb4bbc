"""Parsed cards by version: a card never changes, so each is read from the database once per process."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.tables import Version
from shared.schemas import Card


class Cards:
    """A cache that only grows, by one card per published version."""

    def __init__(self) -> None:
        self._cards: dict[UUID, Card] = {}

    async def of(self, session: AsyncSession, versions: Iterable[UUID]) -> dict[UUID, Card]:
        """The cards of these versions."""
        wanted = set(versions)
        missing = wanted - self._cards.keys()
        if missing:
            rows = await session.execute(select(Version.id, Version.card).where(Version.id.in_(missing)))
            self._cards.update({version: Card.model_validate(card) for version, card in rows})
        return {version: self._cards[version] for version in wanted}
