"""A healthy history is found to be so; each way to break a promise is found and named."""

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.db.engine import Database
from tests.chaos.checker import Evidence, check, named
from tests.chaos.history import History
from tests.chaos.identity import canary, score_of
from tests.chaos.journal import Entry, Operation
from tests.chaos.traces import Stop
from tests.conftest import made_database
from tests.support.stack import Hospital


@pytest.fixture(scope="module")
def history(engines, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with made_database(engines, template, tmp_path_factory.mktemp("history")) as settings:
        settings = settings.changed(lease_s=0.3)
        database = Database(settings)
        yield History(settings, database, Hospital(settings, database)).live()
        database.close()


class Undone:
    """The history's database within one transaction that is never committed, so that every test begins anew."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @contextlib.contextmanager
    def begin(self) -> Iterator[Session]:
        yield self.session


@pytest.fixture
def undone(history: History) -> Iterator[Undone]:
    with Session(history.database.engine) as session:
        # Neither foreign keys nor triggers: a bad history is what these would not have let happen.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield Undone(session)
        session.rollback()


def judged(history: History, undone: Undone, entries: list[Entry] | None = None, **evidence: Any) -> set[str]:
    gathered = Evidence(**{"messages": history.messages, **evidence})
    found = check(history.settings, cast(Database, undone), entries or history.entries, gathered)
    assert all(violation.rows and violation.what for violation in found)
    return named(found)


def test_a_healthy_history_breaks_nothing(history: History, undone: Undone) -> None:
    states = {number: history.hospital.job(job_id).state for number, job_id in history.jobs.items()}
    assert states == {**dict.fromkeys((1, 2, 3, 4, 7, 8), "succeeded"), 5: "cancelled", 6: "dead"}
    assert len(history.messages) == 9, "one for each end, two for the job that was tried again"
    assert check(history.settings, history.database, history.entries, Evidence(history.messages)) == []


# Each changes the history of job :a (answered in a group with :b) as a defect would have left it.
BAD_ROWS = {
    "I1 an accepted job is gone": """
        DELETE FROM results WHERE job_id = :a; DELETE FROM job_inputs WHERE job_id = :a;
        DELETE FROM job_events WHERE job_id = :a; DELETE FROM deliveries WHERE job_id = :a;
        DELETE FROM jobs WHERE id = :a""",
    "I1 a cancellation is gone": """
        UPDATE jobs SET state = 'failed', code = 'deadline', detail = 'late' WHERE id = :cancelled;
        UPDATE deliveries SET status = 'failed' WHERE job_id = :cancelled;
        UPDATE job_events SET to_state = 'failed' WHERE job_id = :cancelled AND to_state = 'cancelled'""",
    "I2 a job waits for ever": """
        INSERT INTO jobs (id, tenant_id, principal_id, modality, priority)
        SELECT gen_random_uuid(), tenant_id, principal_id, modality, priority FROM jobs WHERE id = :a;
        INSERT INTO job_inputs (id, job_id, tenant_id, sha256, size_bytes, media_type)
        SELECT gen_random_uuid(), j.id, j.tenant_id, i.sha256, 1, 'image/png'
        FROM jobs j, job_inputs i WHERE j.state = 'queued' AND i.job_id = :a;
        INSERT INTO job_events (tenant_id, job_id, to_state, cause)
        SELECT tenant_id, id, 'queued', 'submitted' FROM jobs WHERE state = 'queued'""",
    "I3 a result is missing": "DELETE FROM results WHERE job_id = :a",
    "I3 a result is there twice": """
        ALTER TABLE results DROP CONSTRAINT pk_results;
        INSERT INTO results SELECT * FROM results WHERE job_id = :a""",
    "I4 two results are swapped": """
        UPDATE results r SET score = o.score, probability = o.probability, decision = o.decision
        FROM results o WHERE r.job_id IN (:a, :b) AND o.job_id IN (:a, :b) AND o.job_id <> r.job_id""",
    "I4 a result is of another input": "UPDATE results SET input_sha256 = repeat('0', 64) WHERE job_id = :a",
    "I4 a result belongs to another hospital": "UPDATE results SET tenant_id = gen_random_uuid() WHERE job_id = :a",
    "I5 another version answered": """
        UPDATE results SET score = score + 0.25, probability = 1 / (1 + exp(-score - 0.25)) WHERE job_id = :a""",
    "I5 the threshold is another": "UPDATE results SET decision = 'flagged' WHERE job_id = :a",
    "I5 nothing says what computed it": "UPDATE results SET runtime = '{}' WHERE job_id = :a",
    "I6 a move is missing from the history": "DELETE FROM deployment_events WHERE generation = 1",
    "I6 the pointer moved without its history": "UPDATE deployments SET active_id = previous_id",
    "I6 a claim ran a version that was not active": """
        UPDATE claims SET version_id = v.id FROM versions v
        WHERE claims.id = (SELECT min(id) FROM claims) AND v.name = 'echo-2';
        UPDATE results SET version_id = v.id, score = score + 0.25, probability = 1 / (1 + exp(-score - 0.25))
        FROM versions v WHERE claim_id = (SELECT min(id) FROM claims) AND v.name = 'echo-2';
        UPDATE jobs SET version_id = r.version_id FROM results r WHERE r.job_id = jobs.id""",
    "I6 a claim mixes versions": """
        UPDATE results SET version_id = v.id, score = score + 0.25, probability = 1 / (1 + exp(-score - 0.25))
        FROM versions v WHERE job_id = :a AND v.name = 'echo-2';
        UPDATE jobs SET version_id = r.version_id FROM results r WHERE r.job_id = jobs.id""",
    "I8 a job was tried too often": "UPDATE jobs SET attempts = 4 WHERE id = :dead",
    "I8 a dead job says no reason": "UPDATE jobs SET code = NULL WHERE id = :dead",
    "I8 a lost lease was not charged": "UPDATE jobs SET attempts = 0 WHERE id = :a",
    "I9 a claim that was over has committed": """
        UPDATE job_events SET claim_id = (SELECT min(claim_id) FROM job_events WHERE job_id = :again)
        WHERE job_id = :again AND to_state = 'succeeded';
        UPDATE results SET claim_id = e.claim_id FROM job_events e
        WHERE results.job_id = :again AND e.job_id = :again AND e.to_state = 'succeeded'""",
    "I9 a result names another claim than the one that committed it": """
        UPDATE results SET claim_id = (SELECT min(claim_id) FROM job_events WHERE job_id = :again)
        WHERE job_id = :again""",
    "I11 a worker claimed after its farewell": "UPDATE workers SET stopped_at = started_at - interval '1 second'",
    "I14 a step was skipped": """
        UPDATE job_events SET from_state = 'queued' WHERE job_id = :a AND to_state = 'succeeded'""",
    "I14 the row is not where its events end": "UPDATE jobs SET state = 'failed' WHERE id = :dead",
    "I15 an input has no row": "DELETE FROM job_inputs WHERE job_id = :dead",
    "I16 a submission was not audited": """
        DELETE FROM audit_events WHERE object_id = CAST(:a AS text) AND action = 'job.submit'""",
    "I16 a reading was not audited": """
        DELETE FROM audit_events WHERE object_id = CAST(:a AS text) AND action = 'job.read'""",
    "I19 a lease is a day too long": "UPDATE claims SET lease_until = lease_until + interval '1 day'",
    "I19 a lease ended before it began": "UPDATE claims SET lease_until = lease_until - interval '1 day'",
    "I20 a delivery is missing": "DELETE FROM deliveries WHERE job_id = :a",
    "I20 a delivery was given up at once": "UPDATE deliveries SET state = 'dead', answer = '500' WHERE job_id = :a",
    "I20 a delivery waits for ever": "UPDATE deliveries SET state = 'waiting' WHERE job_id = :a",
    "I21 what is contested waits for nobody": """
        UPDATE adjudications SET state = 'withdrawn' WHERE job_id = :contested;
        UPDATE results SET review = 'disagreed' WHERE job_id = :contested""",
    "I21 what nobody contests waits for a reader": """
        UPDATE feedback SET withdrawn_at = now() WHERE job_id = :contested""",
    "I21 somebody read his own verdict again": "UPDATE adjudications SET person = 'ada' WHERE job_id = :settled",
    "I21 the review does not say what stands": "UPDATE results SET review = NULL WHERE job_id = :settled",
    "I21 a result is settled twice": """
        INSERT INTO adjudications SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).*
        FROM adjudications a WHERE job_id = :settled""",
    "I22 an explanation is of another patient's picture": """
        UPDATE explanations SET answer = jsonb_build_object('score', (answer ->> 'score')::float8 + 2 ^ -22)""",
    "I22 an explanation of nothing": "UPDATE explanations SET job_id = :cancelled",
    "I22 a picture without its explanation": """
        INSERT INTO renditions (job_id, kind, tenant_id, state, sha256)
        SELECT j.id, 'heat', j.tenant_id, 'made', i.sha256 FROM jobs j JOIN job_inputs i ON i.job_id = j.id
        WHERE j.id = :a""",
    "I23 a shadow computed another patient's picture": "UPDATE shadow_results SET score = score + 2 ^ -22",
    "I23 an end was counted twice": """
        INSERT INTO rollups (tenant_id, width, since, modality, version_id, measure, site, device, counts)
        SELECT tenant_id, 3600, now(), 'chest_xray', version_id, 'outcome', '', '', ARRAY[50]
        FROM results WHERE job_id = :a""",
    "I23 an end was not counted": """
        UPDATE watermarks SET (ended_in, job_id) = (SELECT ended_in, id FROM jobs ORDER BY 1 DESC, 2 DESC LIMIT 1)""",
    "I24 a retraining learnt from another hospital": """
        INSERT INTO training_runs (id, tenant_id, principal_id, recipe, mode, seed, dataset, name, options, state)
        SELECT id, tenant_id, principal_id, 'x', 'sound', 1, 'x', 'x', '{}', 'cancelled' FROM jobs WHERE id = :a;
        INSERT INTO retrainings (id, tenant_id, modality, principal_id, cause, reason, plan, run_id)
        SELECT id, gen_random_uuid(), modality, principal_id, 'asked', 'x', '{}', id FROM jobs WHERE id = :a""",
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_named(history: History, undone: Undone, name: str) -> None:
    jobs = history.jobs
    ids = {
        "a": jobs[1],
        "b": jobs[2],
        "cancelled": jobs[5],
        "dead": jobs[6],
        "again": jobs[8],
        "settled": jobs[4],
        "contested": jobs[7],
    }
    for statement in BAD_ROWS[name].split(";"):
        prepared = text(statement)
        undone.session.execute(prepared, {key: ids[key] for key in prepared._bindparams})
    # What is shown of a job that a defect changed is wrong as well: nobody looks, but where that is the matter.
    silent = [entry for entry in history.entries if entry.operation is not Operation.GET or "reading" in name]
    assert judged(history, undone, silent, messages=None) == {name.split()[0]}


def _shown(**changes: Any) -> Callable[[History], list[Entry]]:
    """The journal with its first reading changed."""

    def change(history: History) -> list[Entry]:
        first = next(entry for entry in history.entries if entry.operation is Operation.GET)
        return [replace(entry, **changes) if entry is first else entry for entry in history.entries]

    return change


def _with(operation: Operation, **changes: Any) -> Callable[[History], list[Entry]]:
    """The journal with one more line: the first of its kind, changed."""

    def change(history: History) -> list[Entry]:
        first = next(entry for entry in history.entries if entry.operation is operation)
        again = replace(first, call="again", at=history.entries[-1].ended_at, ended_at=None)
        return [*history.entries, replace(again, **changes)]

    return change


BAD_JOURNALS = {
    "I1 a batch lacks an item": lambda history: [
        *history.entries,
        replace(
            history.entries[0], operation=Operation.BATCH, idempotency_key="b", more={"batch_id": None, "items": 2}
        ),
    ],
    "I1 a batch is gone": lambda history: [
        *history.entries,
        replace(history.entries[0], operation=Operation.BATCH, idempotency_key="b", more={"batch_id": "unknown"}),
    ],
    "I2 an end that was told changed": _shown(more={"state": "failed"}),
    "I4 a job was made for another patient": _with(Operation.SUBMIT, subject=canary(9)),
    "I4 another job was shown": _shown(job_id="other"),
    "I4 a job was shown to another hospital": _shown(tenant="south"),
    "I4 another patient's answer was shown": _shown(more={"number": 2}),
    "I4 a list showed a foreign job": lambda history: [
        *history.entries,
        replace(history.entries[0], operation=Operation.LIST, tenant="south", more={"jobs": [str(history.jobs[1])]}),
    ],
    "I6 a promotion is gone": _with(
        Operation.PROMOTE, more={"modality": "chest_xray", "generation": 3}, ended_at=None, status=200
    ),
    "I6 a claim ran on an older generation": lambda history: [
        replace(entry, ended_at=history.entries[0].at) if entry.operation is Operation.PROMOTE else entry
        for entry in history.entries
    ],
    "I7 a repetition made another job": lambda history: [
        *history.entries,
        replace(history.entries[1], call="again", idempotency_key="key-1", request=history.entries[0].request),
    ],
    "I7 another request under the key was taken for a repetition": _with(Operation.SUBMIT, request="other"),
    "I7 another request under the key was refused for another reason": _with(
        Operation.SUBMIT, request="other", status=404, job_id=None
    ),
    "I12 nobody said when to come again": _with(Operation.SUBMIT, status=429, job_id=None),
    "I12 an error without a name": _shown(status=500, job_id=None),
}


@pytest.mark.parametrize("name", BAD_JOURNALS)
def test_what_was_told_wrongly_is_named(history: History, undone: Undone, name: str) -> None:
    assert judged(history, undone, BAD_JOURNALS[name](history)) == {name.split()[0]}


def test_a_job_that_nobody_asked_for_is_named(history: History, undone: Undone) -> None:
    """The repetition's answer was lost, so only the rows know of the second job."""
    undone.session.execute(text("UPDATE jobs SET subject_id = :subject WHERE id = :b"), _like(history))
    undone.session.execute(
        text("UPDATE results SET score = :score, probability = 1 / (1 + exp(-:score)) WHERE job_id = :b"),
        _like(history),
    )
    entries = [entry for entry in history.entries if str(history.jobs[2]) not in (entry.job_id, entry.asked)]
    assert judged(history, undone, entries) == {"I7"}


