"""What readers say of results."""

from playwright.sync_api import Page

from cli.local import TENANT
from shared.db.engine import Database
from shared.db.people import ensure_principal, ensure_tenant, issue
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.e2e.scenes import Scene
from tests.e2e.support import send_sample
from tests.support.stack import wait_for

_SECOND: list[str] = []  # sign-in links of another clinician
_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"


def prepare(settings: Settings, database: Database) -> None:
    """Another clinician of the same hospital."""
    del settings
    with database.begin() as session:
        owner = ensure_tenant(session, TENANT)
        person = ensure_principal(session, owner, "demo second reader", [Role.CLINICIAN])
        _SECOND.append(issue(session, person.id, "link", hours=1))


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


def second(page: Page, base: str) -> None:
    """One of them, before another reader than the one who disagreed."""
    page.context.clear_cookies(name="thoracle_session")
    page.goto(f"{base}/sign-in/{_SECOND.pop()}")
    page.locator("main form button.primary").click()
    page.wait_for_url(base + "/")
    page.goto(base + "/second-reading?modality=cough")
    page.get_by_role("link", name="Read").last.click()
    page.wait_for_selector("#answer")
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def listed(page: Page, base: str) -> None:
    """Every verdict, for those who look after the service."""
    page.goto(base + "/admin/feedback")


SCENES = [
    Scene("verdicts", Role.CLINICIAN, verdicts, "A result that a reader disagrees with"),
    Scene("second-readings", Role.CLINICIAN, worklist, "What waits for a second reader"),
    Scene("second-reading", Role.CLINICIAN, second, "A second reading, blind until it is answered"),
    Scene("feedback", Role.ADMIN, listed, "Every verdict, without patients"),
]
