"""What every flow in a browser needs: signing in with roles, accessibility faults in light and dark, the keyboard."""

import re
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page

from shared.schemas import Role
from shared.sentences import say

if TYPE_CHECKING:
    from tests.e2e.conftest import Site

SCHEMES = ("light", "dark")


def sign_in(page: Page, site: "Site", *roles: Role, tenant: str = "north") -> Page:
    """Sign a person with these roles in, in place of whoever was; the page is then where a sign-in leads."""
    page.context.clear_cookies(name="thoracle_session")
    page.goto(site.link(*roles, tenant=tenant))
    page.locator("main form button.primary").click()
    page.wait_for_url(re.compile(f"^{re.escape(site.base)}/(admin)?$"))
    return page


def inspected(page: Page) -> list[str]:
    """The serious and critical violations that axe finds in what the page shows now."""
    try:
        violations = Axe().run(page).response["violations"]
    except Error:  # the page drew itself anew while axe looked at what it had before
        violations = Axe().run(page).response["violations"]
    return [
        f"{page.url} {v['id']}: {v['nodes'][0]['html'][:200]}"
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]


def inspected_in_both(page: Page) -> list[str]:
    """The same in light and dark."""
    faults = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        faults += [f"{scheme}: {fault}" for fault in inspected(page)]
    page.emulate_media(color_scheme="light")
    return faults


def result_of(page: Page) -> str:
    """Wait for the result and return what the page says."""
    page.wait_for_selector(".result", timeout=60_000)
    return page.locator("main").inner_text()


def send_sample(page: Page, base: str, modality: str) -> str:
    """Send a synthetic sample from the worklist, wait for its result, and return the address of its page."""
    page.goto(base + "/")
    page.get_by_role("button", name=say(f"page.sample.{modality}")).click()
    result_of(page)
    return page.url


def press_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"Tab never reached {name}")


def focused(page: Page) -> str:
    """The text of what has the focus."""
    return str(page.evaluate("document.activeElement.textContent")).strip()
