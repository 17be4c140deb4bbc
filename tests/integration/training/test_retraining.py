"""From a click to a candidate in the shadow: a rule, a data set without the held-out, a run, and their lineage."""

import asyncio
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.api.retrainer import Retrainer
from services.trainer import datasets, process
from services.trainer.retraining import is_held_out
from shared.db.engine import Database, async_engine
from shared.db.statements import shadow
from shared.db.statements.paired import paired
from shared.db.tables import DriftAlert, Retraining, Tenant, TrainingRun, Version
from shared.deployments import find
from shared.schemas import Label, Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.integration.training.test_judged import Place
from tests.support.stack import Hospital, wait_for
from tests.support.versions import tiny

BASE = "coughs"
PLAN = {"recipe": "cough/mlp", "base": BASE, "bases": ["pcr", "radiologist"], "hold_out": 0.4}
RULES = "/v1/retraining-rules/cough"


def learn(recipe: str, data: Path, out: Path, **options: Any) -> Path:
    """In place of a training."""
    return tiny(out, Modality.COUGH, options["name"], bias=0.5)


@pytest.fixture
def place(settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str]) -> Place:
    """Its key decides who is held out: the same at every run, else all of three people are once in a while."""
    with database.begin() as session:
        session.get_one(Tenant, hospital.tenant_id).pseudonym_key = bytes(32)
    return Place(settings, database, hospital)


@pytest.fixture
def trainer(settings: Settings) -> Iterator[process.Trainer]:
    """A trainer that has a base set of two files."""
    folder = settings.datasets / BASE
    folder.mkdir(parents=True)
    rows = [("a.wav", "covid", "p1", "phone"), ("b.wav", "not_covid", "p2", "phone")]
    for row in rows:
        (folder / row[0]).write_bytes(f"base {row[0]}".encode())
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "patient_id", "source"), *rows])
    (folder / "events.csv").write_text("path,start_ms,end_ms,type\na.wav,120.5,400,Cough\n")
    running = process.Trainer(settings, learn)
    running.start()
    yield running
    running.close(5)


@pytest.fixture
def api(settings: Settings, database: Database, trainer: process.Trainer) -> Iterator[Api]:
    with serving(settings.changed(retraining_look_s=600.0), database) as running:
        yield running


@pytest.fixture
def look(settings: Settings) -> Callable[[], None]:
    """One look of a gateway."""

    async def once() -> None:
        engine = async_engine(settings)
        try:
            await Retrainer(settings, engine, lambda _: None).look()
        finally:
            await engine.dispose()

    return lambda: asyncio.run(once())


def judged(place: Place, count: int, **fields: Any) -> None:
    """Results that were wrong, each corrected and settled; every one of another person."""
    for number in range(count):
        job = place.answered(f"cough {number}".encode(), "flagged", subject_id=f"person-{number}", **fields)
        place.judge(job, "disagree", label=Label.ABSENT)
        place.settle(job, Label.ABSENT)


def trained(api: Api, admin: httpx.Client) -> dict[str, Any]:
    """The newest retraining, once its run has ended."""
    wait_for(lambda: admin.get("/v1/retrainings").json()["retrainings"][0]["run"]["finished_at"], 60, "it is trained")
    found: dict[str, Any] = admin.get("/v1/retrainings").json()["retrainings"][0]
    return found


