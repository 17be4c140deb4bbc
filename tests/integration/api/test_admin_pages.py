"""Forms of the administrators' pages without a browser: each says what was wrong, keeps what was filled in, obeys."""

from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest

from shared.db import people
from shared.db.tables import Retraining, Worker
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.integration.api.support import Api, serving

HERE = "/admin/deployments/chest_xray"
OVERRIDE = "Read by the department."


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    return person(api, "ada")


@pytest.fixture
def trainer(api: Api) -> None:
    """A trainer that was here once."""
    recipes = [{"name": "cough/mlp", "modality": "cough", "finding": "covid_pattern"}]
    with api.database.begin() as session:
        session.add(
            Worker(host="gpu-1", pid=1, modalities=[], report={"recipes": recipes, "datasets": ["north-coughs"]})
        )


@pytest.fixture
def careful(api: Api) -> Iterator[Api]:
    """A gateway that asks for two persons."""
    with serving(api.settings.changed(two_persons=True), api.database) as running:
        yield running


def person(api: Api, name: str) -> httpx.Client:
    """An administrator who looks at pages."""
    with api.database.begin() as session:
        found = people.ensure_principal(session, people.ensure_tenant(session, "north"), name, [Role.ADMIN])
        secret = people.issue(session, found.id, "key")
    client = api.client(key=secret)
    client.headers["Accept"] = "text/html"
    return client


def filled(client: httpx.Client, path: str, **fields: Any) -> tuple[int, str]:
    """Send a form; the status, and where it leads or what the page says."""
    answer = client.post(path, data=fields)
    return answer.status_code, answer.headers.get("location") or unescape(answer.text)


def test_a_promotion_says_which_gates_hold_it(admin: httpx.Client, second: str) -> None:
    asked = unescape(admin.get(f"{HERE}/promote", params={"version": second}).text)
    assert say("admin.then.answers", version="tiny-2", active="tiny-1") in asked
    assert say("admin.undo.promote", version="tiny-2", active="tiny-1") in asked
    assert say("admin.proved_by.nobody") in asked
    status, page = filled(admin, f"{HERE}/promote", version=second, generation=1, reason="better <b>here</b>")
    assert (status, say("gates_not_passed") in page) == (409, True)
    assert "better <b>here</b>" in page  # what was filled in, unescaped by the test
    assert page.count("not_enough_evidence:") >= 3
    status, page = filled(admin, f"{HERE}/promote", version=second, generation=1, reason="x", override=OVERRIDE)
    assert (status, say("admin.invalid.reason") in page) == (422, True)
    promoted = filled(admin, f"{HERE}/promote", version=second, generation=1, reason="better", override=OVERRIDE)
    assert promoted == (303, f"{HERE}?done=promote")
    assert OVERRIDE in admin.get(HERE).text
    status, page = filled(admin, f"{HERE}/canary", version=second, generation=1, reason="late", share=0.1)
    assert (status, say("admin.meanwhile") in page) == (412, True)


def test_what_cannot_be_moved_has_no_button(admin: httpx.Client, second: str) -> None:
    for action, code in (
        ("rollback", "nothing_to_roll_back_to"),
        ("end-canary", "nothing_tried"),
        ("approve", "proposal_over"),
    ):
        answer = admin.get(f"{HERE}/{action}")
        assert (answer.status_code, say(code) in unescape(answer.text)) == (409, True)
        assert '<form class="card" method="post"' not in answer.text
    assert admin.get(f"{HERE}/promote", params={"version": "nobody"}).status_code == 422
    assert admin.get(f"{HERE}/explode").status_code == 404
    wide = filled(admin, f"{HERE}/canary", version=second, generation=1, reason="to see", share=0.9)
    assert (wide[0], say("admin.invalid.share") in wide[1]) == (422, True)


def test_a_second_person_approves_on_the_page(careful: Api, second: str) -> None:
    ada, ben = person(careful, "ada"), person(careful, "ben")
    said = {"version": second, "generation": 1, "reason": "better", "override": OVERRIDE}
    assert say("admin.then.two") in unescape(ada.get(f"{HERE}/promote", params={"version": second}).text)
    assert filled(ada, f"{HERE}/promote", **said) == (303, f"{HERE}?done=proposed")
    assert "north/ada" in ben.get("/admin").text
    proposal = ben.get("/v1/deployments/chest_xray/proposals").json()["proposals"][0]["id"]
    status, page = filled(ada, f"{HERE}/approve", proposal=proposal, generation=1, reason="mine")
    assert (status, say("self_approval") in page) == (403, True)
    assert filled(ben, f"{HERE}/approve", proposal=proposal, generation=1, reason="I looked") == (
        303,
        f"{HERE}?done=approve",
    )
    assert "ben" in ben.get(HERE).text
    assert filled(ben, f"{HERE}/withdraw", proposal=proposal, generation=1)[0] == 409


