"""Bugs that a judge must find: `python -m tests.chaos.planted NAME services.worker` runs a module with one of them.

Each is what somebody could have written instead of what is shipped, put in its place when the process starts; shipped
modules hold none of them. `none` runs the module as it is. A patch that finds nothing to replace is an error, so that a
bug cannot vanish by a change elsewhere.
"""

import asyncio
import runpy
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import faults

_DAY_S = 86_400.0


@dataclass(frozen=True)
class Bug:
    """What is wrong, the invariant that it breaks, and how it is put in place."""

    invariant: str
    plant: Callable[[], None]

    @property
    def wrong(self) -> str:
        """In words."""
        return self.plant.__doc__ or ""


# --- in a worker ----------------------------------------------------------------------------------------------------


def no_fence() -> None:
    """A result is committed whoever holds the job by now."""
    _change("_FINISH", "AND j.claim_id = :claim AND j.state = 'running'", "AND j.state IN ('queued', 'running')")


def cancelled_resurrected() -> None:
    """A result is committed although the job was cancelled meanwhile."""
    held = "AND j.claim_id = :claim AND j.state = 'running'"
    _change("_FINISH", held, "AND (j.claim_id = :claim AND j.state = 'running' OR j.state = 'cancelled')")


def results_not_written() -> None:
    """Jobs are ended, their results are left for a second transaction that never comes."""
    _change("_FINISH", "WHERE e.state = 'succeeded'", "WHERE e.state = 'never'")


def doubled_results() -> None:
    """Nothing keeps a second result of a job away, and a group is inserted twice."""
    from shared.db.engine import sync_engine
    from shared.settings import Settings

    with sync_engine(Settings()).begin() as connection:
        connection.execute(text("ALTER TABLE results DROP CONSTRAINT pk_results"))
    _change("_FINISH", "ON a.job_id = e.id WHERE", "ON a.job_id = e.id CROSS JOIN generate_series(1, 2) WHERE")


def group_not_committed() -> None:
    """A group's commit is skipped, and its claim is closed with its jobs in it."""
    from services.worker.claims import Claims

    empty = "AND NOT EXISTS (SELECT FROM jobs WHERE claim_id = :claim AND state = 'running')"
    _change("_END_CLAIM", empty, "")

    def finish(self: Claims, claim: Any, answers: Any, studies: Any, *, last: bool = False) -> None:
        if last:
            self.end(claim)

    _put(Claims, "finish", finish)


def answers_swapped() -> None:
    """The first two answers of a group change places."""
    from shared.db.statements import claims

    right = claims.finish

    def finish(claim_id: int, answers: list[dict[str, Any]]) -> TextClause:
        if len(answers) > 1:
            first, second, *others = answers
            same = ("job_id", "input_sha256")
            answers = [_but(second, first, same), _but(first, second, same), *others]
        return right(claim_id, answers)

    _put(claims, "finish", finish)


def newest_version() -> None:
    """A worker predicts with the version that was published last, whatever its claim says."""
    from sqlalchemy import select

    from services.worker.deployed import Deployed, Loaded
    from shared.db.tables import Version

    right = Deployed.get

    def get(self: Deployed, sha256: str) -> Loaded:
        with self._database.begin() as session:
            newest = session.scalars(select(Version.sha256).order_by(Version.published_at.desc()).limit(1)).one()
        return right(self, newest)

    _put(Deployed, "get", get)


def local_clock() -> None:
    """Leases are counted from the worker's own clock, which is a day ahead."""
    from shared.db.statements import turns

    ahead = f"now() + interval '{_DAY_S} seconds' + make_interval(secs => :lease)"
    _change("_HEARTBEAT", "now() + make_interval(secs => :lease)", ahead)
    _put(turns, "_CLAIM", _changed(turns._CLAIM, "now() + make_interval(secs => :lease)", ahead))


def no_reaper() -> None:
    """Nobody looks for claims whose lease ran out."""
    from services.worker.lease import Pulse

    _put(Pulse, "_reap", lambda _: None)


def reaped_uncharged() -> None:
    """A lost lease costs no attempt."""
    _change("_REAP", "SET state = CASE", "SET attempts = j.attempts - 1, state = CASE")


def reaped_for_ever() -> None:
    """What killed its worker three times is tried again, and again."""
    _change("_REAP", "j.attempts >= :most", "j.attempts >= :most + 1000")


# --- in a gateway ---------------------------------------------------------------------------------------------------


