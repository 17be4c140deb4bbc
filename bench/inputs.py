"""Generated inputs for measurements, each with bytes of its own, and jobs of them put where a worker finds them."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import soundfile
from PIL import Image
from sqlalchemy import insert, update

from bench.stack import Bench
from shared.db.people import ensure_principal, ensure_tenant
from shared.db.tables import PRIORITY_RANK, Job, JobInput, new_id
from shared.queue import WORK_TASK, celery_app, queue_name
from shared.schemas import Modality, Role
from shared.storage import BlobStore
from shared.transforms.synthetic import phantom_xray, synthetic_cough

_DIFFERENT = 16
_ROWS = 500
_GRAIN = 4.0  # of 256 shades
MEDIA_TYPES = {Modality.CHEST_XRAY: "image/png", Modality.COUGH: "audio/wav"}


def xrays(count: int, side: int = 512) -> list[bytes]:
    """PNGs of drawn chests, side x side; a chunk with a number makes the bytes of each its own."""
    bodies = [_png(phantom_xray(seed, side, side), seed) for seed in range(min(count, _DIFFERENT))]
    return [_numbered(bodies[number % len(bodies)], number) for number in range(count)]


def coughs(count: int) -> list[bytes]:
    """WAVs of 3 s of made-up coughing at 16 kHz, the last sample of each its own."""
    sounds = [synthetic_cough(seed) for seed in range(min(count, _DIFFERENT))]
    return [_wav(sounds[number % len(sounds)], number) for number in range(count)]


def bodies(modality: Modality, count: int) -> list[bytes]:
    """So many inputs of a modality."""
    return xrays(count) if modality == Modality.CHEST_XRAY else coughs(count)


def hold(place: Bench, modality: Modality, files: Sequence[bytes], priority: str = "bulk") -> list[UUID]:
    """Jobs as a gateway commits them, none of which may begin before `release`; their ids."""
    store = BlobStore(place.settings.blob_dir)
    with place.database.begin() as session:
        tenant = ensure_tenant(session, "north").id
        owner = ensure_principal(session, ensure_tenant(session, "north"), "bench", [Role.SUBMITTER], "system").id
    ids: list[UUID] = []
    later = datetime.now(UTC) + timedelta(days=1)
    for some in _pieces(files):
        blobs = [store.put(tenant, body) for body in some]
        jobs: list[dict[str, Any]] = [
            {"id": new_id(), "tenant_id": tenant, "principal_id": owner, "modality": modality,
             "priority": PRIORITY_RANK[priority], "not_before": later, "size_bytes": blob.size_bytes}
            for blob in blobs
        ]  # fmt: skip
        inputs = [
            {"tenant_id": tenant, "job_id": job["id"], "sha256": blob.sha256, "size_bytes": blob.size_bytes,
             "media_type": MEDIA_TYPES[modality]}
            for job, blob in zip(jobs, blobs, strict=True)
        ]  # fmt: skip
        with place.database.begin() as session:
            session.execute(insert(Job), jobs)
            session.execute(insert(JobInput), inputs)
        ids += [job["id"] for job in jobs]
    return ids


def release(place: Bench, modality: Modality, ids: Sequence[UUID]) -> None:
    """All of them may begin now; the doorbell rings."""
    with place.database.begin() as session:
        session.execute(update(Job).where(Job.id.in_(ids)).values(not_before=None))
    celery_app(place.settings).send_task(WORK_TASK, queue=queue_name(modality), expires=60)


def _pieces(files: Sequence[bytes]) -> Iterator[list[bytes]]:
    rest = iter(files)
    while some := list(itertools.islice(rest, _ROWS)):
        yield some


def _png(picture: np.ndarray, seed: int) -> bytes:
    """8 bits with the grain of a film, without which a PNG is a fifth of its usual size and decodes in less time."""
    grain = np.random.default_rng(seed).normal(0, _GRAIN, picture.shape)
    shades = np.clip(picture * (255 / picture.max()) + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shades).save(file, "PNG")
    return file.getvalue()


def _numbered(png: bytes, number: int) -> bytes:
    """The same picture with a text chunk before its last chunk (12 bytes)."""
    chunk = b"tEXtnumber\0%d" % number
    return png[:-12] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[-12:]


def _wav(sound: np.ndarray, number: int) -> bytes:
    samples = (sound * 32767).astype(np.int16)
    samples[-1] = number % 32767
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()