def _like(history: History) -> dict[str, Any]:
    return {"b": history.jobs[2], "subject": canary(1), "score": score_of(1, 1)}


def test_refusals_that_are_right_break_nothing(history: History, undone: Undone) -> None:
    more = {"retry_after": 3}
    for change in (
        _with(Operation.SUBMIT, request="other", status=422, job_id=None),
        _with(Operation.SUBMIT, status=503, job_id=None, more=more),
        _with(Operation.SUBMIT, status=None, job_id=None),
        _with(Operation.GET, status=404, job_id=None, asked="unknown"),
    ):
        assert judged(history, undone, change(history)) == set()


def test_lost_and_altered_bytes_are_named(history: History, undone: Undone, tmp_path: Path) -> None:
    store = history.settings.blob_dir
    (blob,) = [path for path in store.rglob("*") if path.name == history.entries[0].sha256]
    body = blob.read_bytes()
    try:
        blob.write_bytes(body[:-1])
        assert judged(history, undone) == {"I15"}
        blob.unlink()
        assert judged(history, undone) == {"I15"}
    finally:
        blob.write_bytes(body)


def test_an_altered_version_is_named(history: History, undone: Undone) -> None:
    notice = history.settings.versions_dir / history.next / "NOTICE.md"
    body = notice.read_bytes()
    try:
        notice.write_bytes(body + b".")
        assert judged(history, undone) == {"I5"}
    finally:
        notice.write_bytes(body)


