"""A recalled version never answers again; its results say so everywhere and may be run once more."""

import threading
from pathlib import Path
from typing import Literal

import httpx
import pytest
from sqlalchemy import func, select, text, update

from shared.db.tables import Batch, Deployment, DeploymentEvent, Job, Proposal, Version, new_id
from shared.deployments import Why, find, promote, publish, try_out
from shared.errors import Conflict
from shared.recalls import recall
from shared.registry import store
from shared.schemas import Modality, Role
from tests.integration.api.support import Api, submitted
from tests.support.stack import wait_for
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


@pytest.mark.parametrize("pointer", ["canary", "shadow"])
def test_the_previous_version_is_no_longer_tried_out_when_it_answers(
    api: Api, second: str, deployed: dict[Modality, str], pointer: Literal["canary", "shadow"]
) -> None:
    first = deployed[Modality.CHEST_XRAY]
    with api.database.begin() as session:
        version = session.scalars(select(Version).where(Version.sha256 == first)).one()
        try_out(session, version, pointer, 0.1, 2, Why("test", "once more"))
    (deployment,) = recalled(api.client(Role.ADMIN), second).json()["deployments"]
    assert deployment["active"]["sha256"] == first
    assert (deployment[pointer], deployment["canary_share"]) == (None, 0)


def test_a_recall_does_not_wait_for_an_approval_that_waits_for_it(
    api: Api, second: str, deployed: dict[Modality, str]
) -> None:
    """Both hold the version's row before the deployment's."""
    with api.database.begin() as session:
        deployment = session.scalars(select(Deployment).where(Deployment.modality == "chest_xray")).one()
        version = session.scalars(select(Version).where(Version.sha256 == deployed[Modality.CHEST_XRAY])).one()
        proposal = Proposal(
            id=new_id(), deployment_id=deployment.id, version_id=version.id, generation=2, person="ada",
            actor="north/ada", reason="the first was better",
        )  # fmt: skip
        session.add(proposal)
        wanted = proposal.id
    answers: list[httpx.Response] = []
    ben = api.client(Role.ADMIN)
    address = f"/v1/deployments/chest_xray/proposals/{wanted}/approve"
    approving = threading.Thread(target=lambda: answers.append(ben.post(address, json={"reason": "I agree"})))
    with api.database.begin() as session:
        held = session.execute(update(Version).where(Version.id == version.id).values(recalled_at=func.now()))
        assert held.rowcount == 1  # as a recall begins
        approving.start()
        wait_for(lambda: _waits_for_a_lock(api), 60, "the approval at the version's row")
        session.execute(text("SET LOCAL lock_timeout = '3s'"))
        session.execute(select(Deployment).where(Deployment.id == deployment.id).with_for_update())
    approving.join(timeout=60)
    assert (answers[0].status_code, answers[0].json()["code"]) == (409, "version_recalled")


def _waits_for_a_lock(api: Api) -> bool:
    with api.database.begin() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


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
    assert (job["result"]["label"], job["result"]["sentence"]) == (None, job["result"]["reasons"][0]["text"])
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
