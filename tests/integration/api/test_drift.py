"""The board, alerts with hysteresis, and the promotion that an alert holds, over HTTP on a real database."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import faults, judging
from shared.agreement import wilson
from shared.db.engine import Database
from shared.db.tables import Rollup, Webhook, new_id
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Basis, Label, Modality, Role, Verdict
from shared.sentences import say
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.support.ended import ended, version_of
from tests.support.rolling import looked, rolled
from tests.support.stack import Hospital, wait_for
from tests.support.versions import tiny

COUGH = Modality.COUGH
DAY = 86_400
PRESENT, ABSENT = Label.PRESENT, Label.ABSENT
WIDE, NARROW = {"centroid": 2600.0, "edge": 9000.0}, {"centroid": 700.0, "edge": 1900.0}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Small enough for a test to fill: a reference of 60, windows of a day, 40 results in each."""
    return settings.changed(drift_reference=60, drift_results=40)


@pytest.fixture
def version(api: Api) -> UUID:
    return version_of(api.database, COUGH)


@pytest.fixture
def served(api: Api, hospital: Hospital, version: UUID) -> Any:
    """Ends so many coughs with these features."""

    def end(count: int, features: dict[str, float], **fields: Any) -> list[UUID]:
        return ended(api.database, hospital, version, [{"features": features, **fields}] * count, COUGH)

    return end


def test_an_empty_board_says_so(api: Api) -> None:
    board = api.client(Role.ADMIN).get("/v1/drift").json()
    assert (board["versions"], board["alerts"], board["sites"]) == ([], [], [])
    assert api.client(Role.AUDITOR).get("/v1/drift/series").json()["lines"] == []
    assert api.client(Role.CLINICIAN).get("/v1/drift").status_code == 403


def test_an_error_that_nobody_expected_does_not_end_the_counting(
    settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str]
) -> None:
    faults.arm("roll.counted:raise@1")
    try:
        with serving(settings.changed(drift_every_s=0.1), database) as api:
            ended(database, hospital, version_of(database, COUGH), [{"features": WIDE}], COUGH)
            wait_for(lambda: api.count(Rollup), 20, "counted at a later look")
    finally:
        faults.arm("")


def test_the_board_holds_now_against_the_first_results(api: Api, served: Any) -> None:
    served(60, WIDE, site="A", probability=0.2, decision="not_flagged", ago=3 * DAY)
    served(30, NARROW, site="A", probability=0.2, decision="refer")
    served(10, WIDE, site="B", state="rejected")
    rolled(api.settings)
    admin = api.client(Role.ADMIN)
    [one] = admin.get("/v1/drift").json()["versions"]
    assert (one["jobs"], one["referred"], one["complete"]) == (100, 60, True)
    assert one["outcomes"] == {"flagged": 0, "not_flagged": 60, "refer": 30, "rejected": 10, "failed": 0}
    assert one["rates"]["refer"] == wilson(30, 100).model_dump()
    measures = {measure["name"]: measure for measure in one["measures"]}
    assert set(measures) == {"outcome", "probability", "distance", "centroid", "edge"}
    assert measures["probability"]["standing"] == "alike"
    assert measures["centroid"]["standing"] == "drifted"
    assert sum(measures["centroid"]["reference"]) == 60
    [today] = admin.get("/v1/drift", params={"days": 1}).json()["versions"]
    assert today["jobs"] == 40
    [of_b] = admin.get("/v1/drift", params={"site": "B"}).json()["versions"]
    assert (of_b["outcomes"]["rejected"], of_b["complete"]) == (10, False)
    assert admin.get("/v1/drift").json()["sites"] == ["A", "B"]
    assert admin.get("/v1/drift", params={"modality": "chest_xray"}).json()["versions"] == []
    assert admin.get("/v1/drift", params={"version": "tiny-1"}).status_code == 400
    [line] = admin.get("/v1/drift/series").json()["lines"]
    assert [point["jobs"] for point in line["points"]] == [60, 40]
    assert line["points"][0]["psi"]["centroid"] < 0.1


