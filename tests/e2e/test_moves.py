"""Those who look after the versions, in a browser against the real stack: train, promote, roll back, recall."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from shared.db.people import ensure_tenant
from shared.db.tables import Delivery, Principal, Webhook, new_id
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import inspected_in_both
from tests.support.versions import tiny

pytestmark = pytest.mark.browser

TRICK = "<img src=x onerror=alert(1)>"

DATASET = "ward-recordings"

_PERSON = select(Principal.id).limit(1)


@pytest.fixture
def published(site: Site, tmp_path: Path) -> Callable[..., str]:
    """Publishes another version that nothing points to; its sha256."""

    def make(modality: Modality, name: str) -> str:
        folder = tiny(tmp_path / f"v{len(list(tmp_path.iterdir()))}", modality, name, bias=1.0)
        artefact = store(folder, site.settings.versions_dir)
        with site.database.begin() as session:
            publish(session, artefact, "test")
        return artefact.sha256

    return make


class Training:
    """Stands for a recipe's fit: epochs until it is told to finish, then a version as every other."""

    def __init__(self) -> None:
        self.finish = threading.Event()

    def __call__(self, recipe: str, data: Path, out: Path, **options: Any) -> Path:
        """As `services.trainer.train.train`."""
        from services.trainer.fit import Epoch
        from services.trainer.train import Progress

        number = 0
        while not self.finish.wait(0.05):
            number += 1
            epoch = Epoch(number, 1 / number, 3, 1, 4, 2, seconds=0.01)
            options["on_progress"](Progress("fold 1/2", min(number, 100), 100, epoch, 9.0))
        return tiny(out, Modality.COUGH, options["name"], bias=1.0)


@pytest.fixture
def training(site: Site) -> Iterator[Training]:
    """A trainer that is alive and has one data set."""
    process = pytest.importorskip("services.trainer.process")
    folder = site.settings.datasets / DATASET
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").touch()
    learning = Training()
    running = process.Trainer(site.settings, learning)
    running.start()
    yield learning
    learning.finish.set()
    running.close(5)


def decide(page: Page, action: str, reason: str, override: str = "") -> None:
    """Give the reason and press the button of a confirmation."""
    page.get_by_label(say("admin.reason"), exact=True).fill(reason)
    if override:
        page.get_by_label(say("admin.override.label")).fill(override)
    page.get_by_role("button", name=say(f"admin.do.{action}"), exact=True).click()


def names(site: Site, modality: str) -> dict[str, str | None]:
    """The names in the pointers, over HTTP."""
    headers = {"Authorization": f"Bearer {site.issue('key', Role.ADMIN)}"}
    found = httpx.get(f"{site.base}/v1/deployments/{modality}", headers=headers, timeout=60).json()
    return {name: found[name] and found[name]["name"] for name in ("active", "previous", "canary", "shadow")}


def test_train_promote_roll_back_and_recall(admin: Page, site: Site, training: Training) -> None:
    admin.get_by_role("link", name=say("admin.nav.training"), exact=True).click()
    admin.get_by_label(say("admin.run.field.recipe")).select_option("cough/mlp")
    admin.get_by_label(say("admin.run.field.name")).fill("tiny-2")
    admin.get_by_role("button", name=say("admin.run.go"), exact=True).click()
    expect(admin.locator("svg.plot .line.latest").first).to_be_attached(timeout=90_000)  # the page follows by itself
    training.finish.set()
    expect(admin.locator("#state")).to_contain_text(say("run.succeeded"), timeout=90_000)
    assert names(site, "cough")["active"] == "tiny-1"

    admin.get_by_role("link", name=say("admin.go.promote")).click()
    expect(admin.locator("#consequence + p")).to_contain_text("tiny-2")
    expect(admin.locator("main")).to_contain_text(say("admin.then.answers", version="tiny-2", active="tiny-1"))
    expect(admin.locator("main")).to_contain_text(say("admin.undo.promote", version="tiny-2", active="tiny-1"))
    assert admin.locator(".gates .chip.gate-not_enough_evidence").count() >= 3
    assert inspected_in_both(admin) == []
    decide(admin, "promote", "Better on our ward.", "Read by the department.")
    if "/promote" in admin.url:  # the worker was still loading it
        expect(admin.locator("#problem")).to_contain_text(say("not_prepared"))
        decide(admin, "promote", "Better on our ward.", "Read by the department.")
    expect(admin.get_by_role("status").first).to_have_text(say("admin.done.promote"))
    assert names(site, "cough") == {"active": "tiny-2", "previous": "tiny-1", "canary": None, "shadow": None}
    assert "tiny-2" in admin.locator(".pointers tr").first.inner_text()

    admin.get_by_role("link", name=say("admin.go.rollback")).click()
    decide(admin, "rollback", "More referrals than before.")
    expect(admin.get_by_role("status").first).to_have_text(say("admin.done.rollback"))
    assert names(site, "cough")["active"] == "tiny-1"

    admin.locator(".pointers ~ *, #others").first.wait_for()
    admin.locator("tr", has_text="tiny-2").locator("a[href*='/recall?']").last.click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(say("admin.ask.recall", version="tiny-2"))
    expect(admin.locator("main")).to_contain_text(say("admin.undo.recall"))
    decide(admin, "recall", "Trained on mislabelled recordings.")
    expect(admin.get_by_role("status").first).to_have_text(say("admin.done.recall"))
    assert names(site, "cough") == {"active": "tiny-1", "previous": None, "canary": None, "shadow": None}
    told = admin.locator(".moves").inner_text()
    recalled = admin.locator(".moves a", has_text="tiny-2").first.get_attribute("href")
    line = admin.context.new_page()
    line.goto(f"{site.base}/admin{recalled}")
    for step in (DATASET, "Better on our ward.", "Trained on mislabelled recordings."):
        expect(line.locator("main")).to_contain_text(step)
    line.close()
    for reason in ("Better on our ward.", "More referrals than before.", "Trained on mislabelled recordings."):
        assert reason in told

    soon = datetime.now(UTC) + timedelta(minutes=1)
    admin.get_by_label(say("admin.at")).fill(f"{soon:%Y-%m-%dT%H:%M}")
    admin.get_by_role("button", name=say("admin.at.ask"), exact=True).click()
    expect(admin.locator(".then")).to_contain_text("tiny-1")
    expect(admin.locator(".then")).to_contain_text("More referrals than before.")


