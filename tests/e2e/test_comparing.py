"""Two versions on the same studies, in a browser: asked for by keyboard, run, flips, kappa, the cases themselves."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from shared import judging
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Basis, Label, Modality, Role, Verdict
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import inspected_in_both, press_to, sign_in
from tests.integration.test_worker import cough
from tests.support.stack import Hospital, wait_for
from tests.support.versions import tiny

pytestmark = pytest.mark.browser

SECOND = "flags-all"
# One of the second version's answers changes sides.
_LESS_SURE = text("""
    UPDATE results SET decision = 'not_flagged', probability = 0.3
    WHERE job_id IN (SELECT id FROM jobs WHERE comparison_id IS NOT NULL AND client_ref LIKE '<img%')
""")
TRICK = "<img src=x onerror=alert(1)>"


@pytest.fixture
def studies(site: Site, tmp_path: Path) -> list[UUID]:
    """Four coughs that the active version answered, flagging the first two of them; another version flags all."""
    with site.database.begin() as session:
        artefact = store(tiny(tmp_path / "second", Modality.COUGH, SECOND, bias=2.0), site.settings.versions_dir)
        publish(session, artefact, "test")
    hospital = Hospital(site.settings, site.database, "west")
    jobs = [
        hospital.submit(cough(seed=seed), "audio/wav", Modality.COUGH, client_ref=name, subject_id=f"s{seed}")[0]
        for seed, name in enumerate(("one", "two", "three", TRICK))
    ]
    wait_for(lambda: hospital.states(jobs) == {"succeeded": 4}, 60, "four answers")
    reader = judging.Reader(hospital.tenant_id, hospital.principal_id, "Dr. West")
    decided = text("UPDATE results SET decision = :decision, probability = :probability WHERE job_id = :job")
    with site.database.begin() as session:
        for place, job in enumerate(jobs):
            decision, probability = ("flagged", 0.8) if place < 2 else ("not_flagged", 0.2)
            session.execute(decided, {"decision": decision, "probability": probability, "job": job})
        opinion = judging.Opinion(Verdict.AGREE, Basis.PCR, False, Label.ABSENT)
        judging.give(session, reader, jobs[2], opinion)
    return jobs


def told(page: Page) -> dict[str, str]:
    """The figures of a comparison by their names."""
    pairs = page.locator("#live dl.facts div").evaluate_all("all => all.map(one => one.innerText.split('\\n'))")
    return dict(pairs)


def test_flips_kappa_and_cases(page: Page, site: Site, studies: list[UUID]) -> None:
    clinician = sign_in(page, site, Role.CLINICIAN, tenant="west")
    press_to(clinician, say("page.versions"))
    clinician.keyboard.press("Enter")
    clinician.wait_for_url(re.compile("/versions"))
    press_to(clinician, say("page.comparisons"))
    clinician.keyboard.press("Enter")
    expect(clinician.locator("main .empty")).to_contain_text(say("page.comparisons.none"))
    assert inspected_in_both(clinician) == []
    for side, name in (("first", "tiny-1"), ("second", SECOND)):
        choice = clinician.locator(f"#{side}")
        option = choice.locator("option", has_text=f"cough/mlp {name}").first.text_content()
        choice.select_option(label=(option or "").strip())
    press_to(clinician, say("page.comparison.start"))
    clinician.keyboard.press("Enter")
    clinician.wait_for_url(re.compile("/comparisons/"))
    clinician.wait_for_selector("#live[data-busy=no] #figures", timeout=60_000)
    expect(clinician.get_by_role("heading", level=1)).to_contain_text(SECOND)
    facts = told(clinician)
    assert facts[say("page.comparison.inputs")] == say("page.comparison.of", compared=4, inputs=4)
    assert facts[say("page.comparison.to_flagged")] == "2"
    assert facts[say("page.comparison.to_not_flagged")] == "0"
    assert facts[say("page.comparison.kappa")] == say("page.comparison.no_kappa"), "the second says one thing only"
    assert facts[say("page.comparison.agreed")].startswith("0.50 (")
    expect(clinician.locator("#live")).to_contain_text(say("page.comparison.judged"))
    names = clinician.locator("table.list tbody th").all_inner_texts()
    assert ["⇄" in name for name in names] == [True, True, False, False], "flips come first"
    assert any(TRICK in name for name in names)
    assert clinician.locator("main img").count() == 0
    assert inspected_in_both(clinician) == []
    with site.database.begin() as session:
        session.execute(_LESS_SURE)
    clinician.reload()
    facts = told(clinician)
    assert facts[say("page.comparison.kappa")].startswith("0.50 (")
    assert facts[say("page.comparison.to_flagged")] == "1"
    clinician.get_by_role("link", name=say("page.comparison.only_flips")).press("Enter")
    clinician.wait_for_url(re.compile("flipped=true"))
    expect(clinician.locator("table.list tbody tr")).to_have_count(1)
    clinician.locator("table.list tbody td a").last.click()
    expect(clinician.locator("main .alert")).to_contain_text(say("page.comparison.job"))
    clinician.get_by_role("link", name=say("page.comparison.back")).press("Enter")
    clinician.wait_for_url(re.compile("/comparisons/"))


def test_who_looks_after_the_service_sees_no_cases(page: Page, site: Site) -> None:
    admin = sign_in(page, site, Role.ADMIN, tenant="west")
    assert admin.goto(site.base + "/comparisons").status == 403  # type: ignore[union-attr]
