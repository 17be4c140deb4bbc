"""Pointers move by compare-and-swap with a memory, and running workers follow."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text

from shared.db.engine import Database
from shared.db.tables import Deployment, DeploymentEvent, Result, Version
from shared.deployments import STARTER, Why, find, install_starters, promote, publish, rollback
from shared.errors import Conflict
from shared.recalls import recall
from shared.registry import store, verify
from shared.schemas import Modality
from shared.settings import Settings
from tests.integration.test_worker import all_end, cough
from tests.support.stack import Hospital, wait_for, worker
from tests.support.versions import tiny


@pytest.fixture
def candidate(settings: Settings, database: Database, deployed, tmp_path: Path) -> Version:
    artefact = store(tiny(tmp_path / "candidate", Modality.COUGH, "tiny-2", bias=5.0), settings.versions_dir)
    with database.begin() as session:
        return publish(session, artefact, "test")


def test_of_many_promotions_one_wins(database: Database, candidate: Version) -> None:
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            with database.begin() as session:
                promote(session, session.get_one(Version, candidate.id), 1, Why("test", "race"))
            outcomes.append("moved")
        except Conflict as conflict:
            outcomes.append(conflict.code)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["generation_stale"] * 5 + ["moved"]
    with database.begin() as session:
        deployment = find(session, "cough")
        assert (deployment.generation, deployment.active_id) == (2, candidate.id)
        events = session.scalars(select(DeploymentEvent).where(DeploymentEvent.deployment_id == deployment.id)).all()
        assert [event.action for event in events] == ["install", "promote"]
        assert [event.from_id for event in events] == [None, deployment.previous_id]


def test_refusals_name_their_reason(database: Database, candidate: Version) -> None:
    with database.begin() as session, pytest.raises(Conflict) as refused:
        rollback(session, "cough", Why("test", "nothing to go back to"), 1)
    assert refused.value.code == "nothing_to_roll_back_to"
    with database.begin() as session:
        session.execute(text("UPDATE versions SET finding = 'other' WHERE id = :id").bindparams(id=candidate.id))
    with database.begin() as session, pytest.raises(Conflict) as refused:
        promote(session, session.get_one(Version, candidate.id), 1, Why("test", "another finding"))
    assert refused.value.code == "finding_mismatch"
    with database.begin() as session:
        session.execute(text("UPDATE versions SET recalled_at = now() WHERE id = :id").bindparams(id=candidate.id))
    with database.begin() as session, pytest.raises(Conflict) as refused:
        promote(session, session.get_one(Version, candidate.id), 1, Why("test", "recalled"))
    assert refused.value.code == "version_recalled"


def test_newer_starters_stand_beside_what_an_installation_has(
    settings: Settings, database: Database, deployed: dict[Modality, str], tmp_path: Path
) -> None:
    artefact = store(tiny(tmp_path / "earlier", Modality.COUGH, "starter-1"), settings.versions_dir)
    with database.begin() as session:
        publish(session, artefact, "starter")
    for _ in range(2):
        install_starters(settings, database)
    with database.begin() as session:
        active = session.get_one(Version, find(session, "cough").active_id)
        names = session.scalars(select(Version.name).where(Version.modality == "cough")).all()
    assert active.sha256 == deployed[Modality.COUGH]
    assert sorted(names) == sorted([active.name, "starter-1", verify(STARTER / "cough").card.name])


def test_a_running_worker_follows(
    settings: Settings, database: Database, hospital: Hospital, candidate: Version, tmp_path: Path
) -> None:
    def answered_by() -> str:
        (job_id,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
        all_end(hospital, [job_id], "succeeded", 60)
        with database.begin() as session:
            return session.get_one(Version, session.get_one(Result, job_id).version_id).name

    with worker(settings, database, tmp_path / "worker.log"):
        assert answered_by() == "tiny-1"
        with database.begin() as session:
            promote(
                session,
                session.get_one(Version, candidate.id),
                find(session, "cough").generation,
                Why("test", "better"),
            )
        assert answered_by() == "tiny-2"
        with database.begin() as session:
            rollback(session, "cough", Why("test", "worse"), 2)
        assert answered_by() == "tiny-1"


def test_an_altered_version_answers_nothing(
    settings: Settings, database: Database, hospital: Hospital, deployed, tmp_path: Path
) -> None:
    """No fallback: the job ends as failed with its reason, and nothing else answers in its place."""
    model = settings.versions_dir / deployed[Modality.COUGH] / "model.onnx"
    body = bytearray(model.read_bytes())
    body[-1] ^= 1
    model.write_bytes(body)
    (job_id,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    with worker(settings, database, tmp_path / "worker.log", THORACLE_MAX_ATTEMPTS="1"):
        wait_for(lambda: hospital.job(job_id).state == "failed", 60, "the job to fail")
    assert hospital.job(job_id).code == "version_unavailable"


def test_a_requested_version_answers(
    settings: Settings, database: Database, hospital: Hospital, candidate: Version, tmp_path: Path
) -> None:
    (pinned,) = hospital.submit(cough(), "audio/wav", Modality.COUGH, requested_id=candidate.id)
    (free,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    with worker(settings, database, tmp_path / "worker.log"):
        all_end(hospital, [pinned, free], "succeeded", 60)
    with database.begin() as session:
        assert session.get_one(Result, pinned).version_id == candidate.id
        active = session.scalars(select(Deployment.active_id).where(Deployment.modality == "cough")).one()
        assert session.get_one(Result, free).version_id == active


def test_jobs_wait_for_a_modality_whose_version_was_recalled(
    settings: Settings, database: Database, hospital: Hospital, candidate: Version, tmp_path: Path
) -> None:
    """No version answers in its place until somebody promotes one; what asked for another goes on."""
    with database.begin() as session:
        recall(session, session.get_one(Version, find(session, "cough").active_id), Why("test", "wrong labels"))
    (waiting,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    (pinned,) = hospital.submit(cough(), "audio/wav", Modality.COUGH, requested_id=candidate.id)
    with worker(settings, database, tmp_path / "worker.log"):
        all_end(hospital, [pinned], "succeeded", 60)
        assert hospital.job(waiting).state == "queued"
        with database.begin() as session:
            version = session.get_one(Version, candidate.id)
            promote(session, version, find(session, "cough").generation, Why("test", "the next one"))
        all_end(hospital, [waiting], "succeeded", 60)
