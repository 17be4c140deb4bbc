"""What the tests of webhooks do over and over."""

from typing import Any

import httpx

from shared.settings import Settings
from tests.integration.api.support import Api, submitted
from tests.support.receiver import Receiver
from tests.support.stack import wait_for


def local(settings: Settings, **changes: Any) -> Settings:
    return settings.changed(webhook_http=True, webhook_networks="127.0.0.0/8", **changes)


def add(admin: httpx.Client, url: str, *events: str) -> dict[str, Any]:
    response = admin.post("/v1/webhooks", json={"url": url, "events": list(events or ("job.finished",))})
    assert response.status_code == 201, response.text
    return response.json()


def end_one(client: httpx.Client) -> str:
    job = submitted(client)
    assert client.delete(f"/v1/jobs/{job}").status_code == 200
    return job


def deliveries(admin: httpx.Client, hook_id: str, state: str = "") -> list[dict[str, Any]]:
    answer = admin.get(f"/v1/webhooks/{hook_id}/deliveries", params={"state": state} if state else {})
    assert answer.status_code == 200, answer.text
    return answer.json()["deliveries"]


def came(hook: Receiver, count: int = 1) -> None:
    wait_for(lambda: len(hook.messages) >= count, 60, f"{count} messages")


def due_now(api: Api) -> None:
    api.execute("UPDATE deliveries SET due_at = now() WHERE state = 'waiting'")
    api.execute("UPDATE webhooks SET paused_until = NULL")
