"""The drift board in a browser: it says what to do first, shows an alert, takes its acknowledgement, by keyboard."""

import random
import re
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from shared import judging
from shared.schemas import Basis, Label, Modality, Role, Verdict
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.scenes.drift import cough
from tests.e2e.support import inspected_in_both, sign_in
from tests.support.ended import ended, version_of
from tests.support.rolling import looked
from tests.support.stack import Hospital

pytestmark = pytest.mark.browser

TRICK = "<img src=x onerror=alert(1)>"


def say_so(session: Session, hospital: Hospital, job: UUID, row: dict[str, Any]) -> None:
    """A radiologist finds it in what was flagged, and in nothing else."""
    if row.get("decision") in ("flagged", "not_flagged"):
        label = Label.PRESENT if row["decision"] == "flagged" else Label.ABSENT
        reader = judging.Reader(hospital.tenant_id, hospital.principal_id, "Dr. East")
        judging.give(session, reader, job, judging.Opinion(Verdict.AGREE, Basis.RADIOLOGIST, False, label))


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
    jobs = ended(site.database, hospital, version_of(site.database, Modality.COUGH), rows, Modality.COUGH)
    with site.database.begin() as session:
        for job, row in list(zip(jobs, rows, strict=True))[::3]:
            say_so(session, hospital, job, row)
    looked(site.settings)  # unless the gateway has done so already
    admin = sign_in(page, site, Role.ADMIN, tenant="east")
    expect(admin.locator(".todo")).to_contain_text(say("admin.todo.alert.link"))
    admin.get_by_role("link", name=say("admin.todo.alert.link")).click()
    alert = admin.locator(".todo li").first
    expect(alert).to_contain_text(say("drift.state.raised"))
    assert admin.locator("svg.plot[role=img]").count() == 4
    latest = admin.get_by_role("img", name=re.compile("Sensitivity over time.*95 % interval"))
    assert latest.locator(".dot").count() == latest.locator(".bar-line").count() > 3
    expect(admin.locator("main")).to_contain_text("Verification bias")
    admin.get_by_text(say("drift.weeks"), exact=True).press("Enter")
    expect(admin.get_by_role("columnheader", name=say("drift.week_until"))).to_be_visible()
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
