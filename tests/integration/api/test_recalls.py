"""A recalled version never answers again; its results say so everywhere and may be run once more."""

import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from shared.db.tables import Batch, Deployment, DeploymentEvent, Job, Version
from shared.deployments import Why, find, promote, publish
from shared.errors import Conflict
from shared.recalls import recall
from shared.registry import store
from shared.schemas import Modality, Role
from tests.integration.api.support import Api, submitted
from tests.support.versions import tiny


@pytest.fixture
def second(api: Api, tmp_path: Path) -> str:
    """A second X-ray version, active; the first one is its previous."""
    artefact = store(tiny(tmp_path / "second", Modality.CHEST_XRAY, "tiny-2", bias=1.0), api.settings.versions_dir)
    with api.database.begin() as session:
        promote(session, publish(session, artefact, "test"), 1, Why("test", "better"))
    return artefact.sha256


def recalled(client: httpx.Client, sha256: str, reason: str = "flips on device B") -> httpx.Response:
    """POST the recall."""
    return client.post(f"/v1/versions/{sha256}/recall", json={"reason": reason})


def test_the_previous_version_answers_again(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    admin, first = api.client(Role.ADMIN), deployed[Modality.CHEST_XRAY]
    body = recalled(admin, second).json()
    (deployment,) = body["deployments"]
    assert (deployment["active"]["sha256"], deployment["previous"], deployment["generation"]) == (first, None, 3)
    move = admin.get("/v1/deployments/chest_xray/history").json()["moves"][0]
    assert (move["action"], move["before"]["sha256"], move["after"]["sha256"]) == ("recall", second, first)
    assert (move["reason"], move["evidence"]) == ("flips on device B", {"version": second, "let_go": ["active"]})
    assert "version.recall" in api.actions(second)
    again = recalled(admin, second)
    assert (again.status_code, again.json()["code"]) == (409, "version_recalled")
    back = admin.post("/v1/deployments/chest_xray/rollback", json={"reason": "to the recalled one"})
    assert back.json()["code"] == "nothing_to_roll_back_to"


def test_without_another_version_jobs_wait(api: Api, client: httpx.Client, deployed: dict[Modality, str]) -> None:
    admin = api.client(Role.ADMIN)
    waiting = submitted(client)
    body = recalled(admin, deployed[Modality.CHEST_XRAY]).json()
    assert (body["deployments"][0]["active"], body["answered"], body["waiting"]) == (None, 0, 0)
    assert api.anonymous().get("/health/ready").json()["without_version"] == ["chest_xray"]
    assert client.get(f"/v1/jobs/{waiting}").json()["status"] == "queued"
    refused = client.post("/v1/jobs", files={"file": ("x.png", b"\x89PNG\r\n\x1a\n" + bytes(64))})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_version")
    models = {model["modality"]: model for model in client.get("/v1/models").json()["models"]}
    assert (models["chest_xray"]["active"], models["cough"]["generation"]) == (None, 1)


def test_its_results_say_so_and_run_again(api: Api, second: str, client: httpx.Client) -> None:
    admin, mine = api.client(Role.ADMIN), submitted(client, client_ref="A-1")
    api.finish(mine)
    api.execute("UPDATE results SET version_id = (SELECT id FROM versions WHERE sha256 = :a)", a=second)
    api.execute("UPDATE jobs SET version_id = (SELECT id FROM versions WHERE sha256 = :a)", a=second)
    early = client.post(f"/v1/versions/{second}/rerun")
    assert (early.status_code, early.json()["code"]) == (409, "version_not_recalled")
    assert recalled(admin, second).json()["answered"] == 1
    (job,) = client.get("/v1/jobs", params={"version": second}).json()["jobs"]
    assert (job["id"], job["result"]["reasons"][0]["code"]) == (mine, "result_recalled")
    assert admin.post(f"/v1/versions/{second}/rerun").status_code == 403
    batch = client.post(f"/v1/versions/{second}/rerun")
    assert (batch.status_code, batch.json()["made"]) == (202, 1)
    assert batch.json()["versions"]["chest_xray"]["name"] == "tiny-1"
    assert client.post(f"/v1/versions/{second}/rerun").json()["made"] == 0
    with api.database.begin() as session:
        rerun = session.scalars(select(Job).where(Job.batch_id.is_not(None))).one()
        assert (rerun.item, rerun.client_ref) == (mine, "A-1")
        assert session.scalars(select(Batch.key)).all() == [f"rerun-{second}"]


def test_only_an_admin_recalls_and_says_why(api: Api, client: httpx.Client, second: str) -> None:
    assert recalled(client, second).status_code == 403
    admin = api.client(Role.ADMIN)
    assert recalled(admin, second, reason=" ").status_code == 422
    assert recalled(admin, "0" * 64).status_code == 404


def test_a_version_is_never_promoted_while_it_is_recalled(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    """Both at once, often: whoever is first, the recalled version is active nowhere in the end."""
    for _ in range(15):
        api.execute("UPDATE versions SET recalled_at = NULL")
        api.execute("UPDATE deployments SET active_id = previous_id, previous_id = NULL WHERE previous_id IS NOT NULL")
        _both_at_once(api, second)
        with api.database.begin() as session:
            wrong = select(Deployment).join(Version, Version.id == Deployment.active_id)
            assert session.scalars(wrong.where(Version.recalled_at.is_not(None))).all() == []
    with api.database.begin() as session:
        generations = select(DeploymentEvent.generation).order_by(DeploymentEvent.generation)
        modality = select(Deployment.id).where(Deployment.modality == "chest_xray")
        numbers = session.scalars(generations.where(DeploymentEvent.deployment_id.in_(modality))).all()
    assert list(numbers) == list(range(1, len(numbers) + 1))


def _both_at_once(api: Api, sha256: str) -> None:
    together = threading.Barrier(2)

    def act(recalling: bool) -> None:
        with api.database.begin() as session:
            version = session.scalars(select(Version).where(Version.sha256 == sha256)).one()
            generation = find(session, "chest_xray").generation
            together.wait()
            try:
                if recalling:
                    recall(session, version, Why("test", "race"))
                else:
                    promote(session, version, generation, Why("test", "race"))
            except Conflict:
                session.rollback()

    threads = [threading.Thread(target=act, args=(recalling,)) for recalling in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
