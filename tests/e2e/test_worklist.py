"""The worklist: filters that work without the script, states that follow by themselves; a patient's earlier studies."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from services.api.web.samples import sample
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import SCHEMES, inspected_in_both, result_of, sign_in
from tests.support.stack import wait_for

pytestmark = pytest.mark.browser

TRICK = "<script>alert(1)</script>"


def submitted(at: Site, modality: Modality, tenant: str = "west", **fields: str) -> str:
    """A study that a system has sent and that has a result; its id."""
    key = at.issue("key", Role.SUBMITTER, tenant=tenant)
    headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=30"}
    data = {"modality": str(modality), **fields}
    answer = httpx.post(f"{at.base}/v1/jobs", headers=headers, data=data, files={"file": sample(modality)}, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def western(page: Page, site: Site) -> Page:
    """A clinician of a hospital of its own."""
    return sign_in(page, site, Role.CLINICIAN, tenant="west")


def test_filters_and_back(western: Page, site: Site) -> None:
    submitted(site, Modality.COUGH, client_ref="ORDER_1", site="ward 1")
    submitted(site, Modality.CHEST_XRAY, client_ref="ORDER_2", priority="stat", subject_id=TRICK)
    western.goto(site.base + "/")
    western.get_by_text(say("page.filter"), exact=True).click()
    western.get_by_label(say("page.filter.client_ref_prefix")).fill("ORDER_")
    western.get_by_label(say("page.filter.modality")).select_option(label=say("modality.chest_xray"))
    western.get_by_label(say("page.filter.status")).select_option(label=say("page.state.succeeded"))
    western.get_by_role("button", name=say("page.filter.show")).click()
    rows = western.locator(".list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("ORDER_2")
    expect(rows).to_contain_text(say("page.urgency.stat"))
    expect(western.locator(".filters summary")).to_contain_text(say("page.filter.count", count=3))
    expect(western.get_by_label(say("page.filter.client_ref_prefix"))).to_have_value("ORDER_")
    assert inspected_in_both(western) == []
    western.locator("#f-site").fill("ward 1")
    western.get_by_role("button", name=say("page.filter.show")).click()
    expect(western.locator(".empty")).to_contain_text(say("page.none_chosen"))
    western.get_by_role("link", name=say("page.filter.clear")).first.click()
    western.wait_for_url(site.base + "/")


def test_filters_without_the_script(browser: Browser, site: Site) -> None:
    submitted(site, Modality.COUGH, client_ref="PLAIN-1")
    context = browser.new_context(java_script_enabled=False)
    page = sign_in(context.new_page(), site, Role.CLINICIAN, tenant="west")
    page.locator(".filters summary").click()
    page.get_by_label(say("page.filter.client_ref_prefix")).fill("PLAIN")
    page.get_by_role("button", name=say("page.filter.show")).click()
    expect(page.locator(".list tbody tr")).to_have_count(1)
    context.close()


def test_a_filter_that_is_none_is_said(western: Page, site: Site) -> None:
    for query in ("modality=teeth", "since=yesterday", "batch=1", "cursor=x"):
        answer = western.goto(f"{site.base}/?{query}")
        assert answer is not None
        assert answer.status in (400, 422)
        expect(western.get_by_role("heading", level=1)).to_have_text(say("page.error.other"))


def test_the_list_follows_by_itself_and_keeps_the_keyboards_place(western: Page, site: Site) -> None:
    first = submitted(site, Modality.COUGH, client_ref="EARLY")
    western.clock.install()
    western.goto(site.base + "/")
    western.locator(f'a[href="/jobs/{first}"]').focus()
    submitted(site, Modality.LUNG_SOUND, client_ref="LATE")
    western.clock.fast_forward(21_000)
    expect(western.get_by_role("link", name="LATE")).to_be_visible(timeout=30_000)
    expect(western.locator(f'a[href="/jobs/{first}"]')).to_be_focused()
    expect(western.locator("#announcer")).to_have_text(say("page.updated"))


@pytest.mark.parametrize("width", [820, 1180])
def test_earlier_studies_stand_side_by_side(western: Page, site: Site, width: int) -> None:
    subject = f"P-{width} {TRICK}"
    for number in range(2):
        submitted(site, Modality.CHEST_XRAY, subject_id=subject, client_ref=f"before {number}")
    other = submitted(site, Modality.COUGH, subject_id=f"P-other-{width}")
    last = submitted(site, Modality.CHEST_XRAY, subject_id=subject, client_ref="last")
    western.set_viewport_size({"width": width, "height": 1180})
    western.goto(f"{site.base}/jobs/{last}")
    result_of(western)
    shown = western.locator(".side-by-side > li")
    expect(shown).to_have_count(3)
    expect(shown.first).to_contain_text(say("page.this_study"))
    wait_for(lambda: western.locator(".side-by-side img:not([hidden])").count() == 3, 60, "pictures are drawn")
    assert western.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert inspected_in_both(western) == []
    western.goto(f"{site.base}/jobs/{other}")
    expect(western.locator("main")).to_contain_text(say("page.earlier_none"))
    western.goto(f"{site.base}/jobs/{last}")
    western.get_by_role("link", name=say("page.earlier_all")).click()
    expect(western.locator(".list tbody tr")).to_have_count(3)


def test_the_player_shows_on_both_pictures(western: Page, site: Site) -> None:
    job = submitted(site, Modality.LUNG_SOUND)
    western.goto(f"{site.base}/jobs/{job}")
    audio, pictures = western.locator("audio"), western.locator(".input .drawn img:not([hidden])")
    wait_for(lambda: pictures.count() == 2, 60, "pictures are drawn")
    wait_for(lambda: audio.evaluate("audio => audio.duration > 1"), 60, "the browser can play it")
    box = pictures.first.bounding_box()
    assert box is not None
    pictures.first.click(position={"x": box["width"] / 2, "y": 20})
    wait_for(lambda: abs(audio.evaluate("audio => audio.currentTime / audio.duration") - 0.5) < 0.02, 60, "it is there")
    heads = western.locator(".playhead")
    expect(heads).to_have_count(2)
    expect(heads.first).to_be_visible()
    for place in heads.evaluate_all("heads => heads.map((head) => parseFloat(head.style.left))"):
        assert place == pytest.approx(50, abs=2)


def test_a_result_can_be_taken_along(western: Page, site: Site) -> None:
    job = submitted(site, Modality.COUGH, client_ref="TAKE")
    western.goto(f"{site.base}/jobs/{job}")
    for name, ending in (("page.download_json", ".json"), ("page.download_csv", ".csv")):
        with western.expect_download() as download:
            western.get_by_role("link", name=say(name)).click()
        assert download.value.suggested_filename == job + ending
        assert "TAKE" in download.value.path().read_text()
    western.emulate_media(media="print")
    expect(western.get_by_role("link", name=say("page.download_csv"))).to_be_hidden()
    expect(western.locator("#sentence")).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_recalled_result_is_read_again(browser: Browser, site: Site, scheme: str) -> None:
    job = submitted(site, Modality.COUGH, client_ref="RECALLED")
    with site.database.begin() as session:
        session.execute(text("UPDATE versions SET recalled_at = now() WHERE modality = 'cough'"))
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page = sign_in(context.new_page(), site, Role.CLINICIAN, tenant="west")
        page.goto(f"{site.base}/jobs/{job}")
        expect(page.locator(".alert.recalled")).to_contain_text(say("page.recalled"))
        with site.database.begin() as session:
            session.execute(text("UPDATE versions SET recalled_at = NULL WHERE modality = 'cough'"))
        page.get_by_role("button", name=say("page.rerun")).click()
        page.wait_for_url(re.compile(f"/jobs/(?!{job})"))
        assert "RECALLED" in result_of(page)
    finally:
        with site.database.begin() as session:
            session.execute(text("UPDATE versions SET recalled_at = NULL"))
        context.close()
