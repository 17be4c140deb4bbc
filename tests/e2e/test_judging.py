"""Judging in a browser: disagree on a result, read as a second person without being led, see what was said."""

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.db.people import ensure_principal, ensure_tenant, issue
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.scenes.judging import contested, judge
from tests.e2e.support import inspected_in_both, press_to, send_sample, sign_in

pytestmark = pytest.mark.browser

TRICK = "<img src=x onerror=alert(1)>"


def signed_in(page: Page, site: Site, name: str) -> Page:
    """Another clinician in place of whoever was signed in."""
    with site.database.begin() as session:
        person = ensure_principal(session, ensure_tenant(session, "north"), name, [Role.CLINICIAN])
        link = issue(session, person.id, "link", hours=1)
    page.context.clear_cookies(name="thoracle_session")
    page.goto(f"{site.base}/sign-in/{link}")
    page.locator("main form button.primary").click()
    page.wait_for_url(site.base + "/")
    return page


def test_a_disagreement_is_read_by_another_person_who_is_not_led(clinician: Page, site: Site) -> None:
    address = contested(clinician, site.base, Modality.CHEST_XRAY)
    expect(clinician.locator("#verdicts .review")).to_contain_text(say("judge.review.in_adjudication"))
    judge(clinician, "disagree", "pcr", TRICK)
    expect(clinician.locator("#verdicts .verdicts").first).to_contain_text(TRICK)
    assert clinician.locator("#verdicts img").count() == 0
    assert inspected_in_both(clinician) == []
    clinician.get_by_role("link", name=say("judge.second_link")).click()
    expect(clinician.locator("main")).to_contain_text(say("second.not_for_you"))

    ben = signed_in(clinician, site, "Dr. Ben")
    ben.get_by_role("link", name=say("second.title"), exact=True).click()
    assert inspected_in_both(ben) == []
    ben.get_by_role("link", name=say("second.read")).last.click()
    ben.wait_for_selector("#answer")
    text = ben.locator("main").inner_text()
    for word in (say("page.decision.flagged"), say("page.decision.not_flagged"), "Dr. clinician", TRICK, "tiny-1"):
        assert word not in text
    assert say("second.blind") in text
    assert inspected_in_both(ben) == []
    ben.get_by_label(say("second.label.present"), exact=True).check()
    ben.get_by_label(say("judge.basis.radiologist")).check()
    ben.get_by_role("button", name=say("second.send")).click()
    ben.wait_for_selector("#outcome")
    shown = ben.locator("main").inner_text()
    assert say("second.state.adjudicated", label=say("judge.label.present")) in shown
    assert "Dr. clinician" in shown
    assert inspected_in_both(ben) == []
    ben.goto(address)
    settled = say("judge.review.adjudicated", label=say("judge.label.present"))
    expect(ben.locator("#verdicts .review")).to_contain_text(settled)


def test_a_verdict_by_keyboard_and_its_withdrawal(clinician: Page, site: Site) -> None:
    send_sample(clinician, site.base, Modality.COUGH)
    clinician.locator("#sentence").focus()
    clinician.locator('#verdicts input[value="unsure"]').focus()
    clinician.keyboard.press("Space")
    clinician.keyboard.press("Tab")
    clinician.keyboard.press("Space")
    press_to(clinician, say("judge.send"))
    clinician.keyboard.press("Enter")
    clinician.wait_for_selector("#verdicts table")
    expect(clinician.locator("#verdicts table")).to_contain_text(say("judge.basis.pcr"))
    clinician.get_by_role("button", name=say("judge.withdraw")).click()
    expect(clinician.locator("#verdicts .review")).to_contain_text(say("judge.review.none"))
    expect(clinician.locator("#verdicts")).to_contain_text(say("judge.ended_count", count=1))


def test_an_administrator_lists_and_withdraws_without_a_patient(browser: Browser, page: Page, site: Site) -> None:
    ada = signed_in(page, site, "Dr. Ada")
    send_sample(ada, site.base, Modality.LUNG_SOUND)
    judge(ada, "unsure", "impression", "Jane Doe")
    context = browser.new_context(locale="en-GB")
    admin = context.new_page()
    admin.goto(site.link(Role.ADMIN))
    admin.locator("main form button.primary").click()
    admin.wait_for_load_state()
    admin.goto(site.base + "/admin/feedback?verdict=unsure&basis=")
    row = admin.locator("tbody tr").first
    expect(row).to_contain_text("Dr. Ada")
    assert "Jane Doe" not in admin.content()
    assert inspected_in_both(admin) == []
    row.get_by_role("button", name=say("judge.withdraw")).click()
    expect(admin.locator("tbody tr").first).to_contain_text(say("judge.withdrawn"))
    context.close()


def test_who_may_not_judge_sees_no_form(page: Page, site: Site) -> None:
    sign_in(page, site, Role.SUBMITTER)
    send_sample(page, site.base, Modality.CHEST_XRAY)
    expect(page.locator("#verdicts")).to_contain_text(say("judge.review.none"))
    assert page.locator("#verdicts form").count() == 0
    assert page.goto(site.base + "/second-reading").status == 403  # type: ignore[union-attr]
