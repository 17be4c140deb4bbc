"""A recording from the microphone: made, played back, sent and answered; and what is said when there is none."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from shared.schemas import Role
from shared.sentences import say
from tests.e2e.conftest import FLAGS, Site
from tests.e2e.support import inspected, press_to, result_of
from tests.support.stack import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Chromium with a microphone that beeps once a second."""
    flags = [*FLAGS, "--use-fake-device-for-media-stream"]
    browser = playwright.chromium.launch(executable_path=chromium, args=flags)
    yield browser
    browser.close()


@pytest.fixture
def allowed(context: BrowserContext, clinician: Page) -> Page:
    """The worklist of somebody who lets the page use the microphone."""
    context.grant_permissions(["microphone"])
    return clinician


def record(page: Page, seconds: float) -> None:
    """Record with the mouse; the timer and the level move meanwhile."""
    page.get_by_role("button", name=say("page.record.start")).click()
    meter = page.locator("#recorder meter")
    expect(meter).to_be_visible()
    wait_for(lambda: meter.evaluate("meter => meter.value > 0.3"), 60, "the level moves")
    expect(page.get_by_role("button", name=say("page.send_button"), exact=True)).to_be_disabled()
    page.wait_for_timeout(1000 * seconds)
    expect(page.get_by_role("timer")).not_to_have_text("0 s / 30 s")
    page.get_by_role("button", name=say("page.record.stop")).click()


def test_a_recording_is_played_back_sent_and_answered(allowed: Page, site: Site) -> None:
    expect(allowed.locator("#which")).to_be_hidden()
    record(allowed, 3)
    player = allowed.locator("#recorder audio")
    expect(player).to_be_visible()
    wait_for(lambda: player.evaluate("audio => audio.duration > 2 && audio.duration < 30"), 60, "its length is known")
    expect(allowed.locator("#recorder meter")).to_be_hidden()
    allowed.get_by_label(say("modality.cough")).check()
    allowed.get_by_role("button", name=say("page.send_button"), exact=True).click()
    text = result_of(allowed)
    assert "audio/webm" in allowed.locator("main").text_content()  # type: ignore[operator]
    assert say("modality.cough") in text
    audio = allowed.locator("audio")
    wait_for(lambda: audio.evaluate("audio => audio.duration > 2 && audio.duration < 30"), 60, "the stored one too")


def test_by_keyboard_and_again(allowed: Page) -> None:
    press_to(allowed, say("page.record.start"))
    allowed.keyboard.press("Enter")
    stop = allowed.get_by_role("button", name=say("page.record.stop"))
    expect(stop).to_be_focused()
    allowed.wait_for_timeout(1500)
    allowed.keyboard.press("Space")
    expect(allowed.get_by_role("button", name=say("page.record.again"))).to_be_focused()
    expect(allowed.locator("#announcer")).to_have_text(say("page.record.done"))
    first = allowed.locator("#recorder audio").get_attribute("src")
    allowed.keyboard.press("Enter")
    expect(stop).to_be_visible()
    allowed.wait_for_timeout(1500)
    allowed.keyboard.press("Enter")
    expect(allowed.locator("#recorder audio")).to_be_visible()
    assert allowed.locator("#recorder audio").get_attribute("src") != first
    assert allowed.evaluate("document.querySelector('#file').files[0].name") == "recording.webm"


def test_a_file_that_is_chosen_takes_the_recordings_place(allowed: Page) -> None:
    record(allowed, 0.5)
    expect(allowed.locator("#recorder audio")).to_be_visible()
    allowed.set_input_files("#file", {"name": "scan.png", "mimeType": "image/png", "buffer": b"\x89PNG"})
    expect(allowed.locator("#recorder audio")).to_be_hidden()
    expect(allowed.locator("#which")).to_be_hidden()


def test_a_refused_microphone_says_what_to_do(clinician: Page) -> None:
    clinician.get_by_role("button", name=say("page.record.start")).click()
    expect(clinician.get_by_role("alert")).to_have_text(say("page.record.refused"))
    button = clinician.get_by_role("button", name=say("page.record.start"))
    expect(button).to_be_enabled()
    expect(button).to_be_focused()


def test_only_the_form_may_use_the_microphone(clinician: Page, site: Site) -> None:
    form = clinician.goto(site.base + "/")
    other = clinician.goto(site.base + "/versions")
    assert form is not None
    assert other is not None
    assert "microphone=(self)" in form.headers["permissions-policy"]
    assert "microphone=()" in other.headers["permissions-policy"]
    assert "blob:" not in other.headers["content-security-policy"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, site: Site, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1180, "height": 820}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site.link(Role.CLINICIAN))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=say("page.record.start")).click()
    expect(page.get_by_role("alert")).to_be_visible()
    faults = inspected(page)
    context.grant_permissions(["microphone"])
    page.reload()
    page.get_by_role("button", name=say("page.record.start")).click()
    expect(page.locator("#recorder meter")).to_be_visible()
    faults += inspected(page)
    page.get_by_role("button", name=say("page.record.stop")).click()
    expect(page.locator("#recorder audio")).to_be_visible()
    faults += inspected(page)
    context.close()
    assert faults == []
