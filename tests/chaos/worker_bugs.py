"""What somebody could have written in a worker instead of what is shipped."""

from typing import Any

from sqlalchemy import TextClause, text

from tests.chaos.planting import change, changed, put

_DAY_S = 86_400.0


def no_fence() -> None:
    """A result is committed whoever holds the job by now."""
    change("_FINISH", "AND j.claim_id = :claim AND j.state = 'running'", "AND j.state IN ('queued', 'running')")


def cancelled_resurrected() -> None:
    """A result is committed although the job was cancelled meanwhile."""
    held = "AND j.claim_id = :claim AND j.state = 'running'"
    change("_FINISH", held, "AND (j.claim_id = :claim AND j.state = 'running' OR j.state = 'cancelled')")


def results_not_written() -> None:
    """Jobs are ended, their results are left for a second transaction that never comes."""
    change("_FINISH", "WHERE e.state = 'succeeded'", "WHERE e.state = 'never'")


def doubled_results() -> None:
    """Nothing keeps a second result of a job away, and a group is inserted twice."""
    from shared.db.engine import sync_engine
    from shared.settings import Settings

    with sync_engine(Settings()).begin() as connection:
        connection.execute(text("ALTER TABLE results DROP CONSTRAINT pk_results"))
    change("_FINISH", "ON a.job_id = e.id WHERE", "ON a.job_id = e.id CROSS JOIN generate_series(1, 2) WHERE")


def group_not_committed() -> None:
    """A group's commit is skipped, and its claim is closed with its jobs in it."""
    from services.worker.claims import Claims

    empty = "AND NOT EXISTS (SELECT FROM jobs WHERE claim_id = :claim AND state = 'running')"
    change("_END_CLAIM", empty, "")

    def finish(self: Claims, claim: Any, answers: Any, studies: Any, *, last: bool = False) -> None:
        if last:
            self.end(claim)

    put(Claims, "finish", finish)


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

    put(claims, "finish", finish)


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

    put(Deployed, "get", get)


def local_clock() -> None:
    """Leases are counted from the worker's own clock, which is a day ahead."""
    from shared.db.statements import turns

    ahead = f"now() + interval '{_DAY_S} seconds' + make_interval(secs => :lease)"
    change("_HEARTBEAT", "now() + make_interval(secs => :lease)", ahead)
    put(turns, "_CLAIM", changed(turns._CLAIM, "now() + make_interval(secs => :lease)", ahead))


def no_reaper() -> None:
    """Nobody looks for claims whose lease ran out."""
    from services.worker.lease import Pulse

    put(Pulse, "_reap", lambda _: None)


def reaped_uncharged() -> None:
    """A lost lease costs no attempt."""
    change("_REAP", "SET state = CASE", "SET attempts = j.attempts - 1, state = CASE")


def reaped_for_ever() -> None:
    """What killed its worker three times is tried again, and again."""
    change("_REAP", "j.attempts >= :most", "j.attempts >= :most + 1000")


def _but(values: dict[str, Any], owner: dict[str, Any], kept: tuple[str, ...]) -> dict[str, Any]:
    return {**values, **{name: owner[name] for name in kept}}