def test_a_rule_trains_what_becomes_the_shadow(
    api: Api, place: Place, trainer: process.Trainer, look: Callable[[], None], database: Database, settings: Settings
) -> None:
    admin = api.client(Role.ADMIN)
    rule = admin.put(RULES, json={"plan": PLAN, "min_labels": 10})
    assert (rule.status_code, rule.json()["labels"]) == (200, 0), rule.text
    judged(place, 9)
    contested = place.answered(b"contested", "flagged", subject_id="somebody")
    place.judge(contested, "disagree", label=Label.ABSENT)
    look()
    assert admin.get("/v1/retrainings").json()["retrainings"] == [], "nine labels, and one that is contested"
    place.settle(contested, Label.PRESENT)
    assert admin.get("/v1/retraining-rules").json()["rules"][0]["labels"] == 10
    look()
    look()
    done = trained(api, admin)
    assert (done["cause"], done["evidence"]["labels"], done["run"]["status"]) == ("labels", 10, "succeeded")
    look()
    look()
    assert len(admin.get("/v1/retrainings").json()["retrainings"]) == 1, "nothing new since"
    shown = admin.get(f"/v1/retrainings/{done['id']}").json()
    assert (shown["outcome"], [step["at"] is None for step in shown["steps"]]) == ("shadowed", [False] * 5)
    _follow(admin, shown, database)
    _is_data(settings, database, shown)


def _follow(admin: httpx.Client, shown: dict[str, Any], database: Database) -> None:
    version = shown["version"]
    assert admin.get("/v1/deployments/cough").json()["shadow"] == version
    (move, *_) = admin.get("/v1/deployments/cough/history").json()["moves"]
    assert (move["action"], move["actor"], move["evidence"]["retraining"]) == ("shadow", "system", shown["id"])
    found = admin.get(f"/v1/versions/{version['sha256']}/lineage").json()
    assert (found["run"]["id"], found["retraining"]["id"]) == (shown["run"]["id"], shown["id"])
    assert [(one["action"], one["role"]) for one in found["moves"]] == [("shadow", "to")]
    verdicts = found["retraining"]["verdicts"]
    assert verdicts["trained"] + verdicts["held_out"] == verdicts["adjudicated"] == len(verdicts["each"]) == 10
    assert verdicts["answered_by"] == {"tiny-1": 10}
    assert all(len(one["feedback"]) == 1 for one in verdicts["each"])
    assert verdicts["first_at"] == verdicts["each"][0]["first_at"]


