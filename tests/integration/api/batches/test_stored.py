"""Batches of inputs that are stored already: by their address, and again with another version."""

import json
import tracemalloc

import httpx
import pytest

from services.api.bulk import manifest
from shared.db.tables import Batch
from shared.errors import Unprocessable
from shared.schemas import Modality, Role
from tests.integration.api.batches.support import NDJSON, ids, send, sent
from tests.integration.api.support import WAV, Api, serving, submitted


def test_what_is_no_text_is_told_and_the_others_go_on(api: Api, client: httpx.Client) -> None:
    sha256 = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()["input"]["sha256"]
    bad = [
        '{"sha256": "\\ud800", "key": "a"}',
        '{"sha256": "x", "key": "\\udfff"}',
        '{"sha256": "x", "\\ud800": "b"}',
        '{"sha256": "a\\u0000b", "key": "c"}',
    ]
    lines = [*bad, json.dumps({"sha256": sha256, "modality": "cough"})]
    receipt = sent(client, "\n".join(lines).encode(), kind=NDJSON)
    assert (receipt["made"], [error["line"] for error in receipt["errors"]]) == (1, [1, 2, 3, 4])


def test_lines_are_counted_before_they_are_kept() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unprocessable):
            manifest.from_ndjson([b"1\n" * (4 << 20)], 10_000)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20  # eight million lines at once are 800 MB
    finally:
        tracemalloc.stop()


def test_stored_inputs_are_taken_by_address(api: Api, client: httpx.Client) -> None:
    job = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()
    address = job["input"]["sha256"]
    lines = [{"sha256": address, "modality": "cough", "age_years": 3}, {"sha256": "0" * 64, "modality": "cough"}]
    body = "\n".join(json.dumps(line) for line in lines).encode() + b"\n[1]\n"
    receipt = sent(client, body, kind=NDJSON)
    assert receipt["made"] == 1
    assert [error["code"] for error in receipt["errors"]] == ["input_unknown", "manifest_broken"]
    stranger = api.client(Role.SUBMITTER, tenant="south")
    theirs = sent(stranger, body, kind=NDJSON)
    assert (theirs["made"], theirs["errors"][0]["code"]) == (0, "input_unknown")


def test_stored_inputs_run_again_with_another_version(
    api: Api, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    for at in range(3):
        submitted(client, WAV + bytes([at]), modality="cough", client_ref=f"r{at}")
    submitted(client, WAV, modality="lung_sound")
    body = json.dumps({"from": {"modality": "cough"}, "version": deployed[Modality.COUGH]}).encode()
    receipt = sent(client, body, kind="application/json")
    again = sent(client, body, kind="application/json")
    assert (receipt["made"], again["made"], again["known"]) == (3, 0, 3)
    refs = {client.get(f"/v1/jobs/{job}").json()["client_ref"] for job in ids(api, receipt["id"])}
    assert refs == {"r0", "r1", "r2"}
    wrong = json.dumps({"from": {"modality": "cough"}, "version": "none such"}).encode()
    refused = sent(client, wrong, key="k2", kind="application/json")
    assert {error["code"] for error in refused["errors"]} == {"version_unknown"}


def test_too_many_stored_inputs_are_refused_before_any_job_is_made(api: Api, client: httpx.Client) -> None:
    for at in range(3):
        submitted(client, WAV + bytes([at]), modality="cough")
    body = json.dumps({"from": {"modality": "cough"}}).encode()
    with serving(api.settings.changed(max_batch_items=2), api.database) as small:
        refused = send(small.client(), body, kind="application/json")
    assert refused.json()["code"] == "batch_too_large"
    assert api.count(Batch) == 0
