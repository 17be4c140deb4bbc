"""By keyboard and without haste: every stop of Tab is seen, journeys need nothing else, changes are said aloud."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import focused, press_to, result_of, send_sample, sign_in
from tests.support.versions import tiny

pytestmark = pytest.mark.browser

# What has the focus: how thick its outline is (a radio's is its own), and whether any of it is on the screen.
_STOP = """() => {
  const here = document.activeElement, box = here.getBoundingClientRect(), style = getComputedStyle(here);
  const name = `${here.tagName}#${here.id} ${(here.textContent.trim() || here.name || '').slice(0, 40)}`;
  const seen = box.width > 1 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return [here === document.body, name, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, seen];
}"""
_PACE = """([css]) => {
  document.querySelector('main').insertAdjacentHTML('beforeend', css);
  return getComputedStyle(document.querySelector('#pace [aria-current]')).animationName;
}"""


def stops(page: Page) -> list[str]:
    """Press Tab once around the page; every stop by name. Fails where one is not seen."""
    page.evaluate("document.activeElement?.blur()")
    found: list[str] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        at_end, name, outlined, seen = page.evaluate(_STOP)
        if at_end:
            return found
        assert outlined, f"{page.url}: the focus on {name} is not to be seen"
        assert seen, f"{page.url}: {name} has the focus and is not on the screen"
        found.append(name)
    raise AssertionError(f"{page.url}: Tab never comes to an end")


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (Role.CLINICIAN, ("/", "/batches", "/second-reading", "/versions", "/comparisons")),
        (Role.ADMIN, ("/admin", "/admin/deployments/cough", "/admin/training", "/admin/drift", "/admin/webhooks",
                      "/admin/keys", "/admin/audit", "/admin/system", "/admin/versions", "/admin/retraining")),
    ],
)  # fmt: skip
def test_every_stop_of_tab_is_seen(page: Page, site: Site, role: Role, paths: tuple[str, ...]) -> None:
    sign_in(page, site, role)
    for path in paths:
        page.goto(site.base + path)
        found = stops(page)
        assert found[0].endswith(say("page.skip")), path
        assert len(found) > 4


def test_the_skip_link_leads_past_the_menu(clinician: Page, site: Site) -> None:
    clinician.goto(site.base + "/versions")
    clinician.keyboard.press("Tab")
    assert focused(clinician) == say("page.skip")
    clinician.keyboard.press("Enter")
    clinician.keyboard.press("Tab")
    assert clinician.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_result_is_said_aloud_and_judged_with_tab_alone(clinician: Page) -> None:
    press_to(clinician, say("page.sample.lung_sound"))
    clinician.keyboard.press("Enter")
    result_of(clinician)
    sentence = clinician.locator("#sentence").inner_text()
    if clinician.locator("#announcer").inner_text():  # else it was there before the page was
        expect(clinician.locator("#announcer[role=status]")).to_contain_text(sentence)
    for name, value in (("said", "agree"), ("basis", "follow_up")):
        to_field(clinician, name)
        for _ in range(4):
            if clinician.evaluate("document.activeElement.value") == value:
                break
            clinician.keyboard.press("ArrowDown")
        clinician.keyboard.press("Space")
    press_to(clinician, say("judge.send"))
    clinician.keyboard.press("Enter")
    expect(clinician.locator("#verdicts table")).to_contain_text(say("judge.basis.follow_up"))


def to_field(page: Page, name: str) -> None:
    """Press Tab until a field of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            return
    raise AssertionError(f"Tab never reached {name}")


def test_a_promotion_and_its_rollback_with_tab_alone(page: Page, site: Site, tmp_path: Path) -> None:
    with site.database.begin() as session:
        artefact = store(tiny(tmp_path / "keys", Modality.CHEST_XRAY, "by-keys", bias=0.5), site.settings.versions_dir)
        publish(session, artefact, "test")
    admin = sign_in(page, site, Role.ADMIN)
    admin.goto(f"{site.base}/admin/deployments/chest_xray/promote?version={artefact.sha256}")
    write(admin, "reason", "Tried on the ward.")
    if admin.locator("[name=override]").count():
        write(admin, "override", "It is a test.")
    press_to(admin, say("admin.do.promote"))
    admin.keyboard.press("Enter")
    admin.wait_for_url(f"{site.base}/admin/deployments/chest_xray**")
    expect(admin.locator(".pointers")).to_contain_text("by-keys")
    admin.goto(f"{site.base}/admin/deployments/chest_xray/rollback")
    write(admin, "reason", "The test is over.")
    press_to(admin, say("admin.do.rollback"))
    admin.keyboard.press("Enter")
    expect(admin.locator(".pointers tr").first).to_contain_text("tiny-1")


def write(page: Page, name: str, words: str) -> None:
    """Reach a field with Tab and type."""
    to_field(page, name)
    page.keyboard.type(words)


def test_a_worklist_that_changes_says_so(clinician: Page, site: Site) -> None:
    """Another tab sends a study; the list says aloud that it was updated, and the focus stays where it was."""
    address = send_sample(clinician, site.base, Modality.COUGH)
    clinician.goto(site.base + "/")
    expect(clinician.locator("#announcer")).to_have_attribute("role", "status")
    assert clinician.locator("#live").get_attribute("data-sentence") == say("page.updated")
    press_to(clinician, clinician.locator(f'a[href="{address.removeprefix(site.base)}"]').inner_text())
    clinician.evaluate("refresh(document.getElementById('live'))")
    expect(clinician.locator(f'a[href="{address.removeprefix(site.base)}"]')).to_be_focused()


def test_nothing_moves_for_whoever_wants_it_still(clinician: Page) -> None:
    markup = '<ol class="steps" id="pace"><li aria-current="step">…</li></ol>'
    assert clinician.evaluate(_PACE, [markup]) == "breathe"
    clinician.emulate_media(reduced_motion="reduce")
    assert clinician.evaluate(_PACE, [""]) == "none"
