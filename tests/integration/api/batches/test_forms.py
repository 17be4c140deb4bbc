"""Batches as a form: a manifest and the files it names."""

from typing import Any

import httpx
import pytest

from shared.db.tables import Job
from tests.integration.api.batches.support import formed, sounds
from tests.integration.api.support import WAV, Api, submitted


def test_a_form_brings_its_manifest_and_files(api: Api, client: httpx.Client) -> None:
    stored = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()["input"]["sha256"]
    lines = [
        {"file": "a/ü 1.wav", "modality": "cough", "age_years": 45},
        {"file": "b.wav", "modality": "cough", "key": "second"},
        {"file": "text.txt", "modality": "cough"},
        {"file": "missing.wav", "modality": "cough"},
        {"sha256": stored, "modality": "cough"},
        {"file": "old.wav", "modality": "cough", "age_years": "old"},
    ]
    files = [("b.wav", WAV + b"b"), ("unnamed.wav", WAV + b"u"), ("a/ü 1.wav", WAV + b"a"), ("text.txt", b"text")]
    files += [("b.wav", WAV + b"again"), ("old.wav", WAV + b"o")]
    response = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"})
    receipt = response.json()
    assert (response.status_code, receipt["made"]) == (202, 3)
    assert [(error["line"], error["code"]) for error in receipt["errors"]] == [
        (3, "input_type_unknown"),
        (4, "item_file_missing"),
        (6, "field_invalid"),
    ]
    assert len(api.blobs()) == 3
    again = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"}).json()
    assert (again["made"], again["known"]) == (0, 3)


def test_a_form_larger_than_one_transaction_comes_whole(api: Api, client: httpx.Client) -> None:
    files = [(name, body) for name, body in sounds(1100).items()]
    lines = [{"file": name, "modality": "cough"} for name, _ in files]
    receipt = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"}).json()
    assert (receipt["made"], receipt["errors"]) == (1100, [])
    assert len(api.blobs()) == 1100


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([("file", ("a.wav", WAV)), ("manifest", (None, '{"file": "a.wav"}'))], "manifest_first"),
        ([*formed([{"file": "a.wav"}], []), ("other", (None, "x"))], "form_broken"),
        (formed([], []), "batch_empty"),
    ],
)
def test_a_form_that_is_none_leaves_nothing(
    api: Api, client: httpx.Client, parts: list[tuple[str, Any]], code: str
) -> None:
    response = client.post("/v1/batches", files=parts, headers={"Idempotency-Key": "k1"})
    assert response.json()["code"] == code
    assert api.count(Job) == 0
    assert api.blobs() == []
