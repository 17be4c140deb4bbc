"""For whoever asks why, or which version."""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page
from sqlalchemy import update

from services.api.web.samples import sample
from shared.db.engine import Database
from shared.db.tables import Result
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.sentences import say
from shared.settings import Settings
from tests.e2e.scenes import Scene
from tests.e2e.support import send_sample
from tests.support.stack import wait_for
from tests.support.versions import tiny

_DATABASE: list[Database] = []
# What the active version says of synthetic coughs, for the picture alone: it refers them all.
_SAID = (("flagged", 0.71), ("flagged", 0.55), ("not_flagged", 0.12), ("not_flagged", 0.31), ("refer", 0.15))
_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"


def prepare(settings: Settings, database: Database) -> None:
    """A second cough version, to compare the starter with."""
    _DATABASE.append(database)
    with TemporaryDirectory() as folder:
        made = tiny(Path(folder) / "second", Modality.COUGH, "for-comparison", bias=-0.5)
        artefact = store(made, settings.versions_dir)
    with database.begin() as session:
        publish(session, artefact, "test")


def _why(page: Page, base: str, modality: Modality, shown: str) -> None:
    send_sample(page, base, modality)
    page.get_by_role("button", name=say("page.why.ask")).click()
    page.wait_for_selector(f"#why {shown}", timeout=90_000)
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def why_xray(page: Page, base: str) -> None:
    """The heat map of a sample."""
    _why(page, base, Modality.CHEST_XRAY, ".slider")


def why_lung_sound(page: Page, base: str) -> None:
    """Contributions of features."""
    _why(page, base, Modality.LUNG_SOUND, ".bars")


def comparisons(page: Page, base: str) -> None:
    """The form."""
    page.goto(base + "/comparisons")


def comparison(page: Page, base: str) -> None:
    """Two cough versions on the coughs that were sent."""
    for number, (decision, probability) in enumerate(_SAID):
        body = sample(Modality.COUGH) + bytes(number)
        page.goto(base + "/")
        page.set_input_files("#file", {"name": f"cough-{number}.wav", "mimeType": "", "buffer": body})
        page.get_by_label(say("modality.cough")).check()
        page.get_by_role("button", name=say("page.send_button"), exact=True).click()
        page.wait_for_selector(".result", timeout=60_000)
        with _DATABASE[0].begin() as session:
            job = page.url.rpartition("/")[2]
            session.execute(
                update(Result).where(Result.job_id == job).values(decision=decision, probability=probability)
            )
    page.goto(base + "/comparisons")
    page.locator("#first").select_option(index=0)
    page.locator("#second").select_option(index=1)
    page.get_by_role("button", name=say("page.comparison.start"), exact=True).click()
    page.wait_for_selector("#live[data-busy=no] #figures", timeout=90_000)


SCENES = [
    Scene("why-xray", Role.CLINICIAN, why_xray, "What moved the score of an X-ray"),
    Scene("why-lung-sound", Role.CLINICIAN, why_lung_sound, "What moved the score of a lung sound"),
    Scene("comparisons", Role.CLINICIAN, comparisons, "Choosing two versions to compare"),
    Scene("comparison", Role.CLINICIAN, comparison, "Two versions on the same studies"),
]
