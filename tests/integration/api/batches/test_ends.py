"""The end of a batch is told once, when it has come."""

from uuid import UUID

import httpx
from sqlalchemy import func, select

from shared.db.tables import Batch, Delivery
from tests.integration.api.batches.support import packed, send, sounds
from tests.integration.api.support import Api
from tests.support.stack import wait_for


def test_the_end_of_a_batch_is_told_once(api: Api, client: httpx.Client) -> None:
    """Not before its last job has ended, not while a request adds to it, and not again when one is tried again."""
    hook(api)
    batch = send(client, packed(sounds(3))).json()["id"]
    jobs = [job["id"] for job in client.get("/v1/jobs").json()["jobs"]]
    for job in jobs[:2]:
        api.finish(job)
    looked(api, batch)
    assert told(api) == []
    send(client, packed(sounds(1, start=3)))
    client.delete(f"/v1/jobs/{jobs[2]}")
    looked(api, batch)
    assert told(api) == []
    (last,) = client.get("/v1/jobs", params={"status": "queued"}).json()["jobs"]
    api.set_state(last["id"], "dead", finished_at=func.now(), code="x")
    wait_for(lambda: told(api), 60, "the batch is told")
    assert told(api) == [("batch.finished", UUID(batch), None)]
    assert client.post(f"/v1/batches/{batch}/retry").status_code == 202
    client.delete(f"/v1/batches/{batch}")
    looked(api, batch)
    assert len(told(api)) == 1


def test_a_batch_that_is_being_filled_has_not_ended(api: Api, client: httpx.Client) -> None:
    hook(api)
    batch = send(client, packed(sounds(1))).json()["id"]
    api.execute("UPDATE batches SET look_at = now() + interval '1 hour'")  # as a request does that goes on
    (job,) = client.get("/v1/jobs").json()["jobs"]
    api.finish(job["id"])
    wait_for(lambda: client.get(f"/v1/batches/{batch}").json()["done"], 60, "it can be read")
    assert told(api) == []
    looked(api, batch)
    wait_for(lambda: told(api), 60, "the batch is told")


def hook(api: Api) -> None:
    """A webhook of the hospital that sends nothing for now."""
    api.execute(
        """INSERT INTO webhooks (id, tenant_id, principal_id, url, events, secret, paused_until)
           SELECT gen_random_uuid(), tenant_id, id, 'http://127.0.0.1:9/', ARRAY['batch.finished'], 'x',
                  now() + interval '1 day' FROM principals LIMIT 1"""
    )


def looked(api: Api, batch: str) -> None:
    """Somebody has looked at this batch now, or it needs no look any more."""
    api.execute("UPDATE batches SET look_at = now() - interval '1 second' WHERE id = :b", b=batch)
    after = (Batch.look_at > func.now()) | Batch.finished_at.is_not(None)
    wait_for(lambda: api.count(Batch, Batch.id == UUID(batch), after), 60, "a look")


def told(api: Api) -> list[tuple[str, UUID | None, UUID | None]]:
    with api.database.begin() as session:
        return [(row.event, row.batch_id, row.job_id) for row in session.scalars(select(Delivery))]
