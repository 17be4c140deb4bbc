"""Who may do what: keys, sessions, roles, and hospitals that never learn of each other."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update
from starlette.types import ASGIApp

from services.api.app import create_app
from services.api.auth import COOKIE, sign_in_with_link
from services.api.gateway import Gateway
from services.api.roles import ROLES
from shared.db import people
from shared.db.tables import AuditEvent, Credential, Principal
from shared.errors import Unauthenticated
from shared.schemas import Role
from tests.integration.api.support import PNG, Api, submit, submitted
from tests.support.everything import one_of_everything

_API = sorted((method, path) for method, path in ROLES if path.startswith("/v1/"))


_BODIES = {"/v1/jobs/{job_id}/feedback": {"verdict": "unsure", "basis": "impression", "saw_result_first": True}}


def filled(path: str, **values: str) -> str:
    """A route's address with values for its parameters."""
    known = {"modality": "chest_xray", "kind": "picture", "sha256": "0" * 64, **values}
    for name, value in known.items():
        path = path.replace("{" + name + "}", value)
    return path


# --- tenants --------------------------------------------------------------------------------------------------------


def test_what_is_anothers_is_unknown(api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.routes.inputs._LOOKS", 1)
    job = submitted(client, study_id="visit-1", client_ref="R-1", subject_id="P-1")
    api.finish(job)
    study = client.get(f"/v1/jobs/{job}").json()["study"]
    stranger = api.client(*Role, tenant="south")
    before = api.count(AuditEvent, AuditEvent.object_id == job)
    checked = 0
    for method, path in _API:
        for real in ({"job_id": job}, {"study_id": study}, {"study_id": "visit-1"}):
            address = filled(path, **real)
            if "{" in address or address == filled(path):
                continue
            theirs = stranger.request(method, address, json=_BODIES.get(path))
            nobodys = filled(path, **{name: str(uuid4()) for name in real})
            unknown = stranger.request(method, nobodys, json=_BODIES.get(path))
            assert theirs.status_code == unknown.status_code == 404, (method, address)
            drop = {"request_id"}
            assert _without(theirs, drop) == _without(unknown, drop)
            checked += 1
    assert checked >= 7
    assert api.count(AuditEvent, AuditEvent.object_id == job) == before


_SAID = {
    **_BODIES,
    "/v1/adjudications/{adjudication_id}/verdict": {"label": "absent", "basis": "pcr"},
    "/v1/webhooks/{webhook_id}": {"enabled": False},
    "/v1/alerts/{alert_id}/acknowledge": {},
}
_FORMS = {
    "/jobs/{job_id}/feedback": {"said": "unsure", "basis": "pcr", "seen": "first"},
    "/second-reading/{adjudication_id}": {"label": "absent", "basis": "pcr"},
    "/admin/webhooks/{webhook_id}": {"action": "pause"},
}


def test_no_id_of_another_hospital_leads_anywhere(
    api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route and page with an id in it, so that a new one cannot be forgotten."""
    monkeypatch.setattr("services.api.routes.inputs._LOOKS", 1)
    api.finish(it := submitted(client))
    one_of_everything(api.database)
    stranger, own, unknown = api.client(*Role, tenant="south"), api.client(*Role), str(uuid4())
    for (method, path), access in sorted(ROLES.items()):
        parts = [part.strip("{}") for part in path.split("/") if part.endswith("_id}")]
        if not parts or parts == ["proposal_id"] or access is None:  # proposals are about a pointer of everybody's
            continue
        theirs, nobodys = (filled(path, **dict.fromkeys(parts, one), kind="picture") for one in (it, unknown))
        said = {"data": _FORMS[path]} if path in _FORMS else {"json": _SAID.get(path)}
        if method == "GET":
            assert own.get(theirs).status_code in (200, 202, 409), theirs
        answers = [stranger.request(method, address, **said) for address in (theirs, nobodys)]
        assert [answer.status_code for answer in answers] == [404, 404], (method, path, answers[0].text)
        assert _without(answers[0], {"request_id"}) == _without(answers[1], {"request_id"})


def test_lists_and_filters_show_ones_own(api: Api, client: httpx.Client) -> None:
    submitted(client, study_id="visit-1", client_ref="R-1", subject_id="P-1")
    stranger = api.client(*Role, tenant="south")
    for params in ({}, {"client_ref": "R-1"}, {"study_id": "visit-1"}, {"subject_id": "P-1"}, {"status": "queued"}):
        assert stranger.get("/v1/jobs", params=params).json() == {"jobs": [], "next": None}
    actors = {event["actor"] for event in stranger.get("/v1/audit").json()["events"]}
    assert "submitter" not in actors


def test_the_same_study_id_in_two_hospitals_is_two_studies(api: Api, client: httpx.Client) -> None:
    other = api.client(Role.SUBMITTER, tenant="south")
    mine, theirs = submitted(client, study_id="1"), submitted(other, study_id="1")
    assert [job["id"] for job in client.get("/v1/studies/1").json()["jobs"]] == [mine]
    assert [job["id"] for job in other.get("/v1/studies/1").json()["jobs"]] == [theirs]


def _without(response: httpx.Response, names: set[str]) -> dict[str, object]:
    return {name: value for name, value in response.json().items() if name not in names}


# --- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
def test_every_route_lets_in_whom_the_table_says(api: Api, role: Role) -> None:
    client = api.client(role)
    for method, path in _API:
        address = filled(path, job_id=str(uuid4()), study_id="none")
        response = client.request(method, address)
        allowed = role in (ROLES[method, path] or frozenset(Role))
        assert (response.status_code == 403) == (not allowed), (method, path, response.status_code)


def test_nothing_of_the_api_answers_strangers(api: Api) -> None:
    stranger = api.anonymous()
    for method, path in _API:
        response = stranger.request(method, filled(path, job_id=str(uuid4()), study_id="none"))
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated"), (method, path)
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_an_unlisted_route_is_refused(api: Api) -> None:
    app = create_app(api.settings)
    app.add_api_route("/v1/forgotten", lambda: {"secret": 1})
    with httpx.Client(transport=Direct(app), base_url="http://x") as client:
        response = client.get("/v1/forgotten", headers={"Authorization": f"Bearer {api.key(*Role)}"})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


class Direct(httpx.BaseTransport):
    """Calls an application without a socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx.ASGITransport(app=app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Run one request in a loop of its own."""

        async def run() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(run())


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(api: Api) -> str:
    """A key that works."""
    key = api.key(Role.SUBMITTER)
    assert api.client(key=key).get("/v1/me").status_code == 200
    return key


@pytest.mark.parametrize("values", [{"revoked_at": "now()"}, {"expires_at": "now() - interval '1 second'"}])
def test_a_key_that_is_over(api: Api, secret: str, values: dict[str, str]) -> None:
    ((name, value),) = values.items()
    api.execute(f"UPDATE credentials SET {name} = {value}")
    assert api.client(key=secret).get("/v1/me").status_code == 401


def test_a_person_who_left(api: Api, secret: str) -> None:
    with api.database.begin() as session:
        session.execute(update(Principal).values(disabled_at=datetime.now(UTC)))
    assert api.client(key=secret).get("/v1/me").status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer thk_wrong", "Basic abc", "bearer \x7f", "Bearer é"])
def test_headers_that_are_no_key(api: Api, header: str) -> None:
    response = api.anonymous().get("/v1/me", headers={"Authorization": header.encode("latin-1")})
    assert response.status_code == 401


def test_scopes_narrow_roles(api: Api) -> None:
    both = (Role.CLINICIAN, Role.ADMIN)
    narrow = api.client(key=api.key(*both, scopes=(Role.ADMIN,)))
    assert narrow.get("/v1/me").json()["roles"] == ["admin"]
    assert narrow.get("/v1/jobs").status_code == 403
    wider = api.client(key=api.key(Role.SUBMITTER, name="x", scopes=(Role.SUBMITTER, Role.ADMIN)))
    assert wider.get("/v1/me").json()["roles"] == ["submitter"]


def test_the_database_holds_no_usable_key(api: Api, secret: str) -> None:
    with api.database.begin() as session:
        rows = session.query(Credential).all()
    assert all(secret not in (row.hint, row.digest.hex()) and len(row.hint) <= 8 for row in rows)


# --- sessions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(api: Api) -> httpx.Client:
    """A browser that is signed in."""
    with api.database.begin() as session:
        tenant = people.ensure_tenant(session, "north")
        person = people.ensure_principal(session, tenant, "Dr. Ada", [Role.CLINICIAN])
        session_secret = people.issue(session, person.id, "session", hours=1)
    client = api.anonymous()
    client.cookies.set(COOKIE, session_secret)
    return client


def test_a_session_reads(browser: httpx.Client) -> None:
    me = browser.get("/v1/me").json()
    assert (me["name"], me["credential"]) == ("Dr. Ada", "session")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "BASE"}, 202),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 403),
    ],
)
def test_a_session_changes_things_from_our_own_pages_only(
    api: Api, browser: httpx.Client, headers: dict[str, str], status: int
) -> None:
    given = {name: api.settings.base_url if value == "BASE" else value for name, value in headers.items()}
    assert submit(browser, headers=given).status_code == status


def test_a_key_is_no_session_and_a_session_no_key(api: Api, browser: httpx.Client, secret: str) -> None:
    assert api.client(key=browser.cookies[COOKIE]).get("/v1/me").status_code == 401
    stranger = api.anonymous()
    stranger.cookies.set(COOKIE, secret)
    assert stranger.get("/v1/me").status_code == 401


def test_a_link_works_once(api: Api) -> None:
    with api.database.begin() as session:
        tenant = people.ensure_tenant(session, "north")
        person = people.ensure_principal(session, tenant, "Dr. Ada", [Role.CLINICIAN])
        link = people.issue(session, person.id, "link", hours=1)

    async def twice() -> str:
        gateway = Gateway(api.settings)
        try:
            first, second = await asyncio.gather(
                sign_in_with_link(gateway, link), sign_in_with_link(gateway, link), return_exceptions=True
            )
            used = second if isinstance(first, str) else first
            assert isinstance(used, Unauthenticated)
            assert used.code == "sign_in_used"
            return str(first if isinstance(first, str) else second)
        finally:
            await gateway.stop()

    client = api.anonymous()
    client.cookies.set(COOKIE, asyncio.run(twice()))
    assert client.get("/v1/me").json()["name"] == "Dr. Ada"
    assert "session.begin" in api.actions()


def test_a_session_ends_with_the_key_that_it_began_with(api: Api, secret: str) -> None:
    api.execute("UPDATE credentials SET expires_at = now() + interval '1 minute'")
    signed_in = api.anonymous()
    answer = signed_in.post("/sign-in", data={"key": secret}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    signed_in.cookies.set(COOKIE, answer.cookies[COOKIE])
    assert signed_in.get("/v1/me").status_code == 200
    with api.database.begin() as session:
        ends = session.query(Credential.kind, Credential.expires_at).all()
    assert {kind for kind, _ in ends} == {"key", "session"}
    assert len({at for _, at in ends}) == 1


def test_links_are_never_built_from_the_host_header(api: Api, client: httpx.Client) -> None:
    response = submit(client, PNG, headers={"Host": "evil.example"})
    assert "evil" not in response.text
    assert "evil" not in response.headers["Location"]
