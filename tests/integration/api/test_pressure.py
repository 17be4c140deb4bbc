"""Bounds: what may wait, how fast a key may ask, how slowly a body may come. What was accepted stays."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.api.upkeep import Upkeep
from shared.db.engine import Database, async_engine
from shared.db.tables import IdempotencyKey, Job
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import PNG, Api, serving, submit
from tests.support.stack import wait_for


@pytest.fixture
def bounded(settings: Settings, database: Database, deployed: dict[Modality, str]) -> Any:
    """A gateway with some settings changed."""

    @contextmanager
    def opened(**changes: Any) -> Iterator[Api]:
        with serving(settings.changed(**changes), database) as api:
            yield api

    return opened


def refused(response: httpx.Response, status: int, code: str) -> int:
    """Check a refusal; returns its Retry-After."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"].isdigit()
    return int(response.headers["Retry-After"])


def accepted_after_a_look(client: httpx.Client) -> None:
    wait_for(lambda: submit(client).status_code == 202, 60, "the next look at the queue sees room")


def test_a_hospital_that_has_too_much_waiting_is_told_when_to_come_back(bounded: Any) -> None:
    with bounded(max_waiting=3) as api:
        north, south = api.client(Role.SUBMITTER), api.client(Role.SUBMITTER, tenant="south")
        jobs = [submit(north).json()["id"] for _ in range(3)]
        assert 1 <= refused(submit(north), 429, "queue_full") <= 75
        assert len(api.blobs()) == 1
        assert submit(south).status_code == 202
        for job in jobs:
            api.execute("UPDATE jobs SET state = 'failed', finished_at = now() WHERE id = :id", id=job)
        accepted_after_a_look(north)


def test_the_wait_follows_from_what_ended_lately(bounded: Any) -> None:
    with bounded(max_waiting=100) as api:
        client = api.client(Role.SUBMITTER)
        first = submit(client).json()["id"]
        api.execute(
            "INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, state, finished_at) "
            "SELECT gen_random_uuid(), tenant_id, principal_id, modality, priority, s, f FROM jobs, (SELECT 'queued' "
            "AS s, NULL::timestamptz AS f FROM generate_series(1, 99) UNION ALL SELECT 'failed', now() + interval "
            "'1 hour' FROM generate_series(1, 30)) AS made WHERE id = :id",
            id=first,
        )  # thirty ended within the window of thirty seconds, and stay within it: one a second
        wait_for(lambda: submit(client).status_code == 429, 60, "the look counts them")
        over = api.count(Job, Job.state == "queued") + 1 - 98  # room for two of a hundred is waited for
        wait_for(lambda: over <= refused(submit(client), 429, "queue_full") <= over * 1.25, 60, "one second for each")


def test_bytes_are_bounded_too(bounded: Any) -> None:
    with bounded(max_waiting_mb=1) as api:
        client = api.client(Role.SUBMITTER)
        assert submit(client, PNG + bytes(700_000)).status_code == 202
        refused(submit(client, PNG + bytes(700_000)), 429, "queue_full")
        assert submit(client).status_code == 202


def test_a_service_that_is_full_is_full_for_everybody(bounded: Any) -> None:
    with bounded(max_waiting_all=2) as api:
        north, south = api.client(Role.SUBMITTER), api.client(Role.SUBMITTER, tenant="south")
        job = submit(north).json()["id"]
        assert submit(south).status_code == 202
        for client in (north, south):
            refused(submit(client), 503, "overloaded")
        assert api.anonymous().get("/health/live").status_code == 200
        assert north.get(f"/v1/jobs/{job}").status_code == 200


def test_an_accepted_request_may_be_repeated_while_there_is_no_room(bounded: Any) -> None:
    with bounded(max_waiting=1) as api:
        client = api.client(Role.SUBMITTER)
        first = submit(client, headers={"Idempotency-Key": "a"})
        again = submit(client, headers={"Idempotency-Key": "a"})
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        refused(submit(client, headers={"Idempotency-Key": "b"}), 429, "queue_full")


def test_overload_refuses_and_loses_nothing(bounded: Any) -> None:
    with bounded(max_waiting=40, max_waiting_all=70) as api:
        clients = [api.client(Role.SUBMITTER, tenant=name) for name in ("north", "south", "east")] * 8
        with ThreadPoolExecutor(len(clients)) as pool:
            answers = [a for found in pool.map(lambda c: [submit(c) for _ in range(10)], clients) for a in found]
        taken = {answer.json()["id"] for answer in answers if answer.status_code == 202}
        for answer in answers:
            if answer.status_code != 202:
                refused(answer, answer.status_code, {429: "queue_full", 503: "overloaded"}[answer.status_code])
        with api.database.begin() as session:
            assert {str(id_) for id_ in session.scalars(select(Job.id))} == taken
        assert 0 < len(taken) <= 70


