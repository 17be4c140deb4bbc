"""How fast a hospital's jobs end, for estimates: counted once a second, whoever asks."""

import time
from uuid import UUID

from shared.db.quick import Quick
from shared.db.statements import jobs
from shared.schemas import Modality

_FRESH_S = 1.0


class Paces:
    """Jobs that ended in the last minute, by hospital and modality, at most a second old."""

    def __init__(self, quick: Quick) -> None:
        self._quick = quick
        self._kept: dict[tuple[UUID, Modality], tuple[float, int]] = {}

    async def of(self, tenant: UUID, modality: Modality) -> int:
        """How many of the hospital's jobs of this modality ended in the last minute."""
        until, drained = self._kept.get((tenant, modality), (0.0, 0))
        if time.monotonic() < until:
            return drained
        (row,) = await self._quick.rows(jobs.pace(), {"tenant": tenant, "modality": str(modality)})
        self._kept[tenant, modality] = time.monotonic() + _FRESH_S, row.drained
        return int(row.drained)
