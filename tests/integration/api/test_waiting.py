"""Waiting for a job in the request that asks for it."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

from shared.db.tables import Job
from tests.integration.api.support import TLS, Api, submit, submitted
from tests.support.stack import wait_for


def when_somebody_waits(api: Api, act: Callable[[], Any]) -> None:
    """Do something as soon as a request waits."""

    def watch() -> None:
        wait_for(api.waiting, 60, "somebody waits")
        act()

    threading.Thread(target=watch).start()


def test_waiting_ends_with_the_job(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    when_somebody_waits(api, lambda: api.finish(job))
    response = client.get(f"/v1/jobs/{job}", headers={"Prefer": "respond-async, wait=20"})
    assert response.json()["status"] == "succeeded"
    assert response.headers["Preference-Applied"] == "wait=20"


def test_waiting_ends_with_the_time(api: Api, client: httpx.Client) -> None:
    response = submit(client, headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    api.settings.__dict__["max_wait_s"] = 1
    capped = client.get(f"/v1/jobs/{response.json()['id']}", headers={"Prefer": "wait=300"})
    assert capped.headers["Preference-Applied"] == "wait=1"


def test_one_call_for_an_answer(api: Api, client: httpx.Client) -> None:
    def answer() -> None:
        with api.database.begin() as session:
            found = session.query(Job.id).scalar()
        api.finish(str(found))

    when_somebody_waits(api, answer)
    response = submit(client, headers={"Prefer": "wait=20"})
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.json()["result"]["decision"] == "flagged"


def test_a_hundred_may_wait_and_liveness_stays_quick(api: Api, client: httpx.Client) -> None:
    job, answers = submitted(client), []
    key = client.headers["Authorization"]

    def wait() -> None:
        with httpx.Client(base_url=api.settings.base_url, timeout=120, trust_env=False, verify=TLS) as own:
            own.headers["Authorization"] = key
            answers.append(own.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=30"}).json()["status"])

    threads = [threading.Thread(target=wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    wait_for(lambda: api.waiting() == 100, 60, "all wait")
    assert client.get("/health/live").status_code == 200
    assert answers == []  # nobody was turned away to answer it
    api.finish(job)
    for thread in threads:
        thread.join(timeout=120)
    assert answers == ["succeeded"] * 100


def test_waiting_for_a_job_that_is_not_there_does_not_wait(client: httpx.Client) -> None:
    none = client.get(f"/v1/jobs/{uuid4()}", headers={"Prefer": "wait=20"})
    assert none.status_code == 404
