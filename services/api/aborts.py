"""Ends a canary by itself: on failed jobs, slow answers or shifted probabilities."""

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.api.canaries import Comparison, comparison
from shared import deployments
from shared.db.statements import audit
from shared.db.statements import canaries as statements
from shared.deployments import Why
from shared.errors import Conflict
from shared.settings import Settings

ACTOR = "system"
_log = structlog.get_logger()


class Aborts:
    """Looks at every canary; ends one as a person would: by compare-and-swap, with a reason."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def look(self) -> list[str]:
        """End every canary that is a reason to; the modalities of those that ended."""
        async with self._sessions() as session:
            tried = (await session.execute(statements.running())).all()
        return [modality for modality, generation in tried if await self._ended(modality, generation)]

    async def _ended(self, modality: str, generation: int) -> bool:
        async with self._sessions.begin() as session:
            found = await comparison(session, self._settings, modality)
            if found is None or found.trouble is None:
                return False
            try:
                await self._end(session, modality, generation, found)
            except Conflict:  # a person or another gateway was faster
                return False
        _log.warning("canary_ended", modality=modality, code=found.trouble.code)
        return True

    async def _end(self, session: AsyncSession, modality: str, generation: int, found: Comparison) -> None:
        assert found.trouble is not None
        why = Why(ACTOR, found.trouble.detail, {"automatic": found.trouble.code, **found.model_dump(mode="json")})
        await session.run_sync(lambda sync: deployments.stop_trying(sync, modality, "canary", generation, why))
        await session.execute(audit.by_itself("deployment.canary_end", "deployment", modality))
