"""POST /v1/jobs: what is accepted, what is refused, and what is left behind."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.db.tables import IdempotencyKey, Job, JobInput, Study
from shared.schemas import Modality, Role
from tests.integration.api.support import PNG, TLS, WAV, Api, submit, submitted
from tests.support.stack import wait_for


def test_an_upload_becomes_a_committed_job(api: Api, client: httpx.Client) -> None:
    response = submit(
        client,
        client_ref="R-1",
        study_id="S-1",
        subject_id="P-1",
        age_years="44.5",
        sex="F",
        view="PA",
        priority="stat",
    )
    body = response.json()
    assert response.status_code == 202, body
    assert response.headers["Location"] == f"{api.settings.base_url}/v1/jobs/{body['id']}" == body["links"]["self"]
    assert int(response.headers["Retry-After"]) >= 1
    assert body["status"] == "queued"
    assert (body["modality"], body["priority"], body["age_years"]) == ("chest_xray", "stat", 44.5)
    assert (body["client_ref"], body["study_id"], body["subject_id"]) == ("R-1", "S-1", "P-1")
    assert body["input"]["media_type"] == "image/png"
    assert body["queue_position"] == 1
    assert api.blobs() == [body["input"]["sha256"]]
    assert api.events(body["id"]) == [(None, "queued", "submitted")]
    assert "job.submit" in api.actions(body["id"])


@pytest.mark.parametrize(
    ("body", "fields", "status", "code"),
    [
        (b"", {}, 422, "input_empty"),
        (b"hello, I am text", {}, 415, "input_type_unknown"),
        (WAV, {}, 422, "modality_required"),
        (WAV, {"modality": "chest_xray"}, 422, "modality_mismatch"),
        (PNG, {"modality": "cough"}, 422, "modality_mismatch"),
        (PNG, {"modality": "ankle"}, 422, "field_invalid"),
        (PNG, {"tenant_id": "x"}, 422, "field_unknown"),
        (PNG, {"state": "succeeded"}, 422, "field_unknown"),
        (PNG, {"age_years": "nan"}, 422, "field_invalid"),
        (PNG, {"age_years": "131"}, 422, "field_invalid"),
        (PNG, {"acquired_at": "2026-01-01T10:00:00"}, 422, "field_invalid"),
        (PNG, {"client_ref": "a\x00b"}, 422, "field_invalid"),
        (PNG, {"client_ref": "x" * 129}, 422, "field_invalid"),
        (PNG, {"client_ref": "x" * 5000}, 422, "field_invalid"),
        (PNG, {"version": "nobody"}, 422, "version_unknown"),
        (PNG, {"client_ref": ["a", "b"]}, 422, "field_invalid"),
    ],
)
def test_a_refused_upload_leaves_nothing(
    api: Api, client: httpx.Client, body: bytes, fields: dict[str, Any], status: int, code: str
) -> None:
    response = submit(client, body, **fields)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["request_id"] == response.headers["X-Request-Id"]
    if code.startswith("field"):
        assert problem["errors"][0]["field"] == next(iter(fields))
    assert api.blobs() == []
    assert api.count(Job) == 0


def test_empty_fields_of_a_browser_form_count_as_not_sent(client: httpx.Client) -> None:
    assert submit(client, client_ref="", modality="", age_years=" ").status_code == 202


def test_a_file_larger_than_the_cap(api: Api, client: httpx.Client) -> None:
    api.settings.__dict__["max_upload_mb"] = 1
    for size in (2**20 + 1, 2**20 + 200_000, 3 * 2**20):
        response = submit(client, PNG + bytes(size))
        assert (response.status_code, response.json()["code"]) == (413, "input_too_large")
    assert submit(client, PNG + bytes(2**20 - len(PNG))).status_code == 202
    assert len(api.blobs()) == 1


def test_requests_that_are_no_form(api: Api, client: httpx.Client) -> None:
    asked = [
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "form_required"),
        ({"content": b"a=b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415, "form_required"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415, "form_required"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "form_broken"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "form_broken"),
        (
            {"content": b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "file_missing",
        ),
        ({"files": {"file": PNG}, "headers": {"Content-Encoding": "gzip"}}, 415, "encoding_refused"),
        ({"files": [("file", PNG), ("file", PNG)]}, 400, "file_repeated"),
        ({"files": {"image": ("x.png", PNG)}}, 422, "field_invalid"),
        ({"data": {"client_ref": "a"}, "files": {"site": b"\xff\xfe"}}, 422, "field_invalid"),
        ({"files": [(f"f{i}", (None, b"x")) for i in range(40)]}, 400, "request_invalid"),
    ]
    for request, status, code in asked:
        response = client.post("/v1/jobs", **request)
        assert (response.status_code, response.json()["code"]) == (status, code), (request, response.text)
    assert api.blobs() == []


def test_a_cut_off_upload_leaves_nothing(api: Api) -> None:
    key = api.key()
    for sent in (0, 100, 5000, 100_000):
        with socket.create_connection(("127.0.0.1", api.settings.port)) as connection:
            head = (
                "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
                f"Authorization: Bearer {key}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
                '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
            )
            connection.sendall(head.encode() + PNG + bytes(sent))
            if sent == 100_000:
                wait_for(lambda: len(api.blobs()) == 1, 60, "a half-written file")
    wait_for(lambda: api.blobs() == [], 60, "half-written files are gone")
    assert api.count(Job) == 0


def test_a_body_that_stops_arriving(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.intake.PROGRESS_S", 0.3)
    with socket.create_connection(("127.0.0.1", api.settings.port)) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            f"Authorization: Bearer {api.key()}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        connection.sendall(head.encode())
        connection.settimeout(10)
        assert b"408 Request Timeout" in connection.recv(4096)
    assert api.blobs() == []


def test_a_version_may_be_named(api: Api, client: httpx.Client, deployed: dict[Modality, str]) -> None:
    sha256 = deployed[Modality.CHEST_XRAY]
    for name in (sha256, "tiny-1"):
        body = submit(client, version=name).json()
        assert body["requested_version"]["sha256"] == sha256
    other = submit(client, version=deployed[Modality.COUGH])
    assert (other.status_code, other.json()["code"]) == (422, "version_unknown")
    api.execute("UPDATE versions SET recalled_at = now()")
    recalled = submit(client, version=sha256)
    assert (recalled.status_code, recalled.json()["code"]) == (409, "version_recalled")


def test_without_an_active_version_nothing_is_accepted(api: Api, client: httpx.Client) -> None:
    api.execute("DELETE FROM deployment_events")
    api.execute("DELETE FROM deployments")
    response = submit(client)
    assert (response.status_code, response.json()["code"]) == (503, "no_version")
    assert api.blobs() == []


def test_the_card_says_what_is_accepted(api: Api, client: httpx.Client) -> None:
    api.execute("""UPDATE versions SET card = jsonb_set(card, '{input,media_types}', '["application/dicom"]')""")
    assert submit(client).status_code == 415


def test_one_study_for_all_its_jobs(api: Api, client: httpx.Client) -> None:
    for body, modality in ((PNG, "chest_xray"), (WAV, "cough"), (WAV, "lung_sound")):
        submitted(client, body, modality=modality, study_id="visit-7")
    assert api.count(Study) == 1
    assert api.count(Job) == 3


# --- Idempotency-Key ------------------------------------------------------------------------------------------------


def test_fifty_parallel_posts_with_one_key_make_one_job(api: Api) -> None:
    key, headers = api.key(), {"Idempotency-Key": "order-66"}

    def post(_: int) -> httpx.Response:
        with httpx.Client(
            base_url=api.settings.base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
            trust_env=False,
            verify=TLS,
        ) as own:
            # As callers do: after a 503 the same key again. Fifty at once may find the database slow to connect.
            answers = (submit(own, headers=headers, client_ref="R-1") for _ in range(10))
            return next(answer for answer in answers if answer.status_code != 503)

    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(post, range(50)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert api.count(Job) == api.count(JobInput) == api.count(IdempotencyKey) == 1


def test_the_same_key_for_something_else_is_refused(api: Api, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = submit(client, headers=headers, client_ref="a").json()["id"]
    for body, fields in ((PNG + b"x", {"client_ref": "a"}), (PNG, {"client_ref": "b"}), (PNG, {})):
        response = submit(client, body, headers=headers, **fields)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_mismatch")
    again = submit(client, headers=headers, client_ref="a")
    assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (first, "true")
    assert len(api.blobs()) == 1


def test_keys_belong_to_whoever_uses_them_and_grow_old(api: Api, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = submit(client, headers=headers).json()["id"]
    other = submit(api.client(Role.SUBMITTER, tenant="south"), headers=headers).json()["id"]
    api.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    later = submit(client, PNG + b"other", headers=headers)
    assert later.status_code == 202
    assert "Idempotent-Replayed" not in later.headers
    assert len({first, other, later.json()["id"]}) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_cannot_be_one(client: httpx.Client, key: str) -> None:
    response = submit(client, headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")


def test_the_answer_is_json_without_surprises(client: httpx.Client) -> None:
    body = json.loads(submit(client, client_ref="<b>ünï</b>").content)
    assert body["client_ref"] == "<b>ünï</b>"
    assert body["result"] is None
    assert body["error"] is None