def test_an_alert_is_raised_once_kept_between_the_limits_and_cleared_after_two_windows(
    api: Api, served: Any, hospital: Hospital, version: UUID
) -> None:
    served(60, WIDE, ago=9 * DAY)
    served(60, WIDE)
    assert looked(api.settings) == 0
    served(90, NARROW)
    assert looked(api.settings) == 2
    assert looked(api.settings) == 0, "an open alert is not raised again"
    admin = api.client(Role.ADMIN)
    alerts = admin.get("/v1/alerts", params={"state": "open"}).json()["alerts"]
    assert {alert["measure"] for alert in alerts} == {"centroid", "edge"}
    assert all((alert["state"], alert["site"], alert["results"]) == ("raised", None, 150) for alert in alerts)
    _later(api, DAY)
    served(60, WIDE)
    looked(api.settings)
    assert len(admin.get("/v1/alerts", params={"state": "open"}).json()["alerts"]) == 2, "one calm window is not two"
    _later(api, DAY)
    served(60, WIDE)
    looked(api.settings)
    assert admin.get("/v1/alerts", params={"state": "open"}).json()["alerts"] == []
    cleared = admin.get("/v1/alerts", params={"state": "cleared"}).json()["alerts"]
    assert {alert["measure"] for alert in cleared} == {"centroid", "edge"}
    assert all(alert["psi"] < 0.1 < 0.25 < alert["worst_psi"] for alert in cleared)
    assert api.actions(cleared[0]["id"]) == ["alert.raised", "alert.cleared"]


def test_a_site_is_told_where_the_hospital_as_a_whole_is_calm(api: Api, served: Any) -> None:
    for site in ("A", "B"):
        served(60, WIDE, site=site, ago=9 * DAY)
    served(1600, WIDE, site="A")
    served(50, NARROW, site="B")
    assert looked(api.settings) == 2
    alerts = api.client(Role.ADMIN).get("/v1/alerts").json()["alerts"]
    assert {(alert["site"], alert["device"]) for alert in alerts} == {("B", None)}


def test_an_alert_is_acknowledged_once_by_an_administrator_of_the_hospital(api: Api, served: Any) -> None:
    served(60, WIDE, ago=9 * DAY)
    served(90, NARROW)
    looked(api.settings)
    admin = api.client(Role.ADMIN)
    alert = admin.get("/v1/alerts").json()["alerts"][0]["id"]
    path = f"/v1/alerts/{alert}/acknowledge"
    assert api.client(Role.AUDITOR).post(path, json={}).status_code == 403
    assert api.client(Role.ADMIN, tenant="south").post(path, json={}).status_code == 404
    done = admin.post(path, json={"note": "new recorder at the desk"})
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["acknowledged_by"]) == ("acknowledged", "admin")
    again = admin.post(path, json={})
    assert (again.status_code, again.json()["code"]) == (409, "alert_over")
    assert admin.post(f"/v1/alerts/{uuid4()}/acknowledge", json={}).status_code == 404
    assert api.actions(alert) == ["alert.raised", "alert.acknowledge"]


def test_webhooks_are_told_of_an_alert(api: Api, served: Any, hospital: Hospital) -> None:
    hooks = [
        Webhook(
            id=new_id(), tenant_id=hospital.tenant_id, principal_id=hospital.principal_id,
            url="https://his.example", events=events, secret=b"",
        )
        for events in (["drift.alert"], ["job.finished"])
    ]  # fmt: skip
    with api.database.begin() as session:
        session.add_all(hooks)
    served(60, WIDE, ago=9 * DAY)
    served(90, {"edge": 1900.0})
    looked(api.settings)
    admin = api.client(Role.ADMIN)
    [alert] = admin.get("/v1/alerts").json()["alerts"]
    admin.post(f"/v1/alerts/{alert['id']}/acknowledge", json={})
    looked(api.settings)
    ours, others = (admin.get(f"/v1/webhooks/{hook.id}/deliveries").json()["deliveries"] for hook in hooks)
    assert [(one["event"], one["alert_id"], one["status"]) for one in ours] == [
        ("drift.alert", alert["id"], "acknowledged"),
        ("drift.alert", alert["id"], "raised"),
    ]
    assert [one for one in others if one["event"] != "job.finished"] == []


def test_another_hospital_sees_nothing_of_it(api: Api, served: Any) -> None:
    served(60, WIDE, ago=9 * DAY)
    served(90, NARROW, site="A")
    looked(api.settings)
    south = api.client(Role.ADMIN, tenant="south")
    board = south.get("/v1/drift").json()
    assert (board["versions"], board["alerts"], board["sites"], board["devices"]) == ([], [], [], [])
    assert south.get("/v1/drift/series").json()["lines"] == []
    assert south.get("/v1/alerts").json()["alerts"] == []


