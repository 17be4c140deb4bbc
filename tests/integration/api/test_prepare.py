"""A version answers only after every worker has it loaded, verified and proven; what differs is refused and why."""

import json
from pathlib import Path

import httpx
import pytest

from services.trainer.proving import Prover
from shared.db.statements import versions
from shared.deployments import prepare, publish
from shared.registry import seal, store
from shared.schemas import Modality, Role
from tests.integration.api.support import Api
from tests.support.stack import worker
from tests.support.versions import tiny

REPORT = "INSERT INTO workers (id, host, pid, modalities, report) VALUES (gen_random_uuid(), 'h', :pid, :serves, :told)"


def published(api: Api, folder: Path) -> str:
    """Store and publish a sealed folder; its sha256."""
    artefact = store(folder, api.settings.versions_dir)
    with api.database.begin() as session:
        publish(session, artefact, "test")
    return artefact.sha256


@pytest.fixture
def second(api: Api, tmp_path: Path) -> str:
    """A second cough version, published and not active."""
    return published(api, tiny(tmp_path / "second", Modality.COUGH, "tiny-2", bias=1.0))


def promoted(client: httpx.Client, version: str, wait: int = 0, generation: int = 1) -> httpx.Response:
    """PUT the pointer."""
    headers = {"If-Match": f'"{generation}"', "Prefer": f"wait={wait}"}
    return client.put(
        "/v1/deployments/cough", json={"version": version, "reason": "better", "override": "a test"}, headers=headers
    )


def test_workers_load_it_first(api: Api, second: str, tmp_path: Path) -> None:
    admin = api.client(Role.ADMIN)
    with worker(api.settings, api.database, tmp_path / "worker.log"):
        answer = promoted(admin, second, wait=30)
        assert answer.status_code == 200, answer.text
        assert answer.json()["preparing"] is None
        move = admin.get("/v1/deployments/cough/history").json()["moves"][0]
        assert (move["evidence"]["proved_by"], len(move["evidence"]["warm"])) == ("workers", 1)
        back = admin.post("/v1/deployments/cough/rollback", json={"reason": "worse"})
        assert (back.status_code, back.json()["generation"]) == (200, 3)
        rolled = admin.get("/v1/deployments/cough/history").json()["moves"][0]["evidence"]
        assert (len(rolled["warm"]), rolled["not_warm"]) == (1, [])


def test_who_is_missing_is_said(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    admin = api.client(Role.ADMIN)
    api.execute(REPORT, pid=1, serves=["cough"], told=json.dumps({"loaded": [second]}))
    api.execute(REPORT, pid=2, serves=["cough", "chest_xray"], told="{}")
    api.execute(REPORT, pid=3, serves=["chest_xray"], told="{}")
    answer = promoted(admin, second)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_prepared")
    assert answer.json()["errors"] == [{"field": "h:2", "detail": "loading"}]
    assert int(answer.headers["Retry-After"]) >= 1
    told = admin.get("/v1/deployments/cough/prepare").json()
    assert (told["version"]["sha256"], told["ready"], told["proved_by"]) == (second, False, "workers")
    assert [(one["worker"], one["state"]) for one in told["standings"]] == [("h:1", "warm"), ("h:2", "loading")]
    api.execute("UPDATE workers SET seen_at = now() - interval '1 hour' WHERE pid = 2")
    assert promoted(admin, second).status_code == 200
    assert api.actions(second) == ["deployment.prepare"]


def test_what_is_final_is_said_before_anybody_prepares(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    api.execute(REPORT, pid=1, serves=["cough"], told="{}")
    assert promoted(admin, second, generation=7).status_code == 412
    api.execute("UPDATE versions SET finding = 'other' WHERE sha256 = :second", second=second)
    assert promoted(admin, second).json()["code"] == "finding_mismatch"
    nothing = admin.get("/v1/deployments/cough/prepare")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "nothing_prepared")


def test_an_altered_version_is_refused(api: Api, second: str, deployed: dict[Modality, str], tmp_path: Path) -> None:
    admin, model = api.client(Role.ADMIN), api.settings.versions_dir / second / "model.onnx"
    body = bytearray(model.read_bytes())
    body[-1] ^= 1
    model.write_bytes(body)
    with worker(api.settings, api.database, tmp_path / "worker.log"):
        answer = promoted(admin, second, wait=30)
    assert (answer.status_code, answer.json()["code"]) == (409, "version_refused")
    assert "model.onnx was altered after publishing" in answer.json()["detail"]
    assert admin.get("/v1/deployments/cough").json()["active"]["sha256"] == deployed[Modality.COUGH]


def test_other_answers_to_the_golden_samples_are_refused(api: Api, tmp_path: Path) -> None:
    """Every hash is right: only the answers differ, as they would on a machine that computes otherwise."""
    folder = tiny(tmp_path / "differs", Modality.COUGH, "tiny-3")
    card = json.loads((folder / "card.json").read_text())
    card["golden"]["scores"][0] += 0.01
    (folder / "card.json").write_text(json.dumps(card))
    seal(folder)
    differs = published(api, folder)
    admin = api.client(Role.ADMIN)
    with worker(api.settings, api.database, tmp_path / "worker.log"):
        answer = promoted(admin, differs, wait=30)
    assert (answer.status_code, answer.json()["code"]) == (409, "version_refused")
    assert "golden samples differently" in answer.json()["detail"]


def test_without_workers_a_trainer_proves_it(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    admin, prover = api.client(Role.ADMIN), Prover(api.settings, api.database)
    api.execute(REPORT, pid=9, serves=[], told=json.dumps({"recipes": [], **prover.report()}))
    assert promoted(admin, second).json()["code"] == "not_prepared"
    prover.look()
    told = json.dumps({"recipes": [], **prover.report()})
    api.execute("UPDATE workers SET report = CAST(:told AS jsonb)", told=told)
    assert promoted(admin, second).status_code == 200
    assert admin.get("/v1/deployments/cough/history").json()["moves"][0]["evidence"]["proved_by"] == "trainer"


def test_a_trainer_refuses_what_was_altered(api: Api, second: str) -> None:
    prover = Prover(api.settings, api.database)
    (api.settings.versions_dir / second / "NOTICE.md").write_text("altered")
    with api.database.begin() as session:
        prepare(session, session.scalars(versions.addressed(second)).one())
    prover.look()
    assert prover.report() == {
        "loaded": [],
        "refused": {second: "The version's NOTICE.md was altered after publishing."},
    }


def test_with_nobody_alive_the_history_says_so(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    assert promoted(admin, second).status_code == 200
    evidence = admin.get("/v1/deployments/cough/history").json()["moves"][0]["evidence"]
    assert (evidence["proved_by"], evidence["warm"], evidence["not_warm"]) == ("nobody", [], [])
