"""The drift board with three weeks behind it: coughs of one site are muffled since two days."""

import random
from typing import Any

from playwright.sync_api import Page

from cli.local import TENANT
from shared import judging
from shared.db.engine import Database
from shared.db.people import ensure_tenant
from shared.schemas import Basis, Label, Modality, Role, Verdict
from shared.sentences import say
from shared.settings import Settings
from tests.e2e.scenes import Scene
from tests.support.ended import ended, version_of
from tests.support.rolling import looked
from tests.support.stack import Hospital

DAYS, A_DAY = 21, 110
_DAY_S = 86_400
_WARD, _CLINIC = ("Ward 7", "recorder A"), ("Outpatients", "recorder B")


def prepare(settings: Settings, database: Database) -> None:
    """Results of three weeks, some of them judged, counted and looked at."""
    hospital, chance = Hospital(settings, database, TENANT), random.Random(7)
    for modality, make in ((Modality.COUGH, cough), (Modality.CHEST_XRAY, xray)):
        version = version_of(database, modality)
        rows = [make(chance, day) for day in reversed(range(DAYS)) for _ in range(A_DAY)]
        jobs = ended(database, hospital, version, rows, modality)
        with database.begin() as session:
            reader = judging.Reader(ensure_tenant(session, TENANT).id, hospital.principal_id, "dr. example")
            for job, row in list(zip(jobs, rows, strict=True))[::9]:
                if row.get("decision") in ("flagged", "not_flagged"):
                    judging.give(session, reader, job, _opinion(chance, row["decision"]))
    looked(settings)


def cough(chance: random.Random, day: int) -> dict[str, Any]:
    """One cough so many days ago."""
    site, device = _CLINIC if chance.random() < 0.4 else _WARD
    muffled = 0.45 if site == _CLINIC[0] and day < 2 else 1.0
    sound = {
        "seconds": chance.lognormvariate(1.2, 0.4),
        "level": chance.gauss(-18, 5),
        "centroid": muffled * chance.lognormvariate(6.9, 0.35),
        "rolloff": muffled * chance.lognormvariate(7.8, 0.3),
        "edge": muffled * chance.gauss(7200, 500),
    }
    return _row(chance, day, sound, 0.36, site=site, device=device, shift=0.12 if muffled < 1 else 0.0)


def xray(chance: random.Random, day: int) -> dict[str, Any]:
    """One picture so many days ago."""
    picture = {"brightness": chance.gauss(0.48, 0.06), "contrast": chance.gauss(0.72, 0.07), "side": 2048}
    return _row(chance, day, picture, 0.26, site="Radiology", device="detector 1", shift=0.0)


def _row(
    chance: random.Random, day: int, features: dict[str, float], threshold: float, *, shift: float, **place: str
) -> dict[str, Any]:
    probability = min(0.99, chance.betavariate(1.4, 4) + shift)
    row = {"features": features, "probability": probability, "ago": (day + chance.random()) * _DAY_S, **place}
    if chance.random() < 0.03:
        return {**row, "state": "rejected"}
    distance = chance.random() * (1.5 + 4 * shift)
    decision = "refer" if distance > 1.45 else "flagged" if probability >= threshold else "not_flagged"
    return {**row, "distance": distance, "decision": decision}


def _opinion(chance: random.Random, decision: str) -> judging.Opinion:
    agrees = chance.random() < 0.8
    label = Label.PRESENT if (decision == "flagged") == agrees else Label.ABSENT
    return judging.Opinion(Verdict.AGREE if agrees else Verdict.DISAGREE, Basis.RADIOLOGIST, False, label)


def _board(page: Page, base: str) -> None:
    page.goto(f"{base}/admin/drift?days=30&modality=cough")
    page.get_by_text(say("drift.measures"), exact=True).last.click()


SCENES = [Scene("admin-drift", Role.ADMIN, _board, "Alerts, distances, and the sensitivity of the last seven days")]