@pytest.mark.parametrize("before", ["", "x", "xy", "patient "])
def test_a_patient_in_a_log_a_page_or_redis_is_named(
    history: History, undone: Undone, tmp_path: Path, before: str
) -> None:
    word = f"{before}{canary(1)} was here"
    log, clean = tmp_path / "log", tmp_path / "clean"
    clean.write_text("nobody was here\n")
    log.write_bytes(b"." * (2**20 - 5) + base64.b64encode(word.encode()))
    assert judged(history, undone, files=[clean]) == set()
    assert judged(history, undone, files=[log, clean]) == {"I17"}
    assert judged(history, undone, texts={"metrics": word}) == {"I17"}
    with redis.Redis.from_url(history.settings.redis_url.get_secret_value()) as connection:
        connection.rpush("work.test", base64.b64encode(word.encode()))
        try:
            assert judged(history, undone) == {"I17"}
        finally:
            connection.delete("work.test")


def test_messages_that_are_missing_changed_or_unsigned_are_named(history: History, undone: Undone) -> None:
    first, *others = history.messages
    assert judged(history, undone, messages=[first, first, *others]) == set(), "at least once"
    assert judged(history, undone, messages=None) == set(), "nobody listened"
    assert judged(history, undone, messages=others) == {"I20"}
    assert judged(history, undone, messages=[first, *others, replace(first, body=b"{}")]) == {"I20"}
    unsigned = {**first.headers, "webhook-signature": "v1,none"}
    assert judged(history, undone, messages=[replace(first, headers=unsigned), *others]) == {"I20"}


@pytest.mark.parametrize(
    ("code", "seconds", "right"), [(0, 2.0, True), (-9, 2.0, False), (None, 2.0, False), (0, 31.0, False)]
)
def test_a_stop_that_is_not_clean_is_named(
    history: History, undone: Undone, code: int | None, seconds: float, right: bool
) -> None:
    assert judged(history, undone, stops=[Stop("worker", code, seconds)]) == (set() if right else {"I11"})
