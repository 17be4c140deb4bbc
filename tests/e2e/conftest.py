"""A browser against the real stack: PostgreSQL, Valkey, gateway and worker as processes, tiny versions deployed."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from infra.embedded import Engines
from infra.ports import free_port
from shared.db.engine import Database
from shared.db.people import ensure_principal, ensure_tenant, issue
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.e2e.support import sign_in
from tests.support.stack import process, wait_for, worker

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=60_000)  # a machine may be busy with other things


@dataclass(frozen=True)
class Site:
    """A running Thoracle and the persons who use it."""

    base: str
    database: Database
    settings: Settings

    def link(self, *roles: Role, tenant: str = "north") -> str:
        """A one-time sign-in link for a person with these roles."""
        return f"{self.base}/sign-in/{self.issue('link', *roles, tenant=tenant)}"

    def issue(self, kind: str, *roles: Role, tenant: str = "north") -> str:
        """A new secret for a person with these roles."""
        name = f"Dr. {'-'.join(roles)}"
        with self.database.begin() as session:
            principal = ensure_principal(session, ensure_tenant(session, tenant), name, roles)
            return issue(session, principal.id, kind, hours=1)  # type: ignore[arg-type]


@pytest.fixture(scope="package")
def site(
    engines: Engines,
    template: str,
    tiny_versions: dict[Modality, Path],
    tmp_path_factory: pytest.TempPathFactory,
    chromium: str,
) -> Iterator[Site]:
    """Gateway and worker on a database of their own."""
    folder = tmp_path_factory.mktemp("site")
    settings = _settings(engines, template, folder)
    database = Database(settings)
    for version in tiny_versions.values():
        artefact = store(version, settings.versions_dir)
        with database.begin() as session:
            open_deployment(session, publish(session, artefact, "test"), "test")
    with process(settings, "services.api", folder / "api.log"), worker(settings, database, folder / "worker.log"):
        wait_for(lambda: _answers(settings.base_url), 60, "the gateway answers")
        yield Site(settings.base_url, database, settings)
    database.close()


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser of this machine; none is ever downloaded."""
    found = find_chromium()
    if found is None:
        pytest.skip("Chromium is not installed on this machine")
    return found


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; there can be one only."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """One headless Chromium."""
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile in a tablet's size."""
    context = browser.new_context(viewport={"width": 1180, "height": 820}, locale="en-GB")
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; whatever a page complains about on its console fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append("a dialog opened"), dialog.dismiss()))
    page.on("console", lambda message: _note(message, complaints))
    yield page
    assert not complaints


@pytest.fixture
def clinician(page: Page, site: Site) -> Page:
    """A tab in which a clinician is signed in, on the worklist."""
    page.goto(site.link(Role.CLINICIAN))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(site.base + "/")
    return page


@pytest.fixture
def admin(page: Page, site: Site) -> Page:
    """A tab in which an administrator is signed in, on the start page."""
    return sign_in(page, site, Role.ADMIN)


def find_chromium() -> str | None:
    """Where this machine's Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chromium", path="/usr/bin")


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    # A page whose own status is an error is one line on the console; tests look at those statuses themselves.
    if message.type == "error" and "the server responded with a status of 4" not in message.text:
        complaints.append(message.text)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _settings(engines: Engines, template: str, folder: Path) -> Settings:
    name = f"pages_{secrets.token_hex(4)}"
    address = engines.database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return Settings(
        _env_file=None,
        home=folder,
        data_dir=folder / "data",
        database_url=f"{engines.database_url.rpartition('/')[0]}/{name}",
        redis_url=engines.redis_url,
        port=free_port(),
        idle_look_s=0.3,
        log_format="text",
    )
