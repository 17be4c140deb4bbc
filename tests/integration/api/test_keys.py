"""Keys and people over HTTP: shown once, never another hospital's, and nobody makes himself more than he is."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.db.tables import Credential
from shared.schemas import Role
from tests.integration.api.support import Api, serving


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    return api.client(Role.ADMIN)


@pytest.fixture
def careful(api: Api) -> Iterator[Api]:
    """A gateway that asks for two persons."""
    with serving(api.settings.changed(two_persons=True), api.database) as running:
        yield running


def made(client: httpx.Client, name: str, *roles: str, **more: Any) -> httpx.Response:
    return client.post("/v1/keys", json={"name": name, "roles": roles, **more})


def people(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {holder["name"]: holder for holder in client.get("/v1/keys").json()["people"]}


def test_a_key_works_is_listed_by_its_beginning_and_ends(api: Api, admin: httpx.Client) -> None:
    answer = made(admin, "ward 7", "submitter", kind="system", person="Dr. Ada")
    assert answer.status_code == 201
    secret, key_id = answer.json()["secret"], answer.json()["id"]
    assert api.client(key=secret).get("/v1/me").json()["roles"] == ["submitter"]
    holder = people(admin)["ward 7"]
    (key,) = holder["keys"]
    assert (holder["kind"], holder["person"], key["valid"], key["roles"]) == ("system", "Dr. Ada", True, ["submitter"])
    assert secret.startswith(key["hint"])
    assert secret not in admin.get("/v1/keys").text
    assert admin.delete(f"/v1/keys/{key_id}").status_code == 204
    assert admin.delete(f"/v1/keys/{key_id}").status_code == 204
    assert api.client(key=secret).get("/v1/me").status_code == 401
    assert people(admin)["ward 7"]["keys"][0]["valid"] is False
    assert api.actions(key_id) == ["key.create", "key.revoke"]


def test_a_link_signs_in_once_and_revoking_signs_out(api: Api, admin: httpx.Client) -> None:
    key = made(admin, "ben", "clinician").json()
    link = made(admin, "ben", "clinician", what="link").json()
    assert link["secret"].startswith(f"{api.settings.base_url}/sign-in/thl_")
    assert link["expires_at"] is not None
    browser = api.anonymous()
    assert browser.post(link["secret"], headers={"Origin": api.settings.base_url}).status_code == 303
    assert browser.get("/v1/me").json()["name"] == "ben"
    ben = people(admin)["ben"]
    assert (ben["sessions"], [one["kind"] for one in ben["keys"]]) == (1, ["key"])  # the link is used up
    admin.delete(f"/v1/keys/{key['id']}")
    assert browser.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("roles", "more", "kind"),
    [
        (["submitter"], {}, "system"),
        (["submitter"], {"kind": "person"}, "person"),
        (["submitter"], {"what": "link"}, "person"),
        (["clinician"], {}, "person"),
        (["clinician", "submitter"], {}, "person"),
        (["clinician"], {"kind": "system"}, "system"),
    ],
)
def test_who_judges_is_a_person_unless_somebody_says_otherwise(
    admin: httpx.Client, roles: list[str], more: dict[str, str], kind: str
) -> None:
    answer = made(admin, "new here", *roles, **more).json()
    assert answer["holder"] == people(admin)["new here"]["kind"] == kind


def test_a_person_does_not_become_a_system(admin: httpx.Client) -> None:
    made(admin, "ann", "clinician")
    refused = made(admin, "ann", "clinician", kind="system")
    assert (refused.status_code, refused.json()["code"]) == (409, "holder_is_a")
    assert "known here as a person" in refused.json()["detail"]
    assert made(admin, "ann", "clinician", kind="person").status_code == 201
    assert made(admin, "ann", "clinician").json()["holder"] == "person"


def test_another_hospitals_are_unknown(api: Api, admin: httpx.Client) -> None:
    key = made(admin, "ward 7", "submitter").json()
    south = api.client(Role.ADMIN, tenant="south")
    assert set(people(south)) == {"admin"}
    assert south.delete(f"/v1/keys/{key['id']}").status_code == 404
    assert api.client(key=key["secret"]).get("/v1/me").status_code == 200
    same = made(south, "ward 7", "clinician").json()  # of the same name, and another's
    assert api.client(key=same["secret"]).get("/v1/me").json()["tenant"] == "south"


@pytest.mark.parametrize(
    ("name", "roles", "more", "status", "code"),
    [
        ("eve", ["auditor"], {}, 403, "role_not_yours"),
        ("submitter", ["submitter", "clinician"], {}, 409, "holder_lacks_role"),
        ("gone", ["submitter"], {}, 409, "holder_left"),
        ("eve", [], {}, 422, "request_invalid"),
        ("eve", ["root"], {}, 422, "request_invalid"),
        ("e\nve", ["submitter"], {}, 422, "request_invalid"),
        ("eve", ["submitter"], {"tenant": "south"}, 422, "request_invalid"),
        ("eve", ["submitter"], {"hours": 0}, 422, "request_invalid"),
        ("eve", ["submitter"], {"what": "session"}, 422, "request_invalid"),
    ],
)
def test_what_is_not_given(
    api: Api, admin: httpx.Client, name: str, roles: list[str], more: dict[str, Any], status: int, code: str
) -> None:
    api.key(Role.SUBMITTER)
    api.key(Role.SUBMITTER, name="gone")
    api.execute("UPDATE principals SET disabled_at = now() WHERE name = 'gone'")
    before = api.count(Credential)
    refused = made(admin, name, *roles, **more)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert api.count(Credential) == before


def test_nobody_makes_himself_a_second_person(careful: Api) -> None:
    ada = careful.client(Role.ADMIN)
    refused = made(ada, "not ada", "admin")
    assert (refused.status_code, refused.json()["code"]) == (403, "admin_by_operator")
    for own in ("admin", "not ada"):  # for himself too: a system of his would be another name
        assert made(ada, own, "clinician", "admin").status_code == 403
    assert made(ada, "ben", "clinician").status_code == 201


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.CLINICIAN, Role.SUBMITTER])
def test_only_an_administrator_makes_and_ends_keys(api: Api, admin: httpx.Client, role: Role) -> None:
    key = made(admin, "ward 7", "submitter").json()
    other = api.client(role)
    assert made(other, "eve", "submitter").status_code == 403
    assert other.delete(f"/v1/keys/{key['id']}").status_code == 403
    assert other.get("/v1/keys").status_code == (200 if role is Role.AUDITOR else 403)


def test_a_session_is_no_key_to_revoke(api: Api, admin: httpx.Client) -> None:
    link = made(admin, "ben", "clinician", what="link").json()
    api.anonymous().post(link["secret"], headers={"Origin": api.settings.base_url})
    with api.database.begin() as session:
        (open_session,) = session.query(Credential).where(Credential.kind == "session")
        own = open_session.id
    assert admin.delete(f"/v1/keys/{own}").status_code == 404
