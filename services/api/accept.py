"""Accepting a submission: which version may answer, then one statement for everything that remembers it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.idempotency import Repeatable
from services.api.looks import Shown
from services.api.views import JobRow, Outlook
from shared.db.statements import submissions, versions
from shared.db.tables import PRIORITY_RANK, Job, JobInput, Version, new_id
from shared.errors import Conflict, TooLarge, Unavailable, Unprocessable, UnsupportedInput
from shared.schemas import Card, JobFields, JobState, Modality
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
        before = await self._before(request)
        if before is not None:
            return Accepted(before, modality, replayed=True)
        requested = await self._requested(modality)
        blob = await self.upload.commit()
        made = await self._insert(request, modality, requested, blob.sha256)
        if made is None:
            first = await self._before(request)
            if first is None:
                raise Unavailable  # it grew too old between the two statements
            return Accepted(first, modality, replayed=True)
        JOBS_ACCEPTED.labels(modality, self.upload.fields.priority).inc()
        return Accepted(made.view.id, modality, replayed=False, shown=made)

    async def _before(self, request: Repeatable) -> UUID | None:
        if request.key is None:
            return None
        async with self.gateway.look() as connection:
            return await request.before(connection)

    async def _requested(self, modality: Modality) -> Version | None:
        """The pinned version, if one was asked for, after reading the card of whichever will answer."""
        named = self.upload.fields.version
        version, card = self._kept(modality) if named is None else (None, None)
        if version is None or card is None:
            async with self.gateway.begin() as session:
                version, card = await self._answering(session, modality, named)
        if self.upload.media_type not in read_by(card.input.media_types):
            raise UnsupportedInput
        if self.upload.size_bytes > card.input.max_bytes:
            raise TooLarge(limit_mb=card.input.max_bytes // 2**20)
        return version if named else None

    def _kept(self, modality: Modality) -> tuple[Version | None, Card | None]:
        version = self.gateway.actives.kept(self.caller.tenant_id, modality)
        return version, None if version is None else self.gateway.cards.kept(version.id)

    async def _answering(self, session: AsyncSession, modality: Modality, named: str | None) -> tuple[Version, Card]:
        if named is None:
            version = await self.gateway.actives.of(session, self.caller.tenant_id, modality)
        else:
            version = await pinnable(session, modality, named)
        if version is None:
            raise Unavailable("no_version")
        return version, (await self.gateway.cards.of(session, [version.id]))[version.id]

    async def _insert(
        self, request: Repeatable, modality: Modality, requested: Version | None, sha256: str
    ) -> Shown | None:
        """The new job as reading it again would show it; None when the key is somebody else's. One statement."""
        fields, tenant = self.upload.fields, self.caller.tenant_id
        drained = await self.gateway.paces.of(tenant, modality)
        job = {
            "id": new_id(),
            "tenant_id": tenant,
            "principal_id": self.caller.principal_id,
            "modality": str(modality),
            "priority": PRIORITY_RANK[fields.priority],
            "requested_id": requested.id if requested else None,
            "sex": str(fields.sex) if fields.sex else None,
            "size_bytes": self.upload.size_bytes,
            **{name: getattr(fields, name) for name in _TOLD},
        }
        file = {"sha256": sha256, "media_type": self.upload.media_type}
        others = {
            **{"input": new_id(), "study": new_id(), "study_named": fields.study_id or None},
            **{"credential_id": self.caller.credential_id, "request_id": self.request_id},
        }
        found = await self.gateway.quick.rows(submissions.job(), {**job, **file, **others, **request.columns})
        if not found:
            return None
        (made,) = found
        row = Job(**job, study_id=made.study_id, state=JobState.QUEUED, attempts=0, created_at=made.created_at)
        given = JobInput(**file, size_bytes=self.upload.size_bytes)
        shown = JobRow(row, given, None, fields.study_id, None, requested)
        return self.gateway.looks.made(shown, Outlook(made.ahead, drained, made.created_at))


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