def test_somebody_who_was_faster_is_told_of(admin: Page, site: Site, published: Callable[..., str]) -> None:
    other, place = published(Modality.LUNG_SOUND, "tiny-2"), f"{site.base}/admin/deployments/lung_sound"
    admin.goto(f"{place}/shadow?version={other}")
    headers = {"Authorization": f"Bearer {site.issue('key', Role.ADMIN)}", "If-Match": '"1"', "Prefer": "wait=20"}
    faster = {"version": other, "reason": "I was faster", "share": 0.2}
    done = httpx.put(f"{site.base}/v1/deployments/lung_sound/canary", json=faster, headers=headers, timeout=60)
    assert done.status_code == 200
    other_tab = admin.context.new_page()
    other_tab.goto(place)
    expect(other_tab.locator("section", has=other_tab.locator("#canary"))).to_contain_text(say("admin.trial.too_few"))
    other_tab.close()
    decide(admin, "shadow", "To compare.")
    expect(admin.locator("#problem")).to_contain_text(say("generation_stale"))
    expect(admin.locator("#meanwhile ~ ul")).to_contain_text("I was faster")
    assert admin.get_by_label(say("admin.reason"), exact=True).input_value() == "To compare."
    decide(admin, "shadow", "To compare.")
    expect(admin.get_by_role("status").first).to_have_text(say("admin.done.shadow"))
    assert names(site, "lung_sound")["canary"] is None
    expect(admin.locator("main")).to_contain_text(say("admin.trial.nothing"))
    admin.get_by_role("link", name=say("admin.go.end-shadow")).click()
    decide(admin, "end-shadow", "ab")  # too short for a browser to send
    assert admin.url.endswith("/end-shadow")
    decide(admin, "end-shadow", "Seen.")
    expect(admin.get_by_role("status").first).to_have_text(say("admin.done.end-shadow"))
    admin.goto(f"{place}/rollback")
    expect(admin.locator("#problem")).to_have_text(say("nothing_to_roll_back_to"))


def test_script_in_names_reasons_and_answers_never_runs(admin: Page, site: Site, published: Callable[..., str]) -> None:
    """The page's fixture fails on any dialog and any complaint of the policy."""
    other, place = published(Modality.CHEST_XRAY, TRICK), f"{site.base}/admin/deployments/chest_xray"
    with site.database.begin() as session:
        tenant = ensure_tenant(session, "north")
        person = session.execute(_PERSON).scalar_one()
        hook = Webhook(
            id=new_id(),
            tenant_id=tenant.id,
            principal_id=person,
            url=f"https://x/{TRICK}",
            events=["job.finished"],
            secret=b"s",
            failures=1,
        )
        session.add(hook)
        session.flush()
        session.add(
            Delivery(
                id=new_id(), tenant_id=tenant.id, webhook_id=hook.id, event="webhook.test", state="dead", answer=TRICK
            )
        )
        hook_id = hook.id
    admin.goto(f"{place}/prepare?version={other}")
    expect(admin.get_by_role("heading", level=1)).to_contain_text(TRICK)
    admin.get_by_role("button", name=say("admin.do.prepare"), exact=True).click()
    admin.goto(f"{place}/recall?version={other}")
    decide(admin, "recall", TRICK)
    expect(admin.locator(".moves")).to_contain_text(TRICK)
    for path in (
        "/versions",
        f"/versions/{other}",
        "/admin",
        "/admin/system",
        "/admin/webhooks",
        f"/admin/webhooks/{hook_id}",
        f"/admin/versions?v={other}",
        f"/admin/audit?action={TRICK}",
    ):
        admin.goto(site.base + path)
        assert admin.locator("main img").count() == 0, path
    with site.database.begin() as session:
        session.get_one(Webhook, hook_id).removed_at = datetime.now(UTC)