def _is_data(settings: Settings, database: Database, shown: dict[str, Any]) -> None:
    """Its patients are those who are not held out, and the base's."""
    counts = shown["counts"]
    assert (counts["base"], counts["trained"] + counts["held_out"]) == (2, 10)
    assert 0 < counts["held_out"] < 10
    made = datasets.read(settings.datasets / shown["run"]["dataset"])
    assert [row.events for row in made.rows if row.events] == [(datasets.Event(0.1205, 0.4, "Cough"),)]
    with (made.folder / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == counts["files"] == 2 + counts["trained"]
    with database.begin() as session:
        key = session.scalars(select(Tenant.pseudonym_key)).one()
    patients = {row["patient_id"] for row in rows if row["patient_id"].startswith("subject-")}
    assert patients
    assert not any(is_held_out(key, patient, PLAN["hold_out"]) for patient in patients)


def test_only_its_own_hospital_sees_whose_verdicts_they_are(
    api: Api, place: Place, trainer: process.Trainer, look: Callable[[], None]
) -> None:
    admin = api.client(Role.ADMIN)
    judged(place, 3)
    asked = admin.post("/v1/retrainings", json={"modality": "cough", "plan": PLAN, "reason": "to see"})
    assert asked.status_code == 202, asked.text
    again = admin.post("/v1/retrainings", json={"modality": "cough", "plan": PLAN, "reason": "twice"})
    assert (again.status_code, again.json()["code"]) == (409, "retraining_open")
    sha256 = trained(api, admin)["version"]["sha256"]
    look()
    other = api.client(Role.ADMIN, tenant="south")
    theirs = other.get(f"/v1/versions/{sha256}/lineage").json()["retraining"]["verdicts"]
    assert (theirs["trained"] + theirs["held_out"], theirs["each"]) == (3, [])
    assert other.get(asked.headers["Location"]).status_code == 404
    assert other.get("/v1/retrainings").json()["retrainings"] == []


def test_what_was_trained_on_is_no_test_and_what_was_held_out_is(
    api: Api, place: Place, trainer: process.Trainer, look: Callable[[], None], database: Database
) -> None:
    admin = api.client(Role.ADMIN)
    judged(place, 12)
    admin.post("/v1/retrainings", json={"modality": "cough", "plan": PLAN, "reason": "to see"})
    counts = trained(api, admin)["counts"]
    look()
    with database.begin() as session:
        deployment = find(session, "cough")
        assert deployment.shadow_id
        taken = session.execute(shadow.take("cough", deployment.shadow_id, 1.0, None, 50)).all()
        assert len(taken) == counts["held_out"], "what was held out, and nothing older besides"
        answers = [
            {"job_id": str(row.id), "score": 0.0, "distance": 0.0, "probability": 0.4, "decision": "not_flagged",
             "ms": 1.0} for row in taken
        ]  # fmt: skip
        session.execute(shadow.finish(deployment.shadow_id, answers))
        pairs = session.execute(paired(deployment.shadow_id, deployment.active_id)).one()
    assert (pairs.n, pairs.better, pairs.worse) == (counts["held_out"], counts["held_out"], 0)


def test_an_alert_is_a_cause_once(
    api: Api, place: Place, trainer: process.Trainer, look: Callable[[], None], database: Database
) -> None:
    admin = api.client(Role.ADMIN)
    admin.put(RULES, json={"plan": PLAN, "on_drift": True})
    judged(place, 6)
    look()
    assert admin.get("/v1/retrainings").json()["retrainings"] == []
    with database.begin() as session:
        where = {"site": "", "device": "", "measure": "probability", "results": 100}
        psi = {"raised_psi": 0.4, "worst_psi": 0.4, "psi": 0.4}
        version = find(session, "cough").active_id
        alert = DriftAlert(tenant_id=place.hospital.tenant_id, modality="cough", version_id=version, **where, **psi)
        session.add(alert)
        session.flush()
        raised = str(alert.id)
    look()
    done = trained(api, admin)
    assert (done["cause"], done["evidence"]) == ("drift", {"alert": raised, "labels": 6})
    look()
    look()
    assert len(admin.get("/v1/retrainings").json()["retrainings"]) == 1, "the same alert asks once"


def test_without_a_confirmed_label_the_run_says_why(
    api: Api, place: Place, trainer: process.Trainer, look: Callable[[], None], database: Database
) -> None:
    admin = api.client(Role.ADMIN)
    admin.post("/v1/retrainings", json={"modality": "cough", "plan": PLAN, "reason": "too early"})
    done = trained(api, admin)
    assert (done["run"]["status"], done["run"]["error"]["code"], done["outcome"]) == ("failed", "no_labels", "failed")
    with database.begin() as session:
        assert session.scalars(select(Retraining.ended_at)).one()
        assert session.scalars(select(TrainingRun.attempts)).one() == 0
        assert session.scalars(select(Version.name).where(Version.name.startswith("retrained"))).all() == []


def test_what_cannot_be_done_is_refused(api: Api, trainer: process.Trainer) -> None:
    admin = api.client(Role.ADMIN)
    refused = {
        "recipe_unknown": {**PLAN, "recipe": "cough/none"},
        "dataset_unknown": {**PLAN, "base": "elsewhere"},
        "recipe_of_other_modality": {**PLAN, "recipe": "lung_sound/cnn3"},
    }
    for code, plan in refused.items():
        answer = admin.put(RULES, json={"plan": plan, "min_labels": 5})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert admin.put(RULES, json={"plan": PLAN}).status_code == 422, "a rule without a cause"
    assert admin.put(RULES, json={"plan": {**PLAN, "bases": []}, "on_drift": True}).status_code == 422
    assert api.client(Role.CLINICIAN).put(RULES, json={"plan": PLAN, "on_drift": True}).status_code == 403
    assert api.client(Role.AUDITOR).get("/v1/retraining-rules").json() == {"rules": []}
