"""Archives that lie about themselves are refused, and nothing of them stays."""

import io
import warnings
import zipfile
from typing import Any

import httpx
import pytest

from shared.db.tables import Batch, Job
from tests.integration.api.batches.support import ZIP, packed, send, sent, sounds
from tests.integration.api.support import WAV, Api


def _hostile() -> dict[str, bytes]:
    link = zipfile.ZipInfo("manifest2.csv")
    link.external_attr = 0o120777 << 16
    made: dict[str, bytes] = {"not_a_zip": b"PK nothing", "no_manifest": _zip([("a.wav", WAV)])}
    made["link"] = _zip([(link, b"/etc/passwd"), ("manifest.csv", b"file\n")])
    for name in ("../a.wav", "/a.wav", "a/../../b", "c:\\a.wav", "a\\b.wav"):
        made[name] = _zip([(name, WAV), ("manifest.csv", b"file\n")])
    made["bomb"] = _zip([("a.wav", bytes(8 << 20)), ("manifest.csv", b"file\na.wav\n")])
    made["twice"] = _zip([("a.wav", WAV), ("a.wav", WAV), ("manifest.csv", b"file\na.wav\n")])
    good = packed({"a.wav": WAV})
    made["encrypted"] = good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00", 1)
    made["cut"] = good[:-30]
    made["overlapping"] = _overlapping()
    made["empty"] = packed({}, "file,modality\n")
    return made


def _zip(entries: list[tuple[Any, bytes]]) -> bytes:
    body = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a name twice is what we want
        for name, content in entries:
            archive.writestr(name, content)
    return body.getvalue()


def _overlapping() -> bytes:
    """Two names for the same bytes of the file, as in a quoted-overlap bomb."""
    body = bytearray(_zip([("a.wav", WAV), ("b.wav", WAV), ("manifest.csv", b"file\na.wav\n")]))
    second = body.find(b"PK\x01\x02", body.find(b"PK\x01\x02") + 1)
    body[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(body)


@pytest.mark.parametrize("name", list(_hostile()))
def test_hostile_archives_leave_nothing(api: Api, client: httpx.Client, name: str) -> None:
    response = send(client, _hostile()[name])
    assert response.status_code == 422, response.text
    assert api.count(Job) == api.count(Batch) == 0
    assert api.blobs() == []


def test_forged_size_refuses_the_item_alone(api: Api, client: httpx.Client) -> None:
    body = bytearray(packed({"a.wav": WAV, "b.wav": WAV + b"2"}))
    at = body.find(b"PK\x01\x02")
    body[at + 24 : at + 28] = (100).to_bytes(4, "little")
    receipt = sent(client, bytes(body))
    assert receipt["made"] == 1
    assert [error["code"] for error in receipt["errors"]] == ["item_damaged"]
    assert len(api.blobs()) == 1


def test_a_cut_upload_accepts_nothing_and_is_sent_again(api: Api, client: httpx.Client) -> None:
    body = packed(sounds(3))

    def cut() -> Any:
        yield body[: len(body) // 2]
        raise ConnectionError

    headers = {"Content-Type": ZIP, "Idempotency-Key": "k1", "Content-Length": str(len(body))}
    with pytest.raises(ConnectionError):
        client.post("/v1/batches", content=cut(), headers=headers)
    assert api.count(Job) == 0
    assert sent(client, body)["made"] == 3
    assert api.count(Job) == 3
