"""The drift board in a browser: it says what to do first, shows an alert, takes its acknowledgement, by keyboard."""

import random

import pytest
from playwright.sync_api import Page, expect

from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.scenes.drift import cough
from tests.e2e.support import inspected_in_both, sign_in
from tests.support.ended import ended, version_of
from tests.support.rolling import looked
from tests.support.stack import Hospital

pytestmark = pytest.mark.browser

TRICK = "<img src=x onerror=alert(1)>"


def test_an_empty_board_says_what_to_do_first(page: Page, site: Site) -> None:
    admin = sign_in(page, site, Role.ADMIN, tenant="south")
    admin.get_by_role("link", name=say("admin.nav.drift"), exact=True).click()
    expect(admin.locator("main")).to_contain_text(say("drift.alerts.none"))
    expect(admin.locator(".empty")).to_contain_text(say("drift.empty_first"))
    assert inspected_in_both(admin) == []


def test_an_alert_is_seen_and_acknowledged(page: Page, site: Site) -> None:
    hospital, chance = Hospital(site.settings, site.database, "east"), random.Random(3)
    rows = [cough(chance, day) for day in (*range(12, 2, -1), 0, 0, 0) for _ in range(80)]
    rows[-1]["site"] = TRICK
    ended(site.database, hospital, version_of(site.database, Modality.COUGH), rows, Modality.COUGH)
    assert looked(site.settings) > 0
    admin = sign_in(page, site, Role.ADMIN, tenant="east")
    expect(admin.locator(".todo")).to_contain_text(say("admin.todo.alert.link"))
    admin.get_by_role("link", name=say("admin.todo.alert.link")).click()
    alert = admin.locator(".todo li").first
    expect(alert).to_contain_text(say("drift.state.raised"))
    assert admin.locator("svg.plot[role=img]").count() == 3
    assert admin.locator("svg.plot path.limit").count() == 2
    assert inspected_in_both(admin) == []
    alert.get_by_label(say("drift.note")).fill("A new recorder.")
    alert.get_by_role("button", name=say("drift.acknowledge")).press("Enter")
    expect(admin.get_by_role("status").first).to_have_text(say("drift.done.acknowledged"))
    expect(admin.locator(".todo")).to_contain_text("A new recorder.")
    admin.get_by_label(say("drift.site")).select_option(TRICK)
    admin.get_by_role("button", name=say("drift.show")).press("Enter")
    expect(admin.locator("main")).to_contain_text(say("drift.incomplete", found=1, first=500))


def test_an_auditor_looks_and_changes_nothing(page: Page, site: Site) -> None:
    auditor = sign_in(page, site, Role.AUDITOR, tenant="east")
    auditor.goto(f"{site.base}/admin/drift")
    expect(auditor.get_by_role("heading", level=1)).to_have_text(say("admin.nav.drift"))
    assert auditor.get_by_role("button", name=say("drift.acknowledge")).count() == 0
    clinician = sign_in(page, site, Role.CLINICIAN, tenant="east")
    answer = clinician.goto(f"{site.base}/admin/drift")
    assert answer is not None
    assert answer.status == 403
