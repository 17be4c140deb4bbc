"""What needs a person now, for the start page of those who look after the service. One function a subject."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.api import proposals
from services.api.auth import Caller
from services.api.gateway import Gateway
from shared.db.statements import adjudications, drift, system, training, versions, webhooks
from shared.schemas import Modality
from shared.sentences import say


class Task(NamedTuple):
    """One thing to do, and where. `urgent`: somebody waits for it, or is misled meanwhile."""

    text: str
    href: str
    link: str
    urgent: bool = False


Source = Callable[[AsyncSession, Caller, Gateway], Awaitable[list[Task]]]


async def unanswered(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Kinds of input for which nothing answers."""
    del caller, gateway
    found = await session.scalars(versions.without_active())
    return [_task("unanswered", f"/admin/deployments/{modality}", modality, urgent=True) for modality in found]


async def waiting_promotions(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Promotions that wait for a second person."""
    del caller, gateway
    found = [one for modality in Modality for one in await proposals.waiting(session, modality)]
    return [_proposal(one) for one in found]


async def workers(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Kinds of input that no worker serves, and versions that a worker will not load."""
    del caller
    rows = (await session.execute(system.workers(gateway.settings.lease_s))).all()
    alive = [row for row in rows if row.alive]
    served = {modality for row in alive for modality in row.modalities}
    missing = [one for one in Modality if one not in served]
    refused = {sha256: why for row in alive for sha256, why in row.report.get("refused", {}).items()}
    found = [_task("unserved", "/admin/system", modality, urgent=True) for modality in missing]
    for sha256, why in refused.items():
        found.append(_task("refused", "/admin/system", urgent=True, version=sha256[:12], why=why))
    return found


async def second_readings(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Results that wait for a second reader."""
    del gateway
    rows = await session.execute(adjudications.open_by_modality(caller.tenant_id))
    return [_task("adjudications", "/admin/feedback", row.modality, count=row.waiting) for row in rows]


async def dead_jobs(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """The hospital's jobs that were given up."""
    del gateway
    rows = (await session.execute(system.dead(caller.tenant_id))).all()
    return [_task("dead", "/admin/system", row.modality, jobs=row.jobs, code=row.code) for row in rows]


async def quiet_webhooks(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Webhooks that fail: what they should tell waits, or was given up."""
    del gateway
    rows = (await session.scalars(webhooks.visible(caller.tenant_id))).all()
    return [_task("webhook", f"/admin/webhooks/{row.id}", url=row.url, failures=row.failures) for row in rows
            if row.failures and row.disabled_at is None]  # fmt: skip


async def trained(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Runs that made a version which no pointer ever named, and runs that ended without one; the latest ten."""
    del gateway
    rows = (await session.execute(training.unseen(caller.tenant_id, 10))).all()
    return [_task(f"run_{row.state}", f"/admin/training/{row.id}", name=row.name, recipe=row.recipe) for row in rows]


async def alerts(session: AsyncSession, caller: Caller, gateway: Gateway) -> list[Task]:
    """Drift alerts of this hospital that nobody has looked at."""
    del gateway
    rows = (await session.execute(drift.unseen(caller.tenant_id))).all()
    return [_task("alert", "/admin/drift", modality, urgent=True, count=count) for modality, count in rows]


SOURCES: tuple[Source, ...] = (
    unanswered,
    workers,
    alerts,
    waiting_promotions,
    dead_jobs,
    second_readings,
    quiet_webhooks,
    trained,
)


async def tasks(gateway: Gateway, caller: Caller) -> list[Task]:
    """Everything, the urgent first."""
    async with gateway.begin() as session:
        found = [task for source in SOURCES for task in await source(session, caller, gateway)]
    return sorted(found, key=lambda task: not task.urgent)


def _proposal(one: proposals.ProposalView) -> Task:
    page = f"/admin/deployments/{one.modality}"
    return _task("proposal", page, one.modality, name=one.version.name, who=one.proposed_by)


def _task(kind: str, href: str, modality: str | None = None, *, urgent: bool = False, **values: object) -> Task:
    named = {"kind": say(f"modality.{modality}")} if modality else {}
    return Task(say(f"admin.todo.{kind}", **named, **values), href, say(f"admin.todo.{kind}.link"), urgent)
