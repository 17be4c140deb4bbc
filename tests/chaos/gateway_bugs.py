"""What somebody could have written in a gateway instead of what is shipped."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.sql import ClauseElement

from tests.chaos.planting import put


def acknowledged_early() -> None:
    """202 is answered, the commit comes a little later."""
    from shared.db.quick import Quick
    from shared.db.statements import submissions

    right = Quick.rows

    async def rows(self: Quick, statement: ClauseElement, values: Mapping[str, Any]) -> list[Any]:
        if statement is not submissions.job():
            return await right(self, statement, values)
        asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(right(self, statement, values)))
        return [SimpleNamespace(created_at=datetime.now(UTC), study_id=None, ahead=0)]

    put(Quick, "rows", rows)


def key_not_looked_up() -> None:
    """A repetition is taken for a new request."""
    from services.api.idempotency import Repeatable

    async def nothing(*_: Any) -> None:
        return None

    put(Repeatable, "before", nothing)
    put(Repeatable, "take", nothing)
    put(Repeatable, "columns", property(lambda self: {"key": None, "fingerprint": self.fingerprint, "hours": 1}))


def body_not_compared() -> None:
    """Any request under a used key is taken for a repetition."""
    from services.api import accept

    put(accept, "fingerprint", lambda *_: "the same")


def blob_after_row() -> None:
    """The row is committed first, the file is kept afterwards: here the process dies in between."""
    from services.api.intake import Upload
    from shared.storage import Blob

    right = Upload.commit

    async def commit(self: Upload) -> Blob:
        asyncio.get_running_loop().call_later(30, lambda: asyncio.ensure_future(right(self)))
        return Blob(self.sha256, self.size_bytes)

    put(Upload, "commit", commit)


def other_hospitals_jobs() -> None:
    """A job is shown to whoever knows its id."""
    from sqlalchemy import select

    from services.api.looks import Asked, Looks, Shown
    from shared.db.statements import audit
    from shared.db.tables import Job

    right = Looks._jobs

    async def anybodys(self: Looks, asked: Sequence[Asked]) -> dict[Asked, Shown]:
        query = select(Job.id, Job.tenant_id).where(Job.id.in_([one.job_id for one in asked]))
        async with self._sessions.begin() as session:
            owners = {row.id: row.tenant_id for row in await session.execute(query)}
        theirs = {
            one: replace(one, who=audit.Actor(owners[one.job_id], one.who.principal_id, one.who.credential_id))
            for one in asked
            if one.job_id in owners
        }
        shown = await right(self, list(theirs.values()))
        return {one: shown[as_owner] for one, as_owner in theirs.items()}

    put(Looks, "_jobs", anybodys)


def reading_not_named() -> None:
    """The audit log remembers that somebody read a job, but not which."""
    from shared.db.statements import audit

    right = audit.row

    def row(who: audit.Who, action: str, kind: str, object_id: str | None, request_id: str | None) -> dict[str, Any]:
        return right(who, action, kind, None if action == "job.read" else object_id, request_id)

    put(audit, "row", row)


def patient_in_the_log() -> None:
    """Whatever is submitted is logged with its subject."""
    import structlog

    from services.api.accept import Accepted, Submission

    right = Submission.accept

    async def accept(self: Submission) -> Accepted:
        structlog.get_logger().warning("submitted", subject=self.upload.fields.subject_id)
        return await right(self)

    put(Submission, "accept", accept)


def webhook_dropped() -> None:
    """A delivery that fails is forgotten."""
    from shared.db.statements import webhooks

    def failed(delivery: Any, *_: Any, **__: Any) -> TextClause:
        return text("DELETE FROM deliveries WHERE id = :delivery").bindparams(delivery=delivery)

    put(webhooks, "failed", failed)
