"""Looks at the rules for retraining now and then, and puts what was trained into the shadow.

Several gateways may look at once: one retraining is open for a hospital's modality, and a pointer moves once.
"""

from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.api import retraining as retrainings
from services.api.aborts import ACTOR
from services.api.retraining import Wanted
from shared import deployments
from shared.db.statements import audit
from shared.db.statements import retraining as statements
from shared.db.tables import Retraining, RetrainingRule, TrainingRun, Version
from shared.deployments import Why
from shared.errors import Conflict, NotFound, ThoracleError
from shared.queue import TRAINING
from shared.schemas import Modality, RetrainingPlan
from shared.sentences import say
from shared.settings import Settings

_log = structlog.get_logger()


class Retrainer:
    """Begins retrainings that are due and ends those that were trained."""

    def __init__(self, settings: Settings, engine: AsyncEngine, wake: Callable[[str], None]) -> None:
        self._settings, self._wake = settings, wake
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def look(self) -> None:
        """End what was trained, then begin what is due."""
        async with self._sessions() as session:
            trained = (await session.execute(statements.trained())).all()
        for retraining, run, version in trained:
            await self._end(retraining, run, version)
        async with self._sessions() as session:
            rules = (await session.scalars(statements.due())).all()
        for rule in rules:
            await self._begin(rule)

    async def _begin(self, rule: RetrainingRule) -> None:
        async with self._sessions.begin() as session:
            wanted = await self._due(session, rule)
            if wanted is None:
                return
            try:
                begun = await retrainings.begin(session, wanted)
            except ThoracleError as error:
                _log.warning("retraining_not_begun", modality=rule.modality, code=error.code)
                return
            who = audit.Actor(rule.tenant_id, rule.principal_id, None)
            await session.execute(audit.event(who, "retraining.begin", "retraining", str(begun.id), None))
        self._wake(TRAINING)

    async def _due(self, session: AsyncSession, rule: RetrainingRule) -> Wanted | None:
        plan, modality = RetrainingPlan.model_validate(rule.plan), Modality(rule.modality)
        owner = (rule.tenant_id, rule.principal_id, modality, plan)
        labels = (await session.execute(statements.confirmed(rule.tenant_id, modality, plan.bases))).scalar_one()
        if rule.min_labels and labels >= rule.min_labels:
            reason = say("retraining.labels", labels=labels, wanted=rule.min_labels)
            return Wanted(*owner, "labels", reason, {"labels": labels, "min_labels": rule.min_labels})
        if rule.on_drift:
            alert = await session.scalar(statements.alert_since(rule.tenant_id, modality))
            if alert is not None:
                return Wanted(*owner, "drift", say("retraining.drift"), {"alert": str(alert), "labels": labels})
        return None

    async def _end(self, retraining: Retraining, run: TrainingRun, version: Version | None) -> None:
        async with self._sessions.begin() as session:
            outcome = run.state
            if version is not None:
                outcome = "shadowed" if await self._shadowed(session, retraining, version) else "candidate"
            await session.execute(statements.end(retraining.id, outcome))
        _log.info("retraining_ended", modality=retraining.modality, outcome=outcome)

    async def _shadowed(self, session: AsyncSession, retraining: Retraining, version: Version) -> bool:
        """Make it the shadow where there is none: it answers nobody, so nobody has to be asked."""
        why = Why(ACTOR, say("retraining.shadow"), {"retraining": str(retraining.id), "run": str(retraining.run_id)})
        try:
            async with session.begin_nested():
                deployment = await session.run_sync(lambda sync: deployments.find(sync, version.modality))
                if deployment.shadow_id is not None:
                    return deployment.shadow_id == version.id
                generation = deployment.generation
                await session.run_sync(lambda sync: deployments.try_out(sync, version, "shadow", 0.0, generation, why))
                await session.execute(audit.by_itself("deployment.shadow", "deployment", version.modality))
        except (Conflict, NotFound):
            return False
        return True
