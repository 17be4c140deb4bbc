"""What readers say: on a result, on the worklist of second readings, in the administrator's list."""

from playwright.sync_api import Page

from shared.schemas import Modality, Role
from tests.e2e.scenes import Scene
from tests.e2e.support import send_sample
from tests.support.stack import wait_for

_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"


def judge(page: Page, said: str, basis: str = "radiologist", comment: str = "") -> None:
    """Give a verdict on the result that the page shows; its form is closed when there is one already."""
    page.locator("#verdicts details[open], #verdicts details").last.evaluate("one => { one.open = true }")
    page.locator(f'#verdicts input[value="{said}"]').check()
    page.locator(f'#verdicts input[value="{basis}"]').check()
    page.locator("#comment").fill(comment)
    page.locator("#verdicts button.primary").click()
    page.wait_for_selector("#verdicts table")


def contested(page: Page, base: str, modality: Modality) -> str:
    """A sample's result that the reader disagrees with; returns the address of its page."""
    address = send_sample(page, base, modality)
    values = page.locator('#verdicts input[name="said"]').evaluate_all("all => all.map(one => one.value)")
    judge(page, "disagree" if "disagree" in values else "present")
    return address


def verdicts(page: Page, base: str) -> None:
    """A result with a verdict that waits for a second reader."""
    contested(page, base, Modality.CHEST_XRAY)
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def worklist(page: Page, base: str) -> None:
    """What waits for a second reader."""
    contested(page, base, Modality.COUGH)
    page.goto(base + "/second-reading")


def listed(page: Page, base: str) -> None:
    """Every verdict, for those who look after the service."""
    page.goto(base + "/admin/feedback")


SCENES = [
    Scene("verdicts", Role.CLINICIAN, verdicts),
    Scene("second-readings", Role.CLINICIAN, worklist),
    Scene("feedback", Role.ADMIN, listed),
]
