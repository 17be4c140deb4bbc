"""For clinicians."""

import re
from functools import partial

from playwright.sync_api import Page

from services.api.web.samples import sample
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.scenes import Scene
from tests.e2e.support import result_of, send_sample
from tests.support.stack import wait_for

_DRAWN = "[...document.querySelectorAll('img[data-rendition]')].every(image => !image.hidden)"
_SUBJECT = "P-0815"


def drawn(page: Page) -> None:
    """Wait until every picture of an input is there."""
    wait_for(lambda: page.evaluate(_DRAWN), 60, "pictures of the input")


def sign_in(page: Page, base: str) -> None:
    """Before anybody has signed in: a look at the page alone."""
    page.goto(base + "/sign-in")


def worklist(page: Page, base: str) -> None:
    """Studies and the form."""
    page.goto(base + "/")


def filtered(page: Page, base: str) -> None:
    """What the last hour left undone, say."""
    page.goto(base + "/?modality=chest_xray&status=succeeded")


def result(modality: Modality, page: Page, base: str) -> None:
    """A sample's result with everything drawn."""
    send_sample(page, base, modality)
    drawn(page)


def _send(page: Page, base: str, modality: Modality, reference: str) -> None:
    page.goto(base + "/")
    name = "scan.png" if modality is Modality.CHEST_XRAY else "sound.wav"
    page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": sample(modality)})
    if modality is not Modality.CHEST_XRAY:
        page.get_by_label(say(f"modality.{modality}")).check()
    page.get_by_text(say("page.about")).click()
    page.locator("#client_ref").fill(reference)
    page.locator("#subject_id").fill(_SUBJECT)
    page.get_by_role("button", name=say("page.send_button"), exact=True).click()
    result_of(page)


def earlier(page: Page, base: str) -> None:
    """Three studies under one pseudonym."""
    _send(page, base, Modality.CHEST_XRAY, "ORDER-17")
    _send(page, base, Modality.LUNG_SOUND, "ORDER-18")
    _send(page, base, Modality.CHEST_XRAY, "ORDER-19")
    drawn(page)


def _choose(page: Page, base: str, count: int) -> None:
    page.goto(base + "/")
    body = sample(Modality.COUGH)
    files = [{"name": f"cough {number:02}.wav", "mimeType": "audio/wav", "buffer": body} for number in range(1, count)]
    page.set_input_files(
        "#file", [*files, {"name": "letter.wav", "mimeType": "audio/wav", "buffer": b"Dear colleague, "}]
    )
    page.get_by_label(say("modality.cough")).check()
    page.get_by_role("button", name=say("page.send_button"), exact=True).click()
    page.locator("#several .outcome").wait_for()


def several(page: Page, base: str) -> None:
    """Four files at once, of which one is no sound."""
    _choose(page, base, 4)


def batch(page: Page, base: str) -> None:
    """A batch that has ended, one item of it refused."""
    _choose(page, base, 16)
    page.locator("#several .outcome a").click()
    page.wait_for_url(re.compile("/batches/"))
    page.locator("#live[data-busy=no]").wait_for(timeout=90_000)


def batches(page: Page, base: str) -> None:
    """All batches."""
    page.goto(base + "/batches")


def chinese(page: Page, base: str) -> None:
    """A result in the other language."""
    send_sample(page, base, Modality.LUNG_SOUND)
    page.get_by_role("button", name="中文").click()
    drawn(page)


def nowhere(page: Page, base: str) -> None:
    """An address that is none."""
    page.goto(base + "/jobs/none")


def version(page: Page, base: str) -> None:
    """The first version's card."""
    page.goto(base + "/versions")
    page.locator("article a").first.click()
    page.wait_for_selector("#metrics")


_RESULTS = {
    Modality.CHEST_XRAY: "A chest X-ray’s result",
    Modality.COUGH: "A cough’s result",
    Modality.LUNG_SOUND: "A lung sound’s result",
}
SCENES = [
    Scene("worklist-empty", Role.CLINICIAN, worklist, "Before the first study"),
    *(Scene(f"result-{kind}", Role.CLINICIAN, partial(result, kind), words) for kind, words in _RESULTS.items()),
    Scene("earlier", Role.CLINICIAN, earlier, "The same patient’s earlier studies, side by side"),
    Scene("several", Role.CLINICIAN, several, "Several files at once, one of them refused"),
    Scene("worklist", Role.CLINICIAN, worklist, "The worklist"),
    Scene("worklist-filtered", Role.CLINICIAN, filtered, "The worklist, filtered"),
    Scene("batch", Role.CLINICIAN, batch, "A batch"),
    Scene("batches", Role.CLINICIAN, batches, "All batches"),
    Scene("result-chinese", Role.CLINICIAN, chinese, "A result in Chinese"),
    Scene("version", Role.CLINICIAN, version, "A version’s card"),
    Scene("error", Role.CLINICIAN, nowhere, "An address that is none"),
    Scene("sign-in", Role.CLINICIAN, sign_in, "Signing in"),
]
