"""What moved a score, in a browser: asked for, waited for, with a slider that needs no mouse."""

import pytest
from playwright.sync_api import Page, expect

from shared.schemas import Modality
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import inspected_in_both, send_sample

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("modality", [Modality.CHEST_XRAY, Modality.LUNG_SOUND])
def test_a_heat_map_comes_by_itself_and_its_slider_works_by_keyboard(
    clinician: Page, site: Site, modality: Modality
) -> None:
    send_sample(clinician, site.base, modality)
    clinician.get_by_role("button", name=say("page.why.ask")).click()
    heat = clinician.locator("#why .heat-layer")
    expect(heat.locator("img")).to_be_visible(timeout=60_000)
    assert heat.locator("img").evaluate("image => image.naturalWidth") > 100
    slider = clinician.get_by_role("slider", name=say("page.why.slider"))
    before = float(heat.evaluate("layer => getComputedStyle(layer).opacity"))
    slider.focus()
    clinician.keyboard.press("ArrowLeft")
    assert float(heat.evaluate("layer => getComputedStyle(layer).opacity")) < before
    clinician.keyboard.press("Home")
    assert heat.evaluate("layer => getComputedStyle(layer).opacity") == "0"
    expect(clinician.locator("#why")).to_contain_text(say("explanation.caution"))
    assert inspected_in_both(clinician) == []


def test_features_are_bars_with_words(clinician: Page, site: Site) -> None:
    send_sample(clinician, site.base, Modality.COUGH)
    clinician.get_by_role("button", name=say("page.why.ask")).click()
    expect(clinician.locator("#why .bars li")).to_have_count(13, timeout=60_000)
    expect(clinician.locator("#why .bars")).to_contain_text(say("page.why.rest"))
    assert inspected_in_both(clinician) == []
