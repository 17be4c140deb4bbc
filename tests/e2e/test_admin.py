"""Those who look after the service, in a browser against the real stack: keys, roles, webhooks, every page."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from services.api.web.access import PAGES
from shared.db.people import ensure_tenant
from shared.db.tables import Principal, Webhook, new_id
from shared.schemas import Role
from shared.sentences import say
from tests.e2e.conftest import Site
from tests.e2e.support import inspected_in_both, sign_in

pytestmark = pytest.mark.browser

_PERSON = select(Principal.id).limit(1)

_PATHS = sorted(path for (method, path), _ in PAGES.items() if method == "GET" and path.startswith("/admin"))


def test_a_link_made_on_the_page_signs_a_clinician_in_until_it_is_revoked(
    admin: Page, site: Site, browser: Browser
) -> None:
    admin.goto(site.base + "/admin/keys")
    form = admin.locator("form[action='/admin/keys']")
    form.get_by_label(say("admin.key.name")).fill("Dr. New")
    form.get_by_text(say("admin.role.clinician"), exact=False).first.click()
    assert form.get_by_role("checkbox").count() == 3  # no auditor: not hers to give
    form.get_by_role("button").click()
    link = admin.get_by_label(say("admin.secret.label.link")).input_value()
    other = browser.new_page()
    other.goto(link)
    other.locator("main button").click()
    other.wait_for_url(site.base + "/")
    admin.goto(site.base + "/admin/keys")
    form.get_by_label(say("admin.key.name")).fill("Dr. New")
    form.get_by_text(say("admin.role.clinician"), exact=False).first.click()
    form.get_by_label(say("admin.key.what.key")).check()
    form.get_by_role("button").click()
    assert admin.get_by_label(say("admin.secret.label.key")).input_value().startswith("thk_")
    admin.get_by_role("link", name=say("admin.secret.kept")).click()
    holder = admin.locator("article", has_text="Dr. New")
    expect(holder).to_contain_text(say("admin.sessions", count=1))
    holder.locator("summary").first.click()
    holder.get_by_role("button", name=say("admin.key.revoke")).click()
    expect(admin.get_by_role("status").first).to_have_text(say("admin.key.done"))
    other.reload()
    assert "/sign-in" in other.url
    other.close()


def test_roles_end_where_they_should(page: Page, site: Site) -> None:
    sign_in(page, site, Role.CLINICIAN)
    assert page.locator("nav.admin").count() == 0
    for path in _PATHS:
        answer = page.goto(site.base + re.sub(r"\{.*?\}", "cough", path))
        assert answer is not None
        assert answer.status == 403, path
    expect(page.locator("main")).to_contain_text(say("page.not_yours"))
    sign_in(page, site, Role.AUDITOR)
    for place in page.locator("nav.admin a").all():
        address = str(place.get_attribute("href"))
        with httpx.Client(cookies={c["name"]: c["value"] for c in page.context.cookies()}, timeout=60) as client:  # type: ignore[typeddict-item]
            answered = client.get(site.base + address)
            refused = client.post(f"{site.base}{address}", headers={"Origin": site.base})
        assert answered.status_code == 200, address
        assert '<form class="card" method="post"' not in answered.text, address
        assert refused.status_code in (403, 405), address
    page.goto(site.base + "/admin/deployments/cough")
    assert page.locator(".does a").count() == 0


def test_every_page_is_accessible_and_says_what_to_do_first(page: Page, site: Site) -> None:
    sign_in(page, site, Role.ADMIN, tenant="empty")  # a hospital that has nothing yet
    for place, first in (("training", None), ("webhooks", "admin.webhooks.first"), ("system", "admin.throughput")):
        page.goto(f"{site.base}/admin/{place}")
        if first:
            expect(page.locator("main")).to_contain_text(say(first))
    faults = []
    for path in (
        "",
        "/deployments",
        "/deployments/cough",
        "/versions",
        "/training",
        "/retraining",
        "/system",
        "/webhooks",
        "/keys",
        "/audit",
        "/audit?action=nothing",
    ):
        page.goto(f"{site.base}/admin{path}")
        expect(page.locator("header .research")).to_have_text(say("research"))
        faults += inspected_in_both(page)
    assert faults == []


def test_a_webhook_is_added_tested_paused_and_removed(admin: Page, site: Site) -> None:
    admin.goto(site.base + "/admin/webhooks")
    admin.get_by_label(say("admin.address")).fill("https://127.0.0.1/thoracle")
    admin.get_by_role("button", name=say("admin.webhook.add")).click()
    expect(admin.locator("#problem")).to_contain_text(say("webhook_address"))
    assert admin.get_by_label(say("admin.address")).input_value() == "https://127.0.0.1/thoracle"
    with site.database.begin() as session:
        row = Webhook(
            id=new_id(),
            tenant_id=ensure_tenant(session, "north").id,
            url="https://pacs.example/hook",
            principal_id=session.execute(_PERSON).scalar_one(),
            events=["job.finished"],
            secret=b"s",
        )
        session.add(row)
    admin.goto(site.base + "/admin/webhooks")
    admin.get_by_role("link", name="pacs.example").click()
    admin.get_by_role("button", name=say("admin.webhook.pause")).click()
    expect(admin.get_by_role("status").first).to_have_text(say("admin.webhook.done.pause"))
    admin.get_by_role("button", name=say("admin.webhook.test")).click()
    expect(admin.locator("#live")).to_contain_text("webhook.test")
    assert inspected_in_both(admin) == []
    admin.locator("summary", has_text=say("admin.webhook.rotate")).click()
    admin.get_by_role("button", name=say("admin.webhook.rotate")).click()
    assert admin.get_by_label(say("admin.secret.label.webhook")).input_value().startswith("whsec_")
    admin.get_by_role("link", name=say("admin.secret.kept")).click()
    admin.locator("summary", has_text=say("admin.webhook.remove")).click()
    admin.get_by_role("button", name=say("admin.webhook.remove")).click()
    expect(admin.get_by_role("link", name="pacs.example")).to_have_count(0)
