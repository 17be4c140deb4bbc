"""Models, versions, deployments, the audit log, health."""

import httpx
from pydantic import SecretStr
from sqlalchemy import select

from shared.db.tables import AuditEvent, Deployment
from shared.schemas import Modality, Role
from tests.integration.api.support import Api, serving, submitted

OVERRIDE = {"override": "a test's version knows nothing"}


def promote(client: httpx.Client, version: str, generation: int | None, reason: str = "better") -> httpx.Response:
    """PUT the pointer."""
    headers = {} if generation is None else {"If-Match": f'"{generation}"'}
    return client.put(
        "/v1/deployments/chest_xray", json={**OVERRIDE, "version": version, "reason": reason}, headers=headers
    )


def test_models_say_what_is_accepted(client: httpx.Client, deployed: dict[Modality, str]) -> None:
    models = {model["modality"]: model for model in client.get("/v1/models").json()["models"]}
    assert set(models) == set(Modality)
    xray = models["chest_xray"]
    assert "application/dicom" in xray["accepted"]
    assert xray["active"]["sha256"] == deployed[Modality.CHEST_XRAY]
    assert (xray["finding"], xray["max_bytes"], xray["generation"]) == ("covid_pattern", 64 * 2**20, 1)


def test_versions_and_their_cards(client: httpx.Client, second: str, deployed: dict[Modality, str]) -> None:
    versions = client.get("/v1/models/chest_xray/versions").json()["versions"]
    assert [(entry["version"]["name"], entry["pointers"]) for entry in versions] == [
        ("tiny-2", []),
        ("tiny-1", ["active"]),
    ]
    detail = client.get(f"/v1/versions/{second}").json()
    assert detail["card"]["name"] == "tiny-2"
    assert detail["card"]["pipeline"]
    for unknown in ("0" * 64, "tiny-2", second.upper()):
        assert client.get(f"/v1/versions/{unknown}").status_code == 404
    assert client.get("/v1/models/ankle/versions").status_code == 404


