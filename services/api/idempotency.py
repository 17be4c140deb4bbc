"""Repeating a request safely: a principal's key stands for one request and the job that it made or changed."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Depends, Header
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.api.auth import Caller
from shared.db.statements import submissions
from shared.errors import BadRequest, Unavailable, Unprocessable


@dataclass(frozen=True)
class Repeatable:
    """One request under its key: `fingerprint` is the sha256 of its meaning. Without a key nothing is remembered."""

    caller: Caller
    key: str | None
    fingerprint: str
    hours: int

    @classmethod
    def of(cls, caller: Caller, key: str | None, hours: int, *meaning: object) -> Self:
        """A request that means these words."""
        return cls(caller, key, hashlib.sha256(" ".join(map(str, meaning)).encode()).hexdigest(), hours)

    @property
    def columns(self) -> dict[str, Any]:
        """What a statement that takes the key by itself is executed with."""
        return {"key": self.key, "fingerprint": self.fingerprint, "hours": self.hours}

    async def before(self, session: AsyncSession | AsyncConnection) -> UUID | None:
        """The job of an earlier request with this key. Raises Unprocessable: that request was a different one."""
        if self.key is None:
            return None
        found = await session.execute(submissions.remembered(self.caller.principal_id, self.key, self.hours))
        row = found.one_or_none()
        if row is None:
            return None
        if row.request_sha256 != self.fingerprint:
            raise Unprocessable("idempotency_mismatch")
        job_id: UUID = row.job_id
        return job_id

    async def take(self, session: AsyncSession, job_id: UUID) -> UUID | None:
        """Take the key for our job, or learn which job a parallel request made with it; waits until that one ends."""
        if self.key is None:
            return None
        caller = self.caller
        statement = submissions.remember(
            caller.principal_id, caller.tenant_id, self.key, self.fingerprint, job_id, self.hours
        )
        if (await session.execute(statement)).one_or_none() is not None:
            return None
        first = await self.before(session)
        if first is None:
            raise Unavailable  # it grew too old between the two statements
        return first


async def checked(
    idempotency_key: Annotated[str | None, Header(description="Repeat a request safely: 1 to 255 characters")] = None,
) -> str | None:
    """The request's key. Raises BadRequest for one that is empty, too long or not printable."""
    key = idempotency_key
    if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise BadRequest("idempotency_key_invalid")
    return key


Key = Annotated[str | None, Depends(checked)]
