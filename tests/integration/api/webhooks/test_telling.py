"""Webhooks: written with what happened, to those who asked for it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx

from shared.db.engine import Database
from shared.db.statements import claims, turns
from shared.db.tables import Delivery, Webhook, Worker, new_id
from shared.schemas import Modality, Role
from tests.integration.api.support import Api, submitted
from tests.integration.api.webhooks.support import add, came, deliveries, end_one
from tests.support.receiver import Receiver
from tests.support.stack import wait_for


def test_the_end_of_a_job_is_told(
    api: Api, admin: httpx.Client, client: httpx.Client, hook: Receiver, verify: Callable[..., Any]
) -> None:
    made = add(admin, hook.url)
    job = end_one(client)
    came(hook)
    message = hook.messages[0]
    told = verify(made["secret"], message.headers, message.body)
    assert told["type"] == "job.finished"
    assert told["data"] == {
        "job_id": job,
        "status": "cancelled",
        "links": {"self": f"{api.settings.base_url}/v1/jobs/{job}"},
    }
    assert message.headers["host"] == f"127.0.0.1:{hook.port}"
    sent = wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "it is settled")
    assert (sent[0]["webhook_id"], sent[0]["answer"]) == (message.headers["webhook-id"], "204")
    assert "secret" not in admin.get(f"/v1/webhooks/{made['id']}").json()


def test_every_end_is_told_in_its_own_transaction(
    api: Api, database: Database, admin: httpx.Client, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    made = add(admin, "http://127.0.0.1:9/")
    jobs = [submitted(client) for _ in range(3)]
    with database.begin() as session:
        worker = Worker(id=new_id(), host="test", pid=1, modalities=["chest_xray"], report={})
        session.add(worker)
        session.flush()
        rows = session.execute(turns.claim(worker.id, ["chest_xray"], 3, 60, 3600)).all()
    assert {str(row.id) for row in rows} == set(jobs)
    assert api.count(Delivery) == 0
    answer = {"job_id": jobs[0], "state": "rejected", "code": "x", "detail": "x"}
    with database.engine.connect() as connection:
        connection.execute(claims.finish(rows[0].claim_id, [answer]))
        connection.rollback()
    assert api.count(Delivery) == 0
    with database.begin() as session:
        session.execute(claims.finish(rows[0].claim_id, [answer]))
        session.execute(
            claims.give_back(rows[0].claim_id, [UUID(jobs[1])], cause="died", charged=True, most=1, code="decoder_died")
        )
    api.execute("UPDATE claims SET lease_until = now() - interval '1 second'")
    with database.begin() as session:
        session.execute(claims.reap(1, "lost"))
    told = {item["job_id"]: item["status"] for item in deliveries(admin, made["id"])}
    assert told == dict(zip(jobs, ("rejected", "dead", "dead"), strict=True))


def test_only_who_asked_is_told(api: Api, admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    other = api.client(Role.ADMIN, tenant="south")
    theirs = add(other, hook.url)
    disabled = add(admin, hook.url)
    admin.patch(f"/v1/webhooks/{disabled['id']}", json={"enabled": False})
    end_one(client)
    assert api.count(Delivery) == 0
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/secret"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/replay"),
    ):
        json_ = {"events": ["job.finished"]} if method == "PATCH" else None
        assert admin.request(method, f"/v1/webhooks/{theirs['id']}{path}", json=json_).status_code == 404, (
            method,
            path,
        )
        assert client.request(method, f"/v1/webhooks/{disabled['id']}{path}", json=json_).status_code == 403
    assert [item["id"] for item in admin.get("/v1/webhooks").json()] == [disabled["id"]]
    assert {"webhook.add", "webhook.change"} <= set(api.actions())


def test_a_recall_is_told_to_every_hospital_that_listens(
    api: Api, admin: httpx.Client, hook: Receiver, deployed: dict[Modality, str]
) -> None:
    south = api.client(Role.ADMIN, tenant="south")
    for listener in (admin, south):
        add(listener, hook.url, "version.recalled")
    add(south, hook.url)  # of jobs alone
    version = deployed[Modality.CHEST_XRAY]
    assert admin.post(f"/v1/versions/{version}/recall", json={"reason": "flips"}).status_code == 200
    came(hook, 2)
    told = [json.loads(message.body) for message in hook.messages]
    assert [(one["type"], one["data"]["version"], one["use"]) for one in told] == [
        ("version.recalled", version, "research")
    ] * 2
    assert told[0]["data"]["links"]["jobs"].endswith(f"/v1/jobs?version={version}")
    assert api.count(Delivery) == 2


def test_a_test_message_and_removal(api: Api, admin: httpx.Client, hook: Receiver) -> None:
    made = add(admin, hook.url)
    path = f"/v1/webhooks/{made['id']}"
    assert admin.post(f"{path}/test").status_code == 202
    came(hook)
    assert json.loads(hook.messages[0].body)["type"] == "webhook.test"
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert admin.delete(path).status_code == 404


def test_there_is_a_bound_of_webhooks(api: Api, admin: httpx.Client, hook: Receiver) -> None:
    for _ in range(20):
        add(admin, hook.url)
    assert admin.post("/v1/webhooks", json={"url": hook.url}).json()["code"] == "webhooks_full"
    assert api.count(Webhook) == 20
    assert admin.post("/v1/webhooks", json={"url": hook.url, "events": ["job.started"]}).status_code == 422
