"""Looking at jobs, listing, cancelling, trying again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.db.tables import Job
from shared.schemas import Modality, Role
from tests.integration.api.support import WAV, Api, submitted


def test_a_result_says_everything(api: Api, client: httpx.Client, deployed: dict[Modality, str]) -> None:
    job = submitted(client, client_ref="R-1")
    api.finish(job)
    body = client.get(f"/v1/jobs/{job}").json()
    result = body["result"]
    assert body["status"] == "succeeded"
    assert result["decision"] == "flagged"
    assert result["version"]["sha256"] == deployed[Modality.CHEST_XRAY]
    assert "Resembles COVID-19 X-rays in our test data. Not a diagnosis." in result["sentence"]
    assert (result["use"], result["client_ref"], result["probability"]) == ("research", "R-1", 0.9)
    assert result["timings"]["total_ms"] == 6
    assert body["queue_position"] is None
    assert body["links"]["version"].endswith(result["version"]["sha256"])


@pytest.mark.parametrize(
    ("decision", "reasons", "said"),
    [
        ("not_flagged", [], "Pattern not seen. This does not rule out disease."),
        (
            "refer",
            [{"code": "age_untested", "text": "too young.", "values": {}}],
            "Do not rely on the model here: too young.",
        ),
    ],
)
def test_sentences(api: Api, client: httpx.Client, decision: str, reasons: list[Any], said: str) -> None:
    job = submitted(client)
    api.finish(job, probability=0.01, decision=decision, reasons=reasons)
    result = client.get(f"/v1/jobs/{job}").json()["result"]
    assert result["sentence"].endswith(said)
    assert result["reasons"] == reasons


def test_the_cards_warning_leads(api: Api, client: httpx.Client) -> None:
    api.execute("""UPDATE versions SET card = jsonb_set(card, '{warning}', '"Borders alone do as well."')""")
    job = submitted(client)
    api.finish(job)
    result = client.get(f"/v1/jobs/{job}").json()["result"]
    assert result["warning"] == "Borders alone do as well."
    assert result["sentence"].startswith("Borders alone do as well. Resembles")


def test_a_recalled_version_is_said_so(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    api.finish(job)
    api.execute("UPDATE versions SET recalled_at = now()")
    result = client.get(f"/v1/jobs/{job}").json()["result"]
    assert result["reasons"][0]["code"] == "result_recalled"
    assert result["sentence"] == "The version that answered was recalled. Do not rely on this result."


def test_a_rejected_job_says_why(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    api.set_state(job, "rejected", code="image_blank", detail="The picture shows one even tone.")
    body = client.get(f"/v1/jobs/{job}")
    assert body.status_code == 200
    assert body.json()["error"] == {"code": "image_blank", "detail": "The picture shows one even tone."}
    assert "Retry-After" not in body.headers


def test_what_is_known_already_is_not_sent_again(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    etag = client.get(f"/v1/jobs/{job}").headers["ETag"]
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(f"/v1/jobs/{job}", headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert int(again.headers["Retry-After"]) >= 1
    api.finish(job)
    changed = client.get(f"/v1/jobs/{job}", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_the_place_in_the_queue(api: Api, client: httpx.Client) -> None:
    jobs = [submitted(client, priority="routine") for _ in range(3)]
    urgent = submitted(client, priority="stat")
    submitted(api.client(Role.SUBMITTER, tenant="south"), priority="stat")  # others' jobs are not counted
    places = [client.get(f"/v1/jobs/{job}").json()["queue_position"] for job in (urgent, *jobs)]
    assert places == [1, 2, 3, 4]
    assert client.get(f"/v1/jobs/{jobs[0]}").json()["estimated_at"] is None
    for _ in range(6):
        api.finish(submitted(client, priority="stat"))
    asked = datetime.now(UTC)
    last = client.get(f"/v1/jobs/{jobs[2]}")
    ready = datetime.fromisoformat(last.json()["estimated_at"])
    low, high = timedelta(seconds=35), timedelta(seconds=45)  # the fourth, at six a minute
    assert asked + low < ready < datetime.now(UTC) + high
    assert last.headers["Retry-After"] == "30"


def test_pages_hold_every_job_once(client: httpx.Client) -> None:
    jobs = [submitted(client) for _ in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/v1/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == jobs[::-1]


def test_filters(api: Api, client: httpx.Client, deployed: dict[Modality, str]) -> None:
    picture = submitted(client, client_ref="a", subject_id="p1", study_id="s1")
    sound = submitted(client, WAV, modality="cough", client_ref="b", priority="bulk", study_id="s1")
    api.finish(picture)
    asked: list[tuple[dict[str, Any], set[str]]] = [
        ({"status": "succeeded"}, {picture}),
        ({"status": ["queued", "succeeded"]}, {picture, sound}),
        ({"modality": "cough"}, {sound}),
        ({"study_id": "s1"}, {picture, sound}),
        ({"client_ref": "a"}, {picture}),
        ({"subject_id": "p1"}, {picture}),
        ({"priority": "bulk"}, {sound}),
        ({"version": deployed[Modality.CHEST_XRAY]}, {picture}),
        ({"version": "tiny-1"}, {picture}),
        ({"version": "nobody"}, set()),
        ({"created_after": "2020-01-01T00:00:00Z"}, {picture, sound}),
        ({"created_before": "2020-01-01T00:00:00Z"}, set()),
        ({"client_ref": "a", "modality": "cough"}, set()),
    ]
    for params, wanted in asked:
        page = client.get("/v1/jobs", params=params)
        assert {job["id"] for job in page.json()["jobs"]} == wanted, params


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"cursor": "nonsense"}, 400),
        ({"cursor": "AAAA"}, 400),
        ({"limit": 0}, 422),
        ({"limit": 201}, 422),
        ({"status": "happy"}, 422),
        ({"tenant_id": "x"}, 422),
        ({"client_ref": "a\x00"}, 422),
        ({"created_after": "2026-01-01T00:00:00"}, 422),
        ({"created_after": "yesterday"}, 422),
    ],
)
def test_lists_refuse_what_they_do_not_know(client: httpx.Client, params: dict[str, Any], status: int) -> None:
    response = client.get("/v1/jobs", params=params)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_list_leaves_an_audit_row_for_each_job_it_showed(api: Api, client: httpx.Client) -> None:
    jobs = [submitted(client) for _ in range(2)]
    client.get("/v1/jobs")
    assert all("job.list" in api.actions(job) for job in jobs)


def test_cancel_what_waits_and_what_runs(api: Api, client: httpx.Client) -> None:
    waits, runs = submitted(client), submitted(client)
    api.start(runs)
    for job, before in ((waits, "queued"), (runs, "running")):
        response = client.delete(f"/v1/jobs/{job}")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
        assert api.events(job)[-1] == (before, "cancelled", "requested")
        assert "job.cancel" in api.actions(job)
        with api.database.begin() as session:
            assert session.get_one(Job, UUID(job)).claim_id is None  # a result can no longer be written
        again = client.delete(f"/v1/jobs/{job}")
        assert (again.status_code, again.json()["code"]) == (409, "job_not_cancellable")


def test_retry_is_for_failed_and_dead(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    for state, status in (("queued", 409), ("rejected", 409), ("cancelled", 409), ("failed", 202), ("dead", 202)):
        api.set_state(job, state, attempts=3, code="worker_lost", detail="x")
        response = client.post(f"/v1/jobs/{job}/retry")
        assert response.status_code == status, state
    body = response.json()
    assert (body["status"], body["attempts"], body["error"]) == ("queued", 0, None)
    assert api.events(job)[-1] == ("dead", "queued", "retried")
    assert "job.retry" in api.actions(job)


def test_a_missed_deadline_is_forgotten_when_somebody_tries_again(api: Api, client: httpx.Client) -> None:
    job = submitted(client, not_after="2026-01-01T00:00:00Z")
    api.set_state(job, "failed", code="deadline")
    client.post(f"/v1/jobs/{job}/retry")
    with api.database.begin() as session:
        assert session.get_one(Job, UUID(job)).not_after is None
