"""Explanations: wished for over HTTP, made by a real worker after all jobs, refused where nothing may be said."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, text, update

from services.worker.explain.maker import Explanations
from shared.db.statements import explanations as statements
from shared.db.tables import Job, ResultExplanation, Version
from shared.schemas import Modality, Role
from tests.integration.api.support import Api
from tests.integration.test_engine import COUGH, XRAY, Bench
from tests.support.stack import Hospital


@pytest.fixture
def worker(api: Api) -> Iterator[Bench]:
    bench = Bench(api.settings.changed(group_size=32), api.database)
    yield bench
    bench.engine.close(10)
    bench.parts.explanations.close()
    bench.sandbox.close()
    bench.parts.database.close()


@pytest.fixture
def hospital(api: Api) -> Hospital:
    return Hospital(api.settings, api.database)


def answered(worker: Bench, hospital: Hospital, body: bytes, modality: Modality) -> str:
    (job,) = hospital.submit(body, "image/png" if body is XRAY else "audio/wav", modality)
    worker.engine.drain()
    assert hospital.states([job]) == {"succeeded": 1}
    return str(job)


def asked(client: httpx.Client, job: str) -> httpx.Response:
    return client.get(f"/v1/jobs/{job}/explanation")


def test_a_heat_map_is_made_once_and_drawn(api: Api, client: httpx.Client, worker: Bench, hospital: Hospital) -> None:
    job = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    heat = f"/v1/jobs/{job}/renditions/heat"
    assert client.get(heat).json()["code"] == "explanation_first"
    waiting = asked(client, job)
    assert (waiting.status_code, waiting.headers["Retry-After"], waiting.json()) == (202, "2", {"status": "waiting"})
    worker.engine.drain()
    made = asked(client, job)
    body = made.json()
    assert (made.status_code, body["method"], body["job"]) == (200, "occlusion", job)
    assert body["caution"] == "Shows what moved the score of this version, not where a disease is."
    assert np.array(body["heat_map"]["values"]).shape == (12, 12)
    assert body["passes"] <= 256
    assert body["use"] == "research"
    passes = len(worker.passes)
    worker.engine.drain()
    assert len(worker.passes) == passes, "it is made once"
    assert client.get(f"/v1/jobs/{job}/explanation", headers={"If-None-Match": made.headers["ETag"]}).status_code == 304
    picture = client.get(body["links"]["heat"])
    assert picture.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).mode == "RGBA"
    assert "explanation.read" in api.actions(job)


def test_features_tell_what_they_added(client: httpx.Client, worker: Bench, hospital: Hospital) -> None:
    job = answered(worker, hospital, COUGH, Modality.COUGH)
    asked(client, job)
    worker.engine.drain()
    body = asked(client, job).json()
    assert (body["method"], body["heat_map"], len(body["contributions"])) == ("shapley", None, 26)
    assert sum(one["value"] for one in body["contributions"]) == pytest.approx(
        body["score"] - body["empty_score"], abs=1e-3
    )
    assert "heat" not in body["links"]
    assert body["contributions"][0]["label"]


def test_a_job_that_comes_goes_before_the_next_forward_pass(
    client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    job = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    asked(client, job)
    begun = len(worker.passes)

    def before(number: int) -> None:
        if number == begun + 2:
            hospital.submit(COUGH, "audio/wav", Modality.COUGH, 1, "bulk")

    worker.before = before
    worker.engine.drain()
    order = [modality for modality, _ in worker.passes[begun:]]
    assert order[:3] == ["chest_xray"] * 3, "three passes of the explanation"
    assert order[3] == "cough"
    assert order.count("cough") == 1
    assert asked(client, job).status_code == 200


def test_what_is_being_made_is_given_back_uncharged_when_the_worker_stops(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    job = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    asked(client, job)
    begun = len(worker.passes)
    worker.before = lambda number: worker.engine.stopping.set() if number == begun + 1 else None
    worker.engine.drain()
    worker.parts.explanations.close()
    with api.database.begin() as session:
        row = session.scalars(select(ResultExplanation)).one()
        assert (row.state, row.attempts, row.lease_until) == ("waiting", 0, None)


def test_whoever_lost_the_lease_writes_nothing(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    job = answered(worker, hospital, COUGH, Modality.COUGH)
    asked(client, job)
    first = worker.parts.explanations
    while not worker.passes[-1][1] > 1:  # until it is being computed
        assert first.step()
    api.execute("UPDATE explanations SET lease_until = now() - interval '1 s'")
    with api.database.begin() as session:
        assert session.execute(statements.take(["cough"], 60)).one().attempts == 2
    while first.step():
        pass
    with api.database.begin() as session:
        assert session.scalars(select(ResultExplanation.state)).one() == "waiting"
        assert session.execute(statements.take(["cough"], 60)).first() is None, "the second one holds it"


def test_one_that_always_ends_its_worker_is_given_up(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    job = answered(worker, hospital, COUGH, Modality.COUGH)
    asked(client, job)
    api.execute("UPDATE explanations SET attempts = :most", most=statements.MOST_ATTEMPTS)
    worker.engine.drain()
    refused = asked(client, job)
    assert (refused.status_code, refused.json()["code"]) == (409, "explanation_failed")


def test_others_hospitals_jobs_are_unknown(api: Api, worker: Bench, hospital: Hospital) -> None:
    job = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    stranger = api.client(Role.CLINICIAN, tenant="south")
    assert asked(stranger, job).status_code == 404
    assert stranger.get(f"/v1/jobs/{job}/renditions/heat").status_code == 404
    assert api.count(ResultExplanation) == 0
    assert asked(api.client(Role.ADMIN), job).status_code == 403


def test_a_recalled_version_is_not_asked(api: Api, client: httpx.Client, worker: Bench, hospital: Hospital) -> None:
    made = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    asked(client, made)
    worker.engine.drain()
    waiting = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    asked(client, waiting)
    with api.database.begin() as session:
        session.execute(
            update(Version).where(Version.modality == "chest_xray").values(recalled_at=text("now()"), recall_reason="x")
        )
    passes = len(worker.passes)
    worker.engine.drain()
    assert len(worker.passes) == passes
    for job in (made, waiting):
        refused = asked(client, job)
        assert (refused.status_code, refused.json()["code"]) == (409, "explanation_recalled")
    assert client.get(f"/v1/jobs/{made}/renditions/heat").json()["code"] == "explanation_recalled"


def test_without_result_or_input_there_is_nothing_to_explain(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    (open_job,) = hospital.submit(XRAY, "image/png", Modality.CHEST_XRAY)
    assert asked(client, str(open_job)).json()["code"] == "explanation_no_result"
    worker.engine.drain()
    asked(client, str(open_job))
    with api.database.begin() as session:
        sha256 = client.get(f"/v1/jobs/{open_job}").json()["input"]["sha256"]
        tenant = session.scalars(select(Job.tenant_id)).first()
    Path(api.settings.blob_dir / str(tenant) / sha256[:2] / sha256).unlink()
    worker.engine.drain()
    with api.database.begin() as session:
        assert session.scalars(select(ResultExplanation.code)).one() == "input_erased"
    assert asked(client, str(open_job)).json()["code"] == "input_erased"


def test_a_worker_takes_those_of_its_modalities_only(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    job = answered(worker, hospital, XRAY, Modality.CHEST_XRAY)
    asked(client, job)
    parts = worker.parts
    other = Explanations(
        api.settings.changed(modalities="cough"), parts.database, parts.sandbox, parts.store, parts.deployed
    )
    assert not other.step()
    other.close()


def test_the_page_asks_shows_and_says_what_it_is(
    api: Api, client: httpx.Client, worker: Bench, hospital: Hospital
) -> None:
    xray, cough = (
        answered(worker, hospital, body, modality)
        for body, modality in ((XRAY, Modality.CHEST_XRAY), (COUGH, Modality.COUGH))
    )
    html = {"Accept": "text/html"}
    assert "Show what moved the score" in client.get(f"/jobs/{xray}", headers=html).text
    for job in (xray, cough):
        asking = client.post(f"/jobs/{job}/explanation", headers={"Origin": api.settings.base_url})
        assert (asking.status_code, asking.headers["Location"]) == (303, f"/jobs/{job}#why")
    assert f'data-explanation="/v1/jobs/{xray}/explanation"' in client.get(f"/jobs/{xray}", headers=html).text
    worker.engine.drain()
    page = client.get(f"/jobs/{xray}", headers=html).text
    assert "not where a disease is" in page
    assert 'type="range"' in page
    assert f"/v1/jobs/{xray}/renditions/heat" in page
    assert '<ol class="bars"' in client.get(f"/jobs/{cough}", headers=html).text
