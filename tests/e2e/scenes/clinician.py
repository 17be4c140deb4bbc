"""What a clinician sees."""

from functools import partial

from playwright.sync_api import Page

from shared.schemas import Modality, Role
from tests.e2e.scenes import Scene
from tests.e2e.support import send_sample
from tests.support.stack import wait_for

_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"


def result(modality: Modality, page: Page, base: str) -> None:
    """A sample's result with everything drawn."""
    send_sample(page, base, modality)
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def worklist(page: Page, base: str) -> None:
    """The latest studies and the form."""
    page.goto(base + "/")


def version(page: Page, base: str) -> None:
    """The first version's card."""
    page.goto(base + "/versions")
    page.locator("article a").first.click()
    page.wait_for_selector("#metrics")


SCENES = [
    *(Scene(f"result-{modality}", Role.CLINICIAN, partial(result, modality)) for modality in Modality),
    Scene("worklist", Role.CLINICIAN, worklist),
    Scene("version", Role.CLINICIAN, version),
]
