"""Two versions on the same studies: re-run as bulk work that counts nowhere else, then side by side."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.statements import rollups
from shared.db.tables import Adjudication, Batch, Comparison, Delivery, Job, Result, Rollup
from shared.deployments import publish
from shared.registry import seal, store
from shared.schemas import Modality, Role
from tests.integration.api.support import Api
from tests.integration.test_engine import Bench
from tests.integration.test_worker import cough
from tests.support.stack import Hospital
from tests.support.versions import tiny


@pytest.fixture
def second(api: Api, tmp_path: Path) -> str:
    """A cough version that flags everything; the active one, `tiny-1`, decides at its threshold."""
    artefact = store(tiny(tmp_path / "second", Modality.COUGH, "tiny-2", bias=2.0), api.settings.versions_dir)
    with api.database.begin() as session:
        publish(session, artefact, "test")
    return artefact.sha256


@pytest.fixture
def worker(api: Api) -> Iterator[Bench]:
    bench = Bench(api.settings.changed(group_size=8), api.database)
    yield bench
    bench.engine.close(10)
    bench.sandbox.close()
    bench.parts.database.close()


@pytest.fixture
def studies(api: Api, worker: Bench) -> list[str]:
    """Four answered coughs, one of them sent twice; two are not flagged by the first version."""
    hospital = Hospital(api.settings, api.database)
    jobs = [
        hospital.submit(cough(seed=seed), "audio/wav", Modality.COUGH, subject_id=f"s{seed}", client_ref=f"c{seed}")[0]
        for seed in (1, 2, 3, 4, 4)
    ]
    worker.engine.drain()
    api.execute("UPDATE results SET decision = 'not_flagged', probability = 0.2")
    api.execute(
        "UPDATE results SET decision = 'flagged', probability = 0.9 WHERE job_id IN (:a, :b)", a=jobs[0], b=jobs[1]
    )
    return [str(job) for job in jobs]


def compared(client: httpx.Client, second: str, status: int = 202, key: str = "", **filter_: Any) -> Any:
    body = {"first": "tiny-1", "second": second, "from": {"modality": "cough", **filter_}}
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post("/v1/comparisons", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_only_what_is_missing_is_run_and_flips_come_first(
    api: Api, client: httpx.Client, worker: Bench, studies: list[str], second: str
) -> None:
    begun = compared(client, second)
    assert (begun["inputs"], begun["waiting"], begun["done"]) == (4, 4, False)
    assert begun["unanswered"] == {"first": 0, "second": 4}
    worker.engine.drain()
    found = client.get(f"/v1/comparisons/{begun['id']}").json()
    agreement = found["agreement"]
    assert (found["done"], agreement["n"], agreement["subjects"]) == (True, 4, 4)
    assert agreement["flips"]["to_flagged"] == 2
    assert agreement["flips"]["to_not_flagged"] == 0
    assert agreement["table"]["flagged"]["flagged"] == 2
    assert [case["flipped"] for case in found["cases"]] == [True, True, False, False]
    assert {case["job"] for case in found["cases"]} == {studies[0], studies[1], studies[2], studies[4]}
    first = found["cases"][0]
    assert (first["first"]["decision"], first["second"]["decision"]) == ("not_flagged", "flagged")
    own = client.get(f"/v1/jobs/{first['second']['job']}").json()
    assert (own["comparison"], own["result"]["version"]["sha256"]) == (begun["id"], second)
    assert client.get(f"/v1/jobs/{studies[0]}").json()["comparison"] is None
    assert agreement["judged"] is None
    assert {"comparison.create", "comparison.read"} <= set(api.actions(begun["id"]))
    again = compared(client, second)
    assert (again["done"], again["agreement"]["n"]) == (True, 4), "everything is there already"
    assert [one["id"] for one in client.get("/v1/comparisons").json()["comparisons"]] == [again["id"], begun["id"]]


def test_cases_come_in_windows(client: httpx.Client, worker: Bench, studies: list[str], second: str) -> None:
    address = f"/v1/comparisons/{compared(client, second)['id']}"
    worker.engine.drain()
    whole = client.get(address).json()["cases"]
    assert client.get(address, params={"skip": 1, "limit": 2}).json()["cases"] == whole[1:3]
    assert client.get(address, params={"flipped": True}).json()["cases"] == whole[:2]
    assert client.get(address, params={"limit": 0}).json()["agreement"]["n"] == 4


def test_who_follows_a_comparison_is_in_the_log_once(
    api: Api, client: httpx.Client, studies: list[str], second: str
) -> None:
    del studies
    begun = compared(client, second)["id"]
    other = api.client(key=api.key(Role.CLINICIAN, name="another"))
    for reader in (client, client, other, client, other):
        reader.get(f"/v1/comparisons/{begun}", params={"limit": 0})
    assert api.actions(begun).count("comparison.read") == 2


def referring(api: Api, folder: Path) -> str:
    """A cough version to which everything is unlike its training data."""
    tiny(folder, Modality.COUGH, "tiny-3")
    card = json.loads((folder / "card.json").read_text())
    card["novelty"]["threshold"] = -1.0
    (folder / "card.json").write_text(json.dumps(card))
    seal(folder)
    artefact = store(folder, api.settings.versions_dir)
    with api.database.begin() as session:
        publish(session, artefact, "test")
    return artefact.sha256


def test_what_only_compares_is_no_clinical_result(
    api: Api, client: httpx.Client, worker: Bench, studies: list[str], tmp_path: Path
) -> None:
    """On no worklist, told to nobody, read by no second reader, in no rollup; the clinical ones beside it are."""
    api.execute(
        "INSERT INTO webhooks (id, tenant_id, principal_id, url, events, secret) SELECT gen_random_uuid(), tenant_id, "
        "principal_id, 'https://his.example.org/y', ARRAY['job.finished'], '\\x00' FROM jobs LIMIT 1"
    )
    listed = [job["id"] for job in client.get("/v1/jobs").json()["jobs"]]
    begun = compared(client, referring(api, tmp_path / "third"))
    worker.engine.drain()
    found = client.get(f"/v1/comparisons/{begun['id']}").json()["agreement"]
    assert found["table"]["flagged"]["refer"] == 2
    assert (api.count(Result), api.count(Delivery), api.count(Adjudication)) == (9, 0, 0)
    assert [job["id"] for job in client.get("/v1/jobs").json()["jobs"]] == listed
    with api.database.begin() as session:
        own = session.scalars(select(Job).where(Job.comparison_id.is_not(None))).all()
        assert {(job.priority, job.study_id) for job in own} == {(2, None)}
        assert session.scalars(select(Batch.client_ref)).all() == ["comparison: cough/mlp tiny-3"]
        mark = session.execute(rollups.mark()).one()
        assert session.execute(rollups.roll(mark.ended_in, mark.job_id, width=3600, first=100)).scalar() == 9
        assert set(session.scalars(select(Rollup.version_id))) == {job.version_id for job in clinical(session)}
    again = client.post("/v1/batches", json={"from": {"modality": "cough"}}, headers={"Idempotency-Key": "b"})
    assert again.json()["made"] == 5, "and no filter finds it"
    worker.engine.drain()
    assert api.count(Delivery) == 5


def clinical(session: Session) -> Sequence[Job]:
    return session.scalars(select(Job).where(Job.comparison_id.is_(None))).all()


def test_readers_say_which_version_is_right(
    api: Api, client: httpx.Client, worker: Bench, studies: list[str], second: str
) -> None:
    reader = api.client(Role.CLINICIAN)
    for job, verdict, label in ((studies[0], "agree", None), (studies[2], "disagree", "present")):
        body = {"verdict": verdict, "basis": "pcr", "saw_result_first": True, **({"label": label} if label else {})}
        given = reader.post(f"/v1/jobs/{job}/feedback", json=body)
        assert given.status_code in (200, 201), given.text
    begun = compared(client, second)
    worker.engine.drain()
    found = client.get(f"/v1/comparisons/{begun['id']}").json()
    judged = found["agreement"]["judged"]
    assert (judged["n"], judged["both_right"], judged["second_only"], judged["p"]) == (2, 1, 1, 1.0)
    assert {case["job"]: case["present"] for case in found["cases"]}[studies[2]] is True


def test_a_key_goes_on_with_its_comparison(api: Api, client: httpx.Client, studies: list[str], second: str) -> None:
    first = compared(client, second, key="k")
    assert compared(client, second, key="k")["id"] == first["id"]
    assert api.count(Job, Job.comparison_id.is_not(None)) == 4
    assert compared(client, second, 422, key="k", client_ref="c1")["code"] == "idempotency_mismatch"


def test_what_cannot_be_compared_is_refused(
    api: Api, client: httpx.Client, studies: list[str], second: str, tmp_path: Path
) -> None:
    assert compared(client, "tiny-1", 422)["code"] == "comparison_same"
    assert compared(client, "nobody", 422)["code"] == "version_unknown"
    assert compared(client, second, 422, client_ref="nothing")["code"] == "comparison_empty"
    ambiguous = client.post("/v1/comparisons", json={"first": "tiny-1", "second": second})
    assert (ambiguous.status_code, ambiguous.json()["code"]) == (422, "comparison_ambiguous")
    api.execute("UPDATE versions SET finding = 'another' WHERE sha256 = :sha256", sha256=second)
    assert compared(client, second, 422)["code"] == "comparison_findings"
    api.execute("UPDATE versions SET finding = 'covid_pattern', recalled_at = now() WHERE sha256 = :a", a=second)
    assert compared(client, second, 409)["code"] == "version_recalled"
    assert api.count(Comparison) == 0


def test_a_recall_is_said_and_strangers_see_nothing(
    api: Api, client: httpx.Client, worker: Bench, studies: list[str], second: str
) -> None:
    begun = compared(client, second)
    worker.engine.drain()
    api.execute("UPDATE versions SET recalled_at = now(), recall_reason = 'x' WHERE sha256 = :a", a=second)
    assert client.get(f"/v1/comparisons/{begun['id']}").json()["recalled"] == [second]
    stranger = api.client(Role.CLINICIAN, tenant="south")
    assert stranger.get(f"/v1/comparisons/{begun['id']}").status_code == 404
    assert stranger.get("/v1/comparisons").json()["comparisons"] == []
    assert api.client(Role.ADMIN).get(f"/v1/comparisons/{begun['id']}").status_code == 403


def test_the_page_begins_one_and_shows_the_cases(
    api: Api, worker: Bench, studies: list[str], second: str, deployed: dict[Modality, str]
) -> None:
    reader = api.client(Role.CLINICIAN)
    html, origin = {"Accept": "text/html"}, {"Origin": api.settings.base_url, "Accept": "text/html"}
    form = reader.get("/comparisons", headers=html).text
    assert "Nothing was compared yet" in form
    assert f'<option value="{second}"' in form
    same = reader.post("/comparisons", data={"first": second, "second": second}, headers=origin)
    assert (same.status_code, "Name two different versions." in same.text) == (422, True)
    made = reader.post("/comparisons", data={"first": deployed[Modality.COUGH], "second": second}, headers=origin)
    assert made.status_code == 303, made.text
    waiting = reader.get(made.headers["Location"], headers=html).text
    assert 'data-busy="yes"' in waiting
    assert "No input was answered by both versions yet." in waiting
    worker.engine.drain()
    page = reader.get(made.headers["Location"], headers=html).text
    assert 'data-busy="no"' in page
    assert page.count("⇄ flipped") == 2
    assert all(f"/jobs/{study}" in page for study in studies if study != studies[3])
    own = page.split('href="/jobs/')[3].split('"')[0]
    assert "only compares versions" in reader.get(f"/jobs/{own}", headers=html).text
    flips = reader.get(f"{made.headers['Location']}?flipped=true", headers=html).text
    assert flips.count("⇄ flipped") == flips.count('<th scope="row"><a') == 2
    assert made.headers["Location"] in reader.get("/comparisons", headers=html).text
    assert api.client(Role.ADMIN).get("/comparisons", headers=html).status_code == 403
