"""The state of the service, what answered when, and the audit log's filters, over HTTP."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.schemas import Modality, Role
from tests.integration.api.support import Api, submitted

HERE = "/v1/deployments/chest_xray"


@pytest.fixture
def auditor(api: Api) -> httpx.Client:
    return api.client(Role.AUDITOR)


def test_an_empty_service(auditor: httpx.Client) -> None:
    found = auditor.get("/v1/system").json()
    assert (found["engines"]["database"], found["engines"]["queue"]) == (True, True)
    assert (found["queues"], found["workers"], found["throughput"], found["dead"], found["held"]) == (
        [],
        [],
        [],
        [],
        {},
    )


def test_everything_is_counted(api: Api, client: httpx.Client, auditor: httpx.Client, second: str) -> None:
    submitted(client, priority="stat")
    submitted(client)
    held = submitted(client)
    api.finish(submitted(client))
    api.start(held)
    for job, hours in ((submitted(client), 0), (submitted(client), 3)):
        api.set_state(job, "dead", code="worker_lost", finished_at=datetime.now(UTC) - timedelta(hours=hours))
    api.execute(
        "UPDATE workers SET report = jsonb_build_object('loaded', jsonb_build_array(CAST(:one AS text)), 'refused', "
        "jsonb_build_object(repeat('0', 64), 'model.onnx was altered')), seen_at = now()",
        one=second,
    )
    found = auditor.get("/v1/system").json()
    assert {(one["modality"], one["priority"], one["waiting"]) for one in found["queues"]} == {
        ("chest_xray", "stat", 1),
        ("chest_xray", "routine", 1),
    }
    assert found["held"] == {"chest_xray": 1}
    (ended,) = found["throughput"]
    assert (ended["ended"], ended["succeeded"], ended["failed"]) == (2, 1, 1)
    assert ended["per_minute"] > 0
    assert [(one["jobs"], one["code"]) for one in found["dead"]] == [(2, "worker_lost")]
    worker = found["workers"][0]
    assert (worker["kind"], worker["alive"], worker["loaded"][0]["name"]) == ("worker", True, "chest_xray/cnn tiny-2")
    assert (worker["refused"][0]["name"], worker["refused"][0]["why"]) == (None, "model.onnx was altered")
    assert api.client(Role.ADMIN, tenant="south").get("/v1/system").json()["dead"] == []


def test_which_version_answered_then_and_who_let_it(
    api: Api, auditor: httpx.Client, second: str, deployed: dict[Modality, str]
) -> None:
    """Every kind of move, an hour apart; the pointers at each hour are those that stood then."""
    admin, first, began = api.client(Role.ADMIN), deployed[Modality.CHEST_XRAY], datetime(2026, 5, 3, tzinfo=UTC)

    def moved(method: str, path: str, **body: object) -> None:
        generation = admin.get(HERE).json()["generation"]
        headers = {"If-Match": f'"{generation}"'}
        given = {"params": body} if method == "DELETE" else {"json": body}
        answer = admin.request(method, path, headers=headers, **given)  # type: ignore[arg-type]
        assert answer.is_success, answer.text

    moved("PUT", f"{HERE}/canary", version=second, share=0.2, reason="to see")
    moved("DELETE", f"{HERE}/canary", reason="seen")
    moved("PUT", f"{HERE}/shadow", version=second, reason="beside")
    moved("PUT", HERE, version=second, reason="better", override="a test")
    moved("POST", f"{HERE}/rollback", reason="worse")
    moved("PUT", f"{HERE}/canary", version=second, share=0.1, reason="again")
    moved("POST", f"/v1/versions/{second}/recall", reason="never again")
    api.execute(
        "UPDATE deployment_events SET at = :began + make_interval(hours => generation::int) "
        "WHERE deployment_id = (SELECT id FROM deployments WHERE modality = 'chest_xray')",
        began=began,
    )

    def then(hours: float) -> tuple[object, ...]:
        at = (began + timedelta(hours=hours)).isoformat()
        found = auditor.get(f"{HERE}/history", params={"at": at}).json()
        assert all(datetime.fromisoformat(move["at"]) <= began + timedelta(hours=hours) for move in found["moves"])
        past = found["then"]
        names = [past[pointer] and past[pointer]["sha256"] for pointer in ("active", "canary", "shadow")]
        return (*names, past["canary_share"], past["by"] and past["by"]["reason"])

    installed = "first version of this modality"
    assert then(0.5) == (None, None, None, 0.0, None)
    assert then(1.5) == (first, None, None, 0.0, installed)
    assert then(2.5) == (first, second, None, 0.2, installed)
    assert then(3.5) == (first, None, None, 0.0, installed)
    assert then(4.5) == (first, None, second, 0.0, installed)
    assert then(5.5) == (second, None, None, 0.0, "better")
    assert then(6.5) == (first, None, None, 0.0, "worse")
    assert then(7.5) == (first, second, None, 0.1, "worse")
    assert then(8.5) == (first, None, None, 0.0, "worse")
    assert auditor.get(f"{HERE}/history", params={"at": "2026-05-03"}).status_code == 422
    assert auditor.get(f"{HERE}/history").json()["then"] is None


def test_the_audit_log_is_filtered(api: Api, client: httpx.Client, auditor: httpx.Client) -> None:
    job = submitted(client)
    client.get(f"/v1/jobs/{job}")

    def actions(**asked: str) -> list[str]:
        return [event["action"] for event in auditor.get("/v1/audit", params=asked).json()["events"]]

    assert actions(actor="submitter") == ["job.read", "job.submit"]
    assert actions(action="job.") == ["job.read", "job.submit"]
    assert actions(action="job.submit") == ["job.submit"]
    assert actions(action="job.s") == []
    assert actions(object_id=job, since="2020-01-01T00:00:00Z", until="2099-01-01T00:00:00Z") == [
        "job.read",
        "job.submit",
    ]
    assert actions(until="2020-01-01T00:00:00Z") == []
    assert auditor.get("/v1/audit", params={"since": "2020-01-01T00:00:00"}).status_code == 422
