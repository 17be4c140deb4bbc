"""Who gets in, who does not, and what every page carries."""

from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from services.api.web.render import CSP
from shared.schemas import Role
from shared.sentences import say
from tests.e2e.conftest import Site

pytestmark = pytest.mark.browser


def test_a_link_works_once_and_looking_at_it_does_not_use_it_up(page: Page, site: Site) -> None:
    link = site.link(Role.CLINICIAN)
    for _ in range(2):
        assert httpx.get(link, timeout=60).status_code == 200
    page.goto(link)
    page.get_by_role("button", name=say("page.sign_in")).click()
    page.wait_for_url(site.base + "/")
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"]
    page.context.clear_cookies()
    page.goto(link)
    page.get_by_role("button", name=say("page.sign_in")).click()
    expect(page.get_by_role("alert")).to_have_text(say("sign_in_used"))


def test_with_a_key_and_out_again(page: Page, site: Site) -> None:
    page.goto(f"{site.base}/versions")
    assert "next=/versions" in page.url
    page.get_by_label(say("page.key"), exact=True).fill("thk_wrong")
    page.get_by_role("button", name=say("page.sign_in")).click()
    expect(page.get_by_role("alert")).to_have_text(say("page.key_unknown"))
    page.get_by_label(say("page.key"), exact=True).fill(site.issue("key", Role.CLINICIAN))
    page.get_by_role("button", name=say("page.sign_in")).click()
    page.wait_for_url(f"{site.base}/versions")
    page.get_by_role("button", name=say("page.sign_out")).click()
    page.wait_for_url(f"{site.base}/sign-in")
    page.goto(site.base)
    assert "/sign-in" in page.url


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
def test_no_patients_without_a_clinical_role(page: Page, site: Site, role: Role) -> None:
    page.goto(site.link(role))
    page.get_by_role("button", name=say("page.sign_in")).click()
    page.wait_for_url(f"{site.base}/admin")  # in place of a worklist
    page.goto(f"{site.base}/jobs/{UUID(int=7)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(say("page.error.403"))
    page.locator("main").get_by_role("link", name=say("page.versions")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("page.versions"))
    assert page.get_by_role("link", name=say("page.worklist")).count() == 0


def test_another_hospital_sees_nothing(clinician: Page, site: Site) -> None:
    clinician.get_by_role("button", name=say("page.sample.cough")).click()
    clinician.wait_for_url(f"{site.base}/jobs/*")
    address = clinician.url
    clinician.context.clear_cookies()
    clinician.goto(site.link(Role.CLINICIAN, tenant="south"))
    clinician.get_by_role("button", name=say("page.sign_in")).click()
    expect(clinician.locator("main")).to_contain_text(say("page.empty"))
    answer = clinician.goto(address)
    assert answer is not None
    assert answer.status == 404
    expect(clinician.get_by_role("heading", level=1)).to_have_text(say("page.error.404"))


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/thl_x", "/nowhere"])
def test_every_page_is_strict(site: Site, path: str) -> None:
    answer = httpx.get(site.base + path, headers={"Accept": "text/html"}, timeout=60)
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["cache-control"] == "no-store"
    assert "style=" not in answer.text
    assert "<script>" not in answer.text
    assert say("research") in answer.text


@pytest.mark.parametrize("target", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"])
def test_signing_in_never_leads_elsewhere(site: Site, target: str) -> None:
    answer = httpx.post(
        f"{site.base}/sign-in",
        data={"key": site.issue("key", Role.CLINICIAN), "next": target},
        headers={"Origin": site.base},
        timeout=60,
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


def test_another_site_cannot_act(site: Site) -> None:
    with httpx.Client(base_url=site.base, timeout=60) as session:
        session.post("/sign-in", data={"key": site.issue("key", Role.CLINICIAN)}, headers={"Origin": site.base})
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {}):
            assert session.post("/samples", data={"modality": "cough"}, headers=headers).status_code == 403


def test_problems_are_pages_for_people_and_json_for_programs(site: Site) -> None:
    person = httpx.get(f"{site.base}/nowhere", headers={"Accept": "text/html"}, timeout=60)
    program = httpx.get(f"{site.base}/nowhere", headers={"Accept": "application/json"}, timeout=60)
    assert person.status_code == program.status_code == 404
    assert person.headers["content-type"].startswith("text/html")
    assert program.headers["content-type"] == "application/problem+json"