def acknowledged_early() -> None:
    """202 is answered, the commit comes a little later."""
    from services.api.accept import Accepted, Submission

    right = Submission.accept

    async def accept(self: Submission) -> Accepted:
        return await right(replace(self, gateway=_Late(self.gateway)))  # type: ignore[arg-type]

    _put(Submission, "accept", accept)


def key_not_looked_up() -> None:
    """A repetition is taken for a new request."""
    from services.api.idempotency import Repeatable

    async def nothing(*_: Any) -> None:
        return None

    _put(Repeatable, "before", nothing)
    _put(Repeatable, "take", nothing)


def body_not_compared() -> None:
    """Any request under a used key is taken for a repetition."""
    from services.api import accept

    _put(accept, "fingerprint", lambda *_: "the same")


def blob_after_row() -> None:
    """The row is committed first, the file is kept afterwards: here the process dies in between."""
    from services.api.intake import Upload
    from shared.storage import Blob

    right = Upload.commit

    async def commit(self: Upload) -> Blob:
        asyncio.get_running_loop().call_later(30, lambda: asyncio.ensure_future(right(self)))
        return Blob(self.sha256, self.size_bytes)

    _put(Upload, "commit", commit)


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

    _put(Looks, "_jobs", anybodys)


def reading_not_named() -> None:
    """The audit log remembers that somebody read a job, but not which."""
    from shared.db.statements import audit

    right = audit.row

    def row(who: audit.Who, action: str, kind: str, object_id: str | None, request_id: str | None) -> dict[str, Any]:
        return right(who, action, kind, None if action == "job.read" else object_id, request_id)

    _put(audit, "row", row)


def patient_in_the_log() -> None:
    """Whatever is submitted is logged with its subject."""
    import structlog

    from services.api.accept import Accepted, Submission

    right = Submission.accept

    async def accept(self: Submission) -> Accepted:
        structlog.get_logger().warning("submitted", subject=self.upload.fields.subject_id)
        return await right(self)

    _put(Submission, "accept", accept)


def webhook_dropped() -> None:
    """A delivery that fails is forgotten."""
    from shared.db.statements import webhooks

    def failed(delivery: Any, *_: Any, **__: Any) -> TextClause:
        return text("DELETE FROM deliveries WHERE id = :delivery").bindparams(delivery=delivery)

    _put(webhooks, "failed", failed)


BUGS = {
    bug.plant.__name__: bug
    for bug in (
        Bug("I9", no_fence),
        Bug("I14", cancelled_resurrected),
        Bug("I3", results_not_written),
        Bug("I3", doubled_results),
        Bug("I2", group_not_committed),
        Bug("I4", answers_swapped),
        Bug("I5", newest_version),
        Bug("I19", local_clock),
        Bug("I2", no_reaper),
        Bug("I8", reaped_uncharged),
        Bug("I8", reaped_for_ever),
        Bug("I1", acknowledged_early),
        Bug("I7", key_not_looked_up),
        Bug("I7", body_not_compared),
        Bug("I15", blob_after_row),
        Bug("I4", other_hospitals_jobs),
        Bug("I16", reading_not_named),
        Bug("I17", patient_in_the_log),
        Bug("I20", webhook_dropped),
    )
}


def main(name: str, module: str) -> None:
    """Plant one bug and become the module."""
    faults.HANG_S = 2.0  # a test waits for whoever hangs
    if name != "none":
        BUGS[name].plant()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class _Late:
    """A gateway whose transactions are committed a second after their end."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        session: AsyncSession = self._gateway._sessions()
        yield session
        asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(session.commit()))


def _put(owner: Any, name: str, wrong: Any) -> None:
    """Put something in the place of one that is there."""
    getattr(owner, name)
    setattr(owner, name, wrong)


def _change(name: str, old: str, new: str) -> None:
    """Put other words into a statement of shared.db.statements.claims."""
    from shared.db.statements import claims

    _put(claims, name, _changed(getattr(claims, name), old, new))


def _changed(statement: TextClause, old: str, new: str) -> TextClause:
    words = " ".join(statement.text.split())
    assert old in words, old
    typed = [each for each in statement._bindparams.values() if each.key in words]
    return text(words.replace(old, new)).bindparams(*typed)


def _but(values: dict[str, Any], owner: dict[str, Any], kept: tuple[str, ...]) -> dict[str, Any]:
    return {**values, **{name: owner[name] for name in kept}}


if __name__ == "__main__":
    main(*sys.argv[1:])
