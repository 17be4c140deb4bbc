"""Accepting a submission: which version may answer, then one transaction for everything that remembers it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api import reading
from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.idempotency import Repeatable
from services.api.looks import Shown
from services.api.views import JobRow
from shared.db.statements import submissions, versions
from shared.db.tables import PRIORITY_RANK, Job, JobInput, Version, new_id
from shared.errors import Conflict, TooLarge, Unavailable, Unprocessable, UnsupportedInput
from shared.faults import fault
from shared.schemas import JobFields, JobState, Modality
from shared.sentences import say
from shared.sniff import modalities_of, read_by
from shared.storage import Blob
from shared.telemetry import JOBS_ACCEPTED

_TOLD = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "view", "not_before", "not_after")


class Input(Protocol):
    """What a submission is of: an upload that is whole, or an input that the store has already."""

    @property
    def fields(self) -> JobFields:
        """What its sender said about it."""

    @property
    def media_type(self) -> str:
        """What kind of file it is."""

    @property
    def sha256(self) -> str:
        """Its address."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""

    async def commit(self) -> Blob:
        """Make it durable."""


@dataclass(frozen=True)
class Accepted:
    """The job that a submission made (as it was then), or made before when it is a repetition."""

    job_id: UUID
    modality: Modality
    replayed: bool
    shown: Shown | None = None


@dataclass(frozen=True)
class Submission:
    """One upload of one caller, with its idempotency key."""

    gateway: Gateway
    caller: Caller
    upload: Input
    key: str | None
    request_id: str | None

    async def accept(self) -> Accepted:
        """Commit the job; whoever reads the answer may switch everything off. Raises ThoracleError."""
        modality = modality_of(self.upload)
        hours = self.gateway.settings.idempotency_hours
        request = Repeatable(self.caller, self.key, fingerprint(self.upload.fields, self.upload.sha256), hours)
        async with self.gateway.begin() as session:
            before = await request.before(session)
            if before is not None:
                return Accepted(before, modality, replayed=True)
            requested = await self._requested(session, modality)
            blob = await self.upload.commit()
            job_id = new_id()
            first = await request.take(session, job_id)
            if first is not None:
                return Accepted(first, modality, replayed=True)
            row = await self._insert(session, job_id, modality, requested, blob.sha256)
            shown = await reading.show(self.gateway, session, row)
            fault("submit.inserted")
        JOBS_ACCEPTED.labels(modality, self.upload.fields.priority).inc()
        return Accepted(job_id, modality, replayed=False, shown=shown)

    async def _requested(self, session: AsyncSession, modality: Modality) -> Version | None:
        """The pinned version, if one was asked for, after reading the card of whichever will answer."""
        named = self.upload.fields.version
        if named is None:
            version = await self.gateway.actives.of(session, self.caller.tenant_id, modality)
        else:
            version = await pinnable(session, modality, named)
        if version is None:
            raise Unavailable("no_version")
        card = (await self.gateway.cards.of(session, [version.id]))[version.id]
        if self.upload.media_type not in read_by(card.input.media_types):
            raise UnsupportedInput
        if self.upload.size_bytes > card.input.max_bytes:
            raise TooLarge(limit_mb=card.input.max_bytes // 2**20)
        return version if named else None

    async def _insert(
        self, session: AsyncSession, job_id: UUID, modality: Modality, requested: Version | None, sha256: str
    ) -> JobRow:
        """The new job as reading it again would show it."""
        fields, tenant = self.upload.fields, self.caller.tenant_id
        study = None
        if fields.study_id:
            study = await session.scalar(submissions.study(tenant, fields.study_id, fields.subject_id))
        job = {
            "id": job_id,
            "tenant_id": tenant,
            "principal_id": self.caller.principal_id,
            "study_id": study,
            "modality": str(modality),
            "priority": PRIORITY_RANK[fields.priority],
            "requested_id": requested.id if requested else None,
            "sex": str(fields.sex) if fields.sex else None,
            "size_bytes": self.upload.size_bytes,
            **{name: getattr(fields, name) for name in _TOLD},
        }
        file = {"sha256": sha256, "media_type": self.upload.media_type}
        audited = {"credential_id": self.caller.credential_id, "request_id": self.request_id}
        made = await session.scalar(submissions.job(), {"input": new_id(), **job, **file, **audited})
        row = Job(**job, state=JobState.QUEUED, attempts=0, created_at=made)
        given = JobInput(**file, size_bytes=self.upload.size_bytes)
        return JobRow(row, given, None, fields.study_id, None, requested)


def modality_of(upload: Input) -> Modality:
    """The modality that was given, or the only one that the file can be. Raises Unprocessable, UnsupportedInput."""
    return possible_modality(upload.media_type, upload.fields.modality)


def possible_modality(media_type: str, given: Modality | None) -> Modality:
    """The same for a media type. Raises Unprocessable, UnsupportedInput."""
    possible = modalities_of(media_type)
    if not possible:
        raise UnsupportedInput
    if given is None and len(possible) > 1:
        raise Unprocessable("modality_required")
    if given is not None and given not in possible:
        raise Unprocessable("modality_mismatch", modality=say(f"modality.{given}"))
    return given or possible[0]


def fingerprint(fields: JobFields, sha256: str) -> str:
    """The sha256 of a request's meaning: every field and every byte of the file, whatever order they came in."""
    meaning = {"file": sha256, **fields.model_dump(mode="json", exclude_none=True)}
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


async def answering(session: AsyncSession, tenant: UUID, modality: Modality, name: str | None) -> Version:
    """The named version, else the active one. Raises Unavailable, Unprocessable or Conflict: none, or recalled."""
    if name is not None:
        return await pinnable(session, modality, name)
    active = await session.scalar(versions.active(), {"modality": modality, "tenant": tenant})
    if active is None:
        raise Unavailable("no_version")
    return active


async def pinnable(session: AsyncSession, modality: Modality, name: str) -> Version:
    """The version of this name or sha256, to answer a job. Raises Unprocessable or Conflict: none, or recalled."""
    version = await session.scalar(versions.named(modality, name))
    if version is None:
        raise Unprocessable("version_unknown")
    if version.recalled_at is not None:
        raise Conflict("version_recalled")
    return version
