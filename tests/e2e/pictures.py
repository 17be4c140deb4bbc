"""Makes the pictures of the documentation from a running Thoracle: `python -m tests.e2e.pictures SIGN_IN_LINK`."""

import io
import sys
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from shared.schemas import Modality
from tests.e2e.conftest import FLAGS, find_chromium
from tests.support.stack import wait_for

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"


def main(link: str) -> None:
    """Sign in, send each sample, and save the result pages, the worklist, and one page in dark."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1180, "height": 820}, locale="en-GB", timezone_id="UTC")
        page.goto(link)
        page.locator("main button").click()
        page.wait_for_selector("#submit")
        for modality in Modality:
            _result(page, modality)
            _save(page, f"result-{modality}")
        page.emulate_media(color_scheme="dark")
        _save(page, f"result-{Modality.LUNG_SOUND}-dark")
        page.emulate_media(color_scheme="light")
        page.get_by_role("link", name="Worklist").first.click()
        page.wait_for_selector("#submit")
        _save(page, "worklist")
        page.get_by_role("link", name="Model versions").click()
        page.locator("article a").first.click()
        page.wait_for_selector("#metrics")
        _save(page, "version")
        browser.close()


def _result(page: Page, modality: Modality) -> None:
    page.goto(urljoin(page.url, "/"))
    page.locator(f"button[value={modality}]").click()
    page.wait_for_selector(".result", timeout=60_000)
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def _save(page: Page, name: str) -> None:
    page.evaluate("document.activeElement.blur()")
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    # 256 colours: a third of the size, and nobody sees it.
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
