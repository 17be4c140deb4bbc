"""Several files at once: a study each, or one batch; each file's outcome is told, and its name stays in the browser."""

import base64
import io
import random
import re
import wave

import pytest
from playwright.sync_api import Page, expect

from services.api.web.samples import FILES, FOLDER
from shared.schemas import Modality, Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import inspected_in_both, press_to, result_of, sign_in
from tests.support.stack import wait_for

pytestmark = pytest.mark.browser

File = tuple[str, str, bytes]
_DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name, { type }));
  }
  return transfer;
}"""


def drop(page: Page, *files: File) -> None:
    """As if somebody let go of these files over the page."""
    transfer = page.evaluate_handle(
        _DROP, [(name, kind, base64.b64encode(body).decode()) for name, kind, body in files]
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".drop.over")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def sound(number: int) -> File:
    """A second of noise; no two are alike."""
    noise, file = random.Random(number), io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(b"".join(noise.randint(-9000, 9000).to_bytes(2, "little", signed=True) for _ in range(16000)))
    return f"Jane Doe {number}.wav", "audio/wav", file.getvalue()


def picture() -> File:
    return "scan.png", "image/png", (FOLDER / FILES[Modality.CHEST_XRAY]).read_bytes()


def send(page: Page) -> None:
    page.get_by_role("button", name=say("page.send_button"), exact=True).click()


def test_one_dropped_file_opens_its_study(clinician: Page) -> None:
    drop(clinician, picture())
    expect(clinician.locator("#several")).to_be_hidden()
    expect(clinician.get_by_role("button", name=say("page.send_button"), exact=True)).to_be_focused()
    send(clinician)
    assert say("modality.chest_xray") in result_of(clinician)


def test_three_become_a_study_each_and_what_is_wrong_with_one_is_said(clinician: Page, site: Site) -> None:
    drop(clinician, sound(1), picture(), ("letter.wav", "audio/wav", b"Dear colleague, " * 99))
    expect(clinician.locator("#several .count")).to_have_text(say("page.several.chosen", count=3))
    clinician.get_by_label(say("modality.cough")).check()
    send(clinician)
    outcome = clinician.locator("#several .outcome")
    expect(outcome).to_contain_text(say("page.several.outcome", sent=2, count=3))
    expect(outcome).to_be_focused()
    expect(clinician.locator(".files .refused")).to_have_count(1)
    expect(clinician.locator(".files .refused")).to_contain_text(say("input_type_unknown"))
    assert inspected_in_both(clinician) == []
    clinician.get_by_role("link", name=say("page.several.open")).first.click()
    text = result_of(clinician)
    assert say("modality.cough") in text
    assert "Jane" not in text


def test_fifty_become_one_batch(clinician: Page, site: Site) -> None:
    drop(clinician, *(sound(number) for number in range(100, 150)))
    clinician.get_by_label(say("modality.cough")).check()
    clinician.get_by_text(say("page.about")).click()
    clinician.locator("#site").fill("ward 7")
    send(clinician)
    clinician.wait_for_url(re.compile("/batches/"))
    expect(clinician.locator("#ended")).to_have_text(say("batch.ended", ended=50, jobs=50), timeout=60_000)
    wait_for(lambda: clinician.locator("#live").get_attribute("data-busy") == "no", 60, "all can be read")
    assert inspected_in_both(clinician) == []
    with clinician.expect_download() as download:
        clinician.get_by_role("link", name=say("batch.csv")).click()
    rows = download.value.path().read_text().splitlines()
    assert len(rows) == 51
    assert "Jane" not in "".join(rows)
    clinician.get_by_role("link", name=say("batch.all")).click()
    expect(clinician.locator(".list tbody tr")).to_have_count(25)
    clinician.get_by_role("link", name=say("page.older")).click()
    expect(clinician.locator(".list tbody tr")).to_have_count(25)
    expect(clinician.locator(".under").first).to_have_text("ward 7")
    clinician.goto(site.base + "/batches")
    expect(clinician.locator(".list tbody tr").first).to_contain_text(say("batch.ended", ended=50, jobs=50))
    assert inspected_in_both(clinician) == []


def test_names_are_references_only_when_somebody_says_so(clinician: Page, site: Site) -> None:
    files = [(f"ORDER-{number}.wav", "audio/wav", sound(number)[2]) for number in range(200, 212)]
    drop(clinician, *files, ("nothing.wav", "audio/wav", b""))
    clinician.get_by_label(say("modality.lung_sound")).check()
    clinician.get_by_label(say("page.several.names")).check()
    send(clinician)
    outcome = clinician.locator("#several .outcome")
    expect(outcome).to_contain_text(say("page.several.outcome", sent=12, count=13))
    expect(clinician.locator(".files .refused")).to_contain_text(say("input_empty"))
    outcome.get_by_role("link").click()
    clinician.wait_for_url(re.compile("/batches/"))
    expect(clinician.locator("#refused + p + table")).to_contain_text(say("input_empty"))
    clinician.get_by_role("link", name=say("batch.all")).click()
    expect(clinician.get_by_role("link", name="ORDER-205")).to_be_visible()


def test_an_empty_list_of_batches_says_what_to_do(page: Page, site: Site) -> None:
    sign_in(page, site, Role.CLINICIAN, tenant="east")
    press_to(page, say("page.batches"))
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text(say("batch.empty"))
    assert inspected_in_both(page) == []
    page.get_by_role("link", name=say("page.send")).click()
    expect(page.get_by_label(say("page.file"))).to_be_visible()
