"""Training runs over HTTP: who may, what is accepted, how they are shown, cancelled and tried again."""

import threading
from typing import Any

import httpx
import pytest

from services.api.routes import training as routes
from shared.db.tables import TrainingPoint, TrainingRun, Worker
from shared.schemas import Role
from tests.integration.api.support import Api

COLLECTED_ELSEWHERE = "retraining-0193b1c0d2a87c4e9f10000000000001"
RUN = {"recipe": "cough/mlp", "dataset": "north-coughs"}


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    return api.client(Role.ADMIN)


@pytest.fixture
def trainer(api: Api) -> None:
    """A trainer that was here once."""
    recipes = [{"name": "cough/mlp", "modality": "cough", "finding": "covid_pattern"}]
    with api.database.begin() as session:
        report = {"recipes": recipes, "datasets": ["north-coughs", COLLECTED_ELSEWHERE]}
        session.add(Worker(host="gpu-1", pid=1, modalities=[], report=report))


def started(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/training-runs", json={**RUN, **changes})
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    assert response.headers["Location"] == answer["links"]["self"]
    return answer


def test_without_any_trainer_nothing_is_accepted(admin: httpx.Client) -> None:
    refused = admin.post("/v1/training-runs", json=RUN)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_trainer")
    assert admin.get("/v1/recipes").status_code == 409


@pytest.mark.usefixtures("trainer")
def test_recipes_come_from_the_trainers(api: Api, admin: httpx.Client) -> None:
    there = admin.get("/v1/recipes").json()
    assert there["datasets"] == ["north-coughs"]  # what was collected from a hospital's patients is nobody's to name
    assert [recipe["name"] for recipe in there["recipes"]] == ["cough/mlp"]
    assert there["trainers_alive"] == 1
    api.execute("UPDATE workers SET stopped_at = now()")
    assert admin.get("/v1/recipes").json() == {**there, "trainers_alive": 0}


@pytest.mark.usefixtures("trainer")
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"recipe": "cough/none"}, 422, "recipe_unknown"),
        ({"dataset": "elsewhere"}, 422, "dataset_unknown"),
        ({"dataset": COLLECTED_ELSEWHERE}, 422, "dataset_unknown"),
        ({"dataset": "../../etc"}, 422, "request_invalid"),
        ({"dataset": "/etc"}, 422, "request_invalid"),
        ({"recipe": "cough/../x"}, 422, "request_invalid"),
        ({"folds": 1}, 422, "request_invalid"),
        ({"data": "/srv/x"}, 422, "request_invalid"),
        ({"seed": -1}, 422, "request_invalid"),
        ({"name": "tiny-1"}, 409, "name_taken"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    api: Api, admin: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    refused = admin.post("/v1/training-runs", json={**RUN, **changes})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert api.count(TrainingRun) == 0


@pytest.mark.usefixtures("trainer")
def test_only_administrators_and_only_their_own(api: Api, admin: httpx.Client) -> None:
    run = started(admin)
    for role in (Role.SUBMITTER, Role.CLINICIAN, Role.AUDITOR):
        other = api.client(role)
        assert other.get(f"/v1/training-runs/{run['id']}").status_code == (200 if role is Role.AUDITOR else 403)
        assert other.post("/v1/training-runs", json=RUN).status_code == 403
    south = api.client(Role.ADMIN, tenant="south")
    for answer in (
        south.get(f"/v1/training-runs/{run['id']}"),
        south.delete(f"/v1/training-runs/{run['id']}"),
        south.post(f"/v1/training-runs/{run['id']}/retry"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert south.get("/v1/training-runs").json()["runs"] == []


@pytest.mark.usefixtures("trainer")
def test_a_run_is_shown_with_validator_and_pages(admin: httpx.Client) -> None:
    runs = [started(admin, seed=seed, epochs=3) for seed in range(3)]
    path = f"/v1/training-runs/{runs[0]['id']}"
    shown = admin.get(path)
    assert shown.json() == runs[0]
    assert (shown.json()["status"], shown.json()["epochs"], shown.json()["progress"]) == ("queued", 3, None)
    assert shown.headers["Retry-After"]
    assert admin.get(path, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    first = admin.get("/v1/training-runs", params={"limit": 2}).json()
    rest = admin.get("/v1/training-runs", params={"limit": 2, "cursor": first["next"]}).json()
    assert [run["id"] for run in first["runs"] + rest["runs"]] == [run["id"] for run in reversed(runs)]
    assert rest["next"] is None


@pytest.mark.usefixtures("trainer")
def test_cancel_and_retry(api: Api, admin: httpx.Client) -> None:
    run = started(admin)
    path = f"/v1/training-runs/{run['id']}"
    assert admin.post(f"{path}/retry").json()["code"] == "run_not_retryable"
    assert admin.delete(path).json()["status"] == "cancelled"
    assert admin.delete(path).json()["code"] == "run_not_cancellable"
    counts = {"tp": 1, "fp": 0, "tn": 1, "fn": 0, "accuracy": 1.0, "seconds": 0.1}
    with api.database.begin() as session:
        row = session.get_one(TrainingRun, run["id"])
        for position, loss in ((1, 0.7), (2, float("nan"))):
            point = {"stage": "fold 1/2", "epoch": position, "loss": loss, **counts}
            session.add(TrainingPoint(run_id=row.id, position=position, tenant_id=row.tenant_id, **point))
    assert [point["loss"] for point in admin.get(path).json()["curve"]] == [0.7, None]
    again = admin.post(f"{path}/retry")
    assert (again.status_code, again.json()["status"], again.json()["curve"]) == (202, "queued", [])
    assert api.actions(run["id"]) == ["training.start", "training.cancel", "training.retry"]


@pytest.mark.usefixtures("trainer")
def test_who_waits_is_answered_at_the_end(admin: httpx.Client) -> None:
    run = started(admin)
    path = f"/v1/training-runs/{run['id']}"
    threading.Timer(0.5, lambda: admin.delete(path)).start()
    answer = admin.get(path, headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "cancelled"
    assert answer.headers["Preference-Applied"] == "wait=20"


def test_every_refusal_has_a_sentence() -> None:
    from shared.sentences import EN

    assert set(routes._REFUSALS.values()) <= set(EN)
