"""Webhooks: sent at least once, again after a failure, and no receiver delays another."""

import asyncio
import threading
from functools import partial

import httpx
import pytest

from infra.ports import free_port
from services.api.webhooks.dispatch import Dispatcher
from shared.db.engine import Database, async_engine
from shared.db.tables import Delivery, Webhook
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.integration.api.webhooks.support import add, came, deliveries, due_now, end_one, local
from tests.support.receiver import Receiver, receiver
from tests.support.stack import process, wait_for


def test_a_failed_attempt_comes_again_under_the_same_id(
    api: Api, admin: httpx.Client, hook: Receiver, client: httpx.Client
) -> None:
    made = add(admin, hook.url)
    hook.status = 500
    end_one(client)
    came(hook)
    waiting = wait_for(lambda: [d for d in deliveries(admin, made["id"]) if d["answer"]], 60, "it is settled")
    assert (waiting[0]["state"], waiting[0]["answer"], waiting[0]["attempts"]) == ("waiting", "500", 1)
    shown = admin.get(f"/v1/webhooks/{made['id']}").json()
    assert shown["failures"] == 1
    hook.status = 200
    due_now(api)
    came(hook, 2)
    assert hook.messages[0].headers["webhook-id"] == hook.messages[1].headers["webhook-id"]
    assert hook.messages[0].body == hook.messages[1].body
    wait_for(lambda: admin.get(f"/v1/webhooks/{made['id']}").json()["failures"] == 0, 60, "it works again")


def test_delays_grow_and_deliveries_die_and_are_replayed(
    settings: Settings, database: Database, deployed: dict[Modality, str], hook: Receiver
) -> None:
    with serving(local(settings, webhook_attempts=3), database) as api:
        admin, client = api.client(Role.ADMIN), api.client(Role.SUBMITTER)
        made, delays = add(admin, hook.url), []
        hook.status = 503
        end_one(client)
        for attempt in (1, 2, 3):
            came(hook, attempt)
            wait_for(partial(_settled, api, attempt), 60, "settled")
            with database.begin() as session:
                row = session.query(Delivery).one()
                delays.append((row.due_at - row.created_at).total_seconds())
            if attempt < 3:
                due_now(api)
        assert delays[0] < delays[1]
        dead = deliveries(admin, made["id"], "dead")
        assert (dead[0]["attempts"], dead[0]["answer"]) == (3, "503")
        hook.status = 200
        assert admin.post(f"/v1/webhooks/{made['id']}/replay").json() == {"replayed": 1}
        came(hook, 4)
        assert len({message.headers["webhook-id"] for message in hook.messages}) == 1
        wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "it arrived at last")
        assert admin.post(f"/v1/webhooks/{made['id']}/replay").json() == {"replayed": 0}


def test_a_receiver_that_hangs_delays_nobody(
    settings: Settings, database: Database, deployed: dict[Modality, str], hook: Receiver
) -> None:
    with serving(local(settings, webhook_seconds=2.0), database) as api, receiver() as dead:
        dead.hang = threading.Event()
        admin, client = api.client(Role.ADMIN), api.client(Role.SUBMITTER)
        hanging, fine = add(admin, dead.url), add(admin, hook.url)
        for _ in range(30):
            end_one(client)
        wait_for(lambda: len(deliveries(admin, fine["id"], "sent")) == 30, 60, "the other one knows everything")
        wait_for(lambda: any(d["answer"] == "timeout" for d in deliveries(admin, hanging["id"])), 60, "a timeout")
        assert len(dead.messages) <= 10
        assert admin.get(f"/v1/webhooks/{hanging['id']}").json()["failures"] <= 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(admin: httpx.Client, client: httpx.Client, hook: Receiver, status: int) -> None:
    with receiver() as elsewhere:
        hook.status, hook.location = status, elsewhere.url
        made = add(admin, hook.url)
        end_one(client)
        wait_for(lambda: [d for d in deliveries(admin, made["id"]) if d["answer"] == str(status)], 60, "it failed")
        assert elsewhere.messages == []


def test_a_receiver_that_is_gone_is_told_no_more(admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    hook.status = 410
    made = add(admin, hook.url)
    end_one(client)
    wait_for(lambda: deliveries(admin, made["id"], "dead"), 60, "the delivery is given up")
    assert admin.get(f"/v1/webhooks/{made['id']}").json()["enabled"] is False
    end_one(client)
    assert len(deliveries(admin, made["id"])) == 1


def test_an_endless_answer_is_not_read(admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    hook.status, hook.body = 200, bytes(50 * 2**20)
    made = add(admin, hook.url)
    end_one(client)
    wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "the status was enough")


def test_a_gateway_that_dies_while_sending_is_followed(
    api: Api, database: Database, admin: httpx.Client, client: httpx.Client, hook: Receiver
) -> None:
    made = add(admin, hook.url)
    hook.hang = threading.Event()
    end_one(client)
    came(hook)
    api.execute("UPDATE deliveries SET due_at = now()")  # the lease of one that died is over
    log = api.settings.home / "second.log"
    with process(api.settings.changed(port=free_port()), "services.api", log):
        came(hook, 2)
        hook.hang.set()
        assert hook.messages[0].headers["webhook-id"] == hook.messages[1].headers["webhook-id"]
        wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "settled once")
    assert api.count(Delivery) == 1


def _settled(api: Api, attempts: int) -> bool:
    with api.database.begin() as session:
        row = session.query(Delivery).one()
        return row.attempts == attempts and row.answer == "503" and (row.state == "dead" or _later(api))


def _later(api: Api) -> bool:
    with api.database.begin() as session:
        return session.query(Webhook).one().paused_until is not None


@pytest.mark.parametrize("rounds", range(5))
def test_the_loop_ends_though_a_delivery_ends_at_that_moment(settings: Settings, rounds: int) -> None:
    async def stopped() -> None:
        engine = async_engine(settings)
        dispatcher = Dispatcher(settings, engine)
        dispatcher.start()
        await asyncio.sleep(0.5)  # it has looked and waits
        dispatcher._freed.set()
        for _ in range(rounds):
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await dispatcher.stop()
        await engine.dispose()

    asyncio.run(stopped())