def test_a_recall_tells_what_it_makes_void(api: Api, admin: httpx.Client, deployed: dict[Modality, str]) -> None:
    active = deployed[Modality.CHEST_XRAY]
    asked = unescape(admin.get(f"{HERE}/recall", params={"version": active}).text)
    assert say("admin.then.recall_nobody") in asked
    assert say("admin.then.recall_results", answered=0, bound=0) in asked
    assert filled(admin, f"{HERE}/recall", version=active, reason="mislabelled")[0] == 303
    todo = unescape(admin.get("/admin").text)
    assert say("admin.todo.unanswered", kind=say("modality.chest_xray")) in todo


@pytest.mark.parametrize(
    ("at", "said"),
    [("2020-01-01", "admin.then_nothing"), ("yesterday", "admin.at.invalid"), ("2099-01-01T10:00", "admin.at.all")],
)
def test_a_moment_of_the_past(admin: httpx.Client, at: str, said: str) -> None:
    answer = admin.get(HERE, params={"at": at})
    assert (answer.status_code, say(said) in unescape(answer.text)) == (200, True)


@pytest.mark.usefixtures("trainer")
def test_runs_are_started_and_refused_in_words(admin: httpx.Client) -> None:
    whole = {"recipe": "cough/mlp", "dataset": "north-coughs", "mode": "sound", "seed": "7", "name": "", "epochs": ""}
    for change, said in (
        ({"seed": "-1"}, say("admin.run.invalid", field=say("admin.run.field.seed"))),
        ({"name": "../x"}, say("admin.run.invalid", field=say("admin.run.field.name"))),
        ({"dataset": "elsewhere"}, say("dataset_unknown")),
    ):
        status, page = filled(admin, "/admin/training", **{**whole, **change})
        assert (status, said in page) == (422, True)
    status, place = filled(admin, "/admin/training", **whole)
    assert status == 303
    assert say("admin.run.asleep") not in unescape(admin.get(place).text)  # it was here a moment ago
    assert filled(admin, f"{place}/cancel") == (303, place)
    status, page = filled(admin, f"{place}/cancel")
    assert (status, say("run_not_cancellable") in page) == (409, True)
    assert filled(admin, f"{place}/retry") == (303, place)


@pytest.mark.usefixtures("trainer")
def test_training_from_verdicts_is_asked_for_and_ruled(api: Api, admin: httpx.Client) -> None:
    plan = {"recipe": "cough/mlp", "base": "north-coughs", "bases": ["pcr"], "hold_out": "0.2"}
    for change, said in (({"bases": []}, "bases"), ({"hold_out": "0.9"}, "hold_out"), ({"reason": "x"}, "reason")):
        status, page = filled(admin, "/admin/retraining", **{**plan, "reason": "enough labels", **change})
        assert (status, say(f"admin.retraining.invalid.{said}") in page) == (422, True)
    assert api.count(Retraining) == 0
    status, page = filled(admin, "/admin/retraining/rule", **plan)
    assert (status, say("admin.retraining.invalid.cause") in page) == (422, True)
    kept = filled(admin, "/admin/retraining/rule", **plan, min_labels="40", enabled="true")
    assert kept == (303, "/admin/retraining?done=rule")
    assert filled(admin, "/admin/retraining", **plan, reason="enough labels") == (303, "/admin/retraining?done=asked")
    shown = unescape(admin.get("/admin/retraining").text)
    assert "enough labels" in shown
    assert say("admin.retraining.labels", labels=0, wanted=40) in shown
    again = filled(admin, "/admin/retraining", **plan, reason="once more")
    assert (again[0], say("retraining_open") in again[1]) == (409, True)


def test_keys_are_refused_in_words(admin: httpx.Client) -> None:
    for fields, status, said in (
        ({"name": "eve", "roles": []}, 422, say("admin.key.invalid.roles")),
        ({"name": " ", "roles": ["submitter"]}, 422, say("admin.key.invalid.name")),
        ({"name": "eve", "roles": ["submitter"], "days": "0"}, 422, say("admin.key.invalid.hours")),
        ({"name": "eve", "roles": ["auditor"]}, 403, say("role_not_yours", roles="auditor")),
    ):
        found = filled(admin, "/admin/keys", **fields)
        assert (found[0], said in found[1]) == (status, True)
    assert filled(admin, "/admin/keys", name="eve", roles=["submitter"], what="key", days="2")[1].count("thk_") == 1


def test_the_log_survives_any_filter(admin: httpx.Client) -> None:
    for params in ({"since": "soon"}, {"action": "\x00'; --"}, {"actor": "x" * 500}, {"until": "2026-05-03"}):
        assert admin.get("/admin/audit", params=params).status_code == 200
    assert say("admin.audit.day") in unescape(admin.get("/admin/audit", params={"since": "soon"}).text)
