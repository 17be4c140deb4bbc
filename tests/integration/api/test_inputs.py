"""What was sent, its pictures, and studies."""

from datetime import UTC, datetime

import httpx
import pytest

from tests.integration.api.support import PNG, WAV, Api, submitted


def test_the_input_comes_back_as_it_was(api: Api, client: httpx.Client) -> None:
    job = submitted(client, PNG + bytes(700_000))
    response = client.get(f"/v1/jobs/{job}/input")
    assert response.content == PNG + bytes(700_000)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{job}.png"'
    assert client.get(f"/v1/jobs/{job}/input", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
    assert "input.read" in api.actions(job)


def test_an_altered_input_is_not_served(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    (file,) = [path for path in api.settings.blob_dir.rglob("*") if path.is_file()]
    file.write_bytes(b"something else")
    response = client.get(f"/v1/jobs/{job}/input")
    assert (response.status_code, response.json()["code"]) == (500, "integrity")


def test_a_picture_is_wished_for_then_served(api: Api, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.routes.inputs._LOOKS", 2)
    job = submitted(client, PNG)
    address = f"/v1/jobs/{job}/renditions/picture"
    waiting = client.get(address)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "1")
    assert client.get(address.replace("picture", "waveform")).status_code == 404
    assert client.get(address.replace("picture", "film")).status_code == 404
    sha256 = client.get(f"/v1/jobs/{job}").json()["input"]["sha256"]
    api.execute("UPDATE renditions SET state = 'made', sha256 = :sha256", sha256=sha256)
    made = client.get(address)
    assert (made.status_code, made.headers["Content-Type"], made.content) == (200, "image/png", PNG)
    api.execute("UPDATE renditions SET state = 'failed'")
    failed = client.get(address)
    assert (failed.status_code, failed.json()["code"]) == (404, "rendition_failed")


def test_a_study_by_either_id(api: Api, client: httpx.Client) -> None:
    jobs = [submitted(client, WAV, modality=modality, study_id="1.2.840.7") for modality in ("cough", "lung_sound")]
    study = client.get("/v1/studies/1.2.840.7").json()
    assert [job["id"] for job in study["jobs"]] == jobs
    assert client.get(f"/v1/studies/{study['id']}").json() == study
    assert "study.read" in api.actions(study["id"])
    assert "probability" not in study


def test_times_carry_their_zone(client: httpx.Client) -> None:
    job = submitted(client, acquired_at="2026-01-31T12:00:00+02:00")
    body = client.get(f"/v1/jobs/{job}").json()
    assert datetime.fromisoformat(body["acquired_at"]) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert datetime.fromisoformat(body["created_at"]).tzinfo is not None
