"""What a page that is open reads again and again: one row in the audit log, not one for each look."""

import time
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import audit

_ONE_VIEW_S = 600.0
_MOST = 10_000


class Followed:
    """The views of the last minutes, in one gateway. Another gateway writes a row of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._viewed: dict[tuple[UUID, str, UUID], float] = {}

    async def read(self, who: audit.Who, object_type: str, object_id: UUID, request_id: str | None) -> None:
        """Remember that somebody reads a thing, before it is answered, unless he has been reading it just now."""
        view, now = (who.principal_id, object_type, object_id), time.monotonic()
        if now - self._viewed.get(view, -_ONE_VIEW_S) < _ONE_VIEW_S:
            return
        async with self._engine.begin() as connection:
            await connection.execute(audit.event(who, f"{object_type}.read", object_type, str(object_id), request_id))
        if len(self._viewed) >= _MOST:
            self._viewed = {key: at for key, at in self._viewed.items() if now - at < _ONE_VIEW_S}
        self._viewed[view] = now
