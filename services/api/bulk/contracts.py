"""Which version answers an item of a batch, and whether it takes such a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.api.accept import answering
from services.api.bulk.items import Item
from services.api.gateway import Gateway
from shared.db.tables import Version
from shared.errors import Conflict, ThoracleError, TooLarge, Unavailable, UnsupportedInput
from shared.schemas import Card, Modality
from shared.sniff import read_by


@dataclass
class Contracts:
    """The versions that one request needs, each looked up once; `pinned` are those of the batch, by modality."""

    gateway: Gateway
    tenant: UUID
    pinned: Mapping[str, str]
    _versions: dict[tuple[Modality, str | None], tuple[UUID, Card] | ThoracleError] = field(default_factory=dict)

    async def check(self, item: Item) -> None:
        """Give the item the version that will answer it. Raises ThoracleError when none will."""
        wanted = (item.modality, item.fields.version)
        if wanted not in self._versions:
            self._versions[wanted] = await self._answering(*wanted)
        answer = self._versions[wanted]
        if isinstance(answer, ThoracleError):
            raise answer
        contract = answer[1].input
        if item.media_type not in read_by(contract.media_types):
            raise UnsupportedInput
        if item.size_bytes > contract.max_bytes:
            raise TooLarge(limit_mb=contract.max_bytes >> 20)
        item.version = answer[0]

    async def _answering(self, modality: Modality, name: str | None) -> tuple[UUID, Card] | ThoracleError:
        pinned = self.pinned.get(modality)
        try:
            async with self.gateway.begin() as session:
                if name is None and pinned is not None:
                    version = await session.get_one(Version, UUID(pinned))
                    if version.recalled_at is not None:
                        raise Conflict("version_recalled")
                elif name is None:
                    raise Unavailable("no_version")
                else:
                    version = await answering(session, self.tenant, modality, name)
                return version.id, (await self.gateway.cards.of(session, [version.id]))[version.id]
        except ThoracleError as problem:
            return problem
