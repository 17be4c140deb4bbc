"""Every page speaks the language that the person chose, else the browser's; so do the answers of the API."""

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.api.web.access import PAGES
from shared.schemas import Modality, Role
from shared.sentences import EN, Language, say, speaking
from tests.e2e.conftest import Site
from tests.e2e.support import inspected, result_of, send_sample, sign_in

pytestmark = pytest.mark.browser


def chinese(key: str, **values: object) -> str:
    """A sentence in Chinese."""
    with speaking(Language.CHINESE):
        return say(key, **values)


def test_the_switch_changes_the_page_and_is_remembered(clinician: Page, site: Site) -> None:
    send_sample(clinician, site.base, Modality.LUNG_SOUND)
    address = clinician.url
    clinician.get_by_role("button", name="中文").click()
    assert clinician.url == address
    assert clinician.locator("html").get_attribute("lang") == "zh-Hans"
    expect(clinician.locator("header")).to_contain_text(chinese("research"))
    text = result_of(clinician)
    assert chinese("page.operating_point") in text
    assert EN["page.operating_point"] not in text
    clinician.goto(site.base + "/versions")
    expect(clinician.get_by_role("heading", level=1)).to_have_text(chinese("page.versions"))
    assert inspected(clinician) == []
    clinician.get_by_role("button", name="English").click()
    expect(clinician.get_by_role("heading", level=1)).to_have_text(say("page.versions"))


def test_the_browsers_language_and_no_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    page.goto(site.link(Role.CLINICIAN))
    page.get_by_role("button", name=chinese("page.sign_in")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(chinese("page.worklist"))
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("page.worklist"))
    context.close()


def test_programs_get_english_unless_they_ask(site: Site) -> None:
    said = {
        wish: httpx.get(f"{site.base}/v1/me", headers={"Accept-Language": wish} if wish else {}, timeout=60).json()[
            "detail"
        ]
        for wish in ("", "de, fr;q=0.5", "en, zh", "zh-CN,zh;q=0.9,en;q=0.8", "en;q=0.5, zh;q=0.7", "zh;q=x")
    }
    english, other = say("unauthenticated"), chinese("unauthenticated")
    assert list(said.values()) == [english, english, english, other, other, english]


@pytest.mark.parametrize(
    ("open_", "back"),
    [("/versions?x=1", "/versions?x=1"), ("/submit", "/"), ("https://elsewhere.example//x", "/"), ("//x/y", "/")],
)
def test_the_switch_leads_back_to_a_page_of_ours(site: Site, open_: str, back: str) -> None:
    headers = {"Origin": site.base, "Referer": open_ if "//" in open_ else site.base + open_}
    answer = httpx.post(f"{site.base}/language", data={"language": "zh"}, headers=headers, timeout=60)
    assert answer.status_code == 303
    assert answer.headers["location"] == back


def test_another_site_cannot_switch(site: Site) -> None:
    answer = httpx.post(
        f"{site.base}/language", data={"language": "zh"}, headers={"Origin": "https://elsewhere.example"}, timeout=60
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.ADMIN, Role.AUDITOR])
def test_every_page_speaks_chinese_and_fits_a_tablet(page: Page, site: Site, role: Role) -> None:
    sign_in(page, site, role)
    page.set_viewport_size({"width": 820, "height": 1180})
    page.get_by_role("button", name="中文").click()
    gets = {path: roles or () for (method, path), roles in PAGES.items() if method == "GET" and "{" not in path}
    paths = [path for path, roles in gets.items() if role in roles]
    assert len(paths) > 2
    for path in paths:
        answer = page.goto(site.base + path)
        assert answer is not None
        assert answer.status == 200, path
        text = page.locator("body").inner_text()
        assert chinese("research") in text
        assert [key for key in EN if "." in key and key in text] == [], path
        text = text.replace(say("page.sample_reference"), "")  # kept as it was sent
        assert [said for said in EN.values() if len(said) > 12 and "{" not in said and said in text] == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
