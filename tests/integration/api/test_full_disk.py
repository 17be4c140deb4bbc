"""No room for an upload: refused with the reason, whatever its size; nothing is left, and later it is taken."""

from collections.abc import Iterator

import httpx
import pytest

from tests.chaos.disks import Disk, disk
from tests.integration.api.batches.support import formed, packed, send, sounds
from tests.integration.api.support import PNG, Api, submit


@pytest.fixture
def full(api: Api) -> Iterator[Disk]:
    """The uploads' disk without room for a byte."""
    with disk(api.settings.blob_dir) as made:
        if made.reason:
            pytest.skip(made.reason)
        made.fill()
        yield made


@pytest.mark.parametrize("size", [0, 7000, 100_000])
def test_an_upload(api: Api, client: httpx.Client, full: Disk, size: int) -> None:
    body = PNG + bytes(size)
    response = submit(client, body)
    assert (response.status_code, response.json()["code"]) == (507, "storage_full"), response.text
    assert submit(client, body, modality="cough").json()["code"] in {"modality_mismatch", "storage_full"}
    full.free()
    assert api.blobs() == []
    assert submit(client, body).status_code == 202


@pytest.mark.parametrize("count", [2, 300])
def test_an_archive(api: Api, client: httpx.Client, full: Disk, count: int) -> None:
    body = packed(sounds(count))
    response = send(client, body)
    assert (response.status_code, response.json()["code"]) == (507, "storage_full"), response.text
    full.free()
    assert api.blobs() == []
    assert send(client, body).status_code == 202


def test_a_batch_as_a_form(api: Api, client: httpx.Client, full: Disk) -> None:
    files = sounds(2)
    parts = formed([{"file": name, "modality": "cough"} for name in files], list(files.items()))
    response = client.post("/v1/batches", files=parts, headers={"Idempotency-Key": "form"})
    assert (response.status_code, response.json()["code"]) == (507, "storage_full"), response.text
    full.free()
    assert api.blobs() == []
    assert client.post("/v1/batches", files=parts, headers={"Idempotency-Key": "form"}).status_code == 202
