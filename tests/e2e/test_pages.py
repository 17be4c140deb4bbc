"""The journey of a clinician in a browser: sign in, send, watch, read; with the mouse, the keyboard, without script."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from services.api.web.samples import FILES, FOLDER
from shared.schemas import Modality, Role
from shared.sentences import RESEARCH, say
from tests.e2e.conftest import Site
from tests.e2e.support import focused, inspected, press_to, result_of
from tests.support.stack import wait_for

pytestmark = pytest.mark.browser

FORBIDDEN = re.compile(r"\b(positive|negative|healthy)\b|% risk", re.IGNORECASE)
TRICK = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("modality", list(Modality))
def test_sample_becomes_a_result_in_plain_words(clinician: Page, modality: Modality) -> None:
    clinician.get_by_role("button", name=say(f"page.sample.{modality}")).click()
    text = result_of(clinician)
    assert say(f"modality.{modality}") in text
    assert "tiny-1" in text
    expect(clinician.locator("svg.scale")).to_contain_text("threshold 0.50")
    drawn = clinician.get_by_role("img", name=re.compile(r"0\.50, 95 % interval 0\.40 to 0\.60"))
    assert [rate.get_attribute("class") for rate in drawn.all()] == ["rate", "rate"]
    assert RESEARCH in clinician.locator("header").inner_text()
    assert not FORBIDDEN.search(text)


@pytest.mark.parametrize("modality", list(Modality))
def test_the_input_is_shown(clinician: Page, modality: Modality) -> None:
    clinician.get_by_role("button", name=say(f"page.sample.{modality}")).click()
    result_of(clinician)
    kinds = ["picture"] if modality is Modality.CHEST_XRAY else ["waveform", "spectrogram"]
    for kind in kinds:
        image = clinician.locator(f"figure.{kind} img[src]")
        expect(image).to_be_visible(timeout=60_000)
        assert image.evaluate("image => image.naturalWidth") > 100
    if modality is not Modality.CHEST_XRAY:
        audio = clinician.locator("audio")
        expect(audio).to_be_visible()
        wait_for(lambda: audio.evaluate("audio => audio.duration > 1"), 60, "the browser can play it")
        expect(clinician.locator("[data-length]").first).to_have_text(re.compile(r"^0 s\s*\d+\.\d s$"))
        audio.evaluate("audio => { audio.currentTime = 2 }")
        wait_for(lambda: audio.evaluate("audio => audio.currentTime === 2"), 60, "one can go back to a sound")


def test_dropped_sound_is_asked_about_and_script_in_a_reference_never_runs(clinician: Page) -> None:
    expect(clinician.locator("#which")).to_be_hidden()
    clinician.set_input_files("#file", FOLDER / FILES[Modality.COUGH])
    expect(clinician.locator("#which")).to_be_visible()
    clinician.get_by_label(say("modality.cough")).check()
    clinician.get_by_text(say("page.about")).click()
    clinician.get_by_label(say("page.field.client_ref")).fill(TRICK)
    clinician.get_by_role("button", name=say("page.send_button"), exact=True).click()
    result_of(clinician)
    assert TRICK in clinician.locator("h1").inner_text()
    clinician.get_by_role("navigation", name=say("page.nav")).get_by_role("link", name=say("page.worklist")).click()
    expect(clinician.get_by_role("link", name=TRICK).first).to_be_visible()
    assert clinician.locator("main img").count() == 0


def test_a_picture_needs_no_question(clinician: Page) -> None:
    clinician.set_input_files("#file", FOLDER / FILES[Modality.CHEST_XRAY])
    expect(clinician.locator("#which")).to_be_hidden()
    clinician.get_by_role("button", name=say("page.send_button"), exact=True).click()
    assert say("modality.chest_xray") in result_of(clinician)


def test_unusable_file_is_refused_in_words(clinician: Page, tmp_path: Path) -> None:
    text = tmp_path / "note.png"
    text.write_text("This is not a picture.\n" * 50)
    clinician.set_input_files("#file", text)
    clinician.get_by_role("button", name=say("page.send_button"), exact=True).click()
    expect(clinician.get_by_role("alert")).to_contain_text(say("input_type_unknown"))
    expect(clinician.get_by_label(say("page.file"))).to_be_visible()


def test_rejected_job_says_why_and_what_to_do(clinician: Page, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes((FOLDER / FILES[Modality.COUGH]).read_bytes()[:5000])
    clinician.set_input_files("#file", cut)
    clinician.get_by_label(say("modality.cough")).check()
    clinician.get_by_role("button", name=say("page.send_button"), exact=True).click()
    clinician.wait_for_selector(".ended.rejected", timeout=60_000)
    expect(clinician.locator("main")).to_contain_text(say("input_truncated"))
    expect(clinician.get_by_role("link", name=say("page.another"))).to_be_visible()


def test_the_version_page_shows_the_card(clinician: Page) -> None:
    clinician.get_by_role("button", name=say("page.sample.cough")).click()
    result_of(clinician)
    clinician.get_by_role("link", name=say("page.card_link")).click()
    text = clinician.locator("main").inner_text()
    assert "A test's version." in text
    assert say("page.metrics") in text
    assert not FORBIDDEN.search(text)


def test_by_keyboard_alone(page: Page, site: Site) -> None:
    page.goto(site.link(Role.CLINICIAN))
    press_to(page, say("page.sign_in"))
    page.keyboard.press("Enter")
    page.wait_for_url(site.base + "/")
    page.keyboard.press("Tab")
    assert focused(page) == say("page.skip")
    press_to(page, say("page.sample.cough"))
    page.keyboard.press("Enter")
    result_of(page)
    press_to(page, say("page.card_link"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/versions/"))


def test_without_the_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.link(Role.CLINICIAN))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=say("page.sample.chest_xray")).click()
    page.wait_for_selector(".result", timeout=60_000)
    assert say("modality.chest_xray") in page.locator("h1").inner_text()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, site: Site, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1180, "height": 820}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.base}/sign-in")
    faults = inspected(page)
    page.goto(site.link(Role.CLINICIAN))
    faults += inspected(page)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=say("page.sample.cough")).click()
    faults += inspected(page)
    result_of(page)
    faults += inspected(page)
    for path in ("/", "/versions", "/nowhere"):
        page.goto(site.base + path)
        faults += inspected(page)
    page.get_by_role("link", name=say("page.to_worklist")).click()
    page.get_by_text(say("page.about")).click()
    faults += inspected(page)
    context.close()
    assert faults == []