def test_a_failed_job_is_tried_again_once_under_a_key(api: Api, client: httpx.Client) -> None:
    job = submit(client).json()["id"]
    api.set_state(job, "failed", code="x", detail="x")
    path, headers = f"/v1/jobs/{job}/retry", {"Idempotency-Key": "again"}
    assert client.post(path, headers=headers).status_code == 202
    replay = client.post(path, headers=headers)
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (202, "true")
    assert [cause for *_, cause in api.events(job)] == ["submitted", "retried"]
    assert client.post(path).json()["code"] == "job_not_retryable"
    assert submit(client, headers=headers).json()["code"] == "idempotency_mismatch"


def test_a_retry_that_was_refused_leaves_its_key_free(api: Api, client: httpx.Client) -> None:
    job = submit(client).json()["id"]
    headers = {"Idempotency-Key": "early"}
    assert client.post(f"/v1/jobs/{job}/retry", headers=headers).status_code == 409
    assert api.count(IdempotencyKey) == 0


def test_old_keys_are_forgotten(settings: Settings, api: Api, client: httpx.Client) -> None:
    for key in ("old", "new"):
        submit(client, headers={"Idempotency-Key": key})
    api.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'old'")

    async def tidied() -> list[int]:
        engine = async_engine(settings)
        counts = [await Upkeep(settings, engine).tidy() for _ in range(2)]
        await engine.dispose()
        return counts

    assert asyncio.run(tidied()) == [1, 0]
    assert api.count(IdempotencyKey, IdempotencyKey.key == "old") == 0
    assert api.count(IdempotencyKey, IdempotencyKey.key == "new") == 1


def test_a_key_that_asks_too_fast(bounded: Any) -> None:
    with bounded(rate_per_s=2) as api:
        hasty, other = api.client(Role.SUBMITTER), api.client(Role.SUBMITTER)
        answers = [hasty.get("/v1/me") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200] * 4
        wait_for(lambda: answers.append(hasty.get("/v1/me")) or answers[-1].status_code != 200, 60, "it was too fast")
        assert 1 <= refused(answers[-1], 429, "rate_limited") <= 2
        assert other.get("/v1/me").status_code == 200
        assert {hasty.get("/health/live").status_code for _ in range(8)} == {200}
        wait_for(lambda: hasty.get("/v1/me").status_code == 200, 60, "the bucket refills")


def test_a_key_that_sends_too_much(bounded: Any) -> None:
    with bounded(rate_mb_per_minute=1) as api:
        client = api.client(Role.SUBMITTER)
        assert submit(client, PNG + bytes(2 * 2**20)).status_code == 202
        assert 30 <= refused(submit(client), 429, "rate_limited") <= 61


def test_a_body_that_trickles_is_cut(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.intake.PROGRESS_S", 0.5)
    monkeypatch.setattr("services.api.envelope.BODY_S", 0.5)
    key = api.key(Role.SUBMITTER, Role.ADMIN)
    for line, kind, begin, status in (
        ("POST /v1/jobs", "multipart/form-data; boundary=b", "--b\r\n", b"408"),
        ("PUT /v1/deployments/cough", "application/json", '{"reason": "', b"400"),  # the framework reads this one
    ):
        with socket.create_connection(("127.0.0.1", api.settings.port)) as connection:
            head = (
                f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: {kind}\r\n\r\n{begin}"
            )
            connection.sendall(head.encode())
            connection.settimeout(0.1)
            assert _trickled(connection).startswith(b"HTTP/1.1 " + status), line
    assert api.blobs() == []


def test_one_address_cannot_take_every_connection(bounded: Any) -> None:
    with bounded(max_connections_per_address=3) as api:
        held = [socket.create_connection(("127.0.0.1", api.settings.port)) for _ in range(3)]
        try:
            with pytest.raises(httpx.TransportError):
                api.anonymous().get("/health/live")
        finally:
            for connection in held:
                connection.close()
        wait_for(lambda: _answers(api), 60, "a place is free again")


def _trickled(connection: socket.socket) -> bytes:
    for _ in range(100):
        try:
            connection.sendall(b"x")
            return connection.recv(4096)
        except TimeoutError:
            continue
    return b""


def _answers(api: Api) -> bool:
    try:
        return api.anonymous().get("/health/live").status_code == 200
    except httpx.TransportError:
        return False
