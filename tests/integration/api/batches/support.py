"""Batches as callers send them, and what they get."""

import io
import json
import zipfile
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from tests.integration.api.support import WAV, Api

ZIP, NDJSON = "application/zip", "application/x-ndjson"


def packed(files: dict[str, bytes], manifest: str | None = None) -> bytes:
    """A zip; without a manifest every file is a cough."""
    lines = manifest if manifest is not None else "file,modality\n" + "".join(f"{name},cough\n" for name in files)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.csv", lines)
    return body.getvalue()


def sounds(count: int, start: int = 0) -> dict[str, bytes]:
    return {f"c/{at}.wav": WAV + at.to_bytes(4, "big") for at in range(start, start + count)}


def send(client: httpx.Client, body: bytes, key: str = "k1", kind: str = ZIP) -> httpx.Response:
    return client.post("/v1/batches", content=body, headers={"Content-Type": kind, "Idempotency-Key": key})


def sent(client: httpx.Client, body: bytes, key: str = "k1", kind: str = ZIP) -> dict[str, Any]:
    response = send(client, body, key, kind)
    assert response.status_code == 202, response.text
    receipt: dict[str, Any] = response.json()
    return receipt


def rows(client: httpx.Client, batch: str, after: str | None = None) -> list[dict[str, Any]]:
    params = {"after": after} if after else {}
    response = client.get(f"/v1/batches/{batch}/results", params=params)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def ids(api: Api, batch: str) -> list[str]:
    with api.database.begin() as session:
        found = session.execute(text("SELECT id FROM jobs WHERE batch_id = :b ORDER BY id"), {"b": UUID(batch)})
        return [str(row.id) for row in found]


def formed(lines: list[dict[str, Any]], files: list[tuple[str, bytes]]) -> list[tuple[str, Any]]:
    """The parts of a form: the manifest, then files."""
    manifest = "".join(json.dumps(line) + "\n" for line in lines)
    return [("manifest", (None, manifest)), *(("file", (name, body)) for name, body in files)]
