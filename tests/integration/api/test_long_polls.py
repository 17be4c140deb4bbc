"""Many who wait: all are answered when their jobs end together, each from his own hospital, with few statements."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event

from services.api.app import create_app
from services.api.looks import Asked, Looks
from shared.db.engine import Database
from shared.db.statements.audit import Actor
from shared.db.tables import Job
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, submitted
from tests.support.stack import Hospital, wait_for

MANY = 300


def test_all_are_answered_when_their_jobs_end_together(settings: Settings, api: Api, client: httpx.Client) -> None:
    hospital = Hospital(settings, api.database)
    jobs = hospital.submit(b"RIFF", "audio/wav", Modality.COUGH, MANY)

    async def poll(waiters: httpx.AsyncClient, job: UUID) -> tuple[int, str]:
        answer = await waiters.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=30"})
        return answer.status_code, answer.json()["status"]

    async def wait() -> list[tuple[int, str]]:
        limits = httpx.Limits(max_connections=None)
        address, headers = api.settings.base_url, {"Authorization": client.headers["Authorization"]}
        async with httpx.AsyncClient(
            base_url=address, headers=headers, limits=limits, timeout=120, trust_env=False
        ) as waiters:
            asks = [asyncio.create_task(poll(waiters, job)) for job in jobs]
            await asyncio.to_thread(wait_for, lambda: api.waiting() == MANY, 60, "all wait")
            ended = "UPDATE jobs SET state = 'failed', code = 'deadline', finished_at = now()"
            await asyncio.to_thread(api.execute, ended)
            return await asyncio.gather(*asks)

    assert set(asyncio.run(wait())) == {(200, "failed")}
    assert sorted(api.actions()) == ["job.read"] * MANY


def test_who_asks_at_once_is_read_together_and_each_from_his_own_hospital(
    settings: Settings, database: Database, deployed: dict[Modality, str]
) -> None:
    north, south = Hospital(settings, database), Hospital(settings, database, "south")
    own = [(one, job) for one in (north, south) for job in one.submit(b"RIFF", "audio/wav", Modality.COUGH, MANY)]
    foreign = [(south if one is north else north, job) for one, job in own]
    statements = 0

    def count(*_: Any) -> None:
        nonlocal statements
        statements += 1

    async def read(looks: Looks, whose: list[tuple[Hospital, UUID]]) -> list[Any]:
        asked = [Asked(Actor(one.tenant_id, one.principal_id, None), job, f"r-{job}") for one, job in whose]
        return await asyncio.gather(*(looks.jobs.get(one) for one in asked))

    async def both() -> tuple[list[Any], list[Any], list[Any]]:
        gateway = create_app(settings).state.gateway
        event.listen(gateway.engine.sync_engine, "before_cursor_execute", count)
        found, nothing = await asyncio.gather(read(gateway.looks, own), read(gateway.looks, foreign))
        states = await asyncio.gather(
            *(gateway.looks.states.get((one.tenant_id, job)) for one, job in own[:5] + foreign[:5])
        )
        await gateway.engine.dispose()
        return found, nothing, states

    found, nothing, states = asyncio.run(both())
    assert [shown.view.id for shown in found] == [job for _, job in own]
    assert [shown.view.queue_position for shown in found] == [*range(1, MANY + 1)] * 2
    assert set(nothing) == {None}
    assert states == ["queued"] * 5 + [None] * 5
    assert statements <= len(own)  # half as many asks again were made, of three statements and more each
    api = Api(settings, database)
    assert api.count(Job) == len(own)
    assert sorted(api.actions()) == ["job.read"] * len(own)
    assert all(api.actions(str(job)) == ["job.read"] for _, job in own[:3])


def test_a_key_is_no_session(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    key = api.key(Role.SUBMITTER)
    anonymous = api.anonymous()
    assert anonymous.get(f"/v1/jobs/{job}", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert anonymous.get(f"/v1/jobs/{job}", headers={"Cookie": f"thoracle_session={key}"}).status_code == 401