def test_an_alert_holds_a_promotion_until_it_is_seen(api: Api, served: Any, tmp_path: Any) -> None:
    artefact = store(tiny(tmp_path / "second", COUGH, "tiny-2", bias=0.5), api.settings.versions_dir)
    with api.database.begin() as session:
        candidate = publish(session, artefact, "test").id
    admin = api.client(Role.ADMIN)

    def gate() -> str:
        found = admin.get("/v1/deployments/cough/gates", params={"version": "tiny-2"}).json()["gates"]
        return str(next(one["outcome"] for one in found if one["name"] == "drift"))

    assert gate() == "not_enough_evidence", "nothing has been in service yet"
    served(60, WIDE, ago=9 * DAY)
    rolled(api.settings)
    assert gate() == "pass"
    served(90, NARROW)
    looked(api.settings)
    assert gate() == "not_enough_evidence"
    held = admin.put(
        "/v1/deployments/cough", json={"version": "tiny-2", "reason": "better"}, headers={"If-Match": '"1"'}
    ).json()
    assert held["code"] == "gates_not_passed"
    assert "drift" in {error["field"] for error in held["errors"]}
    for alert in admin.get("/v1/alerts").json()["alerts"]:
        admin.post(f"/v1/alerts/{alert['id']}/acknowledge", json={})
    assert gate() == "pass"
    api.execute("UPDATE drift_alerts SET version_id = :candidate", candidate=candidate)
    assert gate() == "fail"


def test_verdicts_say_how_right_the_decisions_were(api: Api, hospital: Hospital, version: UUID) -> None:
    decisions = ["flagged"] * 12 + ["not_flagged"] * 12 + ["refer"] * 2
    jobs = ended(api.database, hospital, version, [{"decision": decision} for decision in decisions], COUGH)
    labels = [PRESENT] * 8 + [ABSENT] * 4 + [ABSENT] * 10 + [PRESENT] * 2 + [ABSENT, None]
    for job, decision, label in zip(jobs, decisions, labels, strict=True):
        _judge(api, hospital, job, decision, label)
    rolled(api.settings)
    told = _feedback(api)
    assert (told["judged"], told["unsure"], told["referred"], told["differing"]) == (26, 1, 1, 0)
    assert told["sensitivity"] == wilson(8, 10).model_dump()
    assert told["specificity"] == wilson(10, 14).model_dump()
    assert told["agreement"] == wilson(18, 24).model_dump()
    assert told["note"].startswith("Verification bias")
    _judge(api, hospital, jobs[0], "flagged", ABSENT, "zoe")
    assert _feedback(api)["sensitivity"] == wilson(7, 9).model_dump(), "readers differ: it counts nowhere"
    assert _feedback(api)["differing"] == 1


def test_sensitivity_rolls_along_and_says_where_labels_are_too_few(api: Api, hospital: Hospital, version: UUID) -> None:
    """Twelve results with the finding ten days ago, three of them missed; four in the last days."""
    rows = [{"decision": "not_flagged" if number < 3 else "flagged", "ago": 10.5 * DAY} for number in range(12)]
    rows += [{"decision": "flagged", "ago": 0.5 * DAY}] * 4
    jobs = ended(api.database, hospital, version, rows, COUGH)
    for job, row in zip(jobs, rows, strict=True):
        _judge(api, hospital, job, row["decision"], PRESENT)
    rolled(api.settings)
    admin = api.client(Role.ADMIN)
    found = admin.get("/v1/drift/series", params={"days": 14}).json()
    assert found["note"].startswith("Verification bias")
    weeks = found["lines"][0]["judged"]
    assert [week["present"] for week in weeks] == [0, 0, 0] + [12] * 7 + [0, 0, 0, 4]
    assert weeks[5]["sensitivity"] == wilson(9, 12).model_dump()
    assert (weeks[5]["specificity"], weeks[5]["detail"]) == (None, None)
    assert weeks[-1]["sensitivity"] is None
    assert weeks[-1]["detail"] == say("drift.too_few", count=4, fewest=10)
    week = admin.get("/v1/drift/series", params={"days": 7}).json()["lines"][0]["judged"]
    assert [one["present"] for one in week] == [12] * 3 + [0, 0, 0, 4], "the first week reaches back"
    assert _feedback(api)["judged"] == 4, "what was judged of these days"
    assert api.client(Role.ADMIN, tenant="south").get("/v1/drift/series").json()["lines"] == []


def _feedback(api: Api) -> Any:
    [one] = api.client(Role.ADMIN).get("/v1/drift").json()["versions"]
    return one["feedback"]


def _judge(api: Api, hospital: Hospital, job: UUID, decision: str, label: Label | None, person: str = "ada") -> None:
    """A reader says whether the finding is there, or that it cannot be told."""
    agrees = label is {"flagged": PRESENT, "not_flagged": ABSENT}.get(decision)
    verdict = Verdict.UNSURE if label is None else Verdict.AGREE if agrees else Verdict.DISAGREE
    reader = judging.Reader(hospital.tenant_id, hospital.principal_id, person)
    with api.database.begin() as session:
        judging.give(session, reader, job, judging.Opinion(verdict, Basis.PCR, False, label))


def _later(api: Api, seconds: int) -> None:
    """Time passes: everything that was counted lies so much further back."""
    api.execute("UPDATE rollups SET since = since - make_interval(secs => :s)", s=seconds)