def test_promote_and_roll_back(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    admin, first = api.client(Role.ADMIN), deployed[Modality.CHEST_XRAY]
    etag = admin.get("/v1/deployments/chest_xray").headers["ETag"]
    assert etag == '"1"'
    moved = promote(admin, second, 1)
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    assert (moved.json()["active"]["sha256"], moved.json()["previous"]["sha256"]) == (second, first)
    back = admin.post("/v1/deployments/chest_xray/rollback", json={"reason": "worse after all"})
    assert (back.json()["active"]["sha256"], back.json()["generation"]) == (first, 3)
    moves = admin.get("/v1/deployments/chest_xray/history").json()["moves"]
    assert [(move["action"], move["generation"], move["reason"]) for move in moves] == [
        ("rollback", 3, "worse after all"),
        ("promote", 2, "better"),
        ("install", 1, "first version of this modality"),
    ]
    assert moves[0]["actor"] == "north/admin"
    assert {"deployment.promote", "deployment.rollback"} <= set(api.actions("chest_xray"))


def test_a_move_says_what_it_was_decided_on(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    for generation, status, code in ((None, 428, "precondition_required"), (7, 412, "generation_stale")):
        response = promote(admin, second, generation)
        assert (response.status_code, response.json()["code"]) == (status, code)
    assert promote(admin, second, 1).status_code == 200
    assert promote(admin, second, 1).status_code == 412
    nonsense = admin.put(
        "/v1/deployments/chest_xray",
        json={**OVERRIDE, "version": second, "reason": "why not"},
        headers={"If-Match": '"x"'},
    )
    assert nonsense.status_code == 412
    stale = admin.post("/v1/deployments/chest_xray/rollback", json={"reason": "late"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_moves_that_make_no_sense(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    assert promote(admin, "nobody", 1).json()["code"] == "version_unknown"
    assert promote(admin, second, 1, reason=" ").status_code == 422
    nothing = admin.post("/v1/deployments/chest_xray/rollback", json={"reason": "worse"})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_roll_back_to")
    extra = admin.put("/v1/deployments/cough", json={"version": "x", "reason": "abc", "tenant_id": 1})
    assert extra.status_code == 422
    api.execute("UPDATE versions SET recalled_at = now() WHERE sha256 = :second", second=second)
    recalled = promote(admin, second, 1)
    assert (recalled.status_code, recalled.json()["code"]) == (409, "version_recalled")
    with api.database.begin() as session:
        assert set(session.scalars(select(Deployment.generation))) == {1}


def test_the_audit_log_has_pages_and_remembers_its_readers(api: Api, client: httpx.Client) -> None:
    auditor = api.client(Role.AUDITOR)
    jobs = [submitted(client) for _ in range(3)]
    page = auditor.get("/v1/audit", params={"action": "job.submit", "limit": 2}).json()
    rest = auditor.get("/v1/audit", params={"action": "job.submit", "cursor": page["next"]}).json()
    assert [event["object_id"] for event in page["events"] + rest["events"]] == jobs[::-1]
    assert rest["next"] is None
    assert page["events"][0]["actor"] == "submitter"
    assert page["events"][0]["request_id"]
    assert api.count(AuditEvent, AuditEvent.action == "audit.read") == 2
    assert auditor.get("/v1/audit", params={"cursor": "zzz"}).status_code == 400


# --- health ---------------------------------------------------------------------------------------------------------


def test_ready_says_what_is_there(api: Api) -> None:
    answer = api.anonymous().get("/health/ready")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["database"], body["schema_current"], body["storage"], body["queue"]) == (True, True, True, True)
    assert body["workers"] == {}
    api.execute(
        "INSERT INTO workers (id, host, pid, modalities, report) VALUES (gen_random_uuid(), 'h', 1, '{cough}', '{}')"
    )
    assert api.anonymous().get("/health/ready").json()["workers"] == {"cough": 1}


def test_without_redis_work_is_still_accepted(api: Api) -> None:
    away = api.settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    with serving(away, api.database) as lonely:
        ready = lonely.anonymous().get("/health/ready")
        assert (ready.status_code, ready.json()["queue"]) == (200, False)
        submitted(lonely.client(Role.SUBMITTER))


def test_without_a_database_the_gateway_says_so_and_lives(api: Api) -> None:
    away = api.settings.model_copy(update={"database_url": SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none")})
    with serving(away, api.database) as lonely:
        client = lonely.client(key=api.key())
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
        for response in (client.get("/v1/jobs"), client.post("/v1/jobs", files={"file": b"x"})):
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert int(response.headers["Retry-After"]) >= 1


def test_an_old_schema_is_not_ready(api: Api) -> None:
    api.execute("UPDATE alembic_version SET version_num = 'older'")
    answer = api.anonymous().get("/health/ready")
    assert (answer.status_code, answer.json()["schema_current"]) == (503, False)


def test_metrics_for_this_machine_and_for_admins(api: Api, client: httpx.Client) -> None:
    submitted(client)
    text = api.anonymous().get("/metrics").text
    assert 'thoracle_queue_depth{modality="chest_xray"} 1.0' in text
    assert 'route="/v1/jobs"' in text
    forwarded = {"X-Forwarded-For": "10.0.0.1"}
    assert api.anonymous().get("/metrics", headers=forwarded).status_code == 401
    assert client.get("/metrics", headers=forwarded).status_code == 403
    assert api.client(Role.AUDITOR).get("/metrics", headers=forwarded).status_code == 200


def test_the_documentation_comes_from_this_server_alone(api: Api) -> None:
    stranger = api.anonymous()
    page = stranger.get("/docs")
    assert "http" not in page.text.replace("http-equiv", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for path in ("/docs/static/swagger-ui.css", "/docs/static/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json"):
        assert stranger.get(path).status_code == 200, path
    assert stranger.get("/docs/openapi.json").json()["openapi"] == "3.0.3"
    assert stranger.get("/docs/static/../../openapi.json").status_code in (200, 404)
